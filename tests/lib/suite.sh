# shellcheck shell=bash
# What every suite's run shares: the build, the counters and the closing line.
#
#   source "$(dirname "$0")/../lib/suite.sh"
#   build_tree release
#   run_gtest "$BUILD/tests/alloc_test"
#   check "the page names every RPC" grep -q CreateVolume README.md
#   finish
#
# `finish` prints `N passed, N failed, N skipped` and exits 1 if any failed.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build
PASSED=0
FAILED=0
SKIPPED=0
RESULTS=$(mktemp -d "${TMPDIR:-/tmp}/famfs-suite.XXXXXX")
FAILURES=$RESULTS/failures
trap 'rm -rf "$RESULTS"' EXIT

# Configures and builds a preset; a second run only rebuilds what changed. One
# build at a time works on a tree: tests/run builds some ahead of their suites.
build_tree() {
  local preset=$1
  shift
  local log=$RESULTS/build-$preset.log folder=$ROOT/build-$preset
  if [[ $preset == release ]]; then folder=$BUILD; fi
  "$ROOT/deploy/install-dependencies" test
  echo "Building preset $preset ..."
  mkdir -p "$folder"
  if ! { (cd "$ROOT" && flock 9 && cmake --preset "$preset" && cmake --build --preset "$preset" \
    ${1:+--target "$@"}) >"$log" 2>&1 9>"$folder/.lock"; }; then
    tail -n 60 "$log" >&2
    echo "the build of preset $preset failed" >&2
    exit 1
  fi
}

count() {
  PASSED=$((PASSED + $1))
  FAILED=$((FAILED + $2))
  SKIPPED=$((SKIPPED + $3))
}

# Runs one GoogleTest program; tells failures whole and skips with their reasons.
# It has SUITE_TIMEOUT seconds (900), on a slower machine as many times more as a
# suite has (tests/run).
run_gtest() {
  local binary=$1
  shift
  local name report output
  name=$(basename "$binary")
  report=$RESULTS/$name.json
  output=$RESULTS/$name.log
  rm -f "$report"
  local status=0
  (cd "$ROOT" && timeout --kill-after=10 \
    $((${SUITE_TIMEOUT:-900} * ${FAMFS_BUDGET_FACTOR:-1})) "$binary" \
    --gtest_output="json:$report" "$@") >"$output" 2>&1 || status=$?
  if [[ ! -s $report ]]; then
    echo "FAILED  $name: ended with status $status before it could report" | tee -a "$FAILURES"
    tail -n 60 "$output"
    # Its last words, with the test that ran, are told at the end, too.
    grep '^\[ RUN  ' "$output" | tail -n 1 | sed 's/^/    /' >>"$FAILURES" || true
    grep -v '^\[ ' "$output" | tail -n 5 | cut -c 1-300 | sed 's/^/    /' >>"$FAILURES" || true
    count 0 1 0
    return
  fi
  local total failed skipped
  total=$(jq '[.testsuites[].testsuite[] | select(.status == "RUN")] | length' "$report")
  failed=$(jq '[.testsuites[].testsuite[] | select(.failures)] | length' "$report")
  skipped=$(jq '[.testsuites[].testsuite[] | select(.result == "SKIPPED")] | length' "$report")
  if ((status != 0 && failed == 0)); then
    # Passed tests, but a bad end: a sanitizer's report, a leak, a crash at exit.
    failed=1
    total=$((total + 1))
  fi
  count $((total - failed - skipped)) "$failed" "$skipped"
  printf '%-34s %5d passed, %d failed, %d skipped\n' "$name" \
    $((total - failed - skipped)) "$failed" "$skipped"
  if ((failed > 0)); then
    grep -vE '^\[ +(OK|RUN) +\]' "$output" | tail -n 80
    note_failures "$name" "$report"
  fi
  if ((skipped > 0)); then
    # GoogleTest prints "file:line: Skipped" and the reason on the lines after it.
    grep -A 2 ': Skipped' "$output" | grep -vE ': Skipped|^--|^\[' | sort -u |
      sed '/^$/d; s/^/    skipped: /' || true
  fi
}

# Failures are told once more before the closing line: whoever sees only the end
# of a long log sees what went wrong.
note_failures() {
  local name=$1 report=$2 told
  told=$(jq -r --arg name "$name" '.testsuites[] | .name as $suite | .testsuite[] |
    select(.failures) | "FAILED  \($name): \($suite).\(.name): \(.failures[0].failure
    | gsub("\n"; " | ") | .[0:300])"' "$report")
  echo "${told:-FAILED  $name: a bad end after all tests}" >>"$FAILURES"
}

# One named check by a command; its output is shown when it fails.
check() {
  local name=$1
  shift
  local output=$RESULTS/check.log status
  # In a subshell that stands in no condition: within `if`, bash would go on
  # after a command of a function that failed.
  set +e
  (set -e && "$@") >"$output" 2>&1
  status=$?
  set -e
  if ((status == 0)); then
    count 1 0 0
    echo "ok      $name"
  else
    count 0 1 0
    echo "FAILED  $name"
    tail -n 60 "$output"
    echo "FAILED  $name" >>"$FAILURES"
  fi
}

skip() {
  count 0 0 1
  echo "skipped $1: $2"
}

# Adds the counts of another suite's closing line (the last line of a file).
count_from() {
  local file=$1 line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$file" | tail -n 1)
  [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]] || return 1
  count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
}

finish() {
  if [[ -s $FAILURES ]]; then
    echo "== what failed"
    cat "$FAILURES"
  fi
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  ((FAILED == 0))
}

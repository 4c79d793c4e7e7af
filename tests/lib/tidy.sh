# shellcheck shell=bash
# clang-tidy on sources of the programs, for tests/lint/tidy and tests/nightly.
# Behind tests/lib/suite.sh.
#
#   tidy_tree
#   tidy_sources | tidy_files SECONDS

# Where clang-tidy reads how a source is compiled, and the generated headers.
tidy_tree() {
  build_tree tidy famfs_csi_proto_sources famfs_registration_proto_sources
}

# Every source of a program; the tests have habits of their own (gtest's macros).
tidy_sources() {
  (cd "$ROOT" && find famfs-core csi controller node -name '*.cc' ! -path '*/example/*' | sort)
}

tidy_one() {
  if ((TIDY_UNTIL > 0 && EPOCHSECONDS >= TIDY_UNTIL)); then
    echo "$1" >>"$RESULTS/tidy/left"
    return
  fi
  clang-tidy-14 -p "$ROOT/build-tidy" --quiet "$1" >"$RESULTS/tidy/${1//\//_}" 2>&1 || echo "$1"
}

# Reads names of sources, prints those with which clang-tidy is not content; what
# it says of each is printed by tidy_findings. No source is begun after so many
# SECONDS (0: all are): those are in $RESULTS/tidy/left.
tidy_files() {
  mkdir -p "$RESULTS/tidy"
  : >"$RESULTS/tidy/left"
  TIDY_UNTIL=$(($1 > 0 ? EPOCHSECONDS + $1 : 0))
  export -f tidy_one
  export ROOT RESULTS TIDY_UNTIL
  (cd "$ROOT" && xargs -P "$(nproc)" -I{} bash -c 'tidy_one {}')
}

tidy_findings() {
  grep -E 'error:|warning:' "$RESULTS/tidy/${1//\//_}" | head -n 20 || true
}

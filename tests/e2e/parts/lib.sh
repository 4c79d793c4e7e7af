# shellcheck shell=bash
# What the parts have in common: where they are kept and how one is built.
#
# A part is a directory PARTS/NAME-VERSION. It is built beside its place and
# renamed into it, so a part that exists is whole, and building is done once.
set -euo pipefail
shopt -s inherit_errexit
E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=$(cd "$E2E/../.." && pwd)
# shellcheck source=tests/e2e/versions
source "$E2E/versions"
# shellcheck source=tests/lib/go.sh
source "$ROOT/tests/lib/go.sh"
CACHE=$(famfs_cache)/e2e
PARTS=$CACHE/parts
mkdir -p "$PARTS" "$CACHE/bin"
PATH=$CACHE/bin:$PATH

# Tells what happens on stderr: stdout of a part is its directory.
say() { echo "$(date -u +%T) $*" >&2; }

# logged LOG WHAT COMMAND...: runs a command with its output in a file. If it
# fails, its last lines are shown and the script ends. The command is not part of
# a condition here, and this must not be called in one: bash would then ignore
# its failures but for the last.
logged() {
  local log=$1 what=$2 status
  shift 2
  say "$what (log: $log)"
  set +e
  (
    set -e
    "$@"
  ) >"$log" 2>&1
  status=$?
  set -e
  if ((status != 0)); then
    tail -n 20 "$log" >&2
    say "$what: failed"
    exit 1
  fi
}

# part NAME VERSION BUILDER: runs `BUILDER` in an empty directory that becomes
# the part, unless the part exists. Prints the part's directory.
part() {
  local name=$1 version=$2 builder=$3
  local place=$PARTS/$name-$version
  (
    flock 9
    [[ ! -d $place ]] || exit 0
    local site=$PARTS/.building-$name-$version
    rm -rf "$site"
    mkdir "$site"
    cd "$site"
    logged "$PARTS/$name-$version.log" "building $name $version" "$builder"
    mv -T "$site" "$place"
  ) 9>"$PARTS/.lock-$name"
  echo "$place"
}

# require_packages NAME...: Debian packages, installed when one is missing.
require_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

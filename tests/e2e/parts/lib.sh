# shellcheck shell=bash
# What the parts have in common: where they are kept and how one is built.
#
# A part is a directory PARTS/NAME-VERSION. It is built beside its place and
# renamed into it, so a part that exists is whole, and building is done once.
set -euo pipefail
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

# part NAME VERSION BUILDER: runs `BUILDER` in an empty directory that becomes
# the part, unless the part exists. Prints the part's directory.
part() {
  local name=$1 version=$2 builder=$3
  local place=$PARTS/$name-$version
  (
    flock 9
    [[ -d $place ]] && exit
    local site=$PARTS/.building-$name-$version log=$PARTS/$name-$version.log
    rm -rf "$site"
    mkdir "$site"
    say "building $name $version (log: $log)"
    if ! (cd "$site" && "$builder") >"$log" 2>&1; then
      say "building $name $version failed:"
      tail -n 20 "$log" >&2
      exit 1
    fi
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

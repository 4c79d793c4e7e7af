# shellcheck shell=bash
# Programs built from Go modules, each way that the modules ask for.
# shellcheck source=tests/e2e/parts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto

# go_programs LDFLAGS PACKAGE@VERSION...: `go install` into the directory.
go_programs() {
  local ldflags=$1
  shift
  GOBIN=$PWD CGO_ENABLED=${CGO_ENABLED-0} go install -trimpath ${TAGS:+-tags "$TAGS"} -ldflags "-s -w $ldflags" "$@"
}

# go_scratch_module DIR MODULE VERSION: a module in DIR that requires another
# one and repeats the `replace` lines of its go.mod, which `go install` refuses
# to follow. Lines that point into the other's own tree are left out.
go_scratch_module() {
  local dir=$1 module=$2 version=$3
  mkdir -p "$dir"
  (
    cd "$dir"
    go mod init scratch
    local gomod
    gomod=$(go mod download -json "$module@v$version" | jq -r .GoMod)
    go mod edit -json "$gomod" | jq -r '
      .Replace[]? | select(.New.Version)
      | "-replace=\(.Old.Path)\(if .Old.Version then "@" + .Old.Version else "" end)=\(.New.Path)@\(.New.Version)"' |
      xargs -r go mod edit
    go mod edit -require="$module@v$version"
  )
}

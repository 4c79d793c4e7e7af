# shellcheck shell=bash
# The linters that Debian 12 lacks, of PyPI, in a virtual environment of our own
# under the cache directory. Which versions: tests/lint/requirements.txt.
# shellcheck source=tests/lib/go.sh
source "$(dirname "${BASH_SOURCE[0]}")/go.sh"

LINT_REQUIREMENTS=$(dirname "${BASH_SOURCE[0]}")/../lint/requirements.txt

# Where they are: "$(linters)/ruff".
linters() {
  echo "$(famfs_cache)/lint-$(sha256sum "$LINT_REQUIREMENTS" | head -c 12)/bin"
}

require_linters() {
  local venv
  venv=$(dirname "$(linters)")
  [[ ! -e $venv/complete ]] || return 0
  echo "Installing linters of PyPI ..."
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r "$LINT_REQUIREMENTS"
  touch "$venv/complete"
}

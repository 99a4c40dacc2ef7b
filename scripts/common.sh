# Sourced by the scripts beside it: where the repository is, and how they speak.
# shellcheck shell=bash disable=SC2034  # what is set here is used there

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

heading() { printf '\n== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# usage_of SCRIPT: prints the comment block at its top.
usage_of() { sed -n '2,/^[^#]/{ s/^# \{0,1\}//p; }' "$1"; }

# quietly LOG COMMAND...: its output goes to LOG, and to the screen only where it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    die "failed: $*"
  fi
}

# shown COMMAND...: prints the command, as one would type it, and runs it.
shown() {
  printf '\n$ %s\n' "$*"
  "$@"
}

# ccache where there is one; what one clone compiled serves every other. CMake options, one a line.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
compiler_launcher() {
  if command -v ccache >/dev/null; then printf '%s\n' -DCMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
}

# newest PROGRAM: of those with a number behind their names, as clang++-19; or the one without.
newest() {
  local found
  found=$(compgen -c "$1-" | grep -xE "${1//+/\\+}-[0-9]+" | sort -uV | tail -n 1)
  printf '%s\n' "${found:-$1}"
}

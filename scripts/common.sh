# Sourced by the scripts beside it: where the repository is, and how they speak.
# shellcheck shell=bash disable=SC2034  # what is set here is used there

# shellcheck source=scripts/place.sh
source "$(dirname "${BASH_SOURCE[0]}")/place.sh"

heading() { printf '\n== %s (%(%H:%M:%S)T)\n' "$*" -1; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# usage_of SCRIPT: prints the comment block at its top, with the names that scripts have here.
usage_of() {
  sed -n -E "2,/^[^#]/{ s,scripts/(fetch-data|report|submit)\\b,$script_prefix\\1,g; s/^# ?//p; }" "$1"
}

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

# python_with MODULE: the first python3 that has it: of PATH, as a module or an environment brings it, or the system's.
python_with() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c "import $1" 2>/dev/null; then printf '%s\n' "$python" && return; fi
  done
  die "no python3 here has $1"
}

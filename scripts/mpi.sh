# Sourced: what belongs to one MPI library in scripts. In the program it is src/comm/mpi_library.cpp, in the build and
# its tests cmake/DmoeMpi.cmake.
# shellcheck shell=bash

# checked_mpi NAME: another library than Open MPI, as -DDMOE_MPI and scripts/install-dependencies take it.
checked_mpi() {
  [[ $1 == mpich ]] || die "--mpi must be mpich, got '$1'"
  printf '%s\n' "$1"
}

# allow_root: mpirun of Open MPI refuses root unless told twice; others do not ask.
allow_root() {
  if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
}

# launcher_of BUILD: the mpirun or mpiexec of the MPI library that a build folder was configured with.
launcher_of() {
  local found
  found=$(sed -n 's/^MPIEXEC_EXECUTABLE:[A-Z]*=//p' "$1/CMakeCache.txt")
  [[ -x $found ]] || die "$1/CMakeCache.txt names no mpiexec: configure it with -DMPIEXEC_EXECUTABLE=PATH"
  # What mpiexec stands for is mpirun, by its better known name.
  if [[ $found == /usr/bin/mpiexec ]]; then found=mpirun; fi
  printf '%s\n' "$found"
}

# words_for_ranks LAUNCHER N: what it needs to start N ranks here, one word a line. Open MPI refuses more ranks than
# there are cores unless told so: 4 with --oversubscribe, 5 with another word; MPICH needs none.
words_for_ranks() {
  local words
  for words in "" "--oversubscribe" "--map-by slot:OVERSUBSCRIBE"; do
    # shellcheck disable=SC2086  # words
    if "$1" $words -n "$2" true >/dev/null 2>&1; then
      # shellcheck disable=SC2086
      ((${#words} == 0)) || printf '%s\n' $words
      return
    fi
  done
  die "$1 starts no $2 processes here: $1 -n $2 true"
}

# is_open_mpi DMOE: whether the program was built with it; else with MPICH or its kin.
is_open_mpi() { [[ $("$1" --version) == *"Open MPI"* ]]; }

# launch_by_mpirun DMOE, launch_by_srun DMOE: how a job of SLURM starts the program on all its tasks, one word a line.
launch_by_mpirun() {
  if is_open_mpi "$1"; then
    # Jobs that share a node would all bind their ranks to its first cores.
    printf '%s\n' mpirun --bind-to none
  else
    # Hydra binds nothing by itself. Where Open MPI's mpiexec stands beside it, Debian gives it a name of its own.
    command -v mpiexec.mpich || echo mpiexec
  fi
}
launch_by_srun() {
  local interface=pmi2
  if is_open_mpi "$1"; then interface=pmix; fi
  printf '%s\n' srun "--mpi=$interface" --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --kill-on-bad-exit=1
}

# keep_links_alive: mpirun notices a network link that is down by its daemons' keepalive, in 90 s instead of 8 minutes:
# before the ranks give up (comm.timeout), after which it waits for TCP to do so, a quarter of an hour. By their names
# in Open MPI 4 (OMPI_) and 5 (PRTE_); Hydra has no such setting.
keep_links_alive() {
  local prefix
  for prefix in OMPI PRTE; do
    export "${prefix}_MCA_oob_tcp_keepalive_time=60" "${prefix}_MCA_oob_tcp_keepalive_intvl=10"
    export "${prefix}_MCA_oob_tcp_keepalive_probes=3"
  done
}

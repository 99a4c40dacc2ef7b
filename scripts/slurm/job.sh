# Sourced by the job scripts beside it: how a training is launched, warned, and queued again.
# shellcheck shell=bash

# shellcheck source=scripts/place.sh
source "$DMOE_ROOT/scripts/place.sh" || exit 2
DMOE=${DMOE:-$program}
# shellcheck source=scripts/mpi.sh
source "$(dirname "${BASH_SOURCE[0]}")/../mpi.sh" || exit 2
keep_links_alive

launcher= # its process id
warning=  # the first signal to this script: USR1, time is nearly up, or TERM, it is up or the job is cancelled

warn() {
  warning=$1
  trap '' USR1 TERM # once is enough
  echo "$(date +%FT%T) SIG$warning: the training is asked for a checkpoint"
  if [[ $launcher ]]; then kill -USR1 "$launcher"; fi
}

# is_finished RUN: as the run itself says.
is_finished() { "$DMOE" info "$1/run.h5" | grep -qE '^status +finished'; }

# train CONFIG RUN [OPTION...]: begins the run or goes on with it, under $LAUNCHER on all tasks of the job. When this
# script is warned, the ranks are asked for a checkpoint. Its status is that of dmoe.
train() {
  local launch status
  # shellcheck disable=SC2153  # set by the script that sources this
  case $LAUNCHER in
    mpirun | srun) mapfile -t launch < <("launch_by_$LAUNCHER" "$DMOE") ;;
    *) echo "LAUNCHER must be mpirun or srun, got '$LAUNCHER'" && return 2 ;;
  esac
  trap 'warn USR1' USR1
  trap 'warn TERM' TERM
  echo "$(date +%FT%T) job $SLURM_JOB_ID on $SLURM_JOB_NODELIST, restart ${SLURM_RESTART_COUNT:-0}"
  "${launch[@]}" "$DMOE" train "$1" --output "$2" --resume "${@:3}" &
  launcher=$!
  if [[ $warning ]]; then kill -USR1 "$launcher"; fi
  wait "$launcher" && status=0 || status=$?
  if [[ $warning ]]; then # that ended wait, not the training
    wait "$launcher" && status=0 || status=$?
  fi
  # MPICH's mpiexec may lose the status of ranks that were sent a signal, Open MPI 5's mpirun that of a lost host.
  if ((status == 0)) && ! is_finished "$2"; then status=75; fi
  return "$status"
}

# Whether SLURM is taking the nodes away. By default it does not warn this script, but the processes on other nodes.
is_preempted() { [[ $(scontrol show job --oneliner "$SLURM_JOB_ID") == *" PreemptTime="[0-9]* ]]; }

# end_or_requeue STATUS: ends the job with the status of the training, or puts it back into the queue: where it was
# stopped with a checkpoint (75) or ended in another way after a warning, up to $MAX_RESTARTS times. Not where it is
# finished (0), its config or data are bad (2), or the job is cancelled; where a node fails, SLURM does it by itself.
end_or_requeue() {
  local status=$1 restarts=${SLURM_RESTART_COUNT:-0}
  trap - USR1 TERM
  if [[ $status == [02] || $warning == TERM ]]; then exit "$status"; fi
  if [[ $status != 75 && ! $warning ]] && ! is_preempted; then exit "$status"; fi
  if ((restarts >= MAX_RESTARTS)); then
    echo "ended with status $status after $restarts restarts, MAX_RESTARTS are $MAX_RESTARTS: submit it again to go on"
    exit "$status"
  fi
  echo "ended with status $status: job $SLURM_JOB_ID goes back into the queue"
  scontrol requeue "$SLURM_JOB_ID" && sleep 60 # SLURM ends this script
  exit "$status"
}

"""What tests must know of the launchers of the MPI libraries, each as it is."""

import functools
import re
import signal
import subprocess

from dmoe_testing import MPIEXEC


@functools.cache
def open_mpi() -> int | None:
    """The major version of Open MPI's mpirun; None of another launcher, which is MPICH's Hydra."""
    process = subprocess.run([MPIEXEC, "--version"], text=True, capture_output=True, check=False)
    found = re.search(r"\((?:Open MPI|OpenRTE)\) (\d+)", process.stdout)
    return int(found.group(1)) if found else None


def ends_its_ranks() -> bool:
    """Whether SIGTERM and SIGINT end the ranks: after a second with Open MPI 4, a quarter of one with 5. Hydra passes
    them on."""
    return open_mpi() is not None


def statuses_when_stopped(number: int) -> tuple[int, ...]:
    """The exit statuses of a launcher that was sent this signal, where its ranks end with 75."""
    if loses_statuses():
        return (75, 0)
    return (75,) if number == signal.SIGUSR1 else (1,)


def loses_statuses() -> bool:
    """Whether it exits with 0 at times where its ranks did not: Hydra, when several end at once."""
    return open_mpi() is None


def loses_status_of_a_lost_host() -> bool:
    """Whether it exits with 0 at times where it has lost a host and with it the job: 5."""
    return open_mpi() == 5


def shows_last_words() -> bool:
    """Whether what ranks say then is still shown."""
    return open_mpi() != 5

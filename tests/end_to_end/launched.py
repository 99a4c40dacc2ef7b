"""The processes of a job under mpirun or mpiexec."""

import os
from pathlib import Path

from dmoe_testing import DMOE


RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMI_RANK")


def ancestors(process):
    """Of a process, nearest first. Hydra has one of its own between mpiexec and the ranks."""
    found = []
    while process > 1:
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        process = int(stat[1])
        found.append(process)
    return found


def ranks_of(launcher):
    """The process id of every rank that a launcher, named by its own, has started, by rank."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if Path(os.readlink(process / "exe")) != Path(DMOE).resolve():
                continue
            variables = dict(line.partition("=")[::2] for line in (process / "environ").read_text().split("\0") if line)
            if launcher in ancestors(int(process.name)):
                rank = next(variables[name] for name in RANK_VARIABLES if name in variables)
                found[int(rank)] = int(process.name)
        except (OSError, StopIteration, ValueError):
            pass  # no process, or none of ours
    return found

"""The processes of a job under mpirun."""

import os
from pathlib import Path

from dmoe_testing import DMOE


def ranks_of(launcher):
    """The process id of every rank that mpirun has started, by rank."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if Path(os.readlink(process / "exe")) != Path(DMOE).resolve():
                continue
            variables = dict(line.partition("=")[::2] for line in (process / "environ").read_text().split("\0") if line)
            stat = (process / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == launcher.pid:
                found[int(variables["OMPI_COMM_WORLD_RANK"])] = int(process.name)
        except (OSError, KeyError, ValueError):
            pass  # no process, or none of ours
    return found

"""dmoe as a program that is run."""

import dataclasses
import re
import subprocess
from pathlib import Path


class ProgramError(Exception):
    """What was run, and what it said."""


@dataclasses.dataclass(frozen=True)
class Way:
    name: str
    ranks: int | None  # None: without mpirun


class Dmoe:
    def __init__(self, path, mpiexec):
        self.path, self.mpiexec = Path(path).resolve(), mpiexec
        if not self.path.is_file():
            raise ProgramError(f"there is no {path}: build dmoe, or name it with --dmoe")

    def run(self, *arguments, ranks=None):
        """What it printed. On `ranks` under mpirun, one a core."""
        launcher = [] if ranks is None else [self.mpiexec, "-n", str(ranks), "--bind-to", "core"]
        command = [*launcher, *map(str, (self.path, *arguments))]
        try:
            process = subprocess.run(command, text=True, capture_output=True, check=False)
        except OSError as problem:
            raise ProgramError(f"{command[0]}: {problem.strerror}") from problem
        if process.returncode != 0:
            raise ProgramError(f"{' '.join(command)}\n{process.stdout}{process.stderr}")
        return process.stdout

    def version(self):
        return self.run("--version").strip()

    @staticmethod
    def ways(cores):
        """How it can use so many cores."""
        return [Way("1 rank", None)] if cores == 1 else [Way(f"{cores} ranks", cores)]

    def bench(self, what, batch, steps, way):
        """Milliseconds of a step or batch in `dmoe bench`."""
        printed = self.run("bench", what, "--batch-size", batch, "--repetitions", 1, "--steps", steps, ranks=way.ranks)
        return float(re.search(r"ranks ([\d.]+) ms" if way.ranks else r"step +([\d.]+) ms", printed).group(1))

"""dmoe as a program that is run."""

import csv
import subprocess
import tempfile
from pathlib import Path


class ProgramError(Exception):
    """What was run, and what it said."""


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

    def bench(self, what, batch, steps, ranks):
        """Milliseconds of a "step" or of a batch to "evaluate" of A on so many ranks, of one thread each."""
        with tempfile.TemporaryDirectory(prefix="dmoe-compare-") as folder:
            table = Path(folder, "bench.csv")
            self.run("bench", what if ranks == 1 else "ranks", "--network", "A", "--batch-size", batch,
                     "--repetitions", 1, "--steps", steps, "--output", table, ranks=None if ranks == 1 else ranks)
            with table.open(newline="", encoding="utf-8") as file:
                times = [float(row["median"]) for row in csv.DictReader(file)
                         if (row["measurement"], row["quantity"]) == (what, "time")
                         and (int(row["ranks"]), int(row["rank"])) == (ranks, -1)]
        if len(times) != 1:
            raise ProgramError(f"dmoe bench: {len(times)} times of {what}, batch {batch}, {ranks} ranks; expected one")
        return times[0]

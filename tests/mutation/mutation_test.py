"""Files of every kind that dmoe reads, broken in thousands of ways and handed to the program as a user would.

Whatever is in a file: the program succeeds, or ends with status 2 and one line that names the file (1 where numbers are
not finite in mid-run), soon, without a crash, and leaves all files as they were. Of a model with damaged bytes it says
what it said of the whole one, or nothing.

DMOE_MUTANTS (1200) files are made; mutant i of DMOE_MUTATION_SEED (1) is the same each time, and DMOE_MUTANT=i makes
that one alone. What fails is kept, with the command, in a folder of DMOE_MUTANTS_KEPT (the system's temporary one).
"""

import gzip
import os
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import mutators
import specimens
from dmoe_testing import DMOE, MPIEXEC, main, run

MUTANTS = int(os.environ.get("DMOE_MUTANTS", sys.argv.pop() if sys.argv[-1].isdigit() else "1200"))
SEED = int(os.environ.get("DMOE_MUTATION_SEED", "1"))
ONLY = os.environ.get("DMOE_MUTANT")
IS_SANITIZED = "ASAN_OPTIONS" in os.environ
SECONDS = 300 if IS_SANITIZED else 90  # until a program hangs; that a file takes too long is found by itself in 20 s
MEMORY = 6 << 30  # bytes
SHARE_OF_MPI = 0.04
STOPPED = 75


def mutate_toml(path, chance):
    return mutators.mutate_bytes(path, mutators.TOML if chance.random() < 0.7 else mutators.BYTES, chance)


def mutate_idx(path, chance):
    """A zipped file is broken inside or outside."""
    ways = mutators.IDX if chance.random() < 0.5 else mutators.BYTES
    if path.suffix != ".gz" or ways is mutators.BYTES and chance.random() < 0.5:
        return mutators.mutate_bytes(path, mutators.BYTES if path.suffix == ".gz" else ways, chance)
    path.write_bytes(gzip.decompress(path.read_bytes()))
    done = mutators.mutate_bytes(path, [way for way in ways if way is not mutators.empty], chance)
    path.write_bytes(gzip.compress(path.read_bytes()))
    return done + " inside"


@dataclass
class Reader:
    """What is broken, how, and who reads it; `writes` names what a command that succeeds may change."""

    mutate: Callable[..., str]  # of (path, chance), what it did to it
    uses: list  # (file to break, words of the command)
    needs: list = field(default_factory=list)  # more files


def train(config, output, *more):
    return ["train", config, "--output", output, "--progress", "log", "--set", "train.stop_after=5s", *more]


def checkpoint_uses(step):
    path = f"begun/checkpoints/step-{step:08}.h5"
    return [
        (path, ["check", path]),
        (path, ["info", path]),
        (path, ["evaluate", path]),
        (path, ["evaluate", "begun"]),
        (path, train("config.toml", "begun", "--resume")),
        (path, train("config.toml", "begun", "--resume", "--dry-run")),
    ]


IDX_FILES = [f"idx/{prefix}-{kind}" for prefix in specimens.PREFIXES
             for kind in ("images-idx3-ubyte", "labels-idx1-ubyte.gz")]
NEW_OR_DRY: list[list[str]] = [[], ["--dry-run"]]
READERS = {
    "run": Reader(
        mutators.mutate_hdf5,
        [
            ("run/run.h5", ["check", "run/run.h5"]),
            ("run/run.h5", ["info", "run/run.h5"]),
            ("run/run.h5", ["info", "run"]),
            ("run/run.h5", ["analyze", "run", "--permutations", "2", "--top", "2"]),
            ("run/run.h5", train("config.toml", "run", "--resume")),
            ("begun/run.h5", train("config.toml", "begun", "--resume")),
        ],
    ),
    "model": Reader(
        mutators.mutate_hdf5,
        [
            ("run/model.h5", ["check", "run/model.h5"]),
            ("run/model.h5", ["info", "run/model.h5"]),
            ("run/model.h5", ["evaluate", "run/model.h5"]),
            ("run/model.h5", ["evaluate", "run", "--split", "train"]),
            ("run/model.h5", ["analyze", "run", "--permutations", "2", "--top", "2"]),
        ],
    ),
    "checkpoint": Reader(mutators.mutate_hdf5, checkpoint_uses(12) + 2 * checkpoint_uses(16)),
    "frames": Reader(
        mutators.mutate_hdf5,
        [
            ("frames.h5", ["check", "frames.h5"]),
            ("frames.h5", train("frames.toml", "new", "--dry-run")),
            ("frames.h5", train("frames.toml", "new")),
        ],
        ["frames.toml"],
    ),
    "idx": Reader(
        mutate_idx,
        [(file, train("idx.toml", "new", *more)) for file in IDX_FILES for more in NEW_OR_DRY],
        ["idx.toml", "idx"],
    ),
    "config": Reader(
        mutate_toml,
        [
            ("config.toml", train("config.toml", "new", "--dry-run")),
            ("idx.toml", train("idx.toml", "new", "--dry-run")),
            ("frames.toml", train("frames.toml", "new", "--dry-run")),
        ],
        ["idx", "frames.h5"],
    ),
    "sweep": Reader(
        mutate_toml,
        [
            ("sweep.toml", ["sweep", "sweep.toml", "--output", "new", "--dry-run"]),
            ("config.toml", ["sweep", "sweep.toml", "--output", "new", "--dry-run"]),
        ],
        ["sweep.toml"],
    ),
}


@dataclass
class Outcome:
    """What became of a mutant."""

    index: int
    reader: str
    done: str = ""
    command: list = field(default_factory=list)
    status: int | None = None
    seconds: float = 0.0
    answer: str = ""  # on stdout
    said: str = ""  # on stderr
    problem: str = ""


def contents(folder):
    """Every file but locks; what a link points to is of no interest."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


def of_sanitizers(folder):
    """What the sanitizers wrote, but for what the HDF5 library does to itself in a check, and for memory refused."""
    reports = []
    for path in folder.glob("sanitizer.*"):
        text = path.read_text(errors="replace")
        path.unlink()
        overruns = "heap-buffer-overflow" in text.partition("\n")[2][:200]
        # A check hands out no buffers to be read.
        only_reads = "\nREAD of size" in text and " dmoe::io::verify(" in text
        is_hdf5 = re.search(r"#[0-3] .*libhdf5", text) and (only_reads or not overruns)
        if not is_hdf5 and not re.search(r"out-of-memory|allocation-size-too-big|stack-overflow", text):
            reports.append(text[:5000])
    return "\n".join(reports)


def environment_of(work):
    variables = dict(os.environ)
    if IS_SANITIZED:
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            variables[name] = variables.get(name, "") + f":log_path={work}/sanitizer"
    return variables


def problem_of(outcome, changed, file, is_training):
    """What is wrong with how the program took the file; empty where nothing is."""
    status, own = outcome.status, [line for line in outcome.said.splitlines() if line.startswith("dmoe: ")]
    is_alone = outcome.command[0] == DMOE
    partial = [name for name in changed if "partial" in name or "write-test" in name]
    if partial:
        return f"left {partial}"
    if status in (0, STOPPED):
        is_writer = outcome.command[-1] != "--dry-run" and {"train", "analyze"} & set(outcome.command)
        if changed and not is_writer:
            return f"changed {changed}"
        return f"status {status} with errors" if is_alone and outcome.said else ""
    is_failed_run = status == 1 and is_training and "not finite" in outcome.said
    if status != 2 and not is_failed_run:
        return f"exit status {status}"
    if len(own) != 1 or is_alone and outcome.said != own[0] + "\n":
        return f"{len(own)} messages of {len(outcome.said.splitlines())} lines"
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{20,8100}", own[0]):
        return "the message is no line for people"
    if status == 2 and changed:
        return f"changed {changed}"
    names = [file, file.split("/")[0], *(["sweep.toml"] if "sweep" in outcome.command else [])]
    return "" if is_failed_run or any(name in own[0] for name in names) else f"the message does not name {file}"


class Mutation(unittest.TestCase):
    folder: Path
    valid: Path
    kept_folder: str

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-mutation-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.valid = cls.folder / "valid"
        cls.valid.mkdir()
        specimens.make(cls.valid)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not IS_SANITIZED:  # AddressSanitizer reserves terabytes
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def copy(self, work, names):
        for name in names:
            source = self.valid / name
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, work / name)
            else:
                shutil.copy(source, work / name)

    def take(self, index):
        """Makes mutant `index` and hands it to the program."""
        chance = random.Random(f"{SEED}/{index}")
        name = list(READERS)[index % len(READERS)]
        reader = READERS[name]
        file, words = chance.choice(reader.uses)
        outcome = Outcome(index, name)
        with tempfile.TemporaryDirectory(prefix=f"{index}-", dir=self.folder) as work_name:
            work = Path(work_name)
            self.copy(work, sorted({file.split("/")[0], "config.toml", *(need.split("/")[0] for need in reader.needs)}))
            outcome.done = f"{file}: {reader.mutate(work / file, chance)}"
            before = contents(work)
            launcher = [MPIEXEC, "-n", "2"] if chance.random() < SHARE_OF_MPI and words[0] != "sweep" else []
            outcome.command = [*launcher, DMOE, *words]
            began = time.monotonic()
            self.perform(outcome, work)
            outcome.seconds = time.monotonic() - began
            reports = of_sanitizers(work)
            after = contents(work)
            changed = sorted(path for path in before | after if before.get(path) != after.get(path))
            if reports:
                outcome.problem = "a sanitizer's report"
                outcome.said += reports
            elif not outcome.problem:
                outcome.problem = problem_of(outcome, changed, file, words[0] == "train")
                is_damaged = outcome.done.partition(": ")[2] in [way.__name__ for way in mutators.BYTES]
                if outcome.status == 0 and is_damaged and words[:2] == ["evaluate", file]:
                    whole = run([DMOE, *words], cwd=self.valid).stdout
                    outcome.problem = outcome.problem or ("another answer" if outcome.answer != whole else "")
        if outcome.problem:
            self.keep(outcome, before)
        return outcome

    def perform(self, outcome, work):
        process = subprocess.Popen(
            outcome.command, cwd=work, env=environment_of(work), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )
        try:
            answer, said = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            answer, said = process.communicate()
            outcome.problem = f"hangs: no end after {SECONDS} s"
        outcome.status = process.returncode
        outcome.answer, outcome.said = answer.decode(errors="replace"), said.decode(errors="replace")

    def keep(self, outcome, files):
        folder = Path(self.kept()) / str(outcome.index)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        text = f"{outcome.problem}\n{outcome.done}\ncd {folder} && {shlex.join(outcome.command)}\n"
        text += f"again: DMOE_MUTATION_SEED={SEED} DMOE_MUTANT={outcome.index}\n\n{outcome.said}"
        (folder / "what-happened.txt").write_text(text)
        print(f"mutant {outcome.index}: {outcome.problem}\n  {outcome.done}\n  {shlex.join(outcome.command)}")
        print(f"  kept in {folder}\n  {outcome.said[:600]}", flush=True)

    @classmethod
    def kept(cls):
        if not hasattr(cls, "kept_folder"):
            cls.kept_folder = tempfile.mkdtemp(prefix="dmoe-mutants-", dir=os.environ.get("DMOE_MUTANTS_KEPT"))
        return cls.kept_folder

    def test_every_mutant_is_read_or_refused(self):
        indices = [int(ONLY)] if ONLY else range(MUTANTS)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = []
            for outcome in pool.map(self.take, indices):
                outcomes.append(outcome)
                if len(outcomes) % 1000 == 0:
                    print(f"{len(outcomes)} mutants, {sum(bool(one.problem) for one in outcomes)} failed", flush=True)
        self.print_table(outcomes)
        problems = [f"{one.index} ({one.problem})" for one in outcomes if one.problem]
        self.assertEqual(problems, [], f"seed {SEED}; kept in {self.kept() if problems else ''}")
        if not ONLY and len(outcomes) >= 100:
            for name in READERS:  # broken files are told from whole ones
                statuses = Counter(one.status for one in outcomes if one.reader == name)
                self.assertGreater(statuses[2], 0, name)
                self.assertGreater(statuses[0], 0, name)

    def print_table(self, outcomes):
        print(f"\nseed {SEED}\n{'reader':12}{'mutants':>9}{'accepted':>10}{'refused':>9}{'failed':>8}{'slowest':>9}")
        for name in READERS:
            mine = [one for one in outcomes if one.reader == name]
            wrong = sum(bool(one.problem) for one in mine)
            taken = sum(one.status in (0, STOPPED) and not one.problem for one in mine)
            slowest = max((one.seconds for one in mine), default=0)
            print(f"{name:12}{len(mine):>9}{taken:>10}{len(mine) - taken - wrong:>9}{wrong:>8}{slowest:>7.1f} s")
        for one in outcomes:
            if one.seconds > 10:
                print(f"slow: mutant {one.index}, {one.done}, {one.seconds:.0f} s, status {one.status}: "
                      f"{one.said[:200]}")
        crashes = [one.index for one in outcomes if "ends the HDF5 library with signal" in one.said]
        under_mpi = sum(one.command[0] == MPIEXEC for one in outcomes)
        print(f"{len(outcomes)} mutants, {under_mpi} under mpirun, {len(crashes)} that crash the HDF5 library", crashes,
              flush=True)


if __name__ == "__main__":
    main()

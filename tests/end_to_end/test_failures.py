"""Ranks that die or hang in a real training: the job ends soon, says why, and its folder can be resumed."""

import os
import random
import re
import resource
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import launchers
from dmoe_testing import DMOE, MPIEXEC, main, run
from launched import ranks_of
from test_resume import CONFIG

RANKS = 3
PROMPT_SECONDS = 10  # promised for a rank that was killed
SECONDS = 120
ENDLESS = ["--set", "phases.again.epochs=1000000", "--set", "evaluation.every_epochs=0"]
SAVING = ["--set", "checkpoint.every_steps=50"]
GRID = ["--set", "train.slices=2", "--set", "comm.replicas=2"]  # with four ranks, 2 x 2


class Failures(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-failures-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)
        self.output = self.folder / "run"

    def start(self, *settings, ranks=RANKS):
        """A training under way, past its first checkpoint."""
        command = [MPIEXEC, "-n", ranks, DMOE, "train", self.config, "--output", self.output, "--resume"]
        command += [*ENDLESS, *SAVING]
        log = (self.folder / "log.txt").open("w")
        self.addCleanup(log.close)
        process = subprocess.Popen(list(map(str, [*command, *settings])), stdout=log, stderr=log)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + SECONDS
        before = self.newest()
        while len(ranks_of(process.pid)) < ranks or self.newest() == before:
            self.assertIsNone(process.poll(), self.log())
            self.assertLess(time.monotonic(), deadline, self.log())
            time.sleep(0.05)
        return process

    def newest(self):
        return max((self.output / "checkpoints").glob("step-*.h5"), default=None)

    def log(self):
        return (self.folder / "log.txt").read_text()

    def assert_resumable(self, *settings):
        with h5py.File(self.output / "run.h5") as file:
            self.assertIn(file["provenance"].attrs["status"], ("running", "failed"))
        command = [DMOE, "train", self.config, "--output", self.output, "--resume", *ENDLESS, *settings]
        process = run([*command, "--set", "train.stop_after=1s"], timeout=SECONDS)
        self.assertEqual(process.returncode, 75, process.stderr)
        self.assertIn("going on after step", process.stdout)

    def test_memory_that_runs_out_is_said(self):
        limit = 900 << 20  # bytes: enough for the network (550 MB), too little for its training (over 1,500)
        big = ["--set", "data.train_examples=1000000", "--set", "train.batch_size=1000000"]
        process = run(
            [DMOE, "train", self.config, "--output", self.output, *big],
            timeout=SECONDS,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertEqual(process.stderr, "dmoe: memory ran out; smaller batches and more ranks take less\n")

    def test_a_coordinator_that_cannot_write_ends_the_job_alone(self):
        """The others are in the next step: nobody waits for them, and HDF5 is left as it is."""
        unsaved = ["--set", "checkpoint.every_minutes=0", "--set", "checkpoint.at_phase_ends=false"]
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                output = self.folder / f"limited-{ranks}"
                command = [MPIEXEC, "-n", ranks, DMOE, "train", self.config, "--output", output, *ENDLESS, *unsaved]
                with (self.folder / "log.txt").open("w") as log:
                    process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
                self.addCleanup(process.kill)
                deadline = time.monotonic() + SECONDS
                while len(ranks_of(process.pid)) < ranks or not (output / "run.h5").exists():
                    self.assertLess(time.monotonic(), deadline, self.log())
                    time.sleep(0.05)
                resource.prlimit(ranks_of(process.pid)[0], resource.RLIMIT_FSIZE, (8192, 8192))
                status = process.wait(SECONDS)
                self.assertTrue(status == 1 or launchers.loses_statuses(), self.log())
                who = "rank 0: " if ranks > 1 else ""
                self.assertRegex(self.log(), rf"(?m)^dmoe: {who}.*run\.h5\S*: cannot .*File too large")
                self.assertNotIn("egmentation", self.log())

    def test_killed_rank_ends_the_job(self):
        chance = random.Random(1)
        for rank in range(RANKS):
            with self.subTest(rank=rank):
                process = self.start()
                time.sleep(chance.uniform(0, 0.5))
                os.kill(ranks_of(process.pid)[rank], signal.SIGKILL)
                self.assertNotEqual(process.wait(PROMPT_SECONDS), 0)
                self.assertRegex(self.log(), r"(?i)killed")
                self.assert_resumable()

    def test_rank_that_hangs_is_reported_by_those_who_wait(self):
        for rank in (0, RANKS - 1):
            with self.subTest(rank=rank):
                process = self.start("--set", "comm.timeout=2s")
                os.kill(ranks_of(process.pid)[rank], signal.SIGSTOP)
                status = process.wait(SECONDS)
                self.assertTrue(status != 0 or launchers.loses_statuses(), self.log())
                found = re.search(r"dmoe: rank (\d) has waited [2-9] s in (MPI_|a collective HDF5)", self.log())
                self.assertIsNotNone(found, self.log())
                self.assertNotEqual(int(found.group(1)), rank)
                self.assert_resumable()

    def test_rank_of_a_replica_that_dies_or_hangs_ends_the_job(self):
        slices = ["--set", "train.slices=2"]
        self.named: set[str] = set()
        for rank, sent in ((0, signal.SIGKILL), (3, signal.SIGKILL), (1, signal.SIGSTOP), (2, signal.SIGSTOP)):
            with self.subTest(rank=rank, sent=sent.name):
                process = self.start(*GRID, "--set", "comm.timeout=5s", ranks=4)  # an MPI that polls is slow
                os.kill(ranks_of(process.pid)[rank], sent)
                status = process.wait(PROMPT_SECONDS)
                self.assertTrue(status != 0 or launchers.loses_statuses(), self.log())
                if sent == signal.SIGSTOP:
                    self.assert_names_who_waits(rank)
                self.assert_resumable(*slices)
        self.assertTrue(any(self.named), "nobody waited among others than all")

    def assert_names_who_waits(self, rank):
        """And among whom, where these are not all."""
        waited = r"dmoe: rank (\d) has waited [2-9] s in (?:MPI_[^:]*?|a collective HDF5 operation)(?: among ([^:]*))?:"
        found = re.findall(waited, self.log())
        self.assertTrue(found, self.log())
        for waiting, among in found:
            self.assertNotEqual(int(waiting), rank)
            replica, place = divmod(int(waiting), 2)
            names = {f"replica {replica + 1} (ranks {2 * replica}, {2 * replica + 1})",
                     f"the replicas of a part (ranks {place}, {place + 2})", ""}
            self.assertIn(among, names)
            self.named.add(among)


if __name__ == "__main__":
    main()

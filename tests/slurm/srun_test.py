"""srun itself starts the ranks, by what this build's MPI library speaks with it: PMIx for Open MPI, PMI 2 for MPICH.
srun_test.py [PROGRAM]: a dmoe of another build, whose bits are expected; else this one's own on one rank."""

import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import launchers
from cluster import Cluster, enter_namespaces
from dmoe_testing import DMOE, main, run
from jobs_test import CONFIG, signal_ranks
from run_contents import differing

PROCESS_MANAGER = "pmi2" if launchers.open_mpi() is None else "pmix"
# More ranks than processors wait for each other too long where they wait busily.
LAYOUTS = {"one": ["--ntasks=1"], "node": ["--ntasks=2"], "nodes": ["--nodes=2", "--ntasks=2"]}
OFTEN = ["--set", "checkpoint.every_steps=10"]


class Srun(unittest.TestCase):
    cluster: Cluster
    expects_of: str

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(nodes=2, cpus=2))

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-srun-")))
        for name, epochs in (("short", 4), ("endless", 1000000)):
            (self.folder / f"{name}.toml").write_text(CONFIG.format(epochs=epochs))
        self.addCleanup(self.cluster.clear)

    def words(self, *words, layout="node", process_manager=PROCESS_MANAGER):
        srun = ["srun", f"--mpi={process_manager}", "--kill-on-bad-exit=1", "--quiet", *LAYOUTS[layout]]
        return list(map(str, [*srun, DMOE, "train", *words]))

    def train(self, *words, status=0, **how):
        """The finished process of srun, which ended with that status."""
        process = self.cluster.run(*self.words(*words, **how), cwd=self.folder)
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        return process

    def begin(self, output):
        """A training without an end, past its first checkpoint."""
        log = self.enterContext((self.folder / f"{output}.log").open("w"))
        words = self.words("endless.toml", "--output", output, *OFTEN)
        process = subprocess.Popen(words, cwd=self.folder, env=self.cluster.environment, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.cluster.until(lambda: any(self.folder.glob(f"{output}/checkpoints/step-*.h5")), "checkpoint")
        return process

    def ended(self, process, output):
        """The exit status of such a training, and what it said."""
        status = process.wait(60)
        return status, (self.folder / f"{output}.log").read_text()

    def test_has_the_bits_of_another_launch(self):
        process = run([self.expects_of, "train", "short.toml", "--output", "expected"], cwd=self.folder)
        self.assertEqual(process.returncode, 0, process.stderr)
        for layout, words in LAYOUTS.items():
            with self.subTest(layout):
                process = self.train("short.toml", "--output", layout, layout=layout)
                self.assertEqual(process.stderr, "")
                self.assertEqual(differing(self.folder / layout, self.folder / "expected"), [])
                with h5py.File(self.folder / layout / "run.h5") as file:
                    self.assertEqual(f"--ntasks={file['launches/1'].attrs['ranks']}", words[-1])

    def test_ends_with_the_status_of_its_ranks(self):
        for status, settings in {2: "a.b=1", 1: "phases.1.learning_rate.start=1e6", 75: "train.stop_after=1s"}.items():
            with self.subTest(settings):
                self.train("endless.toml", "--output", f"ends-{status}", "--set", settings, status=status)

    def test_signals_reach_the_ranks(self):
        process = self.begin("run")
        process.send_signal(signal.SIGUSR1)
        status, said = self.ended(process, "run")
        self.assertEqual(status, 75, said)
        self.assertIn("stopped on request", said)

    def test_a_rank_that_dies_ends_the_others(self):
        process = self.begin("run")
        signal_ranks("run", signal.SIGKILL, most=1)
        status, said = self.ended(process, "run")
        self.assertNotIn(status, (0, 75), said)
        resumed = self.train("--resume", "--output", "run", "--set", "train.stop_after=1s", status=75)
        self.assertIn("going on after step", resumed.stdout)

    def test_ranks_that_cannot_find_each_other_are_refused(self):
        refusals = {"none": "srun started 2 tasks that cannot find each other"}
        if PROCESS_MANAGER == "pmi2":  # Open MPI 4 ends by itself where it misses PMIx, and says so
            refusals["pmix"] = "2 processes were started, but each is alone for MPICH"
        for process_manager, message in refusals.items():
            with self.subTest(process_manager):
                process = self.train("short.toml", "--output", "none", status=2, process_manager=process_manager)
                self.assertIn(message, process.stderr)
                self.assertFalse((self.folder / "none").exists())


if __name__ == "__main__":
    enter_namespaces()
    Srun.expects_of = sys.argv[1] if len(sys.argv) > 1 else DMOE
    del sys.argv[1:]
    main()

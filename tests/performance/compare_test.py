"""experiments/performance/compare: PyTorch computes what dmoe computes, and the comparison of times runs. No time is
asserted.
"""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import dmoe_testing

FOLDER = Path(dmoe_testing.SOURCE_DIR, "experiments/performance")
COMPARE = FOLDER / "compare"
PROGRAMS = {"--dmoe": dmoe_testing.DMOE, "--mpiexec": dmoe_testing.MPIEXEC}


def compare(*arguments, **options):
    named = [part for pair in PROGRAMS.items() for part in pair]
    return dmoe_testing.run([sys.executable, COMPARE, *named, *arguments], **options)


def commands_below(process):
    """The command lines of a process's children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in children]


class Comparison(unittest.TestCase):
    def test_agrees_and_times_both(self):
        cores = list(range(1, min(2, len(os.sched_getaffinity(0))) + 1))
        with tempfile.TemporaryDirectory(prefix="dmoe-compare-test-") as folder:
            table = Path(folder, "table.csv")
            process = compare("--rounds", 2, "--steps", 2, "--batch-size", 16, "--cores", *cores, "--output", table,
                              timeout=280)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
            with table.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        self.assertIn("all within 1e-05", process.stdout)
        for tensor in ("log probabilities", "loss", "d layers/1/experts/weight", "d layers/2/gate/output_bias"):
            self.assertIn(f"  {tensor} ", process.stdout)
        expected = {(what, str(count), "16") for what in ("training", "evaluation") for count in cores}
        self.assertEqual({(row["measurement"], row["cores"], row["batch"]) for row in rows}, expected)
        self.assertEqual({row["program"] for row in rows}, {"dmoe", "PyTorch", "PyTorch / dmoe"})
        for row in rows:
            self.assertLess(0, float(row["smallest"]), row)
            self.assertLessEqual(float(row["smallest"]), float(row["median"]), row)
            self.assertLessEqual(float(row["median"]), float(row["largest"]), row)

    def test_a_wrong_gradient_is_found(self):
        """A network whose experts pass the values that ReLU should stop."""
        wrong = ("import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; import network;"
                 "network.torch.ops.aten.threshold_backward = lambda d, outputs, threshold: d;"
                 "runpy.run_path(sys.argv[0], run_name='__main__')")
        command = [sys.executable, "-B", "-c", wrong, FOLDER, COMPARE, "--dmoe", dmoe_testing.DMOE, "--rounds", 1]
        process = dmoe_testing.run(command, timeout=280)
        self.assertEqual(process.returncode, 1, process.stdout + process.stderr)
        self.assertIn("DISAGREES", process.stdout)
        self.assertIn("differ by more than 1e-05", process.stderr)

    def test_a_form_that_does_not_get_ready_is_left_out(self):
        impatient = ("import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; import ready;"
                     "ready.SECONDS = 0.01; runpy.run_path(sys.argv[0], run_name='__main__')")
        command = [sys.executable, "-B", "-c", impatient, FOLDER, COMPARE, "--dmoe", dmoe_testing.DMOE]
        settings = ["--rounds", 1, "--steps", 2, "--batch-size", 16, "--cores", 1, "--only", "evaluation"]
        process = dmoe_testing.run([*command, *settings], timeout=280)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        name = "fused, oneDNN for large products, torch.jit"
        self.assertIn(f"left out in evaluation, not ready within 0.01 s: {name}\n", process.stdout)
        self.assertNotIn(f"  {name}, 1 thread", process.stdout)
        self.assertIn("fused, BLAS, 1 thread", process.stdout)

    def test_ends_at_ctrl_c(self):
        """While a form compiles, too, which it does in a process of its own."""
        with tempfile.TemporaryDirectory(prefix="dmoe-compare-test-") as folder:
            Path(folder, "sitecustomize.py").write_text(
                "import sys, time\n"
                "if sys.argv[0].endswith('ready.py') or 'ready.py' in ' '.join(sys.orig_argv): time.sleep(600)\n")
            command = [sys.executable, COMPARE, "--dmoe", dmoe_testing.DMOE, "--rounds", 1]
            environment = {**os.environ, "PYTHONPATH": folder}
            process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, env=environment, start_new_session=True)
            self.assertIn("dmoe:", process.stdout.readline())
            deadline = time.monotonic() + 100
            while not any("ready.py" in line for line in commands_below(process.pid)):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, said = process.communicate(timeout=20)
        self.assertEqual((process.returncode, said), (130, "compare: ended by ctrl-C\n"))

    def test_without_pytorch_the_package_is_named(self):
        with tempfile.TemporaryDirectory(prefix="dmoe-compare-test-") as folder:
            Path(folder, "torch.py").write_text("raise ImportError(\"No module named 'torch'\")\n")
            process = compare(env={**os.environ, "PYTHONPATH": folder})
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("apt-get install python3-torch", process.stderr)

    def test_bad_usage_is_refused(self):
        cases: list[tuple[list[str | int], str]] = [
            (["--rounds", 0], "expected 1 or more, got 0"),
            (["--steps", "many"], "expected 1 or more, got many"),
            (["--dmoe", "/nowhere/dmoe"], "there is no /nowhere/dmoe"),
            (["--output", "/nowhere/table.csv"], "there is no folder /nowhere"),
        ]
        for arguments, message in cases:
            process = compare(*arguments)
            self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
            self.assertIn(message, process.stderr)


if __name__ == "__main__":
    dmoe_testing.main()

"""Interrupted runs that go on: on any number of ranks, with the bits of a run that nobody disturbed."""

import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy
from dmoe_testing import DMOE, MPIEXEC, main, run
from run_contents import contents, differing

# Twelve epochs of 13 steps, rows that no epoch and no checkpoint divides, momentum, three phases.
CONFIG = """
[data]
name = "synthetic"
classes = 5
train_examples = 200
test_examples = 50
[[layers]]
kind = "mixture"
experts = 5
hidden = 9
gate_hidden = 6
[[layers]]
kind = "mixture"
experts = 4
hidden = 8
gate_hidden = 5
[train]
seed = 2
batch_size = 16
momentum = 0.5
weight_decay = 0.001
log_every_steps = 7
[evaluation]
batch_size = 30
every_epochs = 2
[[phases]]
name = "constrained"
epochs = 6
balance = { rule = "margin", margin = 0.5 }
learning_rate = { schedule = "constant", start = 0.3 }
[[phases]]
name = "lifted"
epochs = 3
balance = { rule = "none" }
learning_rate = { schedule = "exponential", start = 0.3, end = 0.05 }
[[phases]]
name = "again"
epochs = 3
balance = { rule = "margin", margin = 0.5 }
routing = [{ rule = "top_k", k = 2, value = "straight_through", noise = 0.5 },
           { rule = "top_k", k = 1, value = "probability" }]
learning_rate = { schedule = "constant", start = 0.1 }
"""
STEPS = 12 * 13
SECONDS = 300


class Resume(unittest.TestCase):
    folder: Path
    config: Path
    whole: Path

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-resume-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.config = cls.folder / "config.toml"
        cls.config.write_text(CONFIG)
        cls.whole = cls.folder / "whole"
        cls.completed(run([DMOE, "train", cls.config, "--output", cls.whole], timeout=SECONDS))

    @classmethod
    def completed(cls, process, status=0):
        if process.returncode != status:
            raise AssertionError(f"exit status {process.returncode}: {process.stdout}\n{process.stderr}")
        return process.stdout

    def train(self, output, *extra, ranks=None, status=0):
        command = [DMOE, "train", self.config, "--output", output, "--resume", *extra]
        return self.completed(run(command, ranks=ranks, timeout=SECONDS), status)

    def refused(self, output, *extra):
        process = run([DMOE, "train", self.config, "--output", output, "--resume", *extra], timeout=SECONDS)
        self.assertEqual(process.returncode, 2, process.stdout)
        return process.stderr

    def checkpoints(self, output):
        return sorted((output / "checkpoints").glob("step-*.h5"))

    def stopped_at(self, step, output, ranks=None):
        """A run whose newest checkpoint is that of `step`, as if it had been killed there."""
        every = ["--set", f"checkpoint.every_steps={step}", "--set", "checkpoint.keep=1000"]
        self.train(output, *every, ranks=ranks)
        for path in self.checkpoints(output):
            if path.name != f"step-{step:08}.h5":
                path.unlink()
        self.assertEqual([path.name for path in self.checkpoints(output)], [f"step-{step:08}.h5"])
        (output / "model.h5").unlink()
        with h5py.File(output / "run.h5", "r+") as file:
            file["provenance"].attrs["status"] = "running"

    def assert_as_undisturbed(self, output):
        self.assertEqual(differing(output, self.whole, config=False), [])
        self.assertIn("model.h5/model/layers/1/experts/weight", contents(output))

    def test_from_any_step_on_any_number_of_ranks(self):
        """In mid-epoch, in mid-row, at the ends of an epoch, of a row and of phases."""
        cases = [(5, None, 3), (14, 3, None), (26, 2, 4), (35, 4, 1), (78, 1, 2), (100, None, 2), (117, 2, 3)]
        for step, before, after in cases:
            with self.subTest(step=step, before=before, after=after):
                output = self.folder / f"step-{step}"
                self.stopped_at(step, output, ranks=before)
                self.assertIn(f"going on after step {step} of {STEPS}", self.train(output, ranks=after))
                self.assert_as_undisturbed(output)
                with h5py.File(output / "run.h5") as file:
                    launches = file["launches"]
                    self.assertEqual([launches[s].attrs["first_step"] for s in ("1", "2")], [0, step])
                    self.assertEqual([launches[s].attrs["ranks"] for s in ("1", "2")], [before or 1, after or 1])
                    changes = list(launches["2"].attrs["config_changes"])
                    self.assertEqual(changes[0], f"checkpoint.every_steps: {step} -> 0")

    def test_missing_run_begins_and_finished_run_is_done(self):
        output = self.folder / "missing"
        self.assertIn("is not there yet: beginning at the first step", self.train(output, ranks=2))
        self.assert_as_undisturbed(output)
        before = {path: path.stat().st_mtime_ns for path in output.rglob("*.h5")}
        self.assertIn("is finished already", self.train(output, ranks=3))
        self.assertEqual({path: path.stat().st_mtime_ns for path in output.rglob("*.h5")}, before)

    def test_run_without_a_checkpoint_begins_again(self):
        output = self.folder / "early"
        self.stopped_at(5, output)
        self.checkpoints(output)[0].unlink()
        self.assertIn("holds no checkpoint yet: beginning at the first step", self.train(output))
        self.assert_as_undisturbed(output)
        with h5py.File(output / "run.h5") as file:
            self.assertEqual(sorted(file["launches"]), ["1", "2"])

    def test_damaged_newest_checkpoint_gives_way_to_the_one_before(self):
        for number, damage in enumerate(["cut", "flipped", "empty"]):
            with self.subTest(damage=damage):
                output = self.folder / f"damaged-{number}"
                self.train(output, "--set", "checkpoint.every_steps=40", "--set", "checkpoint.keep=4")
                (output / "model.h5").unlink()
                newest, before = self.checkpoints(output)[::-1][:2]
                content = bytearray(newest.read_bytes())
                with h5py.File(newest) as file:
                    weight = file["model/layers/2/experts/weight"].id.get_chunk_info(0).byte_offset
                content[weight + 5] ^= 1
                newest.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[damage])
                said = self.train(output, ranks=2)
                self.assertIn(str(newest), said)
                self.assertIn(f", from {before}", said)
                self.assert_as_undisturbed(output)

    def test_damaged_run_file_gives_way_to_the_checkpoint(self):
        output = self.folder / "damaged-run"
        self.stopped_at(100, output)
        (output / "run.h5").write_bytes(b"no HDF5")
        self.assertIn(f"warning: {output / 'run.h5'}", self.train(output))
        self.assert_as_undisturbed(output)

    def test_config_that_differs_where_it_matters_is_refused(self):
        output = self.folder / "other"
        self.stopped_at(100, output)
        before = contents_of_tree(output)
        cases = {
            ("train.seed=3",): "train.seed: 2 -> 3",
            ("train.batch_size=32", "layers.1.hidden=10"): "layers.1.hidden: 9 -> 10; train.batch_size: 16 -> 32",
            ("data.classes=4",): "data.classes: 5 -> 4",
            ("phases.lifted.epochs=4",): "learning rates that were used would change",
            ("phases.constrained.epochs=7",): "the run is past it",
            ("phases.again.learning_rate.start=0.2",): "phases.3",
        }
        for settings, text in cases.items():
            message = self.refused(output, *(word for setting in settings for word in ("--set", setting)))
            self.assertIn("where it matters", message)
            self.assertIn(text, message)
        self.assertEqual(contents_of_tree(output), before)

    def test_harmless_differences_are_recorded(self):
        output = self.folder / "harmless"
        self.stopped_at(100, output)
        changes = ["--set", "train.log_every_steps=1", "--set", "checkpoint.every_minutes=1"]
        changes += ["--set", "comm.timeout=5m"]
        self.train(output, *changes)
        self.assertEqual(
            {n: v for n, v in contents(output).items() if n.startswith("model.h5/model")},
            {n: v for n, v in contents(self.whole).items() if n.startswith("model.h5/model")},
        )
        with h5py.File(output / "run.h5") as file:
            self.assertIn("train.log_every_steps: 7 -> 1", list(file["launches/2"].attrs["config_changes"]))
            self.assertIn("log_every_steps = 1\n", file["config"][()].decode())

    def test_more_epochs_and_an_added_phase(self):
        """The last phase has a constant rate: with more epochs it is the run that had them from the start."""
        longer = ["--set", "phases.again.epochs=5"]
        output, expected = self.folder / "longer", self.folder / "longer-at-once"
        shutil.copytree(self.whole, output)
        self.train(output, *longer, ranks=2)
        self.completed(run([DMOE, "train", self.config, "--output", expected, *longer], timeout=SECONDS))
        self.assertEqual(differing(output, expected, config=False), [])
        added = self.folder / "added.toml"
        added.write_text(CONFIG + CONFIG[CONFIG.rindex("[[phases]]") :].replace("again", "more"))
        output, expected = self.folder / "added", self.folder / "added-at-once"
        shutil.copytree(self.whole, output)
        for command in ([added, "--output", output, "--resume"], [added, "--output", expected]):
            self.completed(run([DMOE, "train", *command], timeout=SECONDS))
        self.assertEqual(differing(output, expected, config=False), [])

    def test_stop_after_and_signals_until_finished(self):
        """Stopped again and again, on changing numbers of ranks, in steps and in evaluations."""
        output = self.folder / "stopped"
        lost = 0
        for attempt in range(40):
            ranks = [None, 2, 3, 1][attempt % 4]
            launcher = [] if ranks is None else [MPIEXEC, "-n", str(ranks)]
            command = [*launcher, DMOE, "train", self.config, "--output", output, "--resume"]
            if attempt % 3 == 0:
                command += ["--set", "train.stop_after=1s"]
            process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if attempt % 3 != 0:
                time.sleep(0.3 * 1.1**attempt)  # longer and longer, for a machine where hardly a step is done by then
                process.send_signal(signal.SIGUSR1)
            said = process.communicate(timeout=SECONDS)[0].decode()
            if process.returncode == 0:
                break
            if process.returncode != 75:  # the signal came before the program could heed it
                lost += 1
                self.assertNotIn("dmoe: ", said)
        self.assertEqual(process.returncode, 0, said)
        self.assertLess(lost, 20)
        self.assert_as_undisturbed(output)

    def test_stop_after_ends_with_75(self):
        output = self.folder / "limited"
        endless = ["--set", "phases.again.epochs=1000000", "--set", "evaluation.every_epochs=0"]
        for ranks in (None, 2):
            self.train(output, *endless, "--set", "train.stop_after=2s", ranks=ranks, status=75)
            with h5py.File(output / "run.h5") as file:
                self.assertEqual(file["provenance"].attrs["status"], "interrupted")
            process = run([DMOE, "evaluate", output])
            self.assertEqual((process.returncode, process.stderr), (0, ""))
            self.assertIn("checkpoints/step-", process.stdout)

    def test_signals_that_come_again_do_not_end_the_saving(self):
        """Two at once warn a job whose launcher passes on what it gets and whose script does so too."""
        endless = ["--set", "phases.again.epochs=1000000", "--set", "evaluation.every_epochs=0"]
        for number in (signal.SIGTERM, signal.SIGUSR1):
            output = self.folder / f"again-{number.name}"
            process = subprocess.Popen(
                list(map(str, [DMOE, "train", self.config, "--output", output, *endless])), stdout=subprocess.DEVNULL
            )
            self.addCleanup(process.kill)
            while not (output / "checkpoints").exists():  # under way
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            deadline = time.monotonic() + SECONDS
            while process.poll() is None:
                self.assertLess(time.monotonic(), deadline)
                process.send_signal(number)
                time.sleep(0.0005)
            self.assertEqual(process.returncode, 75)
            self.train(output, "--resume", *endless, "--set", "train.stop_after=1s", status=75)

    def test_second_job_is_refused(self):
        output = self.folder / "twice"
        endless = ["--set", "phases.again.epochs=1000000", "--set", "evaluation.every_epochs=0"]
        command = [DMOE, "train", self.config, "--output", output, *endless]
        first = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        self.addCleanup(first.kill)
        while not (output / "run.h5").exists():
            self.assertIsNone(first.poll())
            time.sleep(0.05)
        extras: list[list[str]] = [[], ["--set", "train.seed=5"]]
        for extra in extras:
            message = self.refused(output, *endless, *extra)
            self.assertRegex(message, rf"another dmoe is at work there: host \S+, pid {first.pid}\b")
        first.kill()
        first.wait()
        self.train(output, *endless, "--set", "train.stop_after=1s", status=75)

    def test_checkpoints_are_as_documented(self):
        output = self.folder / "documented"
        self.stopped_at(100, output, ranks=3)
        path = self.checkpoints(output)[0]
        with h5py.File(path) as file:
            self.assertEqual(file.attrs["format"], "dmoe-checkpoint")
            state = file["state"].attrs
            self.assertEqual((state["step"], state["epoch"], state["phase"]), (100, 7, 1))
            self.assertEqual((state["window_steps"], state["window_examples"]), (2, 32))
            model = {name: item.shape for name, item in walk(file["model"])}
            self.assertEqual({name: item.shape for name, item in walk(file["optimizer"])}, model)
            self.assertTrue(all(item.fletcher32 for _, item in walk(file["model"])))
            self.assertTrue(any(numpy.any(item[()]) for _, item in walk(file["optimizer"])))
            totals = file["state/layers/1/totals"][()]
            self.assertEqual(totals.dtype, numpy.int64)
            self.assertAlmostEqual(totals.sum() / 2**24, 7 * 200 + 9 * 16, places=4)
            self.assertEqual(file["train/step"][-1], 98)


def walk(group):
    found = []
    group.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return found


def contents_of_tree(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*.h5"))}


if __name__ == "__main__":
    main()

"""The real program on the command line: what it refuses, how it stops, what it leaves alone."""

import os
import pty
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py

import launchers
from dmoe_testing import DMOE, MPIEXEC, main, run

CONFIG = """
[data]
name = "synthetic"
classes = 4
train_examples = 400
test_examples = 100
[[layers]]
kind = "mixture"
experts = 3
hidden = 10
gate_hidden = 5
[train]
seed = 7
batch_size = 20
log_every_steps = 5
[evaluation]
batch_size = 50
[[phases]]
name = "constrained"
epochs = 2
balance = { rule = "margin", margin = 50 }
learning_rate = { schedule = "constant", start = 0.3 }
"""
# Evaluates a few times a second: Open MPI's mpirun that is flooded with output can itself crash or hang at its end.
# Logs nothing before it is stopped: what comes then is all there is.
ENDLESS = ["--set", "phases.constrained.epochs=1000000", "--set", "evaluation.every_epochs=50"]
ENDLESS += ["--set", "train.log_every_steps=1000000000"]
RANK_COUNTS = [None, 1, 2, 3]  # None: without mpirun
PROMPT_SECONDS = 20  # generous: what is asserted is that nothing hangs


def messages(process):
    """What dmoe itself said on stderr; mpirun adds its own lines."""
    return [line for line in process.stderr.splitlines() if line.startswith("dmoe: ")]


def snapshot(folder):
    """Of every file in a folder but the lock, when and how large."""
    paths = [path for path in sorted(folder.iterdir()) if path.name != ".lock"]
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def status_of(folder):
    with h5py.File(folder / "run.h5") as file:
        return file["provenance"].attrs["status"]


# Of a run, before its model is there.
FILES = ["checkpoints", "config.toml", "log.txt", "run.h5"]


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)
        self.output = self.folder / "run"

    def train(self, *extra, ranks=None, output=None):
        return run([DMOE, "train", self.config, "--output", output or self.output, *extra], ranks=ranks)

    def assert_refused(self, command, message, rank_counts=tuple(RANK_COUNTS)):
        """All ranks end with 2, promptly, and the message is there once."""
        for ranks in rank_counts:
            with self.subTest(command=command, ranks=ranks):
                process = run([DMOE, *command], ranks=ranks, timeout=PROMPT_SECONDS)
                self.assertEqual(messages(process), ["dmoe: " + message])
                self.assertEqual(process.returncode, 2)
                self.assertEqual(process.stdout, "")

    def assert_train_refused(self, extra, message, rank_counts=tuple(RANK_COUNTS)):
        self.assert_refused(["train", self.config, "--output", self.output, *extra], message, rank_counts)
        self.assertFalse(self.output.exists())

    def test_bad_config_names_line_key_and_value(self):
        self.config.write_text(CONFIG.replace("batch_size = 20", "batch_size = 0"))
        self.assert_train_refused([], f"{self.config}:14: train.batch_size must be at least 1, got 0")

    def test_bad_override_is_named(self):
        self.assert_train_refused(
            ["--set", "train.seed=abc"], '--set train.seed=abc: train.seed must be an integer, got the string "abc"'
        )

    def test_missing_config(self):
        self.config.unlink()
        self.assert_train_refused([], f"{self.config}: cannot read the config: No such file or directory")

    def test_more_ranks_than_experts(self):
        self.assert_train_refused([], "4 ranks, but no layer has more than 3 experts; start at most 3 ranks", (4,))

    def test_missing_data(self):
        self.assert_train_refused(
            ["--set", "data.name=mnist", "--set", "data.path=/no/such"],
            "--set data.path=/no/such: data.path must be a folder, there is no '/no/such'; fetch it with: "
            "dmoe-fetch-data mnist (in the sources scripts/fetch-data mnist), or set it to where the data is",
        )
        _, data, rest = CONFIG.partition("[[layers]]")
        self.config.write_text('[data]\nname = "mnist"\npath = "nowhere"\n' + data + rest)
        self.assert_train_refused(
            [],
            f"{self.config}:3: data.path must be a folder, there is no 'nowhere'; fetch it with: "
            "dmoe-fetch-data mnist (in the sources scripts/fetch-data mnist), or set it to where the data is",
        )

    def test_more_held_out_than_there_is(self):
        self.assert_train_refused(
            ["--set", "data.validation=400"],
            "--set data.validation=400: data.validation must be 0 to 399 (of 400 training examples), got 400",
        )

    def test_damaged_data(self):
        digits = self.folder / "digits"
        digits.mkdir()
        for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]:
            (digits / f"{name}-ubyte").write_bytes(b"not an idx file")
        for ranks in RANK_COUNTS:
            process = self.train("--set", "data.name=mnist", "--set", f"data.path={digits}", ranks=ranks)
            self.assertEqual(process.returncode, 2)
            self.assertEqual(len(messages(process)), 1, process.stderr)
            self.assertIn(str(digits), messages(process)[0])
        self.assertFalse(self.output.exists())

    def test_output_that_cannot_be_made(self):
        blocked = self.folder / "file"
        blocked.write_text("")
        for output, reason in [("/proc/x", "No such file or directory"), (blocked / "run", "Not a directory")]:
            self.assert_refused(
                ["train", self.config, "--output", output],
                f"--output {output}: cannot make the folder: {reason}",
            )
        command = ["train", self.config, "--output", blocked]
        self.assert_refused(command, f"--output {blocked}: exists and is not a folder")

    def test_existing_output_stays_unless_replaced(self):
        self.assertEqual(self.train().returncode, 0)
        (self.output / "notes.txt").write_text("mine")
        before = snapshot(self.output)
        self.assert_refused(
            ["train", self.config, "--output", self.output],
            f"--output {self.output}: exists already; name another folder, go on with the run in it (--resume), "
            "or overwrite it (--replace)",
        )
        self.assertEqual(self.train("--replace", "--set", "data.noise=-1").returncode, 2)
        self.assertEqual(snapshot(self.output), before)
        self.assertEqual(self.train("--replace", "--set", "train.seed=8", ranks=2).returncode, 0)
        self.assertEqual(sorted(snapshot(self.output)), sorted([*FILES, "model.h5", "notes.txt"]))
        with h5py.File(self.output / "run.h5") as file:
            self.assertEqual(file["provenance"].attrs["seed"], 8)

    def test_help_version_and_usage(self):
        for ranks in RANK_COUNTS:
            asked = [(["--help"], "evaluate"), (["train", "--help"], "margin"), (["--version"], "dmoe ")]
            for arguments, text in asked:
                process = run([DMOE, *arguments], ranks=ranks)
                self.assertEqual((process.returncode, process.stderr), (0, ""))
                self.assertIn(text, process.stdout)
            self.assertEqual(run([DMOE, "--version"], ranks=ranks).stdout.count("dmoe "), 1)
        self.assert_refused(["train"], "CONFIG.toml is required")

    def test_summary_and_log_are_plain(self):
        for ranks in RANK_COUNTS:
            process = self.train("--replace", ranks=ranks)
            self.assertEqual((process.returncode, process.stderr), (0, ""))
            self.assertNotIn("\x1b", process.stdout)
            self.assertEqual(process.stdout.count("epoch 2/2: test error"), 1)
            self.assertIn(f"next: dmoe evaluate {self.output}", process.stdout)
            self.assertEqual(status_of(self.output), "finished")

    def test_a_terminal_gets_a_changing_line(self):
        endless = [DMOE, "train", self.config, "--output", self.output, "--replace", *ENDLESS]
        given: list[list[str]] = [[], [MPIEXEC, "-n", "2"]]
        for launcher in given:
            leader, follower = pty.openpty()
            process = subprocess.Popen([*launcher, *map(str, endless)], stdout=follower, stderr=follower)
            self.addCleanup(process.kill)
            os.close(follower)
            text = b""
            while b" left, loss " not in text:
                text += os.read(leader, 1000)
            process.send_signal(signal.SIGINT)
            try:
                while chunk := os.read(leader, 1000):
                    text += chunk
            except OSError:
                pass  # how Linux says that the other end is closed
            statuses = launchers.statuses_when_stopped(signal.SIGINT) if launcher else (75,)
            self.assertIn(process.wait(PROMPT_SECONDS), statuses)
            os.close(leader)
            self.assertIn(b"\r\x1b[Kepoch ", text)

    def test_stop_signals_keep_what_was_reached(self):
        cases = [(None, signal.SIGINT), (None, signal.SIGTERM), (None, signal.SIGUSR1), (2, signal.SIGINT)]
        cases += [(3, signal.SIGTERM), (2, signal.SIGUSR1), (3, signal.SIGUSR1)]
        for ranks, number in cases:
            with self.subTest(ranks=ranks, signal=number.name):
                # mpirun of Open MPI makes 1 of its ranks' 75 where it was itself told to end, and leaves them a moment:
                # that is not always enough where others want the cores too.
                statuses = (75,) if ranks is None else launchers.statuses_when_stopped(number)
                is_ended = statuses == (1,)
                for _ in range(10 if is_ended else 1):
                    process, log = self.start_endless(ranks)
                    process.send_signal(number)
                    self.assertIn(process.wait(PROMPT_SECONDS), statuses)
                    if status_of(self.output) == "interrupted":
                        break
                self.assertEqual(status_of(self.output), "interrupted")
                self.assertEqual(sorted(snapshot(self.output)), FILES)
                if not is_ended or launchers.shows_last_words():
                    self.assertIn("stopped on request after step", log.read_text())
                    self.assertIn("--resume goes on from ", log.read_text())
                newest = max((self.output / "checkpoints").iterdir())
                with h5py.File(self.output / "run.h5") as curves, h5py.File(newest) as checkpoint:
                    self.assertEqual(curves["train/step"][-1], checkpoint["model"].attrs["step"])
                if "--resume goes on from " in log.read_text():
                    self.assertIn(f"--resume goes on from {newest}:", log.read_text())
                self.assertEqual(run([DMOE, "evaluate", self.output]).returncode, 0)

    def test_failure_of_one_rank_ends_the_job_with_its_message(self):
        process, log = self.start_endless(2)
        shutil.rmtree(self.output)
        self.assertEqual(process.wait(PROMPT_SECONDS), 1)
        self.assertIn("dmoe: rank 0: ", log.read_text())

    def test_a_loss_that_is_not_finite_ends_the_run(self):
        for ranks in RANK_COUNTS:
            process = self.train("--replace", "--set", "phases.constrained.learning_rate.start=1e6", ranks=ranks)
            self.assertEqual(process.returncode, 1, process.stderr)
            self.assertEqual(len(messages(process)), 1, process.stderr)
            words = r"^dmoe: step \d+, rank 0: the loss(, from the output of layer 1 on,)? is not finite; "
            self.assertRegex(messages(process)[0], words + "a learning rate")
            self.assertEqual(status_of(self.output), "failed")
            self.assertEqual(sorted(snapshot(self.output)), FILES)

    def test_reader_that_leaves_ends_nothing(self):
        command = [DMOE, "train", self.config, "--output", self.output]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), "dmoe: cannot write to standard output\n")
        process.stderr.close()
        self.assertEqual(process.wait(PROMPT_SECONDS), 1)
        self.assertEqual(status_of(self.output), "finished")
        self.assertEqual(sorted(snapshot(self.output)), sorted([*FILES, "model.h5"]))

    def test_output_that_nobody_takes(self):
        self.assertEqual(self.train().returncode, 0)
        for command in (["evaluate", self.output], ["info", self.output]):
            with open("/dev/full", "w") as full:
                process = subprocess.run([DMOE, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual((process.returncode, process.stderr), (1, "dmoe: cannot write to standard output\n"))

    def test_closed_standard_streams_are_no_files_of_ours(self):
        script = '"$@" >&- 2>&- <&-'
        command = ["sh", "-c", script, "sh", DMOE, "train", self.config, "--output", self.output]
        self.assertEqual(subprocess.run(list(map(str, command))).returncode, 0)
        self.assertEqual(run([DMOE, "evaluate", self.output]).returncode, 0)

    def test_of_two_jobs_with_one_output_one_is_refused(self):
        command = list(map(str, [DMOE, "train", self.config, "--output", self.output]))
        jobs = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in "ab"]
        said = [job.communicate(timeout=PROMPT_SECONDS)[1] for job in jobs]
        self.assertEqual(sorted(job.returncode for job in jobs), [0, 2], said)
        self.assertIn("exists already", "".join(said))

    def start_endless(self, ranks):
        """A training that is under way, and the file of all it says."""
        launcher = [] if ranks is None else [MPIEXEC, "-n", str(ranks)]
        command = [*launcher, DMOE, "train", self.config, "--output", self.output, "--replace", *ENDLESS]
        log = self.folder / "log.txt"
        with log.open("w") as stream:
            process = subprocess.Popen(list(map(str, command)), stdout=stream, stderr=stream)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + PROMPT_SECONDS
        while "epoch 50/" not in log.read_text():
            self.assertIsNone(process.poll(), log.read_text())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        return process, log

    def test_evaluate_says_the_same_on_any_ranks_and_writes_nothing(self):
        self.assertEqual(self.train().returncode, 0)
        with h5py.File(self.output / "run.h5") as file:
            error = file["evaluation/test_error"][-1]
        before = snapshot(self.output)
        said = set()
        for ranks in RANK_COUNTS:
            for target in [self.output, self.output / "model.h5"]:
                process = run([DMOE, "evaluate", target], ranks=ranks, cwd=self.folder)
                self.assertEqual((process.returncode, process.stderr), (0, ""))
                said.add(process.stdout)
        self.assertEqual(snapshot(self.output), before)
        self.assertEqual(sorted(snapshot(self.folder)), ["config.toml", "run"])
        self.assertEqual(len(said), 1, said)
        self.assertIn(f"test error {100 * error:.2f} % ({round(100 * error)} of 100)", said.pop())

    def test_evaluate_refuses_what_is_no_model(self):
        self.assertEqual(self.train().returncode, 0)
        missing = self.folder / "missing"
        self.assert_refused(["evaluate", missing], f"{missing}: there is no such run folder or model file")
        self.assert_refused(
            ["evaluate", self.output, "--split", "validation"],
            f"{self.output}: --split validation: the data set has no validation examples (data.validation holds some "
            "out of the training set)",
        )
        model = self.output / "model.h5"
        content = model.read_bytes()
        with h5py.File(model) as file:
            weight = file["model/layers/1/experts/weight"].id.get_chunk_info(0).byte_offset
        flipped = bytearray(content)
        flipped[weight + 5] ^= 1
        for damaged in [content[: len(content) // 2], b"no HDF5", flipped]:
            model.write_bytes(damaged)
            for ranks in RANK_COUNTS:
                process = run([DMOE, "evaluate", self.output], ranks=ranks, timeout=PROMPT_SECONDS)
                self.assertEqual((process.returncode, len(messages(process))), (2, 1), process.stderr)
                self.assertIn(str(model), messages(process)[0])
        model.unlink()
        process = run([DMOE, "evaluate", self.output])
        self.assertRegex(process.stdout, r"/checkpoints/step-\d{8}\.h5: test error ")
        shutil.rmtree(self.output / "checkpoints")
        self.assert_refused(
            ["evaluate", self.output],
            f"{self.output}: holds neither model.h5 nor a checkpoint; training has not come that far",
        )

    def test_analyze_adds_to_the_run_file(self):
        self.assertEqual(self.train().returncode, 0)
        for ranks in [None, 3]:
            process = run([DMOE, "analyze", self.output], ranks=ranks)
            self.assertEqual((process.returncode, process.stderr), (0, ""))
            with h5py.File(self.output / "run.h5") as file:
                information = file["analysis/layers/1/mutual_information/class/soft"][1]
            self.assertIn(f"layer 1:  class {information:.3f} (", process.stdout)

    def test_info_of_run_file_model_file_and_folder(self):
        self.assertEqual(self.train().returncode, 0)
        parameters = 3 * 10 * (324 + 1) + 5 * (324 + 1) + 3 * (5 + 1) + 4 * (10 + 1)
        costs = 324 * (3 * 10 + 5) + 5 * 3 + 3 * 10 + 10 * 4
        expected = {"run.h5": ["finished", "3x10 on synthetic"], "model.h5": [f"{parameters}", f"{costs:,} multiply"]}
        for name, texts in expected.items():
            process = run([DMOE, "info", self.output / name])
            self.assertEqual((process.returncode, process.stderr), (0, ""))
            for text in texts:
                self.assertIn(text, process.stdout)
            self.assertIn(process.stdout, run([DMOE, "info", self.output], ranks=2).stdout)
        nothing = self.folder / "nothing"
        self.assert_refused(["info", nothing], f"{nothing}: there is no such file or folder")
        self.assert_refused(["info", self.folder], f"{self.folder}: holds neither run.h5 nor model.h5")


if __name__ == "__main__":
    main()

"""dmoe sweep through the real program: what it runs, gathers, leaves alone, refuses, and how it goes on."""

import csv
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy

import launchers
from dmoe_testing import DMOE, MPIEXEC, checked, main, run
from launched import ranks_of
from test_training import differing

SMALL = """
[data]
name = "synthetic"
classes = 4
train_examples = 200
test_examples = 60
validation = 40
[[layers]]
kind = "mixture"
experts = 3
hidden = 8
gate_hidden = 5
[[layers]]
kind = "mixture"
experts = 2
hidden = 8
gate_hidden = 5
[train]
batch_size = 20
[evaluation]
batch_size = 50
[[phases]]
name = "constrained"
epochs = 2
balance = { rule = "margin", margin = 50 }
learning_rate = { schedule = "constant", start = 0.3 }
"""
LARGE = SMALL.replace("hidden = 8\ngate_hidden = 5\n[train]", "hidden = 12\ngate_hidden = 5\n[train]")
# A second or so; says something ten times.
SLOW = SMALL.replace("epochs = 2", "epochs = 1500") + "[numerics]\nthreads = 1\n"
SLOW = SLOW.replace("[evaluation]", "log_every_steps = 1000\n[evaluation]\nevery_epochs = 150")
ENDLESS = SLOW.replace("epochs = 1500", "epochs = 1000000")
BASELINES = ("none", "concatenated", "dense_wide_first")
PROMPT_SECONDS = 60  # generous: what is asserted is that nothing hangs
SECONDS = 300  # for one process; generous, as sanitizers are slow


def sweep_text(configs, head="", **settings):
    """A sweep of one grid; train_seed=[0] stands for train.seed."""
    lines = [f"config = {configs}", *(f"{key.replace('_', '.', 1)} = {value}" for key, value in settings.items())]
    return "\n".join([head, "[[grids]]", *lines, ""])


def messages(process):
    return [line for line in process.stderr.splitlines() if line.startswith("dmoe: ")]


def state(folder):
    """Time and size of all files of some runs but locks, which say who looked last."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def status_of(folder):
    with h5py.File(folder / "run.h5") as file:
        return file["provenance"].attrs["status"]


def csv_table(output):
    """Rows by name of the run, of texts."""
    with open(output / "table.csv", newline="", encoding="utf-8") as stream:
        return {row["run"]: row for row in csv.DictReader(stream)}


def hdf5_table(output):
    """The same rows as HDF5 has them."""
    with h5py.File(output / "table.h5") as file:
        names = list(file["table"].attrs["columns"])
        columns = [file["table"][name] for name in names]
        values = [column.asstr()[()] if column.dtype.kind in "SO" else column[()] for column in columns]
    return {row[0]: dict(zip(names, row)) for row in zip(*values)}


def children(process):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == process:
            found.append(int(stat.parent.name))
    return found


def mentioning(text):
    """Processes, other than zombies, with this text in their command line."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in line.read_text():
                found.append(int(line.parent.name))
        except OSError:
            pass  # it has ended meanwhile
    return found


def initialised_mpi(process):
    """Then it talks with its launcher and the other ranks, by sockets."""
    return any(os.readlink(link).startswith("socket:") for link in Path(f"/proc/{process}/fd").iterdir())


class SweepTest(unittest.TestCase):
    class_folder: Path

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-sweep-")
        cls.addClassCleanup(temporary.cleanup)
        cls.class_folder = Path(temporary.name)

    def setUp(self):
        self.folder = self.class_folder / self.id().rpartition(".")[2]
        self.folder.mkdir()
        self.output = self.folder / "out"
        self.sweep_file = self.folder / "sweep.toml"
        (self.folder / "small.toml").write_text(SMALL)

    def write(self, configs, head="", **settings):
        self.sweep_file.write_text(sweep_text(configs, head, **settings))

    def command(self, *extra, program=DMOE):
        return [str(part) for part in (program, "sweep", self.sweep_file, "--output", self.output, *extra)]

    def sweep(self, *extra, expected=0, **options):
        process = run(self.command(*extra), timeout=SECONDS, **options)
        self.assertEqual(process.returncode, expected, process.stdout + process.stderr)
        return process

    def start(self, *extra, **options):
        # Runs share cores here with each other and with themselves: a thread that waits must leave its core.
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        with (self.folder / "said.txt").open("w") as stream:
            command = self.command(*extra, **options)
            process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
        self.addCleanup(process.wait, PROMPT_SECONDS)
        self.addCleanup(process.kill)
        return process

    def said(self):
        return (self.folder / "said.txt").read_text()

    def until(self, is_so, process=None):
        deadline = time.monotonic() + PROMPT_SECONDS
        while not is_so():
            if process is not None:
                self.assertIsNone(process.poll(), self.said())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def is_training(self, name):
        log = self.output / "logs" / f"{name}.log"
        return log.exists() and "epoch 150/" in log.read_text()

    def names(self, folder="runs"):
        return sorted(path.name for path in (self.output / folder).iterdir())


class Finished(SweepTest):
    """A sweep that ran to its end, started beside its file."""

    relative: list[str]
    process: subprocess.CompletedProcess[str]
    grid: dict[str, tuple[str, str, int]]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.class_folder / "small.toml").write_text(SMALL)
        (cls.class_folder / "large.toml").write_text(LARGE)
        text = sweep_text(["small.toml", "large.toml"], network_baseline=list(BASELINES), train_seed=[0, 1])
        (cls.class_folder / "sweep.toml").write_text(text)
        cls.relative = [DMOE, "sweep", "sweep.toml", "--output", "finished"]
        cls.process = run(cls.relative, timeout=SECONDS, cwd=cls.class_folder)
        cls.grid = {
            f"{config},network.baseline={baseline},train.seed={seed}": (config, baseline, seed)
            for config, baseline, seed in itertools.product(("small", "large"), BASELINES, (0, 1))
        }

    def setUp(self):
        super().setUp()
        self.output = self.class_folder / "finished"

    def test_everything_ran(self):
        self.assertEqual((self.process.returncode, self.process.stderr), (0, ""))
        self.assertIn("12 runs: 0 done already, 12 to do", self.process.stdout)
        self.assertIn("12 of 12 done, 0 failed; table in finished/table.csv and finished/table.h5", self.process.stdout)
        self.assertEqual(self.process.stdout.count(": test error "), 12)
        self.assertEqual(self.names("."), [".lock", "logs", "runs", "table.csv", "table.h5"])
        self.assertIn("dmoe-table, whole", checked(DMOE, "check", self.output / "table.h5"))
        self.assertEqual(self.names("runs"), sorted(self.grid))
        self.assertEqual(self.names("logs"), sorted(f"{name}.log" for name in self.grid))
        for name in self.grid:
            self.assertLessEqual({"model.h5", "run.h5"}, set(self.names(f"runs/{name}")))

    def test_runs_are_those_of_train_and_analyze(self):
        for name, (config, baseline, seed) in self.grid.items():
            if seed == 0 and config == "small":
                continue
            with self.subTest(name):
                settings = ["--set", f"network.baseline={baseline}", "--set", f"train.seed={seed}"]
                plain = self.folder / name
                config_file = self.class_folder / f"{config}.toml"
                run([DMOE, "train", config_file, "--output", plain, *settings], timeout=SECONDS)
                run([DMOE, "analyze", plain], timeout=SECONDS)
                self.assertEqual(differing(self.output / "runs" / name, plain), [])
                with h5py.File(plain / "run.h5") as file:
                    self.assertEqual(len(file["evaluation/test_loss"]), 2)
                    self.assertIn("analysis", file)

    def test_seeds_and_configs_differ(self):
        runs = [self.output / "runs" / name for name in self.grid]
        for one, other in itertools.combinations(runs, 2):
            self.assertIn("run.h5/evaluation/test_loss", differing(one, other))

    def test_tables_agree(self):
        texts, values = csv_table(self.output), hdf5_table(self.output)
        self.assertEqual(list(texts), list(self.grid))
        self.assertEqual(list(values), list(self.grid))
        for name, row in values.items():
            self.assertEqual(list(texts[name]), list(row))
            for column, value in row.items():
                text = texts[name][column]
                if isinstance(value, str):
                    self.assertEqual(text, value)
                elif numpy.isnan(value):
                    self.assertEqual(text, "", column)
                else:
                    self.assertEqual(float(text), value, column)

    def test_table_says_what_the_runs_say(self):
        for name, row in hdf5_table(self.output).items():
            config, baseline, seed = self.grid[name]
            with self.subTest(name), h5py.File(self.output / "runs" / name / "run.h5") as file:
                expected = {
                    "run": name,
                    "group": f"{config},network.baseline={baseline}",
                    "config": f"{config}.toml",
                    "network.baseline": baseline,
                    "train.seed": str(seed),
                    "status": "finished",
                    "epochs": 2,
                    "layers": file["network"].attrs["layers"],
                    "parameters": file["network"].attrs["parameters"],
                    "multiply_accumulates": file["network"].attrs["multiply_accumulates"],
                }
                for split, kind in itertools.product(("test", "train", "validation"), ("error", "loss")):
                    expected[f"{split}_{kind}"] = file[f"evaluation/{split}_{kind}"][-1]
                for layer, group in file["analysis"].get("layers", {}).items():
                    expected[f"layer{layer}_smallest_mean_gate"] = group["mean_gate"][()].min()
                    expected[f"layer{layer}_largest_mean_gate"] = group["mean_gate"][()].max()
                    for factor, information in group["mutual_information"].items():
                        expected[f"layer{layer}_{factor}_information"] = information["soft"][1]
                        expected[f"layer{layer}_{factor}_p_value"] = information["p_value"][0]
                self.assertEqual({key: row[key] for key in expected}, expected)
                for key in set(row) - set(expected) - {"seconds"}:
                    self.assertTrue(numpy.isnan(row[key]), key)
                self.assertGreaterEqual(row["seconds"], 0)
                gates = {"none": 2, "concatenated": 1, "dense_wide_first": 0}[baseline]
                for number in (1, 2):
                    self.assertEqual(f"layer{number}_translation_information" in expected, number <= gates)

    def test_summary_is_over_the_seeds(self):
        table = hdf5_table(self.output)
        for config, baseline in itertools.product(("small", "large"), BASELINES):
            group = f"{config},network.baseline={baseline}"
            rows = [table[f"{group},train.seed={seed}"] for seed in (0, 1)]
            spread = [
                f"{100 * numpy.mean(errors):.2f} +- {100 * numpy.std(errors, ddof=1):.2f} %"
                for errors in ([row["test_error"] for row in rows], [row["train_error"] for row in rows])
            ]
            test, train = (re.escape(part) for part in spread)
            self.assertRegex(self.process.stdout, rf"(?m)^{re.escape(group)} +test {test}, train {train} \(2 runs\)$")

    def test_a_second_call_starts_nothing(self):
        kept = ("runs", "logs")
        before = {folder: state(self.output / folder) for folder in kept}
        tables = csv_table(self.output), str(hdf5_table(self.output))
        again = run(self.relative, timeout=SECONDS, cwd=self.class_folder)
        self.assertEqual((again.returncode, again.stderr), (0, ""))
        self.assertIn("12 runs: 12 done already, 0 to do", again.stdout)
        self.assertEqual({folder: state(self.output / folder) for folder in kept}, before)
        self.assertEqual((csv_table(self.output), str(hdf5_table(self.output))), tables)
        self.assertEqual(again.stdout.partition("\n\n")[2], self.process.stdout.partition("\n\n")[2])

    def test_a_finished_run_of_another_config_is_refused_before_anything_starts(self):
        output = self.folder / "out"
        shutil.copytree(self.output, output)
        (self.folder / "large.toml").write_text(LARGE.replace("batch_size = 20", "batch_size = 25"))
        text = sweep_text(["small.toml", "large.toml"], network_baseline=list(BASELINES), train_seed=[9, 0])
        self.sweep_file.write_text(text)
        before = state(output)
        process = run([DMOE, "sweep", self.sweep_file, "--output", output], timeout=SECONDS)
        file = output / "runs" / "large,network.baseline=none,train.seed=0" / "run.h5"
        self.assertEqual(process.returncode, 2)
        self.assertEqual(
            messages(process),
            [f"dmoe: {file}: a finished run of another config than the sweep's; name another --output, or remove it"],
        )
        self.assertEqual(state(output), before)

    def test_what_is_no_run_file_is_refused_before_anything_starts(self):
        output = self.folder / "out"
        shutil.copytree(self.output, output)
        file = output / "runs" / "small,network.baseline=none,train.seed=1" / "run.h5"
        file.write_bytes(file.read_bytes()[:1000])
        process = run([*self.relative[:-1], output], timeout=SECONDS, cwd=self.class_folder)
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertIn(str(file), process.stderr)


class Interrupted(SweepTest):
    """Three runs, one after the other, stopped during the second; against a sweep that nobody stopped."""

    sweep_file: Path
    whole: Path

    SLOW_RUNS = [f"slow,train.seed={seed}" for seed in range(3)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sweep_file = cls.class_folder / "sweep.toml"
        cls.sweep_file.write_text(sweep_text("'slow.toml'", train_seed=[0, 1, 2]))
        (cls.class_folder / "slow.toml").write_text(SLOW)
        cls.whole = cls.class_folder / "whole"
        process = run([DMOE, "sweep", cls.sweep_file, "--output", cls.whole], timeout=SECONDS)
        if process.returncode != 0:
            raise RuntimeError(process.stdout + process.stderr)

    def setUp(self):
        super().setUp()
        self.sweep_file = self.class_folder / "sweep.toml"

    def interrupt(self, number):
        """The state of the run that had finished."""
        process = self.start("--cores", 1)
        self.until(lambda: self.is_training(self.SLOW_RUNS[1]), process)
        finished = state(self.output / "runs" / self.SLOW_RUNS[0])
        process.send_signal(number)
        process.wait(PROMPT_SECONDS)
        return process.returncode, finished

    def check_that_it_goes_on(self, finished):
        process = self.sweep("--cores", 1)
        self.assertIn("3 runs: 1 done already, 2 to do on 1 core\n", process.stdout)
        self.assertIn("3 of 3 done, 0 failed", process.stdout)
        self.assertEqual(state(self.output / "runs" / self.SLOW_RUNS[0]), finished)
        with h5py.File(self.output / "runs" / self.SLOW_RUNS[1] / "run.h5") as file:
            self.assertGreater(file["launches/2"].attrs["first_step"], 0)
        for name in self.SLOW_RUNS:
            self.assertEqual(differing(self.output / "runs" / name, self.whole / "runs" / name), [])
        tables = csv_table(self.output), csv_table(self.whole)
        for row in (*tables[0].values(), *tables[1].values()):
            self.assertEqual(row["status"], "finished")
            del row["seconds"]
        self.assertEqual(*tables)

    def test_on_request(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                shutil.rmtree(self.output, ignore_errors=True)
                status, finished = self.interrupt(number)
                self.assertEqual(status, 1)
                self.assertIn("stopping 1 run", self.said())
                self.assertIn("stopped on request: 1 of 3 done; the same command goes on", self.said())
                self.assertEqual(mentioning(str(self.output)), [])
                self.assertEqual(self.names(), self.SLOW_RUNS[:2])
                self.assertEqual(status_of(self.output / "runs" / self.SLOW_RUNS[1]), "interrupted")
                statuses = [row["status"] for row in csv_table(self.output).values()]
                self.assertEqual(statuses, ["finished", "interrupted", "missing"])
                listed = self.sweep("--dry-run").stdout.splitlines()
                listed = [line.partition("slow,")[0].strip() for line in listed]
                self.assertEqual(listed, ["analysed", "to go on", "to do"])
                self.check_that_it_goes_on(finished)

    def test_by_force(self):
        status, finished = self.interrupt(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        self.until(lambda: not mentioning(str(self.output)))  # the run holds its folder until it has stopped
        self.check_that_it_goes_on(finished)


class Endless(SweepTest):
    """Runs that are under way as long as they are looked at."""

    def setUp(self):
        super().setUp()
        (self.folder / "endless.toml").write_text(ENDLESS)

    def test_runs_are_side_by_side_in_a_folder_of_their_own(self):
        self.write("'endless.toml'", train_seed=[0, 1, 2])
        process = self.start("--cores", 2)
        runs = [f"endless,train.seed={seed}" for seed in range(3)]
        self.until(lambda: all(map(self.is_training, runs[:2])), process)
        self.assertEqual(len(children(process.pid)), 2)
        self.assertEqual(self.names(), runs[:2])
        self.assertFalse(initialised_mpi(process.pid))

        before = mentioning(str(self.output))
        second = self.sweep(expected=2)
        words = rf"^dmoe: --output {self.output}: another dmoe is at work there: host \S+, pid \d+$"
        self.assertRegex("\n".join(messages(second)), words)
        self.assertEqual(mentioning(str(self.output)), before)

        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PROMPT_SECONDS), 1)
        self.assertIn("stopping 2 runs", self.said())
        self.assertEqual([status_of(self.output / "runs" / name) for name in runs[:2]], ["interrupted"] * 2)
        self.assertEqual(self.names(), runs[:2])

    def test_a_run_that_is_stopped_stops_no_other_nor_does_a_program_built_anew(self):
        program = shutil.copy(DMOE, self.folder / "dmoe")
        self.write("'endless.toml'", train_seed=[0, 1])
        runs = ["endless,train.seed=0", "endless,train.seed=1"]
        process = self.start("--cores", 1, program=program)
        self.until(lambda: self.is_training(runs[0]), process)
        os.replace(shutil.copy(DMOE, self.folder / "anew"), program)
        [child] = children(process.pid)
        os.kill(child, signal.SIGTERM)
        self.until(lambda: self.is_training(runs[1]), process)
        self.assertIn(f"FAILED {runs[0]}: was stopped; the same sweep goes on with it; see ", self.said())
        self.assertEqual(csv_table(self.output)[runs[0]]["status"], "interrupted")

    def test_an_unfinished_run_of_another_config_is_refused_before_anything_starts(self):
        self.write("'endless.toml'", train_seed=[0])
        process = self.start()
        self.until(lambda: self.is_training("endless,train.seed=0"), process)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PROMPT_SECONDS), 1)
        (self.folder / "endless.toml").write_text(ENDLESS.replace("start = 0.3", "start = 0.2"))
        self.write("'endless.toml'", train_seed=[1, 0])
        before = state(self.output)
        file = self.output / "runs/endless,train.seed=0/run.h5"
        message = "an unfinished run of another config than the sweep's; name another --output, or remove it"
        self.assertEqual(messages(self.sweep(expected=2)), [f"dmoe: {file}: {message}"])
        self.assertEqual(state(self.output), before)

    def test_never_more_at_once_than_there_are_cores(self):
        names = [f"endless,train.seed={seed}" for seed in range(4)]
        for cores, threads, expected in [(3, 1, 3), (4, 2, 2), (1, 2, 1)]:
            with self.subTest(cores=cores, threads=threads):
                self.output = self.folder / f"out-{cores}-{threads}"
                (self.folder / "endless.toml").write_text(ENDLESS.replace("threads = 1", f"threads = {threads}"))
                self.write("'endless.toml'", train_seed=list(range(4)))
                process = self.start("--cores", cores)
                self.until(lambda: all(map(self.is_training, names[:expected])), process)
                self.assertEqual(len(children(process.pid)), expected)
                os.kill(min(children(process.pid)), signal.SIGTERM)  # makes room for one more
                self.until(lambda: self.is_training(names[expected]), process)
                self.assertEqual(len(children(process.pid)), expected)
                self.assertEqual(self.names(), names[: expected + 1])
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(PROMPT_SECONDS), 1)

    def test_runs_of_several_ranks_stop_with_the_sweep(self):
        self.write("'endless.toml'", "ranks = 2", train_seed=[0])
        process = self.start()
        self.until(lambda: self.is_training("endless,train.seed=0"), process)
        [launcher] = children(process.pid)
        self.assertEqual([initialised_mpi(rank) for rank in ranks_of(launcher).values()], [True, True])
        self.assertFalse(initialised_mpi(process.pid))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PROMPT_SECONDS), 1)
        self.until(lambda: not mentioning(str(self.output)))
        self.assertEqual(status_of(self.output / "runs" / "endless,train.seed=0"), "interrupted")

    def test_a_run_that_does_not_heed_the_request_is_ended(self):
        """With the ranks that its launcher has started."""
        deaf = self.folder / "deaf.sh"
        deaf.write_text(f"# {self.output}\ntrap '' USR1\nwhile :; do sleep 0.1; done\n")
        (self.folder / "launch.sh").write_text(f"exec {MPIEXEC} -n $1 sh {deaf} {self.output}\n")
        launcher = f"ranks = 2\nlauncher = 'sh {self.folder}/launch.sh {{ranks}}'"
        self.write("'endless.toml'", launcher, train_seed=[0])
        process = self.start("--patience", 1)
        self.until(lambda: len([words for words in mentioning(str(deaf)) if "mpiexec" not in str(words)]) >= 2, process)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PROMPT_SECONDS), 1)
        self.until(lambda: not mentioning(str(deaf)))
        self.assertIn("endless,train.seed=0 has not stopped within 1 second: ending it", self.said())

    def test_nothing_outlives_a_sweep_that_is_killed(self):
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                self.write("'endless.toml'", f"ranks = {ranks}", train_seed=[0, 1])
                process = self.start("--cores", 2 * ranks)
                runs = ["endless,train.seed=0", "endless,train.seed=1"]
                self.until(lambda: all(map(self.is_training, runs)), process)
                self.assertGreaterEqual(len(mentioning(str(self.output))), 3)
                process.kill()
                self.assertEqual(process.wait(PROMPT_SECONDS), -signal.SIGKILL)
                self.until(lambda: not mentioning(str(self.output)))
                shutil.rmtree(self.output)


class Small(SweepTest):
    """Short sweeps of a few small runs."""

    def test_a_run_that_fails_stops_no_other_and_is_tried_again(self):
        # A decay that is larger than the weight: it grows with every step, whatever the gradient.
        self.write("'small.toml'", train_seed=[0, 1], train_weight_decay="[1e6, 0.0]")
        for attempt in (1, 2):
            process = self.sweep(expected=1)
            table = csv_table(self.output)
            self.assertEqual([row["status"] for row in table.values()], ["failed", "finished"] * 2)
            failed, finished = list(table)[::2], list(table)[1::2]
            self.assertIn("2 of 4 done, 2 failed", process.stdout)
            for name in failed:
                log = self.output / "logs" / f"{name}.log"
                said = rf"FAILED {re.escape(name)}: dmoe train ended with status 1: step .* is not finite; .*; see "
                self.assertRegex(process.stdout, said + re.escape(str(log)))
                self.assertEqual(log.read_text().count("is not finite"), attempt)
            if attempt == 1:
                before = {name: state(self.output / "runs" / name) for name in finished}
        self.assertIn("4 runs: 2 done already, 2 to do", process.stdout)
        self.assertEqual({name: state(self.output / "runs" / name) for name in finished}, before)

    def test_analyses_what_was_only_trained(self):
        self.write("'small.toml'", "analyze = false", train_seed=[0, 1])
        self.sweep()
        models = {name: state(self.output / "runs" / name)["model.h5"] for name in self.names()}
        with h5py.File(self.output / "runs" / "small,train.seed=0" / "run.h5") as file:
            self.assertNotIn("analysis", file)
        self.assertNotIn("layer1_class_information", csv_table(self.output)["small,train.seed=0"])
        self.write("'small.toml'", train_seed=[0, 1])
        dry = self.sweep("--dry-run").stdout
        self.assertEqual(dry, "trained     small,train.seed=0 (1 rank)\ntrained     small,train.seed=1 (1 rank)\n")
        self.assertIn("2 runs: 0 done already, 2 to do", self.sweep().stdout)
        self.assertEqual({name: state(self.output / "runs" / name)["model.h5"] for name in self.names()}, models)
        self.assertNotEqual(csv_table(self.output)["small,train.seed=1"]["layer1_class_information"], "")

    def test_keeps_as_many_examples_of_a_combination_as_asked_for(self):
        self.write("'small.toml'", "analyze = { top = 3 }", train_seed=[0])
        self.sweep()
        with h5py.File(self.output / "runs/small,train.seed=0/run.h5") as file:
            self.assertEqual(file["analysis/pairs/1/top_examples/index"].shape, (3, 2, 3))

    def test_goes_on_with_more_runs(self):
        self.write("'small.toml'", train_seed=[0])
        self.sweep()
        before = state(self.output / "runs")
        self.write("'small.toml'", train_seed=[0, 1])
        self.assertIn("2 runs: 1 done already, 1 to do", self.sweep().stdout)
        self.assertEqual(self.names(), ["small,train.seed=0", "small,train.seed=1"])
        self.assertLessEqual(before.items(), state(self.output / "runs").items())

    def test_runs_of_several_ranks(self):
        self.write("'small.toml'", "ranks = 3", network_baseline=["none", "dense_wide_first"])
        self.sweep()
        for baseline, ranks in [("none", 3), ("dense_wide_first", 1)]:
            folder = self.output / "runs" / f"small,network.baseline={baseline}"
            with h5py.File(folder / "run.h5") as file:
                self.assertEqual(file["launches/1"].attrs["ranks"], ranks)
            plain = self.folder / baseline
            run([DMOE, "train", self.folder / "small.toml", "--output", plain, "--set", f"network.baseline={baseline}"])
            run([DMOE, "analyze", plain])
            self.assertEqual(differing(folder, plain), [])

    def test_launcher_is_the_users(self):
        record = self.folder / "record.txt"
        (self.folder / "launch.sh").write_text(f'printf "%s " "$@" >> {record}\nshift 2\nexec "$@"\n')
        self.write("'small.toml'", f"ranks = 2\nlauncher = 'sh {self.folder}/launch.sh -n {{ranks}}'", train_seed=[5])
        self.sweep()
        self.assertRegex(record.read_text(), r"^-n 2 \S+ train \S+/small.toml --output .* --set train.seed=5 $")

    def test_a_run_is_done_when_its_file_says_so(self):
        """Whatever status its launcher ends with."""
        (self.folder / "launch.sh").write_text(
            'for part; do case "$previous" in --output) folder=$part;; esac; previous=$part; done\n'
            'case "$*" in *train.seed=1*) mkdir -p "$folder"; echo nonsense > "$folder/run.h5";; '
            '*train.seed=2*) shift; "$@";; esac; exit 0\n'
        )
        (self.folder / "small.toml").write_text(ENDLESS.replace("[train]", '[train]\nstop_after = "1s"'))
        launcher = f"ranks = 2\nlauncher = 'sh {self.folder}/launch.sh {{ranks}}'\n"
        self.write("'small.toml'", launcher, train_seed=[0, 1, 2])
        output = self.sweep(expected=1).stdout
        runs = self.output / "runs"
        said = "dmoe train ended with status 0"
        self.assertIn(f"FAILED small,train.seed=0: {said} and left no {runs}/small,train.seed=0/run.h5; see ", output)
        self.assertIn(f"FAILED small,train.seed=1: {runs}/small,train.seed=1/run.h5: ", output)
        file = runs / "small,train.seed=2/run.h5"
        self.assertIn(f"FAILED small,train.seed=2: {said}, but {file} is of an unfinished run; see ", output)
        self.assertIn("0 of 3 done, 3 failed", output)
        rows = csv_table(self.output)
        self.assertEqual([row["status"] for row in rows.values()], ["missing", "unreadable", "interrupted"])
        self.assertEqual(rows["small,train.seed=1"]["test_error"], "")

    def test_needs_no_mpirun_for_one_rank(self):
        self.write("'small.toml'", train_seed=[0])
        nowhere = {**os.environ, "PATH": str(self.folder)}
        self.sweep(env=nowhere)
        self.write("'small.toml'", "ranks = 2", train_seed=[0, 1])
        process = self.sweep(env=nowhere, expected=1)
        launcher = "mpirun" if launchers.open_mpi() else Path(MPIEXEC).name
        message = f"cannot start {launcher}: No such file or directory"
        self.assertIn(f"FAILED small,train.seed=1: dmoe train ended with status 127: {message}; see ", process.stdout)
        self.assertIn("1 of 2 done, 1 failed", process.stdout)

    def test_is_refused_under_mpirun(self):
        self.write("'small.toml'", train_seed=[0])
        for ranks in (1, 2):
            process = run(self.command(), ranks=ranks, timeout=SECONDS)
            self.assertEqual(process.returncode, 2)
            self.assertEqual(
                messages(process), ["dmoe: dmoe sweep starts mpirun itself, for each run; start it without a launcher"]
            )
            self.assertFalse(self.output.exists())

    def test_dry_run_makes_nothing(self):
        self.write("'small.toml'", "ranks = 3", network_baseline=["none", "dense_wide_first"], train_seed=[0])
        before = state(self.folder)
        self.assertEqual(
            self.sweep("--dry-run").stdout,
            "to do       small,network.baseline=none,train.seed=0 (3 ranks)\n"
            "to do       small,network.baseline=dense_wide_first,train.seed=0 (1 rank)\n",
        )
        self.assertEqual(state(self.folder), before)
        self.assertFalse(self.output.exists())

    def test_a_bad_sweep_makes_nothing(self):
        self.write("'small.toml'", train_seed=[0], train_momentum=[0.5, -1])
        texts = {self.sweep_file.read_text(): "--set train.momentum=-1", "": "at least one [[grids]] is needed"}
        for text, message in texts.items():
            self.sweep_file.write_text(text)
            process = self.sweep(expected=2)
            self.assertEqual(len(messages(process)), 1)
            self.assertRegex(messages(process)[0], rf"^dmoe: {re.escape(str(self.sweep_file))}")
            self.assertIn(message, messages(process)[0])
            self.assertEqual(process.stdout, "")
            self.assertFalse(self.output.exists())

    def test_output_that_cannot_be_made(self):
        self.write("'small.toml'", train_seed=[0])
        self.output.write_text("")
        process = self.sweep(expected=2)
        self.assertEqual(messages(process), [f"dmoe: --output {self.output}: cannot make the folder: Not a directory"])


if __name__ == "__main__":
    main()

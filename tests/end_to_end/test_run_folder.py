"""What a run's folder says of itself, and runs that name none: test_run_folder.py."""

import json
import os
import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

import h5py

from dmoe_testing import DMOE, MPIEXEC, SOURCE_DIR, checked, main, run
from run_contents import differing

CONFIG = """
[data]
name = "synthetic"
train_examples = 400
test_examples = 50
[[layers]]
kind = "mixture"
experts = 3
hidden = 6
gate_hidden = 4
[train]
momentum = 0.5
[[phases]]
name = "only"
epochs = 3
balance = { rule = "margin" }
learning_rate = { schedule = "constant" }
"""
# As the manual names what there are several of.
PLACES = {
    r"^/network/layers/\d+": "/network/layers/l",
    r"^/layers/\d+": "/layers/l",
    r"^/launches/\d+": "/launches/s",
    r"^/data/(train|validation|test)(?=$|/)": "/data/SPLIT",
    r"^/data/levels/.*": "/data/levels/FACTOR",
}
LONG = ["--set", "phases.only.epochs=100000", "--set", "evaluation.every_epochs=0"]
STOP = ["--set", "train.stop_after=1s"]


def refusal_in(process):
    """What dmoe itself said on stderr; mpirun adds its own lines."""
    return "".join(line for line in process.stderr.splitlines(keepends=True) if line.startswith("dmoe: "))


class RunFolder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-folder-")))
        self.config = self.folder / "small.toml"
        self.config.write_text(CONFIG)
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)

    def stopped(self, *words, ranks=None):
        process = run([DMOE, "train", *words, *STOP], ranks)
        self.assertIn(process.returncode, (75, 1) if ranks else (75,), process.stderr)
        self.assertIn("stopped on request after step", process.stdout)
        return process.stdout

    def refusal(self, *words):
        process = run([DMOE, "train", *words])
        self.assertEqual(process.returncode, 2, process.stdout)
        return process.stderr

    def test_a_run_that_names_no_folder_is_numbered(self):
        for folder in ("runs/small", "runs/small-2", "runs/small-3"):
            self.assertTrue(checked(DMOE, "train", self.config).startswith(f"writing to {folder}\n"))
            self.assertTrue((self.folder / folder / "model.h5").exists())

    def test_resume_takes_the_newest_and_makes_no_number(self):
        first = self.stopped("small.toml", "--resume", *LONG)
        self.assertIn("runs/small is not there yet", first)
        self.stopped("small.toml", *LONG)
        again = self.stopped("small.toml", "--resume", *LONG)
        self.assertTrue(again.startswith("writing to runs/small-2\n"))
        self.assertIn("going on after step", again)
        self.assertEqual(sorted(path.name for path in (self.folder / "runs").iterdir()), ["small", "small-2"])

    def test_the_last_line_of_a_run_that_stops_works_when_pasted(self):
        for ranks in (None, 2):
            with self.subTest(ranks=ranks):
                output = self.folder / f"a run's folder {ranks}"
                said = self.stopped("small.toml", "--output", output, *LONG, ranks=ranks)
                line = next(line for line in said.splitlines() if " train --resume --output " in line)
                if ranks:
                    words = shlex.split(line)
                    self.assertEqual(words[1:3], ["-n", "2"])
                    line = shlex.join([MPIEXEC, *words[1:]])
                process = subprocess.run(line, shell=True, text=True, capture_output=True, timeout=100, check=False)
                self.assertIn("going on after step", process.stdout)
                self.assertIn("stopped on request", process.stdout)  # train.stop_after is the run's own
                for each in (said, process.stdout):
                    self.assertIn("train.stop_after: each launch of this run has 1 s (--set ", each)

    def test_a_run_goes_on_without_its_config(self):
        undisturbed, output = self.folder / "undisturbed", self.folder / "output"
        checked(DMOE, "train", self.config, "--output", undisturbed, "--set", "phases.only.epochs=300")
        changes = ["--set", "phases.only.epochs=300", "--set", "train.stop_after=1s"]
        self.stopped("small.toml", "--output", output, *changes)
        self.config.unlink()
        said = checked(DMOE, "train", "--resume", "--output", output, "--set", "train.stop_after=never")
        self.assertIn("config: train.stop_after: '1s' -> 'never'", said)
        self.assertEqual([name for name in differing(undisturbed, output) if "model" in name], [])

    def test_what_there_is_not_cannot_go_on(self):
        self.assertIn("CONFIG.toml is required", self.refusal())
        self.assertIn("needs --output RUN", self.refusal("--resume"))
        refusal = self.refusal("--resume", "--output", "none")
        self.assertIn("--output none: is not there; a run that begins needs a config", refusal)
        self.assertIn("--replace requires --output", self.refusal("small.toml", "--replace"))
        (self.folder / "empty").mkdir()
        self.assertIn("empty: holds no run", self.refusal("--resume", "--output", "empty"))
        self.assertFalse((self.folder / "none").exists())

    def test_output_is_the_folder_of_a_run_not_its_run_file(self):
        checked(DMOE, "train", "small.toml", "--output", "run")
        refusal = "dmoe: --output run/run.h5: exists and is not a folder; that of the run is --output run\n"
        for words in (["--resume"], ["small.toml"], ["small.toml", "--resume"], ["small.toml", "--replace"]):
            self.assertEqual(self.refusal(*words, "--output", "run/run.h5"), refusal)
        refusal = "dmoe: --output small.toml: exists and is not a folder\n"
        self.assertEqual(self.refusal("--resume", "--output", "small.toml"), refusal)

    def test_the_config_trains_again_and_names_the_defaults_that_it_left(self):
        checked(DMOE, "train", "small.toml", "--output", "first", "--set", "train.seed=5")
        text = (self.folder / "first/config.toml").read_text()
        self.assertIn("seed = 5                          # default: 0\n", text)
        self.assertIn("batch_size = 100\n", text)
        checked(DMOE, "train", "first/config.toml", "--output", "second")
        self.assertEqual([name for name in differing(Path("first"), Path("second")) if "model" in name], [])

    def test_jobs_that_begin_at_once_take_folders_of_their_own(self):
        jobs = [subprocess.Popen([DMOE, "train", "small.toml"], stdout=subprocess.DEVNULL) for _ in range(4)]
        self.assertEqual([job.wait() for job in jobs], [0] * 4)
        self.assertEqual(len(list((self.folder / "runs").glob("*/model.h5"))), 4)
        self.assertIn("must be", self.refusal("small.toml", "--set", "data.classes=1"))
        refusal = self.refusal("small.toml", "--set", "data.name=mnist", "--set", "data.path=none")
        self.assertIn("must be a folder", refusal)
        self.assertEqual(len(list((self.folder / "runs").iterdir())), 4)

    def test_a_damaged_checkpoint_takes_the_place_of_none(self):
        self.stopped("small.toml", "--output", "run", *LONG)
        whole = sorted(Path("run/checkpoints").iterdir())[-1]
        damaged = whole.with_name("step-99999999.h5")
        damaged.write_bytes(whole.read_bytes()[:9000])
        said = self.stopped("--resume", "--output", "run", "--set", "checkpoint.keep=1")
        names = sorted(path.name for path in Path("run/checkpoints").iterdir())
        self.assertEqual(len(names), 2)
        self.assertEqual(names[-1], damaged.name)
        self.assertIn(f"goes on from run/checkpoints/{names[0]}:", said)
        self.assertIn("going on after step", self.stopped("--resume", "--output", "run"))

    def test_of_a_damaged_checkpoint_is_told_where_an_older_one_is_taken(self):
        checked(DMOE, "train", "small.toml", "--output", "run")
        Path("run/model.h5").unlink()
        [whole] = Path("run/checkpoints").iterdir()
        damaged = whole.with_name("step-99999999.h5")
        damaged.write_bytes(whole.read_bytes()[:9000])
        remark = f"^warning: {damaged}: .*; trying the checkpoint before it$"
        for command, words in (("evaluate", f"(?m)^{whole}: test error "), ("analyze", "(?m)^written to run/run.h5")):
            for ranks in (None, 2):
                said = run([DMOE, command, "run"], ranks).stdout
                self.assertRegex(said.splitlines()[0], remark)
                self.assertRegex(said, words)
            [told] = json.loads(checked(DMOE, command, "run", "--json"))
            self.assertEqual((told["model"], len(told["remarks"])), (str(whole), 1))
            self.assertRegex(told["remarks"][0], remark)
        whole.write_bytes(damaged.read_bytes())
        process = run([DMOE, "evaluate", "run"])
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertIn("run: holds no model.h5, and none of its 2 checkpoints can be read: ", process.stderr)

    def test_a_run_whose_last_words_were_lost_finishes(self):
        checked(DMOE, "train", "small.toml", "--output", "run")
        (self.folder / "run/model.h5").unlink()
        self.assertRegex(checked(DMOE, "train", "--resume", "--output", "run"), r"test error .* after 3 epochs")
        self.assertTrue((self.folder / "run/model.h5").exists())

    def test_a_config_of_ones_own_in_the_folder_stays(self):
        Path("run").mkdir()
        own = Path("run/config.toml")
        own.write_text(CONFIG)
        said = checked(DMOE, "train", own, "--output", "run", "--resume")
        self.assertIn("run/config.toml is not of this run, and stays as it is", said)
        checked(DMOE, "train", own, "--output", "run", "--replace")
        self.assertEqual(own.read_text(), CONFIG)

    def test_the_log_keeps_what_all_launches_said(self):
        self.stopped("small.toml", "--output", "output", *LONG)
        self.stopped("small.toml", "--output", "output", "--resume", *LONG, "--progress", "none", ranks=2)
        log = (self.folder / "output/log.txt").read_text()
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
        for said in (
            re.escape(f"{DMOE} train small.toml --output output"),
            "training 3x6 on synthetic",
            "stopped on request",
            r"\S+ -n 2 \S+ train small.toml --output output --resume",
            "going on after step",
        ):
            self.assertRegex(log, rf"(?m)^{stamp}{said}")
        told = checked(DMOE, "info", "output")
        self.assertRegex(told, r"(?ms)^launch 1 +\S+ train .*^ran on .*^launch 2 +\S+ -n 2 .*^ran on  .* 2 ranks ")
        with h5py.File("output/run.h5") as file:
            self.assertRegex(file["launches/2"].attrs["command_line"], r"^\S+ -n 2 \S+ train small.toml ")
        checked(DMOE, "train", "small.toml", "--output", "output", "--replace")
        self.assertNotIn("stopped on request", (self.folder / "output/log.txt").read_text())

    def test_several_runs_at_once_and_json(self):
        for seed in (1, 2):
            checked(DMOE, "train", "small.toml", "--output", f"run{seed}", "--set", f"train.seed={seed}")
        runs = ["run1", "run2"]
        found = json.loads(checked(DMOE, "evaluate", *runs, "--json"))
        lines = checked(DMOE, "evaluate", *runs).splitlines()
        for one, line, folder in zip(found, lines, runs, strict=True):
            with h5py.File(f"{folder}/run.h5") as file:
                self.assertEqual(one["loss"], file["evaluation/test_loss"][-1])
                self.assertEqual(one["error"], file["evaluation/test_error"][-1])
            self.assertEqual(one["wrong"], round(one["error"] * 50))
            self.assertIn(f"{folder}/model.h5: test error {100 * one['error']:.2f} % ({one['wrong']} of 50)", line)
        told = json.loads(checked(DMOE, "info", *runs, "--json"))
        files = [f"run{n}/{name}.h5" for n in (1, 2) for name in ("run", "model")]
        self.assertEqual([one["file"] for one in told], files)
        self.assertEqual([one["config"]["train"]["seed"] for one in told], [1, 1, 2, 2])
        self.assertEqual(told[0]["evaluations"][-1]["test"]["loss"], found[0]["loss"])
        self.assertEqual((told[0]["status"], told[0]["steps"], told[1]["step"]), ("finished", 12, 12))
        self.assertGreater(told[0]["launches"][0]["wall_seconds"], 0)
        whole = checked(DMOE, "check", *runs).splitlines()
        self.assertEqual([line.split(":")[0] for line in whole if "step-" not in line],
                         ["run1/run.h5", "run1/model.h5", "run2/run.h5", "run2/model.h5"])
        checked(DMOE, "analyze", *runs)
        with h5py.File("run2/run.h5") as file:
            self.assertEqual(file["analysis"].attrs["split"], "test")

    def test_an_analysis_in_json_is_that_in_the_run_file(self):
        layers = ["{kind='dense', hidden=5}"]
        layers += [f"{{kind='mixture', experts={experts}, hidden=6, gate_hidden=4}}" for experts in (3, 2)]
        checked(DMOE, "train", "small.toml", "--output", "run", "--set", f"layers=[{', '.join(layers)}]")
        words = [DMOE, "analyze", "run", "none", "--json", "--split", "train", "--permutations", "7"]
        for ranks in (None, 2):
            process = run([*words, "--most-combinations", "5"], ranks)
            self.assertEqual((process.returncode, refusal_in(process).count("none: ")), (2, 1), process.stderr)
            told, wrong = json.loads(process.stdout)
            self.assertEqual((wrong["model"], sorted(wrong)), ("none", ["model", "why"]))
            self.assertEqual((told["model"], told["step"]), ("run/model.h5", 12))
            self.assertEqual((told["split"], told["examples"], told["permutations"]), ("train", 400, 7))
            self.assertEqual(told["written_to"], {"file": "run/run.h5", "group": "/analysis_train"})
            self.assertEqual((told["unknown"], told["data_differences"]), ([], []))
            self.assertEqual(told["remarks"], ["layers 2 and 3: left out their more than 5 combinations "
                                               "(--most-combinations)"])
            self.assertEqual([layer["layer"] for layer in told["layers"]], [2, 3])
            with h5py.File("run/run.h5") as file:
                for layer in told["layers"]:
                    stored = file[f"analysis_train/layers/{layer['layer']}"]
                    self.assertEqual(layer["mean_gate"], stored["mean_gate"][:].tolist())
                    self.assertEqual(layer["dead"], stored["dead"][:].nonzero()[0].tolist())
                    self.assertEqual(set(layer["mutual_information"]), set(stored["mutual_information"]))
                    for factor, found in layer["mutual_information"].items():
                        group = stored["mutual_information"][factor]
                        p_values = dict(zip(("soft", "hard"), group["p_value"][:].tolist(), strict=True))
                        for weight, one in found.items():
                            self.assertEqual(one, {"normalized": group[weight][1], "p_value": p_values[weight]})
        self.assertEqual(json.loads(checked(*words[:3], *words[4:]))[0]["remarks"], [])

    def test_the_analysis_of_another_split_stands_beside_that_of_the_test_set(self):
        checked(DMOE, "train", "small.toml", "--output", "run")
        checked(DMOE, "analyze", "run")
        with h5py.File("run/run.h5") as file:
            of_test = file["analysis/layers/1/mean_gate"][:]
        self.assertIn("run.h5, /analysis_train", checked(DMOE, "analyze", "run", "--split", "train"))
        with h5py.File("run/run.h5") as file:
            self.assertEqual(file["analysis"].attrs["split"], "test")
            self.assertEqual(file["analysis/layers/1/mean_gate"][:].tolist(), of_test.tolist())
            self.assertEqual(file["analysis_train"].attrs["examples"], 400)
        self.assertRegex(checked(DMOE, "info", "run"), r"(?s)\(50 test examples\).*\(400 train examples\)")
        checked(DMOE, "check", "run")

    def test_what_is_whole_is_told_whatever_is_wrong_with_the_rest(self):
        checked(DMOE, "train", "small.toml", "--output", "run")
        bad = Path("run/model.h5")
        bad.write_bytes(bad.read_bytes()[:9000])
        for command, words in (("info", "3x6"), ("check", "run/run.h5: ")):
            process = run([DMOE, command, "run", "none.h5"])
            self.assertEqual(process.returncode, 2)
            self.assertIn(words, process.stdout)
            self.assertRegex(process.stderr, r"^dmoe: run/model\.h5: .*; none\.h5: .*\n$")
        found = json.loads(run([DMOE, "check", "run", "--json"]).stdout)
        whole = {one["file"]: one["whole"] for one in found}
        self.assertEqual((whole["run/run.h5"], whole["run/model.h5"]), (True, False))
        self.assertIn("run/model.h5: ", found[-1]["why"])  # at the end, whatever its place
        told, wrong = json.loads(run([DMOE, "info", "run", "--json"]).stdout)
        self.assertEqual((told["file"], wrong["file"]), ("run/run.h5", "run/model.h5"))
        self.assertIn("run/model.h5: ", wrong["why"])

    def test_a_run_that_cannot_be_read_keeps_no_other_from_being_looked_at(self):
        for folder in ("run1", "run2"):
            checked(DMOE, "train", "small.toml", "--output", folder)
        bad = Path("run2/model.h5")
        bad.write_bytes(bad.read_bytes()[:9000])
        runs = ["none", "run1", "run2"]
        said = r"^dmoe: none: .*; run2/model\.h5: .*\n$"
        environment = {**os.environ, "DMOE_CHECK_COLLECTIVES": "1"}
        for ranks in (None, 2):
            for command, words in (("evaluate", "run1/model.h5: test error"), ("analyze", "written to run1/run.h5")):
                with self.subTest(command=command, ranks=ranks):
                    process = run([DMOE, command, *runs], ranks, env=environment)
                    self.assertEqual(process.returncode, 2)
                    self.assertIn(words, process.stdout)
                    self.assertRegex(refusal_in(process), said)
            process = run([DMOE, "evaluate", *runs, "--json"], ranks, env=environment)
            self.assertEqual(process.returncode, 2)
            self.assertRegex(refusal_in(process), said)
            told, *wrong = json.loads(process.stdout)
            self.assertEqual((told["model"], told["split"]), ("run1/model.h5", "test"))
            self.assertEqual([one["model"] for one in wrong], ["none", "run2"])
            self.assertIn("run2/model.h5: ", wrong[1]["why"])
        both = run([DMOE, "evaluate", "run1", "none", "--split", "validation"])
        self.assertRegex(both.stderr, r"^dmoe: run1: --split validation: .*; none: .*\n$")

    def test_what_is_wrong_on_the_coordinator_alone_keeps_no_other_from_being_analyzed(self):
        checked(DMOE, "train", "small.toml", "--output", "large", "--set", "layers.1.experts=400")
        checked(DMOE, "train", "small.toml", "--output", "run")
        for ranks in (None, 2):
            process = run([DMOE, "analyze", "large", "run", "--top", "10000"], ranks)
            self.assertEqual((process.returncode, "written to run/run.h5" in process.stdout), (2, True))
            self.assertRegex(refusal_in(process), r"^dmoe: large: the 10000 top examples .*\(--top\)\n$")

    def test_a_run_is_its_folder_or_its_run_file(self):
        checked(DMOE, "train", "small.toml", "--output", "run")
        self.assertEqual(checked(DMOE, "evaluate", "run"), checked(DMOE, "evaluate", "run/run.h5"))
        checked(DMOE, "evaluate", "run/run.h5", "--curve")
        self.assertIn("written to run/run.h5", checked(DMOE, "analyze", "run/run.h5"))
        os.chdir("run")
        self.assertIn("written to ./run.h5", checked(DMOE, "analyze", "run.h5"))

    def test_the_layers_of_a_run_are_typed(self):
        networks = {
            "none": [("mixture", 3, 6, 4, 324, 6)],
            "concatenated": [("concatenated", 3, 6, 0, 324, 18)],
            "dense_equal_widths": [("dense", 1, 21, 0, 324, 21)],
        }
        for baseline, expected in networks.items():
            checked(DMOE, "train", "small.toml", "--output", baseline, "--set", f"network.baseline={baseline}")
            with h5py.File(f"{baseline}/run.h5") as file:
                layers = [dict(layer.attrs) for layer in file["network/layers"].values()]
            names = ("kind", "experts", "hidden", "gate_hidden", "inputs", "outputs")
            self.assertEqual([tuple(layer[name] for name in names) for layer in layers], expected)

    def test_the_manual_of_the_run_file_is_complete(self):
        text = checked(DMOE, "info", "--run-file")
        self.assertEqual((Path(SOURCE_DIR) / "docs/run-file.md").read_text().split("\n\n", 2)[2], text)
        checked(DMOE, "train", "small.toml", "--output", "run", "--set", "data.validation=10")
        places = set(re.findall(r"(?m)^\| `(.*?)` \|", text))
        found = set()

        def add(path, item):
            path = f"/{path}"
            for pattern, place in PLACES.items():
                path = re.sub(pattern, place, path)
            if isinstance(item, h5py.Dataset):
                found.add(path)
            else:
                found.update(f"{path} @{name}" for name in item.attrs)

        with h5py.File("run/run.h5") as file:
            file.visititems(add)
            found.update(f"/ @{name}" for name in file.attrs)
        self.assertEqual(found - places, set())
        elsewhere = ("@config_changes", "/levels/FACTOR", "/analysis, /analysis_SPLIT", "/cost")
        missing = {place for place in places - found if not place.endswith(elsewhere)}
        self.assertEqual(missing, set())


main()

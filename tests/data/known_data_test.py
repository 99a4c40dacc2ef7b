"""A run knows its data again: known_data_test.py."""

import os
import re
import shutil
from pathlib import Path

import h5py
import numpy
import xxhash
from dmoe_testing import DMOE, SOURCE_DIR, checked, main, run
from small_frames import FEATURES, FRAMES, LABELS, LEVELS, SmallFrames

SPLIT = "/utterances/split"
MORE = ["--set", "phases.only.epochs=3"]


def renumbered(file):
    """The same classes, numbered from the end."""
    labels = file[LABELS][:]
    del file[LABELS]
    file[LABELS] = len(LEVELS) - 1 - labels
    file[LABELS].attrs["levels"] = LEVELS[::-1]


def changed(dataset, index, value):
    def change(file):
        file[dataset][index] = value

    return change


class KnownData(SmallFrames):
    def setUp(self):
        super().setUp()
        self.good = self.frames("good.h5")
        self.assertEqual(self.trained(self.good).returncode, 0)
        self.run_folder = self.folder / "run"

    def resume(self, *words, cwd=None, ranks=None):
        command = [DMOE, "train", self.folder / "config.toml", "--output", self.run_folder, "--resume", *MORE, *words]
        return run(command, ranks=ranks, cwd=cwd)

    def evaluate(self, *words, **options):
        process = run([DMOE, "evaluate", self.run_folder, *words], **options)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def test_what_was_read_stands_in_every_file(self):
        train = numpy.arange(FRAMES) // 10 % 3 // 2 == 0
        for name in ("run.h5", "model.h5", "checkpoints/step-00000004.h5"):
            with self.subTest(name), h5py.File(self.run_folder / name) as file:
                data = file["data"]
                self.assertEqual((data.attrs["train_examples"], data.attrs["test_examples"]), (40, 20))
                self.assertEqual((list(data["example_shape"]), data.attrs["classes"]), ([5], 3))
                self.assertEqual(list(data["levels/class"].asstr()), LEVELS)
                self.assertEqual(data.attrs["folder"], os.getcwd())
                for split, rows in (("train", train), ("test", ~train)):
                    first = numpy.arange(0, rows.sum() + 1, 10, dtype="i8")
                    seed = xxhash.xxh3_64_intdigest(self.features[rows].tobytes())
                    inputs = xxhash.xxh3_64_hexdigest(first.tobytes(), seed)
                    labels = xxhash.xxh3_64_hexdigest(self.labels[rows].astype("i4").tobytes())
                    self.assertEqual(data[split].attrs["inputs"], inputs)
                    self.assertEqual(data[split].attrs["labels"], labels)
                    counts = numpy.bincount(self.labels[rows], minlength=3)
                    self.assertEqual(list(data[split]["class_counts"]), list(counts))

    def test_resume_refuses_other_data_by_name(self):
        test_frame, train_frame = 25, 3
        label = (self.labels[train_frame] + 1) % 3
        for what, change in {
            "the inputs of the train examples are others": changed(FEATURES, (train_frame, 2), 9.0),
            "the inputs of the test examples are others": changed(FEATURES, (test_frame, 2), 9.0),
            "the labels of the train examples are others": changed(LABELS, train_frame, label),
            "made with 40 training examples; the data set has 50": changed(SPLIT, 2, 0),
        }.items():
            with self.subTest(what):
                before = (self.run_folder / "run.h5").read_bytes()
                other = self.frames("other.h5", change)
                process = self.resume("--set", f"data.path={other}")
                self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
                self.assertIn(what, process.stderr)
                self.assertIn("checkpoints/step-00000004.h5", process.stderr)
                self.assertEqual((self.run_folder / "run.h5").read_bytes(), before)

    def test_a_copy_elsewhere_is_the_same_data(self):
        copy = self.folder / "copy.h5"
        shutil.copy(self.good, copy)
        process = self.resume("--set", f"data.path={copy}")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertNotIn("not the data", self.evaluate())

    def test_evaluate_and_analyze_say_that_data_are_others(self):
        other = self.frames("other.h5", changed(FEATURES, (25, 2), 9.0))
        words = "the inputs of the test examples are others"
        self.assertNotIn("not the data", self.evaluate())
        self.assertIn(f"not the data of the run: {words}", self.evaluate("--set", f"data.path={other}"))
        self.assertNotIn("not the data", self.evaluate("--set", f"data.path={other}", "--split", "train"))
        self.evaluate("--curve", "--repetitions", "1", "--set", f"data.path={other}")
        analysis = run([DMOE, "analyze", self.run_folder, "--set", f"data.path={other}"])
        self.assertEqual(analysis.returncode, 0, analysis.stderr)
        self.assertIn(words, analysis.stdout)
        with h5py.File(self.run_folder / "run.h5") as file:
            for group in ("cost", "analysis"):
                self.assertEqual(list(file[group].attrs["data_differences"]), [words])
        self.assertIn(words, run([DMOE, "info", self.run_folder / "run.h5"]).stdout)

    def test_data_that_the_model_does_not_fit_are_named(self):
        def narrower(file):
            del file[FEATURES]
            file[FEATURES] = self.features[:, :4]

        other = self.frames("other.h5", narrower)
        process = run([DMOE, "evaluate", self.run_folder, "--set", f"data.path={other}"], ranks=2)
        self.assertEqual(process.returncode, 2, process.stdout)
        words = r"these are not the data of .*model\.h5: examples of 4, were of 5; "
        words += r"the inputs of the test examples are others \("
        self.assertRegex(process.stderr, words)

    def test_examples_that_the_run_trained_on_are_no_validation(self):
        said = self.evaluate("--set", "data.validation=10", "--split", "validation")
        self.assertIn("not the data of the run: validation examples: 10, were 0", said)

    def test_classes_under_other_numbers_are_mapped_by_name(self):
        other = self.frames("other.h5", renumbered)
        expected = self.evaluate()
        said = self.evaluate("--set", f"data.path={other}")
        self.assertIn("the data number classes otherwise than the run: mapped by name", said)
        self.assertTrue(said.endswith(expected), said)

        def trained_on(path):
            folder = self.folder / "run"
            shutil.rmtree(folder)
            self.assertEqual(self.trained(self.good).returncode, 0)
            process = self.resume("--set", f"data.path={path}")
            self.assertEqual(process.returncode, 0, process.stderr)
            with h5py.File(folder / "model.h5") as file:
                return file["model/head/weight"][:].tobytes()

        self.assertEqual(trained_on(other), trained_on(self.good))

    def test_data_may_lack_classes(self):
        def fewer(file):
            labels = file[LABELS][:]
            del file[LABELS]
            file[LABELS] = numpy.where(labels == 2, 0, 1)
            file[LABELS].attrs["levels"] = ["c", "a"]

        said = self.evaluate("--set", f"data.path={self.frames('other.h5', fewer)}")
        test = numpy.arange(FRAMES) // 10 % 3 // 2 == 1

        def relabelled(file):
            file[LABELS][...] = numpy.where(self.labels == 2, 2, 0)

        expected = self.evaluate("--set", f"data.path={self.frames('relabelled.h5', relabelled)}")
        self.assertEqual(said.splitlines()[-1], expected.splitlines()[-1])
        self.assertIn(f"({test.sum()})".replace("(", "of ").replace(")", ""), said)

    def test_other_classes_are_refused(self):
        def change(file):
            file[LABELS].attrs["levels"] = ["a", "b", "d"]

        other = self.frames("other.h5", change)
        for process in (
            run([DMOE, "evaluate", self.run_folder, "--set", f"data.path={other}"]),
            self.resume("--set", f"data.path={other}"),
        ):
            self.assertEqual(process.returncode, 2, process.stdout)
            self.assertIn('class "d" is none of the 3 that the run knows: a, b, c', process.stderr)

    def test_a_class_without_training_examples_is_named(self):
        train = numpy.arange(FRAMES) // 10 % 3 // 2 == 0

        def change(file):
            labels = file[LABELS][:]
            file[LABELS][...] = numpy.where(train & (labels == 2), 0, labels)

        tested = int((self.labels[~train] == 2).sum())
        process = self.trained(self.frames("missing.h5", change))
        self.assertEqual(process.returncode, 0, process.stderr)
        words = f'warning: no training example is of class 2 ("c"); of the test set, {tested} are'
        self.assertIn(words, process.stdout)
        checked(Path(SOURCE_DIR) / "scripts/report", self.run_folder)
        self.assertIn("No training example is of class c.", (self.run_folder / "report.html").read_text())
        self.assertNotIn("no training example", self.trained(self.good).stdout)

    def test_names_cannot_control_the_terminal(self):
        def change(file):
            labels = file[LABELS][:]
            file[LABELS][...] = numpy.where(labels == 2, 0, labels)
            file[LABELS].attrs["levels"] = ["a", "b", "\x1b[31mred\x07\x9b2J"]
            file.create_group("utterances/factors")
            file["utterances/factors/\x1b[2J"] = numpy.arange(6) % 2
            file["utterances/factors/\x1b[2J"].attrs["levels"] = ["x", "y"]

        process = self.trained(self.frames("named.h5", change))
        self.assertEqual(process.returncode, 0, process.stderr)
        said = process.stdout
        for words in (["analyze", self.run_folder], ["info", self.run_folder], ["evaluate", self.run_folder]):
            said += checked(DMOE, *words)
        self.assertIn(r'("\x1b[31mred\x07\x9b2J")', said)
        self.assertIn(r"\x1b[2J", said)
        self.assertNotRegex(said, r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_one_of_something_is_singular(self):
        text = (self.folder / "config.toml").read_text().replace('"frames"', '"synthetic"')
        path = self.folder / "small.toml"
        path.write_text(re.sub("(?m)^path = .*$", "train_examples = 1\ntest_examples = 1", text))
        said = checked(DMOE, "train", path, "--output", self.folder / "one")
        self.assertIn("(1 example):", said)
        said = checked(DMOE, "analyze", self.folder / "one", "--permutations", "1")
        self.assertIn("over 1 test example;", said)
        self.assertIn("from 1 permutation\n", said)

    def test_features_that_nobody_normalised(self):
        def scaled(factors, displacement=0.0):
            def change(file):
                file[FEATURES][...] = self.features * numpy.array(factors, "f4") + displacement

            return change

        for change, words in (
            (scaled([1, 1e-3, 1, 1, 1e3]),
             r"deviations differ in scale, from 0\.00\d* \(feature 1\) to .* \(feature 4\)"),
            (scaled([1, 1, 1, 1, 1], 1e4), r"feature \d has mean 1e\+04 and deviation"),
            (scaled([100] * 5), r"deviations are \d+ \(feature \d\) to \d+"),
            (scaled([1e-4] * 5), r"deviations are .*e-05 \(feature \d\) to"),
            (scaled([1] * 5, 10), r"feature \d has mean \d+\.?\d* and deviation"),
        ):
            with self.subTest(words):
                process = self.trained(self.frames("other.h5", change))
                said = process.stdout + process.stderr
                self.assertRegex(said, "warning: the features are not normalised.*" + words)
                if process.returncode != 0:  # the loss is not finite
                    self.assertRegex(process.stderr, "not normalised.*" + words)
        self.assertNotIn("normalised", self.trained(self.good).stdout)
        said = self.trained(self.frames("other.h5", scaled([1, 1, 0, 1, 1]))).stdout
        self.assertIn("warning: 1 of 5 features is constant (feature 2: 0)", said)
        self.assertNotIn("normalised", said)

    def test_data_are_found_from_another_folder(self):
        config = self.folder / "config.toml"
        config.write_text(re.sub('(?m)^path = .*$', 'path = "good.h5"', config.read_text()))
        words = [DMOE, "train", config, "--output", self.run_folder, "--replace"]
        self.assertEqual(run(words, cwd=self.folder).returncode, 0)
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        expected = self.evaluate(cwd=self.folder)
        said = self.evaluate(cwd=elsewhere)
        self.assertIn(f"reading {self.folder}/good.h5, where the run was started", said)
        self.assertTrue(said.endswith(expected), said)
        process = self.resume(cwd=elsewhere)
        self.assertEqual(process.returncode, 0, process.stderr)
        with h5py.File(self.run_folder / "run.h5") as file:
            self.assertEqual(file["data"].attrs["folder"], str(self.folder))
        (self.folder / "good.h5").rename(self.folder / "away.h5")
        process = run([DMOE, "evaluate", self.run_folder], cwd=elsewhere)
        self.assertEqual(process.returncode, 2)
        self.assertIn("there is no 'good.h5'", process.stderr)

    def test_ranks_that_read_other_data_are_named(self):
        """Each node a disk of its own: here each rank a folder."""

        def named(file):
            file[LABELS].attrs["levels"] = ["a", "b", "longer"]

        config = self.folder / "config.toml"
        config.write_text(re.sub('(?m)^path = .*$', 'path = "frames.h5"', config.read_text()))
        for rank in range(2):
            (self.folder / f"{rank}").mkdir()
        self.frames("0/frames.h5")
        for change in (changed(FEATURES, (3, 2), 9.0), named):
            self.frames("1/frames.h5", change)
            self.refused_by_ranks(config)

    def refused_by_ranks(self, config):
        train = [DMOE, "train", config, "--output", self.folder / "other", "--progress", "none"]
        there = f'cd "{self.folder}/${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}}" && exec "$@"'
        process = run(["sh", "-c", there, "sh", *train], ranks=2)
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("rank 1 reads other data than the first: examples of 5 with 3 classes", process.stderr)
        self.assertFalse((self.folder / "other").exists())

    def test_runs_of_older_versions_go_on(self):
        """Their files say nothing of the data but how many examples there are."""
        for path in [*self.run_folder.glob("*.h5"), *self.run_folder.glob("checkpoints/*.h5")]:
            with h5py.File(path, "r+") as file:
                for name in list(file["data"]):
                    del file["data"][name]
                for name in ("classes", "folder"):
                    del file["data"].attrs[name]
                if path.name == "model.h5":
                    del file["data"]
        self.evaluate()
        process = self.resume()
        self.assertEqual(process.returncode, 0, process.stderr)
        with h5py.File(self.run_folder / "run.h5") as file:
            self.assertIn("train", file["data"])


main()

"""scripts/report on runs of the real program, looked at in a real browser, and its numbers against NumPy."""

import html
import io
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

import h5py
import matplotlib.figure
import matplotlib.image
import numpy

from browser import Browser
from dmoe_testing import DMOE, SOURCE_DIR, main, run

sys.path.insert(0, str(Path(SOURCE_DIR, "scripts")))
from reporting import axes, cost, style, summary  # noqa: E402
from reporting.run_file import read_run, read_runs  # noqa: E402

REPORT = Path(SOURCE_DIR, "scripts", "report")
CHECKS = Path(__file__).with_name("page_checks.js").read_text()
WINDOWS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]  # CSS pixels, what the reader prefers

CONFIG = """
[data]
name = "synthetic"
classes = 6
train_examples = 1200
test_examples = 400
max_translation = 2
{layers}
[train]
batch_size = 20
log_every_steps = 10
[[phases]]
name = "constrained"
epochs = 3
balance = {{ rule = "margin", margin = 30 }}
learning_rate = {{ schedule = "constant", start = 0.3 }}
[[phases]]
name = "fine_tune"
epochs = 1
balance = {{ rule = "none" }}
learning_rate = {{ schedule = "exponential", start = 0.3, end = 0.01 }}
"""
LAYER = """
[[layers]]
kind = "mixture"
experts = {}
hidden = 10
gate_hidden = 10
"""
SECONDS = 200  # for one process; generous, as sanitizers are slow


def completed(command):
    """What a command said, which must be all that happened."""
    process = run(command, timeout=SECONDS)
    if process.returncode != 0 or process.stderr:
        raise RuntimeError(f"{command}: exit status {process.returncode}: {process.stderr}")
    return process.stdout


class Report(unittest.TestCase):
    folder: Path
    browser: Browser

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-report-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.browser = cls.enterClassContext(Browser())

    @classmethod
    def train(cls, name, experts=(4, 3), settings=(), analyze=True, layers=""):
        """The folder of a run of the real program; `layers`: TOML in place of mixtures of so many `experts`."""
        config = cls.folder / f"{name}.toml"
        config.write_text(CONFIG.format(layers=layers or "".join(map(LAYER.format, experts))))
        overrides = [part for setting in settings for part in ("--set", setting)]
        completed([DMOE, "train", config, "--output", cls.folder / name, *overrides])
        if analyze:
            completed([DMOE, "analyze", cls.folder / name])
        return cls.folder / name

    def changed(self, run_folder, name, change):
        """A copy of a run with its file changed."""
        folder = self.folder / name
        shutil.copytree(run_folder, folder)
        with h5py.File(folder / "run.h5", "r+") as file:
            change(file)
        return folder

    def with_config(self, run_folder, name, old, new):
        """A copy of a run with its effective config changed, which holds `old`."""

        def change(file):
            config = file["config"][()].decode()
            self.assertIn(old, config)
            del file["config"]
            file["config"] = config.replace(old, new)

        return self.changed(run_folder, name, change)

    def words_of(self, folder):
        """All text of the page of a run."""
        completed([REPORT, folder])
        text = re.sub("<style>.*?</style>", "", (folder / "report.html").read_text(), flags=re.S)
        return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", " ", text)))

    def refused(self, *arguments):
        """The one line that it says."""
        process = run([REPORT, *arguments], timeout=SECONDS)
        self.assertEqual((process.returncode, process.stdout), (2, ""), process.stderr)
        self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        return process.stderr

    def complaints(self):
        """What page_checks.js finds wrong with the open page, and what it asked the network for."""
        found = self.browser.evaluate(CHECKS)
        self.figures = found.pop("figures")
        found["requests"] = [url for url in self.browser.requests if not url.startswith(("file:///", "data:"))]
        found["files"] = [url for url in self.browser.requests if url.startswith("file:///")][1:]
        found["console"] = self.browser.complaints
        return {kind: what for kind, what in found.items() if what}

    def assert_every_panel_shows_something(self):
        """By its pixels: a fair part of them is ink, in more than a colour or two."""
        boxes = self.browser.evaluate(
            "[...document.querySelectorAll('figure svg')].map(svg => {const b = svg.getBoundingClientRect();"
            "return [svg.closest('figure').id, b.left + scrollX, b.top + scrollY, b.width, b.height]})"
        )
        self.assertEqual(len(boxes), sum(figure["panels"] for figure in self.figures))
        for name, *box in boxes:
            pixels = matplotlib.image.imread(io.BytesIO(self.browser.screenshot(*box)))[..., :3]
            colours, counts = numpy.unique((pixels.reshape(-1, 3) * 255).astype(int), axis=0, return_counts=True)
            ink = 1 - counts.max() / counts.sum()
            self.assertGreater(ink, 0.01, f"{name} is empty")
            self.assertGreater(len(colours), 8, f"{name} has hardly any colours")

    def assert_good_in_every_window(self, page, figures, pixels=True):
        """`figures`: ids, in order."""
        for width, theme in WINDOWS:
            with self.subTest(width=width, theme=theme):
                self.browser.open(page, width, theme=theme)
                self.assertEqual(self.complaints(), {})
                self.assertEqual([figure["id"] for figure in self.figures], figures)
                bright = self.browser.evaluate("getComputedStyle(document.body).backgroundColor")
                self.assertEqual(sum(map(int, re.findall(r"\d+", bright)[:3])) > 384, theme == "light")
                if pixels:
                    self.assert_every_panel_shows_something()

    def table(self, caption):
        """Rows of the open page's table, headings first; a cell's lines are joined by a blank."""
        return self.browser.evaluate(
            "[...document.querySelectorAll('table')].filter(t => t.caption.textContent.startsWith(%r))"
            ".flatMap(t => [...t.rows]).map(r => [...r.cells].map(c => c.innerText.replace(/\\s+/g, ' ').trim()))"
            % caption
        )


class OneRun(Report):
    run_folder: Path
    page: Path
    files: Path
    said: str

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train("run")
        cls.said = completed([REPORT, cls.run_folder])
        cls.page = cls.run_folder / "report.html"
        cls.files = cls.run_folder / "report_figures"

    def test_every_figure_is_there_in_every_window(self):
        names = ["figure1", "learning", "assignment", "figure2", "figure3", "figure5", "timing"]
        self.assert_good_in_every_window(self.page, [f"run-{name}" for name in names])
        self.assertIn(str(self.page), self.said)

    def test_figures_are_saved_for_a_paper(self):
        for name in ("figure1", "learning", "assignment", "figure2", "figure3", "figure5", "timing"):
            root = ElementTree.parse(self.files / f"{name}.svg").getroot()
            self.assertGreater(len(list(root.iter())), 20)
            self.assertEqual((self.files / f"{name}.pdf").read_bytes()[:5], b"%PDF-")
        self.assertEqual(len(list(self.files.iterdir())), 14)

    def test_one_figure_is_saved_as_its_name_ends(self):
        for suffix in ("png", "svg", "pdf"):
            path = self.folder / f"one.{suffix}"
            completed([REPORT, self.run_folder, "--figure", "figure2", "--to", path])
            self.assertGreater(path.stat().st_size, 5000)
        pixels = matplotlib.image.imread(self.folder / "one.png")
        self.assertGreater(len(numpy.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)), 50)

    def test_numbers_are_those_of_the_run(self):
        self.browser.open(self.page, 1280)
        text = self.browser.evaluate("document.body.innerText")
        with h5py.File(self.run_folder / "run.h5") as file:
            error = file["evaluation/test_error"][-1]
            chance = numpy.sqrt(error * (1 - error) / 400)
            self.assertIn(f"test error of {100 * error:.2f} % ± {100 * chance:.2f} %", text)
            self.assertIn(f"training error of {100 * file['evaluation/train_error'][-1]:.2f} %", text)
            information = {
                (int(layer), factor): (part["soft"][1], part["p_value"][0], part["hard"][1], part["p_value"][1])
                for layer, group in file["analysis/layers"].items()
                for factor, part in group["mutual_information"].items()
            }
            seconds = file["launches/1/timing/seconds"][0]
            config = file["config"][()].decode()
        expected = {
            f"layer {layer}, {factor}": [f"{value:.3f}" for value in values]
            for (layer, factor), values in information.items()
        }
        rows = self.table("Mutual information")[1:]
        self.assertEqual({row[0]: row[1:] for row in rows}, expected)
        self.assertEqual(len(rows), 4)
        self.assertEqual(self.table("Seconds of each rank")[1][1:], [f"{v:.1f}" for v in (*seconds, sum(seconds))])
        self.assertIn(html.escape(config), self.page.read_text())
        command = dict(row for row in self.table("Where the numbers"))["command"]
        self.assertIn(f"train {self.folder / 'run.toml'}", command)

    def test_print_is_light(self):
        self.browser.open(self.page, 800, theme="dark", media="print")
        bright = self.browser.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')")
        self.assertEqual(bright.strip(), "#fefefe")

    def test_checks_see_what_is_wrong(self):
        """A page that is spoilt in all ways that the other tests would have to notice."""
        text = self.page.read_text()
        text = re.sub(r'(<figure id="run-figure3">.*?)<svg.*?</svg>', r"\1<svg></svg>", text, count=1, flags=re.S)
        text = text.replace("</main>", '<div style="width:3000px"></div><img src="http://127.0.0.1:9/a.png"></main>')
        text = text.replace("font-size:8.5px", "font-size:19px")
        text = text.replace("</style>", "figcaption { color: var(--paper) !important }</style>")
        spoilt = self.folder / "spoilt.html"
        spoilt.write_text(text.replace("</h2>", '</h2><b id="summary"></b>', 1))
        self.browser.open(spoilt, 360)
        found = self.complaints()
        for kind in ("outside", "clipped", "overlapping", "faint", "empty", "unnamed", "repeated", "requests"):
            self.assertIn(kind, found)

    def test_an_empty_picture_is_seen_by_its_pixels(self):
        text = self.page.read_text()
        blank = self.folder / "blank.html"
        blank.write_text(text.replace("</style>", "#run-figure5 svg * { visibility: hidden }</style>"))
        self.browser.open(blank, 1280)
        self.complaints()
        with self.assertRaisesRegex(AssertionError, "run-figure5 is empty"):
            self.assert_every_panel_shows_something()

    def test_parts_that_do_not_apply_are_left_out(self):
        one = self.train("one_layer", experts=[3])
        without = self.train("not_analysed", analyze=False)

        def has_begun(file):
            file["provenance"].attrs["status"] = "running"
            del file["provenance"].attrs["end_time"], file["layers"], file["launches/1/timing"]
            for part in ("train", "evaluation"):
                for name, data in list(file[part].items()):
                    kept, values = dict(data.attrs), data[:0]
                    del file[part][name]
                    file[part][name] = values
                    file[part][name].attrs.update(kept)

        def has_one_gate(file):
            del file["layers/2"], file["analysis/layers/2"], file["analysis/pairs"]

        begun = self.changed(without, "begun", has_begun)
        single = self.changed(self.run_folder, "single", has_one_gate)
        for folder, figures, words in (
            (one, "figure1 learning assignment figure2 figure3 timing", "highest gating value for each expert"),
            (without, "figure1 learning assignment timing", f"dmoe analyze {without}"),
            (begun, "figure1", "still says running"),
            (single, "figure1 learning assignment figure2 timing", "experts of layer 1"),
        ):
            with self.subTest(folder.name):
                completed([REPORT, folder])
                self.browser.open(folder / "report.html", 360)
                self.assertEqual(self.complaints(), {})
                self.assertEqual([figure["id"] for figure in self.figures], [f"run-{name}" for name in figures.split()])
                self.assertIn(words, self.browser.evaluate("document.body.innerText"))


def analysed_on_train(file):
    file["analysis"].attrs["split"] = "train"
    file["analysis"].attrs["examples"] = 1200


class WhatIsSaid(Report):
    """Of runs whose files say what those of the other tests do not."""

    run_folder: Path

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train("run")

    def test_routings_of_a_phase_are_told(self):
        top_2, threshold = {"rule": "top_k", "k": 2}, {"rule": "threshold", "probability": 0.1}
        for routing, told in (
            ({"rule": "all"}, ""),
            (top_2, ", computing top 2"),
            ([top_2, top_2], ", computing top 2"),
            ([{"rule": "all"}, threshold], ", computing all experts - gates of 0.1 and more"),
            ({**top_2, "value": "renormalised", "noise": 0.0}, ", computing top 2"),
            ({**top_2, "value": "straight_through", "noise": 0.5}, ", computing top 2 (straight through, noise 0.5)"),
        ):
            phase = {"name": "x", "epochs": 2, "balance": {"rule": "none"}, "routing": routing}
            self.assertEqual(summary.phase_text(phase, True), "2 epochs without a balancing rule" + told)

    def test_counts_are_of_the_runs_own_test_set(self):
        def of_train(file):
            file.require_group("data").attrs["test_examples"] = 1600
            analysed_on_train(file)

        def with_other_data(file):
            file.require_group("data").attrs["test_examples"] = 1600
            config = file["config"][()].decode()
            if "config" in file["analysis"]:
                del file["analysis/config"]
            file["analysis/config"] = config.replace("max_translation = 2", "max_translation = 1")

        with h5py.File(self.run_folder / "run.h5") as file:
            error = file["evaluation/test_error"][-1]
        chance = f"± {100 * numpy.sqrt(error * (1 - error) / 1600):.2f} %, one standard error of 1,600 examples,"
        for name, change, other, caption in (
            ("of_train", of_train, "the train split, 1,200 examples", "over 1,200 train examples, no"),
            (
                "other_data",
                with_other_data,
                "the test split with data.max_translation = 1, 400 examples",
                "over 400 test examples (with data.max_translation = 1), no",
            ),
        ):
            with self.subTest(name):
                text = self.words_of(self.changed(self.run_folder, name, change))
                self.assertIn(chance, text)
                self.assertIn(f"not of the run's own test set but of {other}.", text)
                self.assertIn(caption, text)

    def test_examples_in_groups_have_no_standard_error(self):
        grouped = self.changed(self.run_folder, "grouped", lambda file: file["analysis"].attrs.__setitem__("groups", 9))
        for folder in (grouped, self.with_config(self.run_folder, "frames", 'name = "synthetic"', 'name = "frames"')):
            with self.subTest(folder.name):
                text = self.words_of(folder)
                self.assertEqual("with 9 groups of examples shuffled as wholes" in text, folder == grouped)
                self.assertIn("it has a test error of", text)
                self.assertNotIn("standard error", text)
        self.assertIn("standard error", self.words_of(self.run_folder))

    def test_speech_is_figure_4(self):
        speech = self.with_config(self.run_folder, "speech", 'name = "synthetic"', 'name = "frames"')
        with h5py.File(speech / "run.h5", "r+") as file:
            for pair in file["analysis/pairs"].values():
                pair["top_examples/index"][..., 3:] = -1
        self.assertIn("Figure 4 of the paper: the 3 test examples with the highest", self.words_of(speech))
        self.assertIn("Figure 3 of the paper: the 9 test examples with the highest", self.words_of(self.run_folder))
        completed([REPORT, speech, "--figure", "figure4", "--to", self.folder / "figure4.png"])
        process = run([REPORT, speech, "--figure", "figure3", "--to", self.folder / "figure3.png"], timeout=SECONDS)
        self.assertEqual(process.returncode, 2)
        self.assertRegex(process.stderr, "figures of it: .*figure4")
        self.assertFalse((self.folder / "figure3.png").exists())

    def test_epochs_of_an_interrupted_run(self):
        def has_begun(file, examples):
            file["provenance"].attrs["status"] = "interrupted"
            if examples:
                file.require_group("data").attrs["train_examples"] = examples
            elif "data" in file:
                del file["data"]
            for part in (file["train"], *(layer["assignment"] for layer in file["layers"].values())):
                for name, data in list(part.items()):
                    kept, values = dict(data.attrs), data[:3]
                    del part[name]
                    part[name] = values
                    part[name].attrs.update(kept)

        for examples, steps in ((1201, 61), (None, 30)):  # batches of 20; rows go as far as step 30
            folder = self.changed(self.run_folder, f"cut-{steps}", lambda file, known=examples: has_begun(file, known))
            self.assertIn(f"epoch (of {steps} steps)", self.words_of(folder))

    def test_levels_have_their_names(self):
        def name_levels(file):
            for layer in file["analysis/layers"].values():
                layer["by_class"].attrs["levels"] = ["aa", "eh", "iy", "oh", "uw", "silence"]

        text = self.words_of(self.changed(self.run_folder, "named", name_levels))
        self.assertEqual(text.count(" silence "), 2)
        self.assertNotIn(" silence ", self.words_of(self.run_folder))

    def test_information_is_judged_by_what_the_levels_allow(self):
        def has_two_levels(file):
            layer = file["analysis/layers/1"]
            about = dict(layer["by_class"].attrs)
            del layer["by_class"]
            layer["by_class"] = numpy.full((4, 2), 0.25)
            layer["by_class"].attrs.update(about)
            layer["mutual_information/class/soft"][1] = 0.06  # of at most log 2 / log 4
            layer["mutual_information/translation/soft"][1] = 0.07

        text = self.words_of(self.changed(self.run_folder, "two_levels", has_two_levels))
        self.assertIn("Layer 1 by class 0.060 I / log N, at most 0.5 ", text)
        self.assertIn("layer 1 divide the examples by class (0.060), a little by translation (0.070).", text)
        self.assertNotIn("from 0 to 1.", text.split("Network")[0])

    def test_maps_without_a_number(self):
        def has_none(file):
            for layer in file["analysis/layers"].values():
                for name in ("by_class", "by_translation"):
                    layer[name][...] = numpy.nan
            file["analysis/pairs/1/joint_rows"][...] = numpy.nan

        self.assertIn("Blank: no such example.", self.words_of(self.changed(self.run_folder, "nothing", has_none)))

    def test_every_launch_is_told(self):
        def was_resumed(file):
            before, after = file["launches/1"], file.create_group("launches/2")  # file.copy() crashes on lists of text
            after.attrs.update(before.attrs)
            for name, data in before["timing"].items():
                after[f"timing/{name}"] = data[...]
            for number, step, time in ((1, 0, "2026-11-24T08:00:00Z"), (2, 120, "2026-11-25T09:00:00Z")):
                file[f"launches/{number}"].attrs.update({"first_step": step, "start_time": time})
            file["launches/2"].attrs.update({"ranks": 2, "hosts": ["one", "other"]})
            file["launches/2"].attrs["config_changes"] = ["train.log_every_steps: 100 -> 10"]
            file["launches/2/timing/seconds"][0] = numpy.arange(5) + 100
            file["provenance"].attrs.update({"start_time": "2026-11-24T08:00:00Z", "end_time": "2026-11-25T09:00:42Z"})

        folder = self.changed(self.run_folder, "resumed", was_resumed)
        completed([REPORT, folder])
        self.browser.open(folder / "report.html", 360)
        self.assertEqual(self.complaints(), {})
        headings, *rows = self.table("Launches")
        first, second = (dict(zip(headings, row)) for row in rows)
        self.assertEqual((first["steps done before"], first["ranks"], first["settings changed"]), ("0", "1", "–"))
        self.assertEqual((second["steps done before"], second["ranks"]), ("120", "2"))
        self.assertEqual(second["hosts"], "one (1 rank), other (1 rank)")
        self.assertEqual(second["started"], "25 November 2026, 09:00 UTC")
        self.assertEqual(second["settings changed"], "train.log_every_steps: 100 -> 10")
        self.assertEqual(len(self.table("Seconds of each rank in launch 2")), 2)
        self.assertEqual(self.table("Seconds of each rank")[1][1:], [f"{100 + i}.0" for i in range(5)] + ["510.0"])
        text = self.browser.evaluate("document.body.innerText")
        self.assertIn("42 s", text)
        self.assertIn("2 ranks, last of 2 launches", text)
        self.assertIn("Launch 2 of 2.", text)


class Networks(Report):
    """Figure 1 and its table, of every kind of layer."""

    def network(self, name, analyze=False, **how):
        """(texts of the drawing in its order, rows of its table) of a run."""
        folder = self.train(name, analyze=analyze, **how)
        completed([REPORT, folder])
        self.browser.open(folder / "report.html", 360)
        self.assertEqual(self.complaints(), {})
        self.assertIn({"id": "run-figure1", "title": "What reads what", "panels": 1}, self.figures)
        self.assert_every_panel_shows_something()
        texts = self.browser.evaluate(
            "[...document.querySelectorAll('#run-figure1 svg text')].map(text => text.textContent.trim())"
        )
        rows = self.table("Shapes and parameters")[1:]
        with h5py.File(folder / "run.h5") as file:
            self.assertEqual(rows[-1][2], f"{file['network'].attrs['parameters']:,}")
        self.assertEqual(sum(int(row[2].replace(",", "")) for row in rows[:-1]), int(rows[-1][2].replace(",", "")))
        return texts, [row[:2] for row in rows[:-1]]

    def assert_holds(self, texts, wanted, unwanted=()):
        self.assertEqual([text for text in wanted if text not in texts], [], texts)
        self.assertEqual([text for text in unwanted if text in texts], [], texts)

    def test_mixtures(self):
        texts, rows = self.network("mixtures", experts=[4, 7])
        for part in (
            ["x", "256 inputs"],
            ["4 experts of 10 units", "gate 10", "g¹(x)", "z¹", "10 units"],
            ["7 experts of 10 units", "g²(z¹)", "z²"],
            ["W³z² + b³", "softmax", "F(x)", "6 classes"],
        ):
            self.assert_holds(texts, part)
        # A box and a weight for each expert, of seven only the first three and the last.
        self.assertEqual([texts.count(letter) for letter in "fg×Σ"], [8, 8, 8, 2])
        self.assertIn("7", texts)
        self.assertNotIn("6", texts)
        self.assertEqual(rows[:2], [["layer 1, gate", "256 → 10 → 4"], ["layer 1, 4 experts", "256 → 10"]])
        self.assertEqual(rows[2:4], [["layer 2, gate", "10 → 10 → 7"], ["layer 2, 7 experts", "10 → 10"]])
        self.assertEqual(rows[4:], [["head", "10 → 6"]])

    def test_baselines_are_drawn_as_trained(self):
        texts, rows = self.network("single", settings=["network.baseline=single"])
        self.assert_holds(texts, ["4 experts of 10 units", "1 fixed expert of 10 units", "W³z² + b³"], ["g²(z¹)"])
        self.assertEqual((texts.count("f"), texts.count("g")), (5, 4))
        self.assertEqual(rows[2], ["layer 2", "10 → 10"])
        texts, rows = self.network("dense", settings=["network.baseline=dense_wide_first"])
        self.assert_holds(texts, ["W¹x + b¹", "W²z¹ + b²", "rectified", "dense, 10 units"], ["f", "g", "Σ"])
        self.assertEqual([row[0] for row in rows], ["layer 1", "layer 2", "head"])

    def test_layers_of_other_kinds(self):
        dense = '[[layers]]\nkind = "dense"\nhidden = 30\n'
        concatenated = '[[layers]]\nkind = "concatenated"\nexperts = 4\nhidden = 5\n'
        texts, rows = self.network("kinds", layers=dense + LAYER.format(3) + concatenated)
        self.assert_holds(texts, ["dense, 30 units", "g²(z¹)", "4 experts of 5 units", "side by side", "20 units"])
        self.assertEqual((texts.count("f"), texts.count("g")), (7, 3))
        self.assertEqual(rows[-2:], [["layer 3, 4 experts", "10 → 5"], ["head", "20 → 6"]])

    def test_the_mixture_of_1991(self):
        layer = LAYER.format(5).replace("mixture", "classifier_mixture")
        texts, rows = self.network("classifiers", layers=layer, analyze=True)
        self.assert_holds(texts, ["5 experts of 10 units", "gate 10", "Σ", "6 classes"], ["Head", "z¹"])
        self.assertEqual(texts.count("softmax"), 5)
        self.assertEqual(rows, [["layer 1, gate", "256 → 10 → 5"], ["layer 1, 5 experts", "256 → 10 → 6"]])
        shown = self.browser.evaluate("document.body.innerText")
        self.assertIn("comparison within figure 2 of the paper, a mixture of experts of 1991", shown)
        self.assertIn("highest gating value for each expert", shown)


class SeveralRuns(Report):
    ruled: list[Path]
    free: list[Path]
    page: Path

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ruled = [cls.train(f"ruled-{seed}", settings=[f"train.seed={seed}"]) for seed in range(3)]
        cls.free = [cls.train("free", settings=['phases.constrained.balance={ rule = "none" }'])]
        cls.page = cls.folder / "report.html"
        completed([REPORT, *cls.ruled, *cls.free])

    def test_every_figure_is_there_in_every_window(self):
        figures = ["all-comparison", "all-where_and_what"]
        for number, folder in enumerate([*self.ruled, *self.free], start=1):
            figures += [f"run-{number}-{folder.name}-{name}" for name in ("figure2", "figure5")]
        self.assert_good_in_every_window(self.page, figures, pixels=False)
        self.assert_every_panel_shows_something()
        for name in ("comparison", "where_and_what", "ruled-1/figure2", "free/figure5"):
            for suffix in ("svg", "pdf"):
                self.assertGreater((self.folder / "report_figures" / f"{name}.{suffix}").stat().st_size, 5000)

    def test_table_agrees_with_numpy(self):
        def column(folders, path, place=-1):
            values = []
            for folder in folders:
                with h5py.File(folder / "run.h5") as file:
                    values.append(file[path][place])
            return numpy.array(values)

        def cell(values, places):
            text = f"{values.mean():.{places}f}"
            if len(values) == 1:
                return text
            spread = f"{values.std(ddof=1):.{places}f}"
            return f"{text} ± {spread} {values.min():.{places}f} to {values.max():.{places}f}"

        self.browser.open(self.page, 1280)
        headings, *rows = self.table("Configs compared")
        self.assertEqual(len(rows), 2)
        with h5py.File(self.free[0] / "model.h5") as file:
            parameters = []
            file["model"].visititems(
                lambda _, item: parameters.append(item.size) if isinstance(item, h5py.Dataset) else None
            )
        for row, folders in zip(rows, (self.ruled, self.free)):
            found = dict(zip(headings, row))
            self.assertEqual(found["seeds"], str(len(folders)))
            self.assertEqual(found["parameters"], f"{sum(parameters):,}")
            for split in ("test", "train"):
                errors = 100 * column(folders, f"evaluation/{split}_error")
                self.assertEqual(found[f"{split} error [%]"], cell(errors, 2))
            for layer in (1, 2):
                for factor in ("class", "translation"):
                    path = f"analysis/layers/{layer}/mutual_information/{factor}/soft"
                    self.assertEqual(found[f"I(e{layer}; {factor})"], cell(column(folders, path, 1), 3))
        self.assertEqual(
            [row[0] for row in rows],
            ["4x10 - 3x10 3 + 1 epochs", "4x10 - 3x10, constrained.balance.rule = none 3 + 1 epochs"],
        )
        headings, *rows = self.table("All runs")
        self.assertEqual([row[headings.index("seed")] for row in rows], ["0", "1", "2", "0"])

    def test_unfinished_runs_are_not_in_the_means(self):
        def is_cut_short(file):
            file["provenance"].attrs.update({"status": "interrupted", "seed": 7})
            file["evaluation/test_error"][-1] = 1.0

        def is_not_analysed(file):
            del file["analysis"]

        bare = self.changed(self.ruled[1], "bare", is_not_analysed)
        cut = self.changed(self.ruled[1], "cut", is_cut_short)
        page = self.folder / "other" / "page.html"
        completed([REPORT, self.ruled[0], bare, self.ruled[2], cut, "--output", page])
        self.browser.open(page, 1280)
        headings, row = self.table("Configs compared")
        self.assertEqual(row[headings.index("seeds")], "3 of 4")
        self.assertIn(", 2 runs", row[headings.index("I(e1; class)")])
        self.assertLess(float(row[headings.index("test error [%]")].split()[0]), 99)
        self.assertIn("Not finished, so not in the means: cut.", self.browser.evaluate("document.body.innerText"))
        self.assertTrue((page.parent / "page_figures" / "comparison.svg").is_file())

    def compared(self, name, *folders):
        """Headings and rows of the comparison of these, and all text of the page."""
        page = self.folder / "compared" / f"{name}.html"
        completed([REPORT, *folders, "--output", page])
        self.browser.open(page, 1280)
        headings, *rows = self.table("Configs compared")
        return [dict(zip(headings, row)) for row in rows], self.browser.evaluate("document.body.innerText")

    def test_a_seed_counts_once(self):
        again = self.changed(self.ruled[0], "again", lambda file: file["evaluation/test_error"].__setitem__(-1, 1.0))
        (row,), text = self.compared("again", self.ruled[0], self.ruled[1], again)
        self.assertEqual(row["seeds"], "2")
        self.assertLess(float(row["test error [%]"].split()[0]), 99)
        self.assertIn("Of the same config and seed as another run, so not counted again: again.", text)

    def test_no_mean_over_different_examples(self):
        other = [self.changed(folder, f"train-{folder.name}", analysed_on_train) for folder in self.ruled[:2]]
        (row,), text = self.compared("mixed", self.ruled[0], other[1], self.ruled[2])
        self.assertEqual(row["seeds"], "3")
        self.assertTrue(row["I(e1; class)"].endswith(", 2 runs"), row)
        self.assertIn(f"without mutual information here: {other[1].name} (the train split).", text)
        (row,), text = self.compared("alike", *other)
        self.assertNotIn("run", row["I(e1; class)"])
        self.assertIn("All mutual information is of the train split.", text)

    def test_labels_tell_groups_apart(self):
        gates = self.with_config(self.ruled[0], "gates", "gate_hidden = 10", "gate_hidden = 5")
        with h5py.File(gates / "run.h5", "r+") as file:
            for layer in file["network/layers"].values():
                layer.attrs["gate_hidden"] = 5
        longer = self.with_config(self.ruled[0], "longer", "epochs = 3", "epochs = 9")
        more = self.with_config(longer, "more", "train_examples = 1200", "train_examples = 1300")
        rows, _ = self.compared("labels", self.ruled[0], gates, longer, more)
        self.assertEqual(
            [row["config"] for row in rows],
            [
                "4x10 - 3x10, constrained.epochs = 3 3 + 1 epochs",
                "4x10 - 3x10, gates 5 - 5 3 + 1 epochs",
                "4x10 - 3x10, constrained.epochs = 9 9 + 1 epochs",
                "4x10 - 3x10, data.train_examples = 1300 9 + 1 epochs",
            ],
        )

    def test_labels_tell_routings(self):
        plain = self.ruled[0]
        lifted = 'routing = { rule = "all" }\nlearning_rate = { schedule = "exp'
        top_2 = lifted.replace('"all"', '"top_k", k = 2, value = "renormalised", noise = 0.0')
        routed = self.with_config(plain, "routed", lifted, top_2)
        by_layer = lifted.replace('{ rule = "all" }', '[{ rule = "all" }, { rule = "top_k", k = 1, noise = 2.0 }]')
        apart = self.with_config(plain, "apart", lifted, by_layer)
        phased = self.with_config(routed, "phased", 'name = "fine_tune"', 'name = "de.cide"')
        rated = self.with_config(phased, "rated", "end = 0.01", "end = 0.02")
        rows, _ = self.compared("routings", plain, routed, apart, phased, rated)
        self.assertEqual(
            [row["config"].removesuffix(" 3 + 1 epochs") for row in rows],
            [
                "4x10 - 3x10",
                "4x10 - 3x10, fine_tune with top 2",
                "4x10 - 3x10, fine_tune with all experts - top 1 (noise 2)",
                "4x10 - 3x10, phase de.cide with top 2",
                "4x10 - 3x10, phase de.cide with top 2, de.cide.learning_rate.end = 0.02",
            ],
        )

    def test_what_differs_at_all_is_no_seed(self):
        plain = self.ruled[0]
        lifted = 'routing = { rule = "all" }\nlearning_rate = { schedule = "exp'
        phase = self.with_config(plain, "named", 'name = "fine_tune"', 'name = "routing"')
        faster = self.with_config(phase, "faster", "start = 0.3, end = 0.01", "start = 0.2, end = 0.01")
        near = [
            self.with_config(plain, f"near-{p}", lifted, lifted.replace('"all"', f'"threshold", probability = {p}'))
            for p in (0.1234567, 0.1234568)
        ]
        own = [
            self.with_config(plain, f"own-{c}", lifted, lifted.replace('"all"', f'"expert_choice", capacity = {c}'))
            for c in (1, 2)
        ]
        setting = self.with_config(plain, "setting", "classes = 6", 'classes = 6\nrouting = "x"')
        rows, _ = self.compared("apart", plain, phase, faster, *near, *own, setting)
        labels = [row["config"].removesuffix(" 3 + 1 epochs").removeprefix("4x10 - 3x10, ") for row in rows]
        self.assertEqual(
            labels[1:],
            [
                "phase routing",
                "phase routing, routing.learning_rate.start = 0.2",
                "fine_tune with gates of 0.123457 and more, fine_tune.routing.probability = 0.1234567",
                "fine_tune with gates of 0.123457 and more, fine_tune.routing.probability = 0.1234568",
                "fine_tune with expert_choice experts (capacity 1)",
                "fine_tune with expert_choice experts (capacity 2)",
                "data.routing = x",
            ],
        )

    def test_folders_without_a_run_are_left_out(self):
        folder = self.folder / "some"
        for source in self.ruled[:2]:
            shutil.copytree(source, folder / source.name)
        (folder / "begun").mkdir()
        for _ in range(2):  # the second time beside its own page and figures
            process = run([REPORT, *sorted(folder.iterdir())], timeout=SECONDS)
            self.assertEqual(process.returncode, 0, process.stderr)
            self.assertEqual(process.stderr, f"report: left out {folder / 'begun'}: it holds no run.h5 yet\n")
        self.assertIn("2 runs compared", (folder / "report.html").read_text())
        (folder / "planned").mkdir()
        process = run([REPORT, folder / "begun", folder / "planned"], timeout=SECONDS)
        self.assertEqual((process.returncode, process.stderr.count("\n")), (2, 1), process.stderr)


def column(folder, name):
    with h5py.File(folder / "run.h5") as file:
        return file[f"cost/{name}"][...]


class Cost(Report):
    """Accuracy against cost, of runs with a curve and of networks that have no gate."""

    bare: Path
    dense: Path
    run_folder: Path
    runs: list[Path]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        style.apply()
        cls.bare = cls.train("bare", analyze=False)
        cls.runs = [cls.train(f"run-{seed}", settings=[f"train.seed={seed}"], analyze=False) for seed in range(2)]
        for folder in cls.runs:
            completed([DMOE, "evaluate", folder, "--curve", "--repetitions", 2])
        cls.run_folder = cls.runs[0]
        cls.dense = cls.train("dense", settings=["network.baseline=dense_equal_widths"], analyze=False)

    def drawn(self, panels):
        """(x, y) of all lines of each panel that has axes, by name."""
        found = []
        for panel in (panel for row in panels for panel in row):
            figure = matplotlib.figure.Figure()
            panel.draw(figure)
            found += [{line.get_gid(): line.get_data() for line in axis.lines} for axis in figure.axes]
        return found

    def lines_of(self, folder):
        """Rows of the file by line, cheap to dear."""
        names = [name.decode() for name in column(folder, "routing")]
        settings = column(folder, "setting")
        every = names.index("all")
        rows = {name: [row for row, other in enumerate(names) if other == name] for name in ("top_k", "threshold")}
        return {
            "top_k": [*sorted(rows["top_k"], key=lambda row: settings[row]), every],
            "threshold": [*sorted(rows["threshold"], key=lambda row: -settings[row]), every],
            "all": [every],
        }

    def test_the_figure_is_there_in_every_window(self):
        completed([REPORT, self.run_folder])
        names = ["figure1", "learning", "assignment", "cost", "timing"]
        self.assert_good_in_every_window(self.run_folder / "report.html", [f"run-{name}" for name in names])
        for suffix in ("svg", "pdf"):
            self.assertGreater((self.run_folder / "report_figures" / f"cost.{suffix}").stat().st_size, 5000)

    def test_points_are_those_of_the_file(self):
        error, time = self.drawn(cost.panels(read_run(self.run_folder)))
        x = column(self.run_folder, "multiply_accumulates")
        for lines, y in (
            (error, 100 * column(self.run_folder, "error")),
            (time, 1e6 * column(self.run_folder, "seconds") / 400),
        ):
            for name, rows in self.lines_of(self.run_folder).items():
                numpy.testing.assert_allclose(lines[name], (x[rows], y[rows]))
        self.assertEqual([len(self.lines_of(self.run_folder)[name]) for name in ("top_k", "threshold")], [4, 9])

    def test_table_has_every_point(self):
        completed([REPORT, self.run_folder])
        self.browser.open(self.run_folder / "report.html", 1280)
        names = ("error", "loss", "multiply_accumulates", "seconds")
        error, loss, operations, seconds = (column(self.run_folder, name) for name in names)
        settings, lines = column(self.run_folder, "setting"), self.lines_of(self.run_folder)
        every = lines["all"][0]
        titles = {row: f"top {settings[row]:g}" for row in lines["top_k"][:-1]}
        titles |= {row: f"gate ≥ {settings[row]:g}" for row in lines["threshold"][:-1]} | {every: "all experts"}
        expected = [
            [title, f"{100 * error[row]:.2f}", f"{loss[row]:.3f}", f"{operations[row]:,.0f}",
             f"{100 * operations[row] / operations[every]:.0f} %", f"{1e6 * seconds[row] / 400:.1f}",
             f"{100 * seconds[row] / seconds[every]:.0f} %"]
            for row, title in titles.items()
        ]  # fmt: skip
        self.assertEqual(self.table("Points of the curve")[1:], expected)

    def test_what_can_be_saved_is_said(self):
        def has_errors(file, errors):
            file["cost/error"][...] = [dict(zip((1, 2, 3), errors)).get(k, 0.3) for k in file["cost/setting"]]
            file["cost/error"][-1] = 0.04
            file["cost/seconds"][...] = 0.3
            file["cost/seconds"][-1] = 0.4
            file["cost"].attrs["ranks"] = 2

        for name, errors, said in (
            ("top2", (0.2, 0.041, 0.039), r"that or better is top 2: 4\.10 % with {} % of the multiply-accumulates, "
             r"in 75 % of the time\."),
            ("none", (0.2, 0.0412, 0.0411), r"have an error of 4\.00 %\. No cheaper routing comes within 0\.1 perc"),
        ):  # fmt: skip
            with self.subTest(name):
                folder = self.changed(self.run_folder, name, lambda file, errors=errors: has_errors(file, errors))
                text = self.words_of(folder)
                operations = column(folder, "multiply_accumulates")
                self.assertRegex(text, said.format(f"{100 * operations[1] / operations[-1]:.0f}"))
                self.assertIn("The trained model over 400 test examples,", text)
                self.assertIn("In its last phase it learned with all experts.", text)
                self.assertIn("on the first of 2 ranks, the median of 2 repetitions", text)

    def test_how_it_learned_is_said(self):
        old = 'routing = { rule = "all" }\nlearning_rate = { schedule = "exp'
        for name, routing, said in (
            ("routed", '{ rule = "top_k", k = 2 }', "learned with top 2."),
            ("apart", '[{ rule = "threshold", probability = 0.1 }, { rule = "all" }]',
             "learned with gates of 0.1 and more in layer 1 and all experts in layer 2."),
        ):  # fmt: skip
            folder = self.with_config(self.run_folder, name, old, old.replace('{ rule = "all" }', routing))
            self.assertIn(said, self.words_of(folder))

    def test_no_curve_no_figure(self):
        flat = self.changed(self.run_folder, "flat", lambda file: None)
        with h5py.File(self.dense / "run.h5") as dense, h5py.File(flat / "run.h5", "r+") as file:
            for name in ("network", "config"):  # nothing to choose from
                del file[name]
                dense.copy(name, file)
        for folder in (self.bare, self.dense, flat):
            text = self.words_of(folder)
            self.assertNotIn("Accuracy against cost", text)
            self.assertNotIn("Points of the curve", text)
        to = ["--figure", "cost", "--to", self.folder / "none.png"]
        self.assertIn(f"run: dmoe evaluate {self.bare} --curve", self.refused(self.bare, *to))
        self.assertIn("figures of it: figure1,", self.refused(self.dense, *to))
        completed([REPORT, self.bare, self.dense, "--output", self.folder / "without.html"])
        self.assertNotIn("Accuracy against cost", (self.folder / "without.html").read_text())

    def test_many_experts(self):
        def has_many(file):
            k = numpy.arange(1, 100)
            more = {"routing": [b"top_k"] * len(k), "setting": k, "error": 0.02 + 0.2 / k, "loss": 1 / k,
                    "multiply_accumulates": 1e4 * (k + 1), "seconds": 0.01 + 0.001 * k}  # fmt: skip
            for name, values in more.items():
                rest = file[f"cost/{name}"][3:]
                if name == "multiply_accumulates":
                    rest[-1] = 1e6 + 1e4
                del file[f"cost/{name}"]
                file[f"cost/{name}"] = numpy.concatenate([values, rest])

        folder = self.changed(self.run_folder, "many", has_many)
        completed([REPORT, folder])
        self.browser.open(folder / "report.html", 360)
        self.assertEqual(self.complaints(), {})
        texts = self.browser.evaluate("[...document.querySelectorAll('#run-cost text')].map(t => t.textContent.trim())")
        tops = {text for text in texts if text.startswith("top")}
        self.assertIn("top\N{NO-BREAK SPACE}1", tops)
        self.assertLessEqual({int(text[4:]) for text in tops}, {1, 2, 4, 8, 16, 32, 64})
        self.assertEqual(self.browser.evaluate("document.querySelector('#cost details').open"), False)
        self.assertEqual(len(self.table("Points of the curve")), 1 + 99 + 8 + 1)

    def test_all_runs_with_networks_without_a_gate(self):
        page = self.folder / "all" / "page.html"
        folders = [*self.runs, self.bare, self.dense]
        completed([REPORT, *folders, "--output", page])
        self.assert_good_in_every_window(page, ["all-comparison", "all-cost_of_runs"])
        with h5py.File(self.dense / "run.h5") as file:
            network = dict(file["network"].attrs)
            error = file["evaluation/test_error"][-1]
        for lines, name in zip(self.drawn(cost.panels_of_runs(read_runs(folders))), ("top_k", "threshold")):
            rows = self.lines_of(self.run_folder)[name]
            for axis, (measure, factor) in enumerate((("multiply_accumulates", 1), ("error", 100))):
                mean = factor * numpy.mean([column(folder, measure) for folder in self.runs], axis=0)
                numpy.testing.assert_allclose(lines[name][axis], mean[rows])
            numpy.testing.assert_allclose(
                numpy.ravel(lines["references"]), (network["multiply_accumulates"], 100 * error)
            )
        texts = self.browser.evaluate(
            "[...document.querySelectorAll('#all-cost_of_runs text')].map(text => text.textContent.trim())"
        )
        self.assertEqual(texts.count(network["layers"]), 2)
        headings, mixture, dense = self.table("All experts, and")
        mean = numpy.mean([column(folder, "error")[-1] for folder in self.runs])
        self.assertEqual(mixture[:2], ["4x10 - 3x10", f"{100 * mean:.2f}"])
        self.assertEqual(
            dense, [network["layers"], f"{100 * error:.2f}", f"{network['multiply_accumulates']:,}", *["–"] * 5]
        )
        self.assertEqual(len(headings), len(dense))
        text = self.browser.evaluate("document.querySelector('#all-cost_of_runs figcaption').innerText")
        self.assertIn(f"For no more work than {network['layers']} ({100 * error:.2f} %) the least error", text)

    def test_curves_that_do_not_belong_together_are_told(self):
        other = self.changed(self.runs[1], "other", lambda file: file["cost"].attrs.__setitem__("split", "train"))
        page = self.folder / "splits" / "page.html"
        completed([REPORT, self.run_folder, other, "--output", page])
        text = page.read_text()
        self.assertIn("or of an older model: other (of the train split).", text)
        self.assertIn("No network without a gate is among these runs", text)
        self.assertIn("train error [%]", self.words_of(other))

        def is_old(file):
            config = file["config"][()].decode().replace("max_translation = 2", "max_translation = 1")
            file["cost"].attrs.update({"step": 100, "instruction_set": "AVX2"})
            file["cost"].pop("config", None)
            file["cost/config"] = config

        old = self.changed(self.runs[1], "old", is_old)
        said = self.words_of(old)
        self.assertIn("The model after 100 steps, since when the run has gone on, over 400 test examples", said)
        self.assertIn("examples (with data.max_translation = 1), computing", said)
        self.assertIn("repetitions with the instruction set AVX2.", said)
        completed([REPORT, self.run_folder, old, "--output", page])
        self.assertIn("older model: old (with data.max_translation = 1 and 140 steps old).", page.read_text())
        for folder in (other, old):
            lines = self.drawn(cost.panels_of_runs(read_runs([self.run_folder, folder])))[0]
            numpy.testing.assert_allclose(lines["all"][1], 100 * column(self.run_folder, "error")[-1:])

    def test_ticks_are_round_and_enough(self):
        cases: list[tuple[float, float, list[float]]] = [
            (190e3, 700e3, [200e3, 300e3, 500e3, 700e3]),
            (90, 12e3, [100, 1000, 10000]),
            (2.2, 9.6, [3, 5, 7]),
        ]
        for low, high, expected in cases:
            numpy.testing.assert_allclose(axes.log_ticks(low, high), expected)
        for high in (1.02, 1.1, 1.5, 4, 30):
            self.assertIn(len(axes.log_ticks(0.97, high)), range(2, 8), high)

    def test_damaged_curves_name_the_file(self):
        def replaced(name, value):
            def change(file):
                del file[f"cost/{name}"]
                file[f"cost/{name}"] = value

            return change

        def is_no_group(file):
            del file["cost"]
            file["cost"] = 3

        rows = len(column(self.run_folder, "error"))
        for number, (change, what) in enumerate(
            (
                (lambda file: file["cost"].__delitem__("error"), "/cost lacks error"),
                (lambda file: file["cost"].attrs.__delitem__("split"), "/cost lacks split"),
                (replaced("seconds", numpy.ones(3)), "the columns of /cost are not of one length"),
                (replaced("error", numpy.ones((rows, 2))), "the columns of /cost are not of one length"),
                (replaced("error", numpy.full(rows, numpy.nan)), "/cost holds numbers that are not finite"),
                (replaced("seconds", numpy.zeros(rows)), "/cost has a row without multiply-accumulates or with"),
                (replaced("routing", [b"top_q"] * rows), "in /cost is 'top_q', expected top_k, threshold or all"),
                (replaced("routing", [b"top_k"] * rows), "/cost has 0 rows of all experts, expected 1"),
                (replaced("loss", [b"low"] * rows), "low"),
                (lambda file: file["cost"].attrs.__setitem__("examples", 0), "/cost is of 0 examples"),
                (is_no_group, "/cost is no group"),
            )
        ):
            with self.subTest(what):
                folder = self.changed(self.run_folder, f"damaged-{number}", change)
                said = self.refused(folder)
                self.assertIn(f"{folder / 'run.h5'} is no complete run file: ", said)
                self.assertIn(what, said)


class Mistakes(Report):
    run_folder: Path

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train("run", analyze=False)

    def test_mistakes_name_the_file(self):
        newer = self.changed(self.run_folder, "newer", lambda file: file.attrs.__setitem__("format_version", 2))
        lacking = self.changed(self.run_folder, "lacking", lambda file: file.__delitem__("evaluation"))
        nameless = self.with_config(self.run_folder, "nameless", "[[layers]]", "[[blocks]]")

        def spoilt(part, name, value):
            return self.changed(self.run_folder, value, lambda file: file[part].attrs.__setitem__(name, value))

        def is_of_old(file):
            file["network"].attrs["layers"] = "4y100"
            del file["network/layers"]

        def is_of_another_kind(file):
            file["network/layers/1"].attrs["kind"] = "mixtur"

        other_kind = self.changed(self.run_folder, "other_kind", is_of_another_kind)
        no_network = self.changed(self.run_folder, "no_network", is_of_old)
        torn = self.folder / "torn"
        torn.mkdir()
        (torn / "run.h5").write_bytes((self.run_folder / "run.h5").read_bytes()[:3000])
        for given, place, what in (
            (self.folder / "absent", self.folder / "absent", "does not exist"),
            (self.folder, self.folder / "run.h5", "does not exist"),
            (self.run_folder / "model.h5", self.run_folder / "model.h5", "is no run file, its format is 'dmoe-model'"),
            (newer, newer / "run.h5", "has format_version 2, this report reads up to 1"),
            (lacking, lacking / "run.h5", "is no complete run file"),
            (nameless, nameless / "run.h5", "/config lacks layers"),
            (no_network, no_network / "run.h5", "'4y100' is no layer"),
            (other_kind, other_kind / "run.h5", "layer 1 is of an unknown kind, 'mixtur'"),
            (spoilt("provenance", "status", "asleep"), self.folder / "asleep" / "run.h5",
             "status in /provenance is 'asleep'"),
            (spoilt("provenance", "start_time", "noon"), self.folder / "noon" / "run.h5", "'noon'"),
            (torn, torn / "run.h5", "cannot be read as an HDF5 file"),
            (self.folder / "run.toml", self.folder / "run.toml", "cannot be read as an HDF5 file"),
        ):
            with self.subTest(given=given):
                said = self.refused(given)
                self.assertIn(str(place), said)
                self.assertIn(what, said)

    def test_usage(self):
        run_folder, other = self.run_folder, self.folder / "elsewhere" / "run"
        shutil.copytree(run_folder, other)
        self.assertIn("is given 2 times", self.refused(run_folder, run_folder))
        self.assertIn("say where the page goes", self.refused(run_folder, other))
        self.assertIn("known: figure1,", self.refused(run_folder, "--figure", "figure9", "--to", "x.png"))
        self.assertIn("dmoe analyze", self.refused(run_folder, "--figure", "figure2", "--to", "x.png"))
        self.assertIn(".png, .svg or .pdf", self.refused(run_folder, "--figure", "learning", "--to", "x.gif"))
        self.assertIn("--figure NAME", completed([REPORT, "--help"]))

    def test_nothing_is_left_half_written(self):
        page = self.folder / "taken.html"
        page.mkdir()
        (self.folder / "full_figures").write_text("no folder")
        before = sorted(self.folder.iterdir())
        self.assertIn(f"{page} cannot be written", self.refused(self.run_folder, "--output", page))
        self.assertIn("cannot be written", self.refused(self.run_folder, "--output", self.folder / "full.html"))
        self.assertEqual([path for path in self.folder.rglob("*.part")], [])
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_nothing_but_its_own_kind_is_replaced(self):
        given = (("--output", "notes.html"), ("--to", "notes.svg"), ("--to", "notes.pdf"), ("--to", "n.png"))
        for option, name in given:
            path = self.folder / name
            path.write_text("my notes")
            figure = ["--figure", "learning"] if option == "--to" else []
            self.assertIn(f"{path} is not replaced", self.refused(self.run_folder, *figure, option, path))
            self.assertEqual(path.read_text(), "my notes")
        before = (self.run_folder / "run.h5").read_bytes()
        said = self.refused(self.run_folder, "--output", self.run_folder / "run.h5")
        self.assertIn("its name must end in .html", said)
        self.assertEqual((self.run_folder / "run.h5").read_bytes(), before)
        for name in ("own.svg", "own.pdf", "own.png"):
            for _ in range(2):
                completed([REPORT, self.run_folder, "--figure", "learning", "--to", self.folder / name])
        for _ in range(2):
            completed([REPORT, self.run_folder])

    def test_table_1_of_no_table(self):
        table = Path(SOURCE_DIR, "experiments", "table1", "table")
        other = self.folder / "other.csv"
        other.write_text("run,status\na,finished\n")
        for path, what in ((self.folder / "absent.csv", "No such file"), (other, "it lacks layers")):
            process = run([table, path], timeout=SECONDS)
            self.assertEqual((process.returncode, process.stdout), (2, ""))
            self.assertRegex(process.stderr, f"^table: {path}: .*{what}.*\n$")


if __name__ == "__main__":
    main()

"""scripts/report on runs of the real program, looked at in a real browser, and its numbers against NumPy."""

import html
import io
import re
import shutil
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

import h5py
import matplotlib.image
import numpy

from browser import Browser
from dmoe_testing import DMOE, SOURCE_DIR, main, run

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
            file["provenance"].attrs["status"] = "interrupted"
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


class Mistakes(Report):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train("run", analyze=False)

    def refused(self, *arguments):
        """The one line that it says."""
        process = run([REPORT, *arguments], timeout=SECONDS)
        self.assertEqual((process.returncode, process.stdout), (2, ""), process.stderr)
        self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        return process.stderr

    def test_mistakes_name_the_file(self):
        newer = self.changed(self.run_folder, "newer", lambda file: file.attrs.__setitem__("format_version", 2))
        lacking = self.changed(self.run_folder, "lacking", lambda file: file.__delitem__("evaluation"))
        torn = self.folder / "torn"
        torn.mkdir()
        (torn / "run.h5").write_bytes((self.run_folder / "run.h5").read_bytes()[:3000])
        for given, place, what in (
            (self.folder / "absent", self.folder / "absent", "does not exist"),
            (self.folder, self.folder / "run.h5", "does not exist"),
            (self.run_folder / "model.h5", self.run_folder / "model.h5", "is no run file, its format is 'dmoe-model'"),
            (newer, newer / "run.h5", "has format_version 2, this report reads up to 1"),
            (lacking, lacking / "run.h5", "is no complete run file"),
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
        self.assertIn(".png, .svg, .pdf", self.refused(run_folder, "--figure", "learning", "--to", "x.gif"))
        self.assertIn("--figure NAME", completed([REPORT, "--help"]))

    def test_nothing_is_left_half_written(self):
        page = self.folder / "taken"
        page.mkdir()
        before = sorted(self.folder.iterdir())
        self.assertIn(f"{page} cannot be written", self.refused(self.run_folder, "--output", page))
        self.assertEqual([path for path in self.folder.rglob("*.part")], [])
        self.assertEqual([path.name for path in sorted(self.folder.iterdir()) if path not in before], ["taken_figures"])


if __name__ == "__main__":
    main()

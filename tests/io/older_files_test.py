"""Files that older versions wrote (fixtures/README.md): read, checked, resumed and reported as on the day they were."""

import json
import re
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
from dmoe_testing import DMOE, SOURCE_DIR, checked, main, run

FIXTURES = Path(SOURCE_DIR) / "tests/io/fixtures"
VERSIONS = ("1.0", "1.1")
# Of the program that wrote them: errors in 20 test examples, and the loss in nats.
EVALUATED = {"mixture": (11, 1.346852), "baseline": (12, 1.324166)}
MORE = ["--set", "phases.lifted.epochs=2"]


class OlderFiles(unittest.TestCase):
    folder: Path

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="dmoe-older-")))
        for version in VERSIONS:
            (cls.folder / version).mkdir()
            checked("tar", "xf", FIXTURES / f"dmoe-{version}.tar.xz", "-C", cls.folder / version)

    def setUp(self):
        self.copy = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-older-"))) / "run"

    def each(self):
        return [(name, self.folder / version / name) for version in VERSIONS for name in EVALUATED]

    def files(self, folder):
        return sorted(folder.rglob("*.h5"))

    def test_check_finds_them_whole(self):
        for _, folder in self.each():
            for path in self.files(folder):
                self.assertIn("whole", checked(DMOE, "check", path))

    def test_evaluate_finds_the_same(self):
        for name, folder in self.each():
            errors, loss = EVALUATED[name]
            for path in (folder, folder / "model.h5", *folder.glob("checkpoints/*.h5")):
                said = checked(DMOE, "evaluate", path)
                found = re.search(r"\((\d+) of 20\), loss ([\d.]+) nats", said)
                self.assertEqual(int(found.group(1)), errors, said)
                self.assertAlmostEqual(float(found.group(2)), loss, places=5)

    def test_info_tells_what_they_are(self):
        for name, folder in self.each():
            for path in (folder, *self.files(folder)):
                said = checked(DMOE, "info", path)
                self.assertRegex(said, "mixture, 3 experts of 4 units|3x4 - 2x4" if name == "mixture" else "baseline")
            of_run, _ = json.loads(checked(DMOE, "info", "--json", folder))
            self.assertEqual((of_run["steps"], of_run["status"]), (18, "finished"))

    def test_analyze_finds_the_same(self):
        for name, folder in self.each():
            if name == "baseline":
                continue
            with h5py.File(folder / "run.h5") as file:
                before = file["analysis/layers/1/by_class"][()]
            checked("cp", "-r", folder, self.copy)
            checked(DMOE, "analyze", self.copy, "--permutations", "3")
            with h5py.File(self.copy / "run.h5") as file:
                numpy.testing.assert_allclose(file["analysis/layers/1/by_class"][()], before, atol=1e-5)
            checked("rm", "-r", self.copy)

    def test_resume_goes_on(self):
        for name, folder in self.each():
            baseline = ["--set", "network.baseline=dense_equal_widths", "--set", 'phases.lifted.routing={rule="all"}']
            uninterrupted = self.copy.with_name(f"uninterrupted-{name}")
            if not uninterrupted.exists():
                options = [*MORE, *(baseline if name == "baseline" else [])]
                checked(DMOE, "train", FIXTURES / "config.toml", "--output", uninterrupted, *options)
            checked("cp", "-r", folder, self.copy)
            checked(DMOE, "train", "--resume", "--output", self.copy, *MORE)
            with h5py.File(self.copy / "run.h5") as file:
                kinds = [layer.attrs["kind"] for layer in file["network/layers"].values()]
            self.assertEqual(kinds, ["mixture", "mixture"] if name == "mixture" else ["dense", "dense"])
            with h5py.File(self.copy / "model.h5") as one, h5py.File(uninterrupted / "model.h5") as other:
                self.assertEqual(self.close(one["model"], other["model"]), [])
            checked("rm", "-r", self.copy)

    def close(self, one, other):
        """Names of tensors that are not: another processor may round otherwise."""
        different = []

        def compare(name, item):
            if isinstance(item, h5py.Dataset) and not numpy.allclose(item[()], other[name][()], atol=1e-4):
                different.append(name)

        one.visititems(compare)
        return different

    def test_report_shows_them(self):
        for version in VERSIONS:
            folders = [self.folder / version / name for name in EVALUATED]
            page = self.copy.with_name(f"{version}.html")
            process = run([f"{SOURCE_DIR}/scripts/report", *folders, "--output", page], timeout=300)
            self.assertEqual(process.returncode, 0, process.stderr)
            self.assertIn("<svg", page.read_text())


main()

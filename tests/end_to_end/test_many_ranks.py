"""dmoe evaluate and dmoe analyze on any number of ranks, more than there are experts too, and of many experts."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
from dmoe_testing import DMOE, main, run

CONFIG = """
[data]
name = "synthetic"
classes = 5
train_examples = 300
test_examples = 130
[[layers]]
kind = "mixture"
experts = {first}
hidden = 6
gate_hidden = 4
[[layers]]
kind = "mixture"
experts = {second}
hidden = 5
gate_hidden = 4
[train]
seed = 2
batch_size = 20
[evaluation]
batch_size = 32
[[phases]]
name = "routed"
epochs = 2
balance = {{ rule = "margin", margin = 5 }}
routing = {{ rule = "{rule}" }}
learning_rate = {{ schedule = "constant", start = 0.1 }}
"""
SECONDS = 300


def bits(path, group):
    """Every dataset and attribute of a group."""
    found = {}

    def keep(name, item):
        found.update({f"{name} @{key}": str(value) for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes() if item.dtype != object else item[()]

    with h5py.File(path) as file:
        file[group].visititems(keep)
    return found


class ManyRanks(unittest.TestCase):
    folder: Path

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-many-ranks-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        top_2 = 'top_k", k = 2, value = "probability'
        for name, first, second, rule in (("dense", 3, 2, "all"), ("sparse", 40, 3, top_2)):
            (cls.folder / f"{name}.toml").write_text(CONFIG.format(first=first, second=second, rule=rule))
            cls.said("train", cls.folder / f"{name}.toml", "--output", cls.folder / name)

    @classmethod
    def said(cls, *words, ranks=None):
        process = run([DMOE, *words], ranks=ranks, timeout=SECONDS)
        if process.returncode != 0 or process.stderr:
            raise AssertionError(f"{words}: exit status {process.returncode}: {process.stderr}")
        return process.stdout

    def copy_of(self, name, copy):
        shutil.rmtree(self.folder / copy, ignore_errors=True)
        shutil.copytree(self.folder / name, self.folder / copy)
        return self.folder / copy

    def test_an_analysis_has_the_same_bits(self):
        for name in ("dense", "sparse"):  # 5 ranks: of 3 experts, 5 replicas
            alone = self.copy_of(name, "alone")
            said = self.said("analyze", alone, "--permutations", "30")
            expected = bits(alone / "run.h5", "/analysis")
            self.assertIn("layers/1/mutual_information/class/null", expected)
            self.assertIn("pairs/1/top_examples/input", expected)
            for ranks in (1, 2, 3, 4, 5):
                with self.subTest(name, ranks=ranks):
                    copy = self.copy_of(name, "copy")
                    again = self.said("analyze", copy, "--permutations", "30", ranks=ranks)
                    self.assertEqual(again.replace("copy", "alone"), said)
                    self.assertEqual(bits(copy / "run.h5", "/analysis"), expected)

    def test_an_evaluation_says_the_same(self):
        for name in ("dense", "sparse"):
            words = ["evaluate", self.folder / name, "--json"]
            options: list[list[str]] = [[], ["--top-k", "1"], ["--split", "train"]]
            for more in options:
                expected = self.said(*words, *more)
                for ranks in (2, 3, 4, 6):
                    with self.subTest(name, more=more, ranks=ranks):
                        self.assertEqual(self.said(*words, *more, ranks=ranks), expected)

    def test_a_network_without_experts_is_evaluated_in_replicas(self):
        run_folder = self.folder / "ordinary"
        self.said("train", self.folder / "dense.toml", "--output", run_folder, "--set",
                  "network.baseline=dense_equal_widths")
        self.assertEqual(self.said("evaluate", run_folder, ranks=3), self.said("evaluate", run_folder))

    def test_a_curve_of_many_experts_takes_few_k(self):
        copy = self.copy_of("sparse", "curve")
        self.said("evaluate", copy, "--curve", "--repetitions", "1", "--curve-k", "3", "40")
        with h5py.File(copy / "run.h5") as file:
            routings = [text.decode() for text in file["cost/routing"]]
            settings = file["cost/setting"][()].tolist()
            found = {int(k): row for row, (kind, k) in enumerate(zip(routings, settings)) if kind == "top_k"}
            self.assertEqual(list(found), [1, 2, 3, 4, 8, 16, 32, 40])
            for k, row in found.items():
                (one,) = json.loads(self.said("evaluate", copy, "--top-k", k, "--json"))
                self.assertEqual(file["cost/loss"][row], one["loss"])
                self.assertEqual(file["cost/error"][row], one["error"])
                self.assertEqual(round(file["cost/multiply_accumulates"][row]), one["multiply_accumulates"])
            self.assertEqual(file["cost/loss"][found[40]], file["cost/loss"][-1])  # all of them
        process = run([DMOE, "evaluate", copy, "--curve", "--curve-k", "41"])
        self.assertEqual(process.returncode, 2)
        self.assertIn("--curve-k 41: no layer of", process.stderr)

    def test_many_experts_are_told_of_in_a_line(self):
        said = self.said("analyze", self.copy_of("sparse", "told"), "--permutations", "2")
        lines = [line for line in said.splitlines() if line.startswith("layer")]
        self.assertIn("of 40 experts are dead", lines[0])
        self.assertLess(max(map(len, lines)), 200)


if __name__ == "__main__":
    main()

"""Conditional computation through the real program: dmoe train with routings, dmoe evaluate with others."""

import re
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np
from dmoe_testing import DMOE, main, run
from run_contents import differing

CONFIG = """
[data]
name = "synthetic"
classes = 5
train_examples = 400
test_examples = 200
[[layers]]
kind = "mixture"
experts = 6
hidden = 9
gate_hidden = 4
[[layers]]
kind = "mixture"
experts = 3
hidden = 8
gate_hidden = 5
[train]
seed = 2
batch_size = 20
[evaluation]
batch_size = 64
[[phases]]
name = "dense"
epochs = 2
balance = { rule = "margin", margin = 10 }
learning_rate = { schedule = "constant", start = 0.3 }
[[phases]]
name = "sparse"
epochs = 2
balance = { rule = "none" }
routing = { rule = "top_k", k = 2, value = "probability" }
learning_rate = { schedule = "constant", start = 0.1 }
"""
SECONDS = 300


class Routing(unittest.TestCase):
    folder: Path
    config: Path
    trained: Path
    inputs: int
    final_error: float

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-routing-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.config = cls.folder / "config.toml"
        cls.config.write_text(CONFIG)
        cls.trained = cls.folder / "run"
        cls.said("train", cls.config, "--output", cls.trained)
        with h5py.File(cls.trained / "run.h5") as file:
            cls.inputs, cls.final_error = file["network"].attrs["inputs"], file["evaluation/test_error"][-1]

    @classmethod
    def said(cls, *words, ranks=None):
        process = run([DMOE, *words], ranks=ranks, timeout=SECONDS)
        if process.returncode != 0 or process.stderr:
            raise AssertionError(f"{words}: exit status {process.returncode}: {process.stderr}")
        return process.stdout

    def refused(self, *words):
        process = run([DMOE, *words], timeout=SECONDS)
        self.assertEqual(process.returncode, 2, process.stdout)
        return process.stderr

    def operations(self, first, second):
        """Multiply-accumulates of one example where so many experts of each layer are computed."""
        layers = [(self.inputs, 6, 9, 4, first), (9, 3, 8, 5, second)]
        return sum(k * (d * h + h) + g * (d + n) for d, n, h, g, k in layers) + 8 * 5

    def test_any_number_of_ranks_has_the_same_bits(self):
        for ranks in (1, 2, 3, 4, 5):
            with self.subTest(ranks=ranks):
                output = self.folder / f"ranks-{ranks}"
                self.said("train", self.config, "--output", output, ranks=ranks)
                self.assertEqual(differing(output, self.trained), [])

    def test_models_are_evaluated_as_they_were_trained(self):
        for ranks in (None, 3):
            text = self.said("evaluate", self.trained, ranks=ranks)
            self.assertIn(f"test error {100 * self.final_error:.2f} % ", text)
            counted = f"{self.operations(2, 2):,} multiply-accumulates an example in the mean, all experts would take "
            self.assertIn(counted + f"{self.operations(6, 3):,}", text)
        dense = self.folder / "run/checkpoints"
        first_phase = min(dense.glob("step-*.h5"))
        self.assertIn("step-00000040", str(first_phase))
        self.assertNotIn("multiply-accumulates", self.said("evaluate", first_phase))

    def test_other_routings_can_be_tried(self):
        one = self.said("evaluate", self.trained, "--top-k", "1")
        self.assertIn(f"{self.operations(1, 1):,} multiply-accumulates", one)
        self.assertEqual(one, self.said("evaluate", self.trained, "--top-k", "1", ranks=4))
        two = self.said("evaluate", self.trained, "--top-k", "2")
        self.assertEqual(two, self.said("evaluate", self.trained))
        everybody = self.said("evaluate", self.trained, "--top-k", "6")
        self.assertNotIn("multiply-accumulates", everybody)
        self.assertEqual(everybody, self.said("evaluate", self.trained, "--set", "phases.sparse.routing.rule=all"))
        self.assertNotIn("multiply-accumulates", self.said("evaluate", self.trained, "--gate-threshold", "0"))
        largest_alone = self.said("evaluate", self.trained, "--gate-threshold", "1")
        self.assertEqual(largest_alone, one)

    def test_curve_is_kept_in_the_run_file(self):
        self.said("evaluate", self.trained, "--curve", "--repetitions", "1", ranks=2)
        with h5py.File(self.trained / "run.h5") as file:
            cost = {name: values[()] for name, values in file["cost"].items()}
            about = dict(file["cost"].attrs)
            self.assertEqual(file["cost/error"].attrs["units"], "1")
        self.assertEqual((about["split"], about["examples"], about["ranks"]), ("test", 200, 2))
        routings = [text.decode() for text in cost["routing"]]
        self.assertEqual(routings[:5] + routings[-1:], ["top_k"] * 5 + ["all"])
        for row, k in enumerate(range(1, 6)):
            self.assertEqual(cost["setting"][row], k)
            self.assertEqual(cost["multiply_accumulates"][row], self.operations(k, min(k, 3)))
            said = self.said("evaluate", self.trained, "--top-k", str(k))
            error = float(re.search(r"error ([\d.]+) %", said).group(1))
            self.assertAlmostEqual(100 * cost["error"][row], error, places=2)
        self.assertEqual(cost["multiply_accumulates"][-1], self.operations(6, 3))
        thresholds = [row for row, routing in enumerate(routings) if routing == "threshold"]
        self.assertTrue((np.diff(cost["multiply_accumulates"][thresholds]) <= 0).all())
        self.assertTrue((cost["seconds"] > 0).all())
        self.assertIn("/cost", self.said("evaluate", self.trained, "--curve", "--split", "train", "--repetitions", "1"))
        with h5py.File(self.trained / "run.h5") as file:
            self.assertEqual((file["cost"].attrs["split"], file["cost"].attrs["examples"]), ("train", 400))

    def test_more_experts_than_there_are_are_refused(self):
        more = self.refused("evaluate", self.trained, "--top-k", "7")
        self.assertIn(f"--top-k 7: no layer of {self.trained}/model.h5 has more than 6 experts to choose from", more)

        def refused(routing):
            change = ["--set", f"phases.sparse.routing={routing}"]
            return self.refused("train", self.config, "--output", self.folder / "none", *change)

        self.assertIn("phases.sparse.routing: 7 experts are to be chosen", refused('{ rule = "top_k", k = 7 }'))
        each = '[{ rule = "top_k", k = 6 }, { rule = "top_k", k = 4 }]'
        self.assertIn("4 experts are to be chosen, but layer 2 has 3", refused(each))
        self.assertFalse((self.folder / "none").exists())

    def test_what_nobody_wants_is_said(self):
        def said(routing):
            words = ["--dry-run", "--set", f"phases.sparse.routing={routing}"]
            return self.said("train", self.config, "--output", self.folder / "none", *words)

        deaf = "the gate of layer 1 learns nothing"
        self.assertIn(deaf, said('{ rule = "top_k", k = 1, value = "renormalised" }'))
        for routing in ('{ rule = "top_k", k = 1, value = "probability" }', '{ rule = "top_k", k = 2 }'):
            self.assertNotIn(deaf, said(routing))
        self.assertIn("layer 2 has 3 experts, all of which are chosen", said('{ rule = "top_k", k = 4 }'))

    def test_what_cannot_be_is_refused(self):
        self.assertIn("--top-k: Value 0 not in range", self.refused("evaluate", self.trained, "--top-k", "0"))
        self.assertIn("excludes", self.refused("evaluate", self.trained, "--top-k", "1", "--gate-threshold", "0.5"))
        self.assertIn("requires --curve", self.refused("evaluate", self.trained, "--repetitions", "5"))
        self.assertIn("holds no run.h5", self.refused("evaluate", self.trained / "model.h5", "--curve"))
        dense = self.folder / "dense"
        self.said("train", self.config, "--output", dense, "--set", "network.baseline=dense_equal_widths")
        for words in (["--top-k", "1"], ["--gate-threshold", "0.5"], ["--curve"]):
            self.assertIn("no layer has a gate", self.refused("evaluate", dense, *words))


if __name__ == "__main__":
    main()

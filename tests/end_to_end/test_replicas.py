"""Replicas through the real program: the bits of one rank on any grid, from any grid to any other, and clear errors."""

import json
import tempfile
import unittest
from pathlib import Path

import h5py
from dmoe_testing import DMOE, main, run
from run_contents import differing

# Seven experts and three; batches of 50, the last of an epoch 30: of four slices of 14 rows two are short or empty.
CONFIG = """
[data]
name = "synthetic"
train_examples = 430
test_examples = 90
[[layers]]
kind = "mixture"
experts = 7
hidden = 10
gate_hidden = 6
[[layers]]
kind = "mixture"
experts = 3
hidden = 8
gate_hidden = 5
[train]
batch_size = 50
momentum = 0.9
weight_decay = 0.001
max_gradient_norm = 1.0
slices = 4
gate_slices = 8
log_every_steps = 3
[evaluation]
batch_size = 40
[[phases]]
name = "dense"
epochs = 2
balance = { rule = "margin", margin = 0.5 }
learning_rate = { schedule = "constant", start = 0.1 }
[[phases]]
name = "routed"
epochs = 1
balance = { rule = "margin", margin = 0.5 }
routing = { rule = "top_k", k = 2, noise = 0.3 }
learning_rate = { schedule = "constant", start = 0.1 }
[[phases]]
name = "lifted"
epochs = 1
balance = { rule = "none" }
routing = { rule = "threshold", probability = 0.3 }
learning_rate = { schedule = "constant", start = 0.05 }
"""
STEPS_PER_EPOCH = 9
# Replicas, the ranks of each, and who gates their rows. Gates of 4 x 2 ranks are summed by halving.
GRIDS = [
    *[(*grid, "coordinator") for grid in [(2, 1), (4, 1), (3, 1), (1, 2), (2, 2), (3, 2), (1, 7), (2, 3)]],
    *[(*grid, "rows") for grid in [(1, 2), (1, 3), (2, 2), (3, 2), (4, 2), (1, 7), (2, 4), (2, 1)]],
]


class Replicas(unittest.TestCase):
    folder: Path
    config: Path
    whole: Path

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-replicas-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.config = cls.folder / "config.toml"
        cls.config.write_text(CONFIG)
        cls.whole = cls.folder / "whole"
        process = run([DMOE, "train", cls.config, "--output", cls.whole])
        if process.returncode != 0:
            raise AssertionError(process.stderr)

    def train(self, output, replicas, ranks, *extra, status=0):
        settings = ["--set", f"comm.replicas={replicas}", *extra]
        process = run([DMOE, "train", self.config, "--output", output, *settings], ranks=ranks)
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        return process.stdout if status == 0 else process.stderr

    def assert_as_whole(self, output):
        self.assertEqual(differing(output, self.whole, config=False), [])

    def test_bits_are_those_of_one_rank(self):
        for replicas, of_each, gating in GRIDS:
            with self.subTest(grid=f"{replicas}x{of_each}", gating=gating):
                output = self.folder / f"grid-{replicas}x{of_each}-{gating}"
                text = self.train(output, replicas, replicas * of_each, "--set", f"comm.gating={gating}")
                if replicas > 1:
                    ranks = f"{of_each} rank{'s' if of_each > 1 else ''}"
                    self.assertIn(f"{replicas * of_each} ranks: {replicas} replicas of {ranks}, 4 slices of 14", text)
                self.assertEqual("each gates rows of its own" in text, gating == "rows" and of_each > 1)
                self.assert_as_whole(output)
                with h5py.File(output / "run.h5") as file:
                    self.assertEqual(file["launches/1"].attrs["replicas"], replicas)
                    self.assertEqual(file["launches/1"].attrs["gating"], gating)

    def test_bits_do_not_need_rows_that_are_independent(self):
        """Those of a product are with AVX-512, and are not with less."""
        whole = self.folder / "whole-avx2"
        self.train(whole, 1, 1, "--set", "numerics.isa=avx2")
        for replicas, of_each, gating in [(2, 2, "coordinator"), (4, 1, "coordinator"), (2, 2, "rows")]:
            output = self.folder / f"avx2-{replicas}x{of_each}-{gating}"
            settings = ["--set", "numerics.isa=avx2", "--set", f"comm.gating={gating}"]
            self.train(output, replicas, replicas * of_each, *settings)
            self.assertEqual(differing(output, whole, config=False), [])

    def test_slices_change_bits_and_replicas_do_not(self):
        """Else the comparison above would be of nothing."""
        output = self.folder / "whole-batch"
        process = run([DMOE, "train", self.config, "--output", output, "--set", "train.slices=1"])
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("model.h5/model/layers/1/experts/weight", differing(output, self.whole, config=False))

    def test_goes_on_from_any_grid_to_any_other(self):
        for (before, before_each), (after, after_each) in [((2, 2), (1, 1)), ((1, 1), (4, 1)), ((4, 1), (2, 2)),
                                                           ((2, 2), (1, 4)), ((3, 1), (1, 7)), ((1, 3), (3, 2))]:
            gating = "rows" if before == 1 or before_each == 1 else "coordinator"  # after; before the other one
            for step in (5, 4 * STEPS_PER_EPOCH - 7):
                with self.subTest(before=f"{before}x{before_each}", after=f"{after}x{after_each}", step=step):
                    output = self.folder / f"from-{before}x{before_each}-{after}x{after_each}-{step}"
                    every = ["--set", f"checkpoint.every_steps={step}", "--set", "checkpoint.keep=1000", "--resume"]
                    other = "coordinator" if gating == "rows" else "rows"
                    self.train(output, before, before * before_each, *every, "--set", f"comm.gating={other}")
                    for path in (output / "checkpoints").iterdir():
                        if path.name != f"step-{step:08}.h5":
                            path.unlink()
                    (output / "model.h5").unlink()
                    with h5py.File(output / "run.h5", "r+") as file:
                        file["provenance"].attrs["status"] = "running"
                    text = self.train(output, after, after * after_each, "--resume", "--set", f"comm.gating={gating}")
                    self.assertIn(f"going on after step {step} of {4 * STEPS_PER_EPOCH}", text)
                    self.assert_as_whole(output)

    def test_auto_takes_the_layout_that_the_model_finds_fastest(self):
        output = self.folder / "auto"
        predicted = run([DMOE, "bench", "scale", self.config, "--ranks", "8", "--json"])
        self.assertEqual(predicted.returncode, 0, predicted.stderr)
        layouts = json.loads(predicted.stdout)["layouts"]
        # No rank is without an expert: one replica of 8 would have some.
        self.assertEqual({(one["replicas"], one["shards"]) for one in layouts}, {(2, 4), (4, 2)})
        best, other = sorted(layouts, key=lambda one: one["milliseconds"])
        process = run([DMOE, "train", self.config, "--output", output], ranks=8)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn(f"8 ranks: {best['replicas']} replicas of {best['shards']} ranks, 4 slices of 14 examples "
                      f"(model: {best['milliseconds']:.2f} ms a step, next best {other['replicas']} replicas of "
                      f"{other['shards']} ranks: {other['milliseconds']:.2f} ms)", process.stdout)  # fmt: skip
        self.assert_as_whole(output)

    def test_auto_says_no_reason_where_there_is_one_layout(self):
        dry = [DMOE, "train", self.config, "--output", self.folder / "one", "--dry-run"]
        process = run([*dry, "--set", "comm.gating=coordinator"], ranks=7)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("7 ranks, 4 slices of 14 examples\n", process.stdout)
        process = run(dry, ranks=7)
        layout = r"7 ranks, 4 slices of 14 examples(, each gates rows of its own in 8 slices)?"
        reason = r"model: [\d.]+ ms a step, next best 7 shards, (gating by rows|one gating for all): "
        self.assertRegex(process.stdout, rf"{layout} \({reason}")

    def test_what_cannot_be_is_refused_in_words(self):
        cases: list[tuple[float | str, int, list[str], str]] = [
            ("auto", 11, [], "as many as train.slices; start 10 or 12"),
            (5, 5, [], "comm.replicas is 5, but train.slices is 4"),
            (2, 3, [], "comm.replicas is 2: 3 ranks cannot be shared out to as many; start a multiple of 2"),
            (4, 1, [], "comm.replicas is 4: one rank cannot be shared out to as many; start a multiple of 4"),
            (1, 8, [], "no layer has more than 7 experts; start at most 7 ranks"),
            (2.5, 1, [], "comm.replicas must be an integer of 1 to 1000000"),
            ("some", 1, [], 'comm.replicas must be an integer of 1 to 1000000, or "auto", got "some"'),
            (0, 1, [], "comm.replicas must be an integer of 1 to 1000000"),
            (1, 1, ["--set", "train.slices=51"], "train.slices is 51, but a batch has no more than 50 examples"),
            (1, 1, ["--set", "train.slices=0"], "train.slices must be at least 1"),
            (1, 1, ["--set", "train.gate_slices=6"], "gate_slices must be a multiple of train.slices, which is 4"),
            (1, 1, ["--set", "train.gate_slices=52"], "gate_slices is 52, but a batch has no more than 50 examples"),
            (1, 1, ["--set", "comm.gating=all"], 'names an unknown gating "all"; known: auto, coordinator, rows'),
            (1, 5, ["--set", "train.gate_slices=4", "--set", "comm.gating=rows"],
             'comm.gating is "rows", but train.gate_slices is 4: each of the 5 ranks of a replica needs one'),
        ]
        for replicas, ranks, extra, message in cases:
            with self.subTest(message=message):
                output = self.folder / "refused"
                self.assertIn(message, self.train(output, replicas, ranks, *extra, status=2))
                self.assertFalse(output.exists())

    def test_numbers_that_go_wrong_end_all_replicas_with_one_message(self):
        output = self.folder / "diverged"
        error = self.train(output, 2, 4, "--set", "phases.*.learning_rate.start=1000000",
                           "--set", "train.max_gradient_norm=0", status=1)  # fmt: skip
        self.assertRegex(error, r"dmoe: step \d+, rank \d: .* is not finite")
        self.assertEqual(error.count("is not finite"), 1)
        with h5py.File(output / "run.h5") as file:
            self.assertEqual(file["provenance"].attrs["status"], "failed")

    def test_slices_are_of_the_recipe(self):
        output = self.folder / "recipe"
        self.train(output, 1, 1, "--set", "phases.3.epochs=0")
        error = self.train(output, 1, 1, "--set", "train.slices=2", "--resume", status=2)
        self.assertIn("differs from that of the run where it matters: train.slices: 4 -> 2;", error)
        error = self.train(output, 1, 1, "--set", "train.gate_slices=4", "--resume", status=2)
        self.assertIn("differs from that of the run where it matters: train.gate_slices: 8 -> 4;", error)


if __name__ == "__main__":
    main()

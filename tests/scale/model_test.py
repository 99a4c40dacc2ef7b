"""dmoe bench scale against a model of its own in Python (experiments/scaling), for many networks and layouts."""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import DMOE, main, run

sys.path.insert(0, str(Path(os.environ["DMOE_SOURCE_DIR"]) / "experiments" / "scaling"))
import model  # type: ignore[import]  # noqa: E402

MACHINE = """
name = "a test's"
[memory]
bandwidth = 1.3e10
[costs]
presenting = 2e-9
softmax = 3e-9
choosing = 5e-10
planning = 1.1e-8
[inner]
latency = 7e-7
bandwidth = 6e9
overhead = 4e-7
[outer]
latency = 5e-6
bandwidth = 1e9
overhead = 2e-6
[node]
ranks = 4
[products]
rows = [1, 16, 64, 512]
outputs = [10, 100]
inputs = [50, 1296]
forward = [0.0006, 0.004, 0.002, 0.03, 0.001, 0.01, 0.004, 0.07, 0.002, 0.02, 0.01, 0.15, 0.012, 0.12, 0.06, 0.9]
input_gradient = [0.0007, 0.005, 0.002, 0.03, 0.001, 0.01, 0.005, 0.07, 0.002, 0.02, 0.01, 0.16, 0.012, 0.13, 0.06, 1]
weight_gradient = [0.001, 0.009, 0.004, 0.05, 0.001, 0.02, 0.006, 0.09, 0.002, 0.03, 0.01, 0.17, 0.013, 0.13, 0.07, 1.1]
"""
PHASE = """
[[phases]]
name = "only"
epochs = 1
balance = {{ rule = "none" }}
learning_rate = {{ schedule = "constant", start = 0.1 }}
{routing}
"""
INPUTS, CLASSES = 144, 12


def layer(kind, experts, hidden, gate_hidden=0):
    text = f'[[layers]]\nkind = "{kind}"\nhidden = {hidden}\n'
    text += f"experts = {experts}\n" if experts > 1 or kind in ("mixture", "concatenated", "classifier_mixture") else ""
    return text + (f"gate_hidden = {gate_hidden}\n" if gate_hidden else "")


TOP_1 = 'routing = { rule = "top_k", k = 1, value = "probability" }'
TOP_2 = 'routing = { rule = "top_k", k = 2 }'
MIXTURES = layer("mixture", 4, 100, 50) + layer("mixture", 4, 100, 50)
UNEVEN = layer("mixture", 7, 30, 10) + layer("mixture", 3, 20, 8)
MANY = layer("mixture", 64, 32, 16) + layer("mixture", 64, 32, 16)
# Layers, [train], routing.
CASES = {
    "dense": (MIXTURES, "batch_size = 128\nslices = 4", ""),
    "uneven": (UNEVEN, "batch_size = 50\nslices = 7\nmomentum = 0.9\nmax_gradient_norm = 1.0", ""),
    "one": (UNEVEN, "batch_size = 50\nslices = 6", TOP_1),
    "gate_slices": (UNEVEN, "batch_size = 50\nslices = 3\ngate_slices = 12\nmax_gradient_norm = 1.0", ""),
    "gate_slices_of_many": (MANY, "batch_size = 1000\nslices = 4\ngate_slices = 64", TOP_2),
    "gate_slices_of_one": (layer("single", 1, 20) + layer("mixture", 3, 20, 8),
                           "batch_size = 64\nslices = 2\ngate_slices = 6", ""),
    "two": (MANY, "batch_size = 1024\nslices = 16", TOP_2),
    "few_rows": (MANY, "batch_size = 20\nslices = 4\nmomentum = 0.5", TOP_2),
    "one_slice": (MANY, "batch_size = 200\nslices = 1", TOP_2),
    "side_by_side": (layer("concatenated", 5, 8) + layer("mixture", 3, 20, 8), "batch_size = 64\nslices = 2", ""),
    "single": (layer("single", 1, 20) + layer("mixture", 3, 20, 8), "batch_size = 64\nslices = 2", ""),
    "classifiers": (layer("classifier_mixture", 6, 16, 8), "batch_size = 64\nslices = 4", ""),
}
RANKS = [1, 2, 3, 4, 6, 7, 8, 12, 16, 32, 64]


class Model(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.machine = self.folder / "machine.toml"
        self.machine.write_text(MACHINE)

    def config(self, name):
        layers, train, routing = CASES[name]
        path = self.folder / f"{name}.toml"
        path.write_text(f'[data]\nname = "synthetic"\n{layers}[train]\n{train}\n' + PHASE.format(routing=routing))
        return path

    def scale(self, *arguments, status=0):
        process = run([DMOE, "bench", "scale", *arguments])
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        return process.stdout if status == 0 else process.stderr

    def assert_equal(self, found, expected, where):
        for name, value in expected.items():
            if isinstance(value, dict):
                self.assert_equal(found[name], value, f"{where}.{name}")
            elif isinstance(value, str):
                self.assertEqual(found[name], value, where)
            else:
                self.assertAlmostEqual(found[name], value, delta=1e-6 * abs(value) + 1e-9, msg=f"{where}.{name}")

    def test_both_models_say_the_same_of_every_layout(self):
        self.compare_models()

    def test_and_where_products_are_made_at_once(self):
        self.machine.write_text(MACHINE + "at_once = true\n")
        self.compare_models()

    def test_and_where_messages_have_a_curve(self):
        curve = "sizes = [1024, 65536, 1000000]\none_way = [2e-6, 5e-5, 1e-4]\ncrossing = [3e-6, 9e-5, 3e-4]\n"
        self.machine.write_text(MACHINE.replace("[products]", "[outer.messages]\n" + curve + "[products]"))
        self.compare_models()

    def compare_models(self):
        for name in CASES:
            config = self.config(name)
            text = self.scale(config, "--machine", self.machine, "--inputs", INPUTS, "--classes", CLASSES, "--json",
                              "--gating", "coordinator" if name == "side_by_side" else "both",
                              "--ranks", ",".join(map(str, RANKS)))  # fmt: skip
            found = json.loads(text)
            machine = model.Machine.load(self.machine)
            work = model.Work.load(config, INPUTS, CLASSES)
            self.assertGreater(len(found["layouts"]), 5)
            for one in found["layouts"]:
                with self.subTest(case=name, layout=(one["replicas"], one["shards"], one["gating"])):
                    expected = model.predict(machine, work, one["replicas"], one["shards"], one["gating"])
                    self.assert_equal(one, expected, name)
            alone = model.predict(machine, model.Work.load(config, INPUTS, CLASSES, slices=1), 1, 1)
            self.assertAlmostEqual(found["one_rank_milliseconds"], alone["milliseconds"], delta=1e-6)

    def test_layouts_are_those_that_the_recipe_allows_and_one_of_each_is_best(self):
        found = json.loads(self.scale(self.config("uneven"), "--json", "--ranks", "8,11,14"))
        layouts = [(one["replicas"], one["shards"]) for one in found["layouts"]]
        self.assertEqual(layouts, [(2, 4), (4, 2), (2, 7), (7, 2)])
        for ranks in (8, 14):
            those = [one for one in found["layouts"] if one["ranks"] == ranks]
            best = min(those, key=lambda one: one["milliseconds"])
            self.assertEqual([one["is_best"] for one in those], [one is best for one in those])
        self.assertEqual({one["source"] for one in found["layouts"]}, {"model"})

    def test_table_says_that_nothing_is_measured(self):
        text = self.scale(self.config("uneven"), "--ranks", "2,11")
        self.assertTrue(text.startswith("model, nothing is measured: 7x30 - 3x20, 50 rows in 7 slices"), text)
        self.assertRegex(text, r"(?m)^ +2 \* (2 shards|2 replicas) ")
        self.assertRegex(text, r"(?m)^ +11   no layout")

    def test_bad_files_and_values_are_refused_in_words(self):
        config = self.config("uneven")
        broken = self.folder / "broken.toml"
        broken.write_text(MACHINE.replace("latency = 7e-7", "latency = -1"))
        cases = [
            ([config, "--machine", broken], f"{broken}:11: inner.latency must be at least 0.0, got -1.0"),
            ([config, "--machine", self.folder / "none.toml"], "none.toml: cannot read the machine: No such file"),
            ([config, "--phase", "onyl"], "--phase onyl: the config has no such phase (did you mean only?)"),
            ([config, "--ranks", "2,0"], "--ranks"),
            ([config, "--gating", "columns"], '--gating must be one of coordinator, rows, both, got "columns"'),
            ([config, "--set", "train.slices=none"], "train.slices must be an integer"),
            ([config, "--inputs", "3"], "--classes"),
            ([self.config("side_by_side"), "--gating", "rows"],
             "--gating rows: a layer of kind concatenated has no gate"),
            ([self.folder / "none.toml"], "none.toml: cannot read the config"),
        ]  # fmt: skip
        for arguments, message in cases:
            with self.subTest(message=message):
                self.assertIn(message, self.scale(*arguments, status=2))

    def test_measured_constants_serve_on_one_rank_and_on_two(self):
        for ranks in (None, 2):
            output = self.folder / f"measured-{ranks}.toml"
            process = run([DMOE, "bench", "machine", "--repetitions", "1", "--output", output], ranks=ranks)
            self.assertEqual(process.returncode, 0, process.stderr)
            self.assertEqual("not measured: mpirun -n 2" in process.stdout, ranks is None)
            machine = model.Machine.load(output)
            self.assertGreater(machine.memory, 1e8)
            found = json.loads(self.scale(self.config("dense"), "--machine", output, "--ranks", "1,2", "--json"))
            for one in found["layouts"]:
                self.assertGreater(one["milliseconds"], 0.01)

    def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(self):
        nowhere = self.folder / "missing" / "machine.toml"
        process = run([DMOE, "bench", "machine", "--output", nowhere])
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertIn(f"--output {nowhere}: there is no folder {nowhere.parent}", process.stderr)


if __name__ == "__main__":
    main()

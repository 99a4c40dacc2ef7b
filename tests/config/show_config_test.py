"""dmoe config: what it prints trains, is complete, and says where values came from: show_config_test.py."""

import json
import os
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

import h5py
import jsonschema

from dmoe_testing import DMOE, SOURCE_DIR, checked, main, run

CONFIG = """
[data]
name = "synthetic"
train_examples = 200
test_examples = 50
[[layers]]
kind = "mixture"
experts = 3
hidden = 6
gate_hidden = 4
[[layers]]
kind = "dense"
hidden = 5
[train]
momentum = 0.5
[[phases]]
name = "2"
epochs = 1
balance = { rule = "margin" }
learning_rate = { schedule = "constant" }
[[phases]]
name = "last"
epochs = 1
balance = { rule = "none" }
learning_rate = { schedule = "constant", start = 0.1 }
"""


def paths(table, prefix=""):
    """Every key below a TOML table, entries of arrays as one: "phases.balance.margin"."""
    found: set[str] = set()
    for key, value in table.items():
        path = f"{prefix}{key}"
        for one in value if isinstance(value, list) else [value]:
            found |= paths(one, path + ".") if isinstance(one, dict) else {path}
    return found


class ShowConfig(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-config-")))
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)

    def shown(self, *words):
        return checked(DMOE, "config", *words)

    def refusal(self, *words):
        process = run([DMOE, "config", *words])
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        return process.stderr

    def assert_trains(self, text):
        path = self.folder / "printed.toml"
        path.write_text(text)
        self.assertIn("a dry run", checked(DMOE, "train", path, "--output", self.folder / "none", "--dry-run"))

    def test_all_keys_and_the_least_train_as_they_are(self):
        self.assert_trains(self.shown())
        self.assert_trains(self.shown("--new"))
        self.assertLess(len(paths(tomllib.loads(self.shown("--new")))), 12)

    def test_every_text_has_every_key(self):
        effective = paths(tomllib.loads(self.shown(self.config)))
        self.assertGreater(len(effective), 35)
        self.assertLessEqual(effective, paths(tomllib.loads(self.shown())))
        everything = set(self.shown("--markdown").split("`"))
        manual = subprocess.run([DMOE, "--man-page"], text=True, capture_output=True, check=True).stdout
        schema = json.loads(self.shown("--json-schema"))["properties"]
        for path in sorted(effective):
            table, *_, key = path.split(".")
            with self.subTest(path):
                self.assertIn(path, everything)
                self.assertIn(key.replace("-", "\\-"), manual)
                self.assertIn(f'"{key}"', json.dumps(schema[table]))
                self.assertIn(key, self.shown(path))

    def test_the_manual_is_what_the_program_says(self):
        self.assertEqual((Path(SOURCE_DIR) / "docs/config.md").read_text(), self.shown("--markdown"))

    def test_the_schema_takes_every_config_of_ours_and_refuses_what_the_program_does(self):
        schema = json.loads(self.shown("--json-schema"))
        jsonschema.Draft7Validator.check_schema(schema)
        found = Path(SOURCE_DIR).glob("experiments/**/*.toml")
        others = ("grids", "presenting")  # sweeps, and the machine of bench scale
        ours = [path for path in found if not any(word in path.read_text() for word in others)]
        self.assertGreater(len(ours), 5)
        for path in ours:
            jsonschema.validate(tomllib.loads(path.read_text()), schema)
        for good, bad in (
            ("momentum = 0.5", "momentum = 1.0"),
            ("momentum = 0.5", "momentun = 0.5"),
            ("hidden = 5", "hidden = 5\nexperts = 2"),
            ('rule = "none"', 'rule = "non"'),
            ('name = "last"', ""),
            ("[train]", '[train]\nstop_after = "soon"'),
        ):
            with self.subTest(bad):
                text = CONFIG.replace(good, bad)
                with self.assertRaises(jsonschema.ValidationError):
                    jsonschema.validate(tomllib.loads(text), schema)
                self.config.write_text(text)
                self.refusal(self.config)

    def test_a_config_says_where_its_values_came_from(self):
        text = self.shown(self.config, "--set", "train.seed=7", "--set", "layers.1.hidden=8")
        self.assert_trains(text)
        for line in (
            f"momentum = 0.5                    # {self.config}:15; default 0.0",
            "seed = 7                          # --set train.seed=7; default 0",
            "hidden = 8                        # --set layers.1.hidden=8",
            "batch_size = 100                  # default",
        ):
            self.assertIn(line + "\n", text)

    def test_a_star_reaches_all_entries(self):
        values = tomllib.loads(self.shown(self.config, "--set", "layers.*.hidden=9", "--set", "phases.*.epochs=3"))
        self.assertEqual([layer["hidden"] for layer in values["layers"]], [9, 9])
        self.assertEqual([phase["epochs"] for phase in values["phases"]], [3, 3])
        refusal = self.refusal(self.config, "--set", "layers.*.experts=9")
        self.assertIn("--set layers.*.experts=9: unknown key layers.2.experts", refusal)

    def test_the_config_of_a_run_trains_again_as_it_is(self):
        first, second = self.folder / "first", self.folder / "second"
        checked(DMOE, "train", self.config, "--output", first, "--set", "train.seed=3")
        again = self.folder / "again.toml"
        again.write_text(self.shown(first))
        self.assertIn("momentum = 0.5                    # default: 0.0\n", again.read_text())
        checked(DMOE, "train", again, "--output", second)
        weights = []
        for output in (first, second):
            with h5py.File(output / "model.h5") as file:
                weights.append(file["model/layers/1/experts/weight"][:].tobytes())
        self.assertEqual(*weights)
        for file in ("run.h5", "model.h5"):
            self.assertEqual(self.shown(first / file), again.read_text())

    def test_a_key_wins_over_a_path(self):
        os.chdir(self.folder)
        checked(DMOE, "train", self.config, "--output", "train")
        self.assertIn("momentum = 0.0", self.shown("train"))
        self.assertIn("momentum = 0.5", self.shown("./train"))

    def test_one_key(self):
        self.assertEqual(
            self.shown("train.momentum"),
            "# train.momentum: share of a step that the next one repeats\n"
            "# number, 0.0 to below 1.0; on --resume: must stay; since 0.1\n"
            "[train]\nmomentum = 0.0                    # the default\n",
        )
        self.assertIn("on --resume: may change", self.shown("comm.timeout"))
        self.assertIn("hidden = 100                      # an example\n", self.shown("layers.2.hidden"))
        self.assertEqual(self.shown("data.path").count("# data.path: "), 5)
        for key in ("layers", "phases.balance", "phases.1.balance.margin", "data.name"):
            tomllib.loads(self.shown(key))

    def test_a_key_of_an_entry_is_named_as_by_set(self):
        self.assertEqual(self.shown("phases.epochs").count("# phases.epochs: "), 1)
        for entry in ("fine_tune", "2", "*", "fine tune"):
            self.assertEqual(self.shown(f"phases.{entry}.epochs"), self.shown("phases.epochs"))
            self.assertEqual(self.shown(f"phases.{entry}.balance.margin"), self.shown("phases.balance.margin"))
        self.assertEqual(self.shown("phases.fine_tune.routing.2.k"), self.shown("phases.routing.k"))
        self.assertEqual(self.shown("layers.*.hidden"), self.shown("layers.hidden"))
        self.assertEqual(self.shown("phases.2"), self.shown("phases"))
        for key in ("phases.0.epochs", "layers.first.hidden", "train.1.seed", "phases.1.2.epochs", "phases.epoch",
                    "phases..epochs", "1.train.seed", "phases.1.balance.1.margin"):
            self.assertIn(f"{key}: is no key", self.refusal(key))
        self.assertIn("phases.last.epoch: is no key (did you mean phases.epochs?)", self.refusal("phases.last.epoch"))

    def test_what_is_no_key_is_refused_with_the_nearest(self):
        self.assertIn("train.momentun: is no key (did you mean train.momentum?)", self.refusal("train.momentun"))
        self.assertIn("is a key, --set is for a config", self.refusal("train.seed", "--set", "train.seed=3"))

    def test_help_of_a_command(self):
        self.assertEqual(checked(DMOE, "help", "train"), checked(DMOE, "train", "--help"))
        self.assertEqual(checked(DMOE, "help"), checked(DMOE, "--help"))


main()

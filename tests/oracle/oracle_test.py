"""Ten and twenty steps of training on tiny images: dmoe on 1 and on 3 ranks against the oracle, and the two
against each other bit for bit.

Tolerances are those of float32 against float64 over that many steps.
"""

import json
import struct
import tempfile
import unittest
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import dmoe_testing
import oracle

CLASSES = 10
HEIGHT, WIDTH = 7, 5

# 75 training examples: batches of 16, 16, 16, 16 and 11.
BASE: dict[str, Any] = {
    "data": {"name": "jittered_mnist", "max_translation": 2, "test_seed": 5},
    "layers": [
        {"kind": "mixture", "experts": 7, "hidden": 9, "gate_hidden": 6},
        {"kind": "mixture", "experts": 3, "hidden": 8, "gate_hidden": 5},
    ],
    "train": {"seed": 3, "batch_size": 16, "momentum": 0.0, "weight_decay": 0.0, "log_every_steps": 1},
    "evaluation": {"every_epochs": 1, "batch_size": 20},
}
BALANCED = {"rule": "margin", "margin": 0.1}
PLAIN: dict[str, Any] = {
    **BASE,
    "phases": [
        {
            "name": "constrained",
            "epochs": 2,
            "balance": BALANCED,
            "learning_rate": {"schedule": "constant", "start": 1.0},
        }
    ],
}
PHASES: dict[str, Any] = {
    **BASE,
    "train": {**BASE["train"], "seed": 4294967301, "momentum": 0.5, "weight_decay": 0.001},
    "phases": [
        {
            "name": "first",
            "epochs": 1,
            "balance": BALANCED,
            "learning_rate": {"schedule": "constant", "start": 0.5},
        },
        {
            "name": "lifted",
            "epochs": 2,
            "balance": {"rule": "none"},
            "learning_rate": {"schedule": "exponential", "start": 0.5, "end": 0.05},
        },
        {
            "name": "again",
            "epochs": 1,
            "balance": BALANCED,
            "learning_rate": {"schedule": "constant", "start": 0.25},
        },
    ],
}
TOP_2 = {"rule": "top_k", "k": 2, "value": "renormalised", "noise": 0.0}
ROUTED = {
    **PHASES,
    "phases": [
        PHASES["phases"][0],
        {**PHASES["phases"][1], "routing": TOP_2, "expert_rate_factor": 1.5},
        {
            **PHASES["phases"][2],
            "expert_rate_factor": 0.5,
            "routing": [
                {**TOP_2, "k": 1, "value": "probability"},
                {"rule": "threshold", "probability": 0.3, "value": "straight_through", "noise": 0.0},
            ],
        },
    ],
}
MIXTURE = BASE["layers"][0]
# The factor is for the experts of the mixture alone.
CONCATENATED = {
    **PLAIN,
    "layers": [MIXTURE, {"kind": "concatenated", "experts": 3, "hidden": 8}],
    "phases": [{**PLAIN["phases"][0], "expert_rate_factor": 1.5}],
}
SINGLE = {**PLAIN, "layers": [MIXTURE, {"kind": "single", "hidden": 8}]}
DENSE = {**PLAIN, "layers": [{"kind": "dense", "hidden": 12}, {"kind": "dense", "hidden": 8}]}
CLASSIFIERS = {**PLAIN, "layers": [{**MIXTURE, "kind": "classifier_mixture"}]}


def toml(config):
    """The config as TOML; JSON's numbers and strings are TOML's."""

    def value(of):
        if isinstance(of, dict):
            return "{ " + ", ".join(f"{key} = {value(inner)}" for key, inner in of.items()) + " }"
        if isinstance(of, list):
            return "[" + ", ".join(map(value, of)) + "]"
        return json.dumps(of)

    lines = []
    for name, section in config.items():
        tables = section if isinstance(section, list) else [section]
        header = f"[[{name}]]" if isinstance(section, list) else f"[{name}]"
        for table in tables:
            lines += [header, *(f"{key} = {value(of)}" for key, of in table.items())]
    return "\n".join(lines) + "\n"


def write_idx(path, array):
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def make_images(folder):
    """Blobs whose place tells the class, with noise; the four idx files of MNIST."""
    random = np.random.default_rng(0)
    sets = []
    for prefix, count in (("train", 75), ("t10k", 33)):
        labels = random.integers(0, CLASSES, count).astype(np.uint8)
        images = random.integers(0, 60, (count, HEIGHT, WIDTH)).astype(np.uint8)
        for number, label in enumerate(labels):
            images[number, label % HEIGHT, label % WIDTH :] += np.uint8(180)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
        sets.append((images, labels.astype(int)))
    return sets


class Philox(unittest.TestCase):
    def test_gives_the_published_answers(self):
        """kat_vectors of Random123."""
        self.assertEqual(
            oracle.philox4x32([0] * 4, [0] * 2), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
        )
        pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
        self.assertEqual(
            oracle.philox4x32(pi, [0xA4093822, 0x299F31D0]), [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]
        )


class Training(unittest.TestCase):
    folder: Path
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-oracle-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.train, cls.test = make_images(cls.folder)

    def test_plain_sgd_in_one_phase(self):
        self.check("plain", PLAIN)

    def test_momentum_and_decay_in_three_phases(self):
        self.check("phases", PHASES)

    def test_routings_in_three_phases(self):
        self.check("routed", ROUTED)

    def test_concatenated_experts(self):
        self.check("concatenated", CONCATENATED)

    def test_a_single_expert_above_a_mixture(self):
        self.check("single", SINGLE)

    def test_a_dense_network(self):
        self.check("dense", DENSE, rank_counts=(1,))

    def test_a_mixture_of_classifiers(self):
        self.check("classifiers", CLASSIFIERS)

    def check(self, name, config, rank_counts=(1, 3)):
        config = {**config, "data": {**config["data"], "path": str(self.folder)}}
        file = self.folder / f"{name}.toml"
        file.write_text(toml(config))
        expected = oracle.Oracle(config, self.train, self.test, CLASSES)
        expected.run()
        was_masked = any(mask.any() for row in expected.rows for mask in row[3])
        self.assertEqual(was_masked, any(expected.sizes), "whether anybody was ever masked")
        results = []
        for ranks in rank_counts:
            output = self.folder / f"{name}-{ranks}"
            process = dmoe_testing.run([dmoe_testing.DMOE, "train", file, "--output", output], ranks)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
            with h5py.File(output / "run.h5") as run, h5py.File(output / "model.h5") as model:
                self.compare_run(run, expected)
                self.compare_model(model, expected)
                results.append(self.numbers(run, model))
        for result in results:
            self.assertEqual(result, results[0])
        self.assertIn("/model/layers/1/experts/", "".join(results[0]))

    def compare_run(self, run, expected):
        losses, errors, totals, masks = zip(*expected.rows)
        np.testing.assert_array_equal(run["train/step"], np.arange(1, len(losses) + 1))
        np.testing.assert_allclose(run["train/loss"], losses, rtol=1e-5)
        np.testing.assert_allclose(run["train/error"], errors, atol=1e-6)
        gated = [layer for layer, experts in enumerate(expected.sizes) if experts > 0]
        self.assertEqual(set(run["layers"] if gated else ()), {str(layer + 1) for layer in gated})
        for layer in gated:
            assignment = run[f"layers/{layer + 1}/assignment"]
            expected_totals = [row[layer] for row in totals]
            np.testing.assert_allclose(assignment["totals"], expected_totals, rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(assignment["masked"], [row[layer] for row in masks])
        evaluations = zip(*expected.evaluations)
        for name, values in zip(("test_loss", "test_error", "train_loss", "train_error"), evaluations):
            np.testing.assert_allclose(run[f"evaluation/{name}"], values, rtol=1e-5, atol=1e-6, err_msg=name)

    def compare_model(self, model, expected):
        found = set()
        model["model"].visititems(
            lambda name, item: found.add(name) if isinstance(item, h5py.Dataset) else None
        )
        self.assertEqual(found, set(expected.parameters))
        for name, value in expected.parameters.items():
            tolerance = 1e-5 * np.abs(value).max()
            np.testing.assert_allclose(model["model"][name], value, rtol=0, atol=tolerance, err_msg=name)

    def numbers(self, run, model):
        """Bytes of all that must not depend on the number of ranks."""
        parts = {}
        for root in (run["train"], run["evaluation"], run.get("layers"), model["model"]):
            if root is None:
                continue
            root.visititems(
                lambda name, item, top=root.name: parts.update({f"{top}/{name}": item[()].tobytes()})
                if isinstance(item, h5py.Dataset) and "per_second" not in name
                else None
            )
        return parts


if __name__ == "__main__":
    dmoe_testing.main()

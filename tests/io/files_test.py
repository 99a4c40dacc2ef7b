"""h5py and NumPy on the files of a small run: files_test.py WRITE_SAMPLE_RUN."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import check_run_folder
import dmoe_testing
import h5py
import numpy

WRITE_SAMPLE_RUN = sys.argv.pop(1)


def softmax(logits):
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def forward(model, x):
    """Gates of every layer and logits, as the paper writes them, in double precision."""
    gates = []
    for number in sorted(model["layers"], key=int):
        layer = {}
        model[f"layers/{number}"].visititems(
            lambda path, item: layer.update({path: item[()].astype(float)}) if isinstance(item, h5py.Dataset) else None
        )
        hidden = numpy.maximum(0, x @ layer["gate/hidden_weight"].T + layer["gate/hidden_bias"])
        g = softmax(hidden @ layer["gate/output_weight"].T + layer["gate/output_bias"])
        f = numpy.maximum(0, numpy.einsum("nhd,bd->bnh", layer["experts/weight"], x) + layer["experts/bias"])
        x = numpy.einsum("bn,bnh->bh", g, f)
        gates.append(g)
    return gates, x @ model["head/weight"][()].astype(float).T + model["head/bias"][()]


def entropy(p):
    """Nats, over the last axis."""
    return -numpy.sum(p * numpy.log(p), axis=-1)


def mutual_information(joint):
    """Nats, and divided by log N; joint (N, F)."""
    joint = joint / joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    positive = joint > 0
    nats = numpy.sum(joint[positive] * numpy.log(joint[positive] / independent[positive]))
    return [nats, nats / numpy.log(len(joint))]


class Files(unittest.TestCase):
    temporary: tempfile.TemporaryDirectory[str]
    folders: dict[int | None, Path]

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folders = {ranks: Path(cls.temporary.name) / str(ranks) for ranks in (None, 1, 2, 3, 4)}
        for ranks, folder in cls.folders.items():
            folder.mkdir()
            process = dmoe_testing.run([WRITE_SAMPLE_RUN, folder], ranks)
            if process.returncode != 0 or process.stderr:
                raise RuntimeError(f"{ranks} ranks: exit status {process.returncode}: {process.stderr}")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_are_as_documented(self):
        for ranks, folder in self.folders.items():
            with self.subTest(ranks=ranks):
                names = sorted(path.name for path in folder.iterdir())
                self.assertEqual(names, ["forward.h5", "model.h5", "run.h5"])
                self.assertEqual(check_run_folder.check_folder(folder), [])

    def test_differences_are_noticed(self):
        def remove(path):
            return lambda file: file.__delitem__(path)

        def annotate(path, name, value):
            return lambda file: file[path].attrs.__setitem__(name, value)

        def flatten(path):
            def edit(file):
                del file[path]
                file.create_dataset(path, data=numpy.zeros(4))

            return edit

        edits = {
            "run.h5: /train/loss: documented, but not": ("run.h5", remove("train/loss")),
            "not every number has all datasets": ("run.h5", remove("layers/2/assignment/totals")),
            "/notes: a dataset that is not documented": ("run.h5", lambda file: file.create_dataset("notes", data=1)),
            "/train/error: its units is '%'": ("run.h5", annotate("train/error", "units", "%")),
            "/analysis/pairs/1/joint: its shape is (4,)": ("run.h5", flatten("analysis/pairs/1/joint")),
            "/model/head/bias: its dimensions is": ("model.h5", annotate("model/head/bias", "dimensions", ["x"])),
            "model.h5: /model: its attributes is": ("model.h5", lambda file: file["model"].attrs.__delitem__("step")),
        }
        for message, (name, edit) in edits.items():
            with self.subTest(message), tempfile.TemporaryDirectory() as copy:
                shutil.copytree(self.folders[1], copy, dirs_exist_ok=True)
                with h5py.File(Path(copy) / name, "r+") as file:
                    edit(file)
                self.assertIn(message, "\n".join(check_run_folder.check_folder(copy)))

    def test_weights_are_those_of_the_network(self):
        for ranks, folder in self.folders.items():
            with self.subTest(ranks=ranks), h5py.File(folder / "model.h5") as model, h5py.File(
                folder / "forward.h5"
            ) as result:
                gates, logits = forward(model["model"], result["input"][()].astype(float))
                numpy.testing.assert_allclose(logits, result["logits"][()], rtol=0, atol=2e-5)
                for number, gate in enumerate(gates, 1):
                    numpy.testing.assert_allclose(gate, result[f"gates/{number}"][()], rtol=0, atol=2e-6)

    def test_weights_and_curves_have_the_same_bits_on_any_number_of_ranks(self):
        def bits(path, skipped):
            values = {}
            with h5py.File(path) as file:
                file.visititems(
                    lambda name, item: values.update({name: item[()].tobytes()})
                    if isinstance(item, h5py.Dataset) and not name.startswith(skipped)
                    else None
                )
            return values

        for ranks, folder in self.folders.items():
            with self.subTest(ranks=ranks):
                for name, skipped in (("model.h5", ("none",)), ("run.h5", ("launches", "train/examples_per_second"))):
                    self.assertEqual(bits(folder / name, skipped), bits(self.folders[None] / name, skipped))

    def test_analysis_follows_from_the_gates(self):
        for ranks, folder in self.folders.items():
            with self.subTest(ranks=ranks), h5py.File(folder / "run.h5") as run, h5py.File(
                folder / "forward.h5"
            ) as result:
                self.assertEqual((run["analysis"].attrs["split"], run["analysis"].attrs["examples"]), ("test", 90))
                for number in ("1", "2"):
                    self.check_layer(run[f"analysis/layers/{number}"], result[f"gates/{number}"][()], result)
                self.check_pair(run["analysis/pairs/1"], result["gates/1"][()], result["gates/2"][()], result)

    def check_layer(self, layer, gates, result):
        gates = gates.astype(float)
        experts = gates.shape[1]
        largest = numpy.eye(experts)[gates.argmax(axis=1)]
        mean_gate = gates.mean(axis=0)
        numpy.testing.assert_allclose(layer["mean_gate"][()], mean_gate, rtol=1e-12)
        self.assertEqual(layer["dead"][()].tolist(), (mean_gate < 0.01 / experts).tolist())
        for name, nats in (
            ("of_mean_gate", entropy(mean_gate / mean_gate.sum())),
            ("mean_of_gates", entropy(gates / gates.sum(axis=1, keepdims=True)).mean()),
        ):
            expected = [nats, nats / numpy.log(experts)]
            numpy.testing.assert_allclose(layer[f"entropy/{name}"][()], expected, rtol=1e-9)
        for factor, level, levels in (("class", result["label"][()], 4), ("translation", result["translation"][()], 9)):
            member = numpy.eye(levels)[level]
            by_factor = (gates.T @ member) / member.sum(axis=0)
            stored = layer[f"by_{factor}"][()].reshape(experts, levels)
            numpy.testing.assert_allclose(stored, by_factor, rtol=1e-12)
            information = layer[f"mutual_information/{factor}"]
            for row, (kind, weights) in enumerate((("soft", gates), ("hard", largest))):
                expected = mutual_information(weights.T @ member)
                numpy.testing.assert_allclose(information[kind][()], expected, rtol=1e-9, atol=1e-12)
                self.check_null(information["null"][row], weights, member)
                reached = numpy.sum(information["null"][row, :, 0] >= information[kind][0])
                self.assertAlmostEqual(information["p_value"][row], (1 + reached) / 301, places=12)

    def check_null(self, null, weights, member):
        """300 shuffles by dmoe against 300 by NumPy: the same distribution, by mean (5 standard errors of their
        difference) and spread."""
        random = numpy.random.default_rng(0)
        own = numpy.array([mutual_information(weights.T @ random.permutation(member)) for _ in range(300)])
        self.assertEqual(null.shape, own.shape)
        deviation = own[:, 0].std()
        self.assertLess(abs(null[:, 0].mean() - own[:, 0].mean()), 5 * deviation * (2 / 300) ** 0.5)
        self.assertLess(abs(numpy.log(null[:, 0].std() / deviation)), 0.3)
        numpy.testing.assert_allclose(null[:, 1], null[:, 0] / numpy.log(weights.shape[1]), rtol=1e-12)

    def check_pair(self, pair, gates, next_gates, result):
        joint = gates.T.astype(float) @ next_gates.astype(float) / len(gates)
        numpy.testing.assert_allclose(pair["joint"][()], joint, rtol=1e-12)
        numpy.testing.assert_allclose(pair["joint_rows"][()], joint / joint.sum(axis=1, keepdims=True), rtol=1e-12)
        top = pair["top_examples"]
        for i in range(gates.shape[1]):
            for j in range(next_gates.shape[1]):
                product = gates[:, i] * next_gates[:, j]  # float32, like dmoe's
                loudest = numpy.lexsort((numpy.arange(len(product)), -product))[:5]
                self.assertEqual(top["index"][i, j].tolist(), loudest.tolist())
                self.assertEqual(top["gate"][i, j].tolist(), product[loudest].tolist())
                self.assertTrue(numpy.array_equal(top["input"][i, j], result["input"][()][loudest]))


dmoe_testing.main()

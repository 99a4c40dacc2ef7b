"""Values that were never stored are refused, where HDF5 would read zeros: storage_test.py, on frames made by h5py."""

import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
from dmoe_testing import DMOE, main, run

FRAMES = 60
UTTERANCES = 6
LEVELS = ["a", "b", "c"]
FEATURES, LABELS = "/frames/features", "/frames/labels"
CONFIG = """
[data]
name = "frames"
path = "{path}"
[[layers]]
kind = "mixture"
experts = 2
hidden = 4
gate_hidden = 3
[train]
batch_size = 10
[[phases]]
name = "only"
epochs = 1
balance = {{ rule = "none" }}
learning_rate = {{ schedule = "constant", start = 0.1 }}
"""


class Storage(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-storage-")))
        chance = numpy.random.default_rng(0)
        self.features = chance.normal(size=(FRAMES, 5)).astype("f4")
        self.labels = chance.integers(0, len(LEVELS), FRAMES)

    def frames(self, name, change=None):
        """A frames file, with one of its datasets made otherwise by `change`."""
        path = self.folder / name
        with h5py.File(path, "w") as file:
            file.attrs["format"], file.attrs["format_version"] = "dmoe-frames", 1
            file[FEATURES] = self.features
            file[LABELS] = self.labels
            file[LABELS].attrs["levels"] = LEVELS
            file["utterances/first_frame"] = numpy.arange(0, FRAMES, FRAMES // UTTERANCES)
            file["utterances/split"] = numpy.arange(UTTERANCES) % 3 // 2
            file["utterances/split"].attrs["levels"] = ["train", "test"]
            if change:
                del file[FEATURES]
                change(file)
        return path

    def trained(self, path):
        config = self.folder / "config.toml"
        config.write_text(CONFIG.format(path=path))
        return run([DMOE, "train", config, "--output", self.folder / "run", "--replace"])

    def result(self, path):
        """What a training learns, of which a zero more would make another."""
        process = self.trained(path)
        self.assertEqual(process.returncode, 0, process.stderr)
        with h5py.File(self.folder / "run/model.h5") as file:
            return file["model/layers/1/experts/weight"][:].tobytes()

    def assert_refused(self, path, *words):
        process = self.trained(path)
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        for word in (path.name, FEATURES, *words):
            self.assertIn(str(word), process.stderr)

    def virtual(self, source, shape=None, rows=FRAMES):
        """Makes the first `rows` of the features virtual, of a source of that shape."""

        def change(file):
            layout = h5py.VirtualLayout(self.features.shape, "f4")
            layout[:rows] = h5py.VirtualSource(source, FEATURES, shape or self.features.shape)[:rows]
            file.create_virtual_dataset(FEATURES, layout)

        return change

    def external(self, *files):
        def change(file):
            file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", external=list(files))

        return change

    def test_what_is_stored_otherwise_trains_alike(self):
        good = self.frames("good.h5")
        expected = self.result(good)
        raw = self.folder / "features.bin"
        raw.write_bytes(self.features.tobytes())
        half = raw.stat().st_size // 2
        ways = {
            "virtual.h5": self.virtual("good.h5"),
            "twice_virtual.h5": self.virtual("virtual.h5"),
            "external.h5": self.external((str(raw), 0, half), (str(raw), half, h5py.h5f.UNLIMITED)),
            "compressed.h5": lambda file: file.create_dataset(
                FEATURES, data=self.features, chunks=(7, 3), compression="gzip", shuffle=True
            ),
        }
        for name, change in ways.items():
            with self.subTest(name):
                self.assertEqual(self.result(self.frames(name, change)), expected)

    def test_storage_that_was_never_allocated(self):
        def empty(**how):
            return lambda file: file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", **how)

        self.assert_refused(self.frames("empty.h5", empty()), "nothing was ever stored")
        self.assert_refused(self.frames("no_chunks.h5", empty(chunks=(7, 5))), "9 of its 9 chunks", "element (0, 0)")

    def test_chunks_that_were_never_written(self):
        def holes(file):
            dataset = file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", chunks=(7, 3))
            dataset[:21] = self.features[:21]
            dataset[28:] = self.features[28:]

        self.assert_refused(self.frames("holes.h5", holes), "2 of its 18 chunks", "element (21, 0)")

    def test_sources_that_are_missing_or_too_short(self):
        self.frames("good.h5")
        self.assert_refused(self.frames("no_file.h5", self.virtual("part.h5")), "'part.h5', which is missing")
        self.assert_refused(self.frames("some.h5", self.virtual("good.h5", rows=50)), "50 of its 300 elements")
        with h5py.File(self.folder / "other.h5", "w") as file:
            file["something"] = 1
        process = self.trained(self.frames("no_object.h5", self.virtual("other.h5")))
        self.assertEqual(process.returncode, 2, process.stderr)
        self.assertIn("other.h5: cannot read /frames/features: the file has no such object", process.stderr)
        with h5py.File(self.folder / "short.h5", "w") as file:
            file[FEATURES] = self.features[:10]
        self.assert_refused(self.frames("too_short.h5", self.virtual("short.h5")), "'short.h5'", "(10, 5)")

    def test_sources_that_lead_back(self):
        process = self.trained(self.frames("circle.h5", self.virtual("circle.h5")))
        self.assertEqual(process.returncode, 2, process.stderr)

    def test_raw_files_that_are_missing_or_short(self):
        raw = self.folder / "features.bin"
        raw.write_bytes(self.features.tobytes()[:-4])
        bytes_ = self.features.nbytes
        self.assert_refused(self.frames("short.h5", self.external((str(raw), 0, bytes_))), raw, "1196 bytes, 1200 are")
        raw.unlink()
        self.assert_refused(self.frames("gone.h5", self.external((str(raw), 0, bytes_))), f"raw file '{raw}' is missing")

    def test_links_to_files_that_are_missing(self):
        def link(file):
            file[FEATURES] = h5py.ExternalLink("part.h5", FEATURES)

        process = self.trained(self.frames("link.h5", link))
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("part.h5", process.stderr)

    def test_check_sees_it_too(self):
        self.result(self.frames("good.h5"))
        run_file = self.folder / "run/run.h5"
        with h5py.File(run_file, "r+") as file:
            losses = file["train/loss"]
            shape, attributes = losses.shape, dict(losses.attrs)
            del file["train/loss"]
            file.create_dataset("train/loss", shape=shape, dtype="f8").attrs.update(attributes)
        process = run([DMOE, "check", run_file])
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("/train/loss: nothing was ever stored in it", process.stderr)


main()

"""A small frames file as h5py makes it, in as many ways as people do, and what dmoe makes of it."""

import os
import subprocess
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy
from dmoe_testing import DMOE, run

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


class SmallFrames(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-frames-")))
        chance = numpy.random.default_rng(0)
        self.features = chance.normal(size=(FRAMES, 5)).astype("f4")
        self.labels = chance.integers(0, len(LEVELS), FRAMES)

    def frames(self, name: str, change: Callable[[h5py.File], object] | None = None) -> Path:
        """A frames file, which `change` then makes another."""
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
                change(file)
        return path

    def trained(self, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        config = self.folder / "config.toml"
        config.write_text(CONFIG.format(path=path))
        command = [DMOE, "train", config, "--output", self.folder / "run", "--replace"]
        return run(command, env={**os.environ, **environment})

    def result(self, path: Path, **environment: str) -> bytes:
        """What a training learns, of which a zero more would make another."""
        process = self.trained(path, **environment)
        self.assertEqual(process.returncode, 0, process.stderr)
        with h5py.File(self.folder / "run/model.h5") as file:
            weights: bytes = file["model/layers/1/experts/weight"][:].tobytes()
            return weights

    def assert_refused(self, path: Path, *words: object) -> None:
        """With one line that names the file and holds these words."""
        process = self.trained(path)
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        for word in (path.name, *words):
            self.assertIn(str(word), process.stderr)

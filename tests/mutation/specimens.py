"""Small valid files of every kind that dmoe reads."""

import gzip
import random
import struct

import h5py
import numpy
from dmoe_testing import DMOE, run

NETWORK = """
[[layers]]
kind = "mixture"
experts = 3
hidden = 5
gate_hidden = 4
[[layers]]
kind = "mixture"
experts = 2
hidden = 4
gate_hidden = 3
[train]
seed = 7
batch_size = 20
momentum = 0.5
log_every_steps = 3
[evaluation]
every_epochs = 1
batch_size = 50
[[phases]]
name = "constrained"
epochs = 2
balance = { rule = "margin", margin = 5.0 }
learning_rate = { schedule = "constant", start = 0.3 }
[[phases]]
name = "lifted"
epochs = 1
balance = { rule = "none" }
learning_rate = { schedule = "exponential", start = 0.3, end = 0.1 }
[checkpoint]
every_steps = 4
keep = 3
"""
SYNTHETIC = """[data]
name = "synthetic"
classes = 4
train_examples = 120
test_examples = 40
max_translation = 1
"""
SWEEP = """ranks = 1
analyze = { top = 3 }
launcher = "mpirun -n {ranks}"
[[grids]]
config = ["config.toml"]
network.baseline = ["none", "single"]
train.seed = [0, 1]
[[grids]]
config = "config.toml"
phases.lifted.epochs = 2
"""
PREFIXES = {"train": 60, "t10k": 30}  # of idx files, and how many examples


def data_config(name, path):
    return f'[data]\nname = "{name}"\npath = "{path}"\n'


def write_idx(folder):
    """Four files of 6 x 7 images, half of them zipped."""
    chance = random.Random(1)
    for prefix, count in PREFIXES.items():
        images = struct.pack(">4I", 0x803, count, 6, 7) + chance.randbytes(count * 42)
        labels = struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels, mtime=0))


def write_frames(path):
    """Ten utterances of twelve frames, with factors of both kinds."""
    values = numpy.random.default_rng(1)
    levels = {"frames/labels": ["sil", "aa", "ae"], "utterances/split": ["train", "test"]}
    levels |= {"frames/factors/previous": ["sil", "aa", "ae"], "utterances/factors/speaker": ["ann", "bob"]}
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "dmoe-frames", 1
        file["frames/features"] = values.standard_normal((120, 5)).astype("f4")
        file["frames/labels"] = values.integers(3, size=120)
        file["frames/factors/previous"] = values.integers(3, size=120).astype("u1")
        file["utterances/first_frame"] = numpy.arange(0, 120, 12)
        file["utterances/split"] = numpy.arange(10) % 3 // 2
        file["utterances/factors/speaker"] = numpy.arange(10) % 2
        for name, names in levels.items():
            file[name].attrs["levels"] = names


def succeed(command):
    process = run(command)
    if process.returncode != 0:
        raise RuntimeError(f"{command}: exit status {process.returncode}: {process.stderr}")


def make(folder):
    """Into a folder: run/ (finished, analysed), begun/ (stopped, two checkpoints), config.toml and frames.toml with
    frames.h5, idx.toml with idx/, sweep.toml."""
    (folder / "config.toml").write_text(SYNTHETIC + NETWORK)
    (folder / "sweep.toml").write_text(SWEEP)
    (folder / "idx").mkdir()
    write_idx(folder / "idx")
    write_frames(folder / "frames.h5")
    (folder / "idx.toml").write_text(data_config("mnist", "idx") + NETWORK)
    (folder / "frames.toml").write_text(data_config("frames", "frames.h5") + "context = 1\n" + NETWORK)
    config = folder / "config.toml"
    succeed([DMOE, "train", config, "--output", folder / "run"])
    succeed([DMOE, "analyze", folder / "run", "--permutations", "3", "--top", "2"])
    # Taken from its end, as a stop that falls on a step cannot be had from outside.
    succeed([DMOE, "train", config, "--output", folder / "begun"])
    begun = folder / "begun"
    (begun / "model.h5").unlink()
    max((begun / "checkpoints").iterdir()).unlink()
    with h5py.File(begun / "run.h5", "r+") as file:
        file["provenance"].attrs["status"] = "interrupted"

"""Writes a dmoe-frames file; src/data/frames_file.hpp documents the layout."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from speech import corpus, features
from speech.features import Floats
from speech.phones import CLASSES
from speech.voices import VOICES

CHUNK_BYTES = 2**20
h5py.get_config().track_order = True  # factors keep their order


def dmoe_version() -> str:
    """Of the repository that this script is part of."""
    lists = Path(__file__).resolve().parents[2] / "CMakeLists.txt"
    found = re.search(r"VERSION (\d+\.\d+\.\d+)\s", lists.read_text().split("project(", 1)[1])
    assert found is not None
    return found.group(1)


def put(file: h5py.File, path: str, values: NDArray[Any], units: str, dimensions: Iterable[str],
        levels: Iterable[str] | None = None) -> None:
    """A dataset as all files of dmoe have them; `levels` are the names of its codes."""
    row_bytes = values[:1].nbytes
    chunk = (min(len(values), max(1, CHUNK_BYTES // row_bytes)), *values.shape[1:])
    dataset = file.create_dataset(path, data=values, chunks=chunk, fletcher32=True)
    dataset.attrs["units"] = units
    dataset.attrs["dimensions"] = list(dimensions)
    if levels is not None:
        dataset.attrs["levels"] = list(levels)


def normalization(utterances: list[corpus.Utterance]) -> tuple[Floats, Floats]:
    """Mean and standard deviation (BINS) of the training split's features, float64."""
    training = np.concatenate([u.features for u in utterances if corpus.SPLITS[u.split] == "train"])
    return training.mean(axis=0, dtype=np.float64), training.std(axis=0, dtype=np.float64)


def write(path: Path, utterances: list[corpus.Utterance], options: corpus.Options, origin: str) -> None:
    """The file of these utterances, grouped by split; complete or not at all."""
    utterances = sorted(utterances, key=lambda utterance: utterance.split)  # keeps the order within a split
    mean, deviation = normalization(utterances)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with h5py.File(partial, "w", libver=("v108", "v108")) as file:
            write_contents(file, utterances, mean, deviation, options)
            file.attrs["origin"] = origin
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def write_contents(file: h5py.File, utterances: list[corpus.Utterance], mean: Floats, deviation: Floats,
                   options: corpus.Options) -> None:
    file.attrs["format"] = "dmoe-frames"
    file.attrs["format_version"] = 1
    file.attrs["dmoe_version"] = dmoe_version()
    file.attrs["frame_step_seconds"] = features.STEP / features.RATE
    file.attrs["window_seconds"] = features.WINDOW / features.RATE

    frames = np.concatenate([u.features for u in utterances])
    put(file, "frames/features", ((frames - mean) / deviation).astype(np.float32), "1", ["frame", "bin"])
    previous, labels, following = np.concatenate([u.labels for u in utterances], axis=1)
    put(file, "frames/labels", labels, "class", ["frame"], CLASSES)
    put(file, "frames/factors/previous_phone", previous, "class", ["frame"], CLASSES)
    put(file, "frames/factors/next_phone", following, "class", ["frame"], CLASSES)

    lengths = [len(u.features) for u in utterances]
    put(file, "utterances/first_frame", np.cumsum([0, *lengths[:-1]]), "frames", ["utterance"])
    factors = {
        "split": corpus.SPLITS,
        "factors/speaker": [voice.name for voice in VOICES],
        "factors/vocal_tract": [f"{tract:g}" for tract in corpus.TRACTS],
        "factors/rate": list(corpus.RATES),
        "factors/noise": [f"{decibel:g} dB" for decibel in options.noise],
    }
    for name, levels in factors.items():
        field = name.removeprefix("factors/").removeprefix("vocal_")
        codes = np.array([getattr(u, field) for u in utterances], dtype=np.int32)
        put(file, f"utterances/{name}", codes, "level", ["utterance"], levels)

    # What was subtracted from the logarithms and what they were divided by: from the training split.
    put(file, "normalization/mean", mean, "nats", ["bin"])
    put(file, "normalization/deviation", deviation, "nats", ["bin"])

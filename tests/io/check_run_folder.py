"""Compares every dataset and attribute of a run folder's run.h5 and model.h5 with the documented layout.

check_run_folder.py RUN prints one line for each difference and exits 1 where there is any.
"""

import re
import sys
from pathlib import Path

import h5py
import numpy

TEXT = "text"
FLOAT = "<f8"
WEIGHT = "<f4"
COUNT = "<i8"

# path: (type, shape, dimensions, units). Letters stand for numbers, one and the same in a file; # for a layer, launch
# or factor. A letter with the layer's number behind it (N1, H1, ..) is that layer's; + is the number of the next layer.
COMMON = {
    "config": (TEXT, "", [], "TOML"),
    "data/example_shape": (COUNT, "A", ["axis"], "1"),
    "data/train/class_counts": (COUNT, "C", ["class"], "examples"),
    "data/test/class_counts": (COUNT, "C", ["class"], "examples"),
}

RUN = COMMON | {
    "launches/#/timing/phases": (TEXT, "Q", ["phase"], "text"),
    "launches/#/timing/seconds": (FLOAT, "P# Q", ["rank", "phase"], "s"),
    "launches/#/timing/parts": (TEXT, "q", ["part"], "text"),
    "launches/#/timing/part_seconds": (FLOAT, "P# q", ["rank", "part"], "s"),
    "train/step": (COUNT, "T", ["interval"], "steps"),
    "train/epoch": (COUNT, "T", ["interval"], "epochs"),
    "train/phase": (COUNT, "T", ["interval"], "1"),
    "train/loss": (FLOAT, "T", ["interval"], "nats"),
    "train/error": (FLOAT, "T", ["interval"], "1"),
    "train/learning_rate": (FLOAT, "T", ["interval"], "1"),
    "train/examples_per_second": (FLOAT, "T", ["interval"], "examples/s"),
    "evaluation/epoch": (COUNT, "K", ["evaluation"], "epochs"),
    "evaluation/test_loss": (FLOAT, "K", ["evaluation"], "nats"),
    "evaluation/test_error": (FLOAT, "K", ["evaluation"], "1"),
    "evaluation/train_loss": (FLOAT, "K", ["evaluation"], "nats"),
    "evaluation/train_error": (FLOAT, "K", ["evaluation"], "1"),
    "layers/#/assignment/step": (COUNT, "T", ["interval"], "steps"),
    "layers/#/assignment/totals": (FLOAT, "T N#", ["interval", "expert"], "examples"),
    "layers/#/assignment/masked": (FLOAT, "T N#", ["interval", "expert"], "1"),
}
VALIDATION = {
    "data/validation/class_counts": (COUNT, "C", ["class"], "examples"),
    "evaluation/validation_loss": (FLOAT, "K", ["evaluation"], "nats"),
    "evaluation/validation_error": (FLOAT, "K", ["evaluation"], "1"),
}
INFORMATION = (FLOAT, "2", ["nats_and_normalized"], "nats; 1")


def of_factor(name, levels, axes):
    """What an analysis holds of one factor."""
    information = f"analysis/layers/#/mutual_information/{name}"
    return {
        f"analysis/layers/#/by_{name}": (FLOAT, f"N# {levels}", ["expert", *axes], "1"),
        f"{information}/soft": INFORMATION,
        f"{information}/hard": INFORMATION,
        f"{information}/null": (FLOAT, "2 R 2", ["soft_and_hard", "permutation", "nats_and_normalized"], "nats; 1"),
        f"{information}/p_value": (FLOAT, "2", ["soft_and_hard"], "1"),
    }


def top_examples(path, shape, dimensions):
    """The top examples of combinations of experts along these axes."""
    shape, dimensions = f"{shape} S", [*dimensions, "rank"]
    return {
        f"{path}/top_examples/index": (COUNT, shape, dimensions, "1"),
        f"{path}/top_examples/gate": (WEIGHT, shape, dimensions, "1"),
        f"{path}/top_examples/input": (WEIGHT, f"{shape} D", [*dimensions, "input"], "1"),
    }


ANALYSIS = {
    "analysis/config": (TEXT, "", [], "TOML"),
    "analysis/layers/#/mean_gate": (FLOAT, "N#", ["expert"], "1"),
    "analysis/layers/#/dead": (COUNT, "N#", ["expert"], "1"),
    "analysis/layers/#/entropy/of_mean_gate": INFORMATION,
    "analysis/layers/#/entropy/mean_of_gates": INFORMATION,
} | of_factor("class", "C", ["class"])
TRANSLATION = of_factor("translation", "X X", ["row_translation", "column_translation"])
ONE_LAYER = top_examples("analysis/layers/#", "N#", ["expert"])
PAIR_AXES = ["expert", "next_expert"]
PAIRS = {
    "analysis/pairs/#/joint": (FLOAT, "N# N+", PAIR_AXES, "1"),
    "analysis/pairs/#/joint_rows": (FLOAT, "N# N+", PAIR_AXES, "1"),
} | top_examples("analysis/pairs/#", "N# N+", PAIR_AXES)
MODEL = COMMON | {
    "model/layers/#/experts/weight": (WEIGHT, "N# H# D#", ["expert", "hidden", "input"], "1"),
    "model/layers/#/experts/bias": (WEIGHT, "N# H#", ["expert", "hidden"], "1"),
    "model/layers/#/gate/hidden_weight": (WEIGHT, "G# D#", ["gate_hidden", "input"], "1"),
    "model/layers/#/gate/hidden_bias": (WEIGHT, "G#", ["gate_hidden"], "1"),
    "model/layers/#/gate/output_weight": (WEIGHT, "N# G#", ["expert", "gate_hidden"], "1"),
    "model/layers/#/gate/output_bias": (WEIGHT, "N#", ["expert"], "1"),
    "model/head/weight": (WEIGHT, "C Z", ["class", "input"], "1"),
    "model/head/bias": (WEIGHT, "C", ["class"], "1"),
}

ROOT = {"format": str, "format_version": int, "format_minor": int, "dmoe_version": str}
SPLIT = {"inputs": str, "labels": str}
DATA = {
    "data": {
        "train_examples": int, "validation_examples": int, "test_examples": int, "folder": str, "classes": int},
    "data/train": SPLIT,
    "data/test": SPLIT,
}  # fmt: skip
RUN_ATTRIBUTES = DATA | {
    "": ROOT,
    "provenance": {
        "version": str, "git_commit": str, "seed": int, "start_time": str, "end_time": str, "status": str},
    "network": {"layers": str, "inputs": int, "classes": int, "parameters": int, "multiply_accumulates": int},
    "network/layers/#": {
        "kind": str, "experts": int, "hidden": int, "gate_hidden": int, "inputs": int, "outputs": int},
    "launches/#": {
        "command_line": str, "hosts": list, "mpi_library": str, "ranks": int, "replicas": int, "gating": str,
        "threads": int,        "cpu": str,
        "instruction_set": str, "compiler": str, "start_time": str, "wall_seconds": float, "first_step": int},
    "analysis": {"split": str, "examples": int, "permutation_seed": int},
}  # fmt: skip
MODEL_ATTRIBUTES = DATA | {
    "": ROOT,
    "provenance": {"version": str, "git_commit": str},
    "model": {"step": int, "epoch": int, "phase": int, "checksum": int},
    "model/layers/#": {"kind": str},
}
MORE_ATTRIBUTES = {"train/phase": {"names"}, "config": {"crc32"}}  # attributes of a dataset beyond units and dimensions

NUMBERED = re.compile(r"^((?:\w+/)*?(?:layers|launches|pairs))/(\d+)(?=/|$)")


def pattern_and_number(path):
    """("layers/#/assignment/step", "2") of "layers/2/assignment/step"; the number of other paths is ""."""
    match = NUMBERED.match(path)
    return (NUMBERED.sub(r"\1/#", path), match.group(2)) if match else (path, "")


def kind_of(value):
    if isinstance(value, str):
        return str
    if isinstance(value, numpy.integer):
        return int
    if isinstance(value, numpy.floating):
        return float
    return list if isinstance(value, numpy.ndarray) and all(type(v) is str for v in value) else type(value)


class Check:
    """One file against its table; `differences` lists what is not as documented."""

    def __init__(self, path, datasets, attributes):
        self.differences = []
        self.name = Path(path).name
        self.letters = {}
        with h5py.File(path, "r") as self.file:
            self.check_datasets(datasets)
            self.check_attributes(attributes)

    def differs(self, place, what):
        self.differences.append(f"{self.name}: /{place}: {what}")

    def expect(self, place, what, found, expected):
        if found != expected:
            self.differs(place, f"its {what} is {found!r}, documented is {expected!r}")

    def items(self, kind):
        paths = []
        self.file.visititems(lambda path, item: paths.append(path) if isinstance(item, kind) else None)
        return paths

    def check_datasets(self, table):
        seen: dict[str, list] = {}
        for path in self.items(h5py.Dataset):
            pattern, number = pattern_and_number(path)
            seen.setdefault(pattern, []).append(number)
            if pattern not in table:
                self.differs(path, "a dataset that is not documented")
                continue
            self.check_dataset(path, number, *table[pattern])
        for pattern in table:
            if pattern not in seen:
                self.differs(pattern, "documented, but not in the file")
        for stem in {p.split("#")[0] for p in table if "#" in p}:
            numbers = {p: seen.get(p) for p in table if p.startswith(stem + "#")}
            for pattern, found in numbers.items():
                expected = [str(i + 1) for i in range(len(found or []))]
                self.expect(pattern, "numbers", sorted(found or []), sorted(expected))
            if len({tuple(found or []) for found in numbers.values()}) > 1:
                self.differs(stem, f"not every number has all datasets: {numbers}")

    def check_dataset(self, path, number, dtype, shape, dimensions, units):
        dataset = self.file[path]
        if dtype == TEXT:
            self.expect(path, "type", h5py.check_string_dtype(dataset.dtype) is not None, True)
        else:
            self.expect(path, "type", dataset.dtype.str, dtype)
            self.expect(path, "checksum", dataset.fletcher32, dataset.size > 0)
        letters = shape.replace("#", number).replace("+", str(int(number or 0) + 1)).split()
        if len(letters) != len(dataset.shape):
            self.differs(path, f"its shape is {dataset.shape}, documented is ({', '.join(letters)})")
            return
        for letter, extent in zip(letters, dataset.shape):
            expected = int(letter) if letter.isdigit() else self.letters.setdefault(letter, extent)
            self.expect(path, f"{letter} in shape {dataset.shape}", extent, expected)
        self.expect(path, "units", dataset.attrs.get("units"), units)
        found = dataset.attrs.get("dimensions")
        self.expect(path, "dimensions", None if found is None else list(found), dimensions)
        extra = set(dataset.attrs) - {"units", "dimensions"} - MORE_ATTRIBUTES.get(path, set())
        self.expect(path, "further attributes", extra, set())

    def check_attributes(self, table):
        for path in ["", *self.items(h5py.Group)]:
            group = self.file[path or "/"]
            found = {name: kind_of(value) for name, value in group.attrs.items()}
            self.expect(path, "attributes", found, table.get(pattern_and_number(path)[0], {}))
        for pattern in table:
            place = pattern_and_number(pattern.replace("#", "1"))[0].replace("#", "1").strip("/")
            if place not in self.file and pattern:
                self.differs(pattern, "documented, but not in the file")


def check_run_file(path):
    with h5py.File(path, "r") as file:
        datasets = dict(RUN)
        attributes = dict(RUN_ATTRIBUTES)
        if "evaluation/validation_loss" in file:
            datasets |= VALIDATION
            attributes["data/validation"] = SPLIT
        if "analysis" in file:
            datasets |= ANALYSIS
            if "analysis/layers/1/by_translation" in file:
                datasets |= TRANSLATION
            datasets |= ONE_LAYER if len(file["analysis/layers"]) == 1 else PAIRS if "pairs" in file["analysis"] else {}
            if "pairs" in file["analysis"]:
                attributes["analysis/pairs/#"] = {"next_layer": int}
        else:
            del attributes["analysis"]
    check = Check(path, datasets, attributes)
    with h5py.File(path, "r") as file:
        check.expect("", "format", file.attrs["format"], "dmoe-run")
        check_run_values(check, file)
    return check.differences


def check_run_values(check, file):
    """What the numbers of a finished run must satisfy, whatever was trained."""
    provenance = file["provenance"].attrs
    check.expect("provenance", "status", provenance["status"], "finished")
    for name in ("start_time", "end_time"):
        iso = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", provenance[name])
        check.expect("provenance", f"{name} in ISO 8601", iso is not None, True)
    phases = file["train/phase"]
    check.expect("train/phase", "range", set(phases[()]) <= set(range(len(phases.attrs["names"]))), True)
    check.expect("train/step", "order", bool(numpy.all(numpy.diff(file["train/step"][()]) > 0)), True)
    for name in ("train/error", "evaluation/test_error", "evaluation/train_error"):
        inside = (file[name][()] >= 0) & (file[name][()] <= 1)
        check.expect(name, "range 0 to 1", bool(numpy.all(inside)), True)
    for launch in file["launches"].values():
        check.expect(launch.name[1:], "ranks", launch["timing/seconds"].shape[0], launch.attrs["ranks"])
        check.expect(launch.name[1:], "hosts", len(launch.attrs["hosts"]), launch.attrs["ranks"])
        names = [name.decode() for name in launch["timing/phases"][()]]
        check.expect(launch.name[1:], "phases", names, ["compute", "communication", "waiting", "data", "io"])
    for layer in file["layers"].values():
        step = layer["assignment/step"][()]
        check.expect(layer.name[1:], "steps", step.tolist(), file["train/step"][()].tolist())
        masked = layer["assignment/masked"][()]
        check.expect(layer.name[1:], "masked range", bool(numpy.all((masked >= 0) & (masked <= 1))), True)


def check_model_file(path):
    with h5py.File(path, "r") as file:
        held_out = {name: row for name, row in VALIDATION.items() if name.startswith("data/") and name in file}
    check = Check(path, MODEL | held_out, MODEL_ATTRIBUTES | ({"data/validation": SPLIT} if held_out else {}))
    with h5py.File(path, "r") as file:
        check.expect("", "format", file.attrs["format"], "dmoe-model")
        for layer in file["model/layers"].values():
            check.expect(layer.name[1:], "kind", layer.attrs["kind"], "mixture")
            weight = layer["experts/weight"]
            check.expect(weight.name[1:], "chunk", weight.chunks, (1, *weight.shape[1:]))
    return check.differences


def check_folder(folder):
    """One line for every difference of the run in `folder` from the documented layout."""
    folder = Path(folder)
    differences = check_run_file(folder / "run.h5") + check_model_file(folder / "model.h5")
    with h5py.File(folder / "run.h5", "r") as run, h5py.File(folder / "model.h5", "r") as model:
        if run["config"][()] != model["config"][()]:
            differences.append("/config differs between run.h5 and model.h5")
    return differences


if __name__ == "__main__":
    found = check_folder(sys.argv[1])
    print("\n".join(found) if found else f"{sys.argv[1]}: as documented")
    sys.exit(1 if found else 0)

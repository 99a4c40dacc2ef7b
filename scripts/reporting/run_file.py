"""Reads a run's run.h5 (layout: src/io/run_summary.hpp and src/io/analysis_file.hpp)."""
import pathlib
import tomllib

import h5py
import numpy as np

from reporting import words
from reporting.run import AnalysedLayer, Assignment, Factor, Launch, Pair, ReportError, Run, TopExamples

NEWEST_FORMAT = 1


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def attributes(item):
    """Plain Python values of all attributes of a group or dataset."""
    return {name: [text(v) for v in value.tolist()] if isinstance(value, np.ndarray)
            else text(value.item() if isinstance(value, np.generic) else value) for name, value in item.attrs.items()}


def columns(group):
    return {name: data[...] for name, data in group.items() if isinstance(data, h5py.Dataset)}


def numbered(parent, path):
    """(number, group) of the children of a group that may be absent, in order."""
    group = parent.get(path, {})
    return [(int(name), group[name]) for name in sorted(group, key=int)]


def read_top(group):
    if "top_examples" not in group:
        return None
    return TopExamples(**columns(group["top_examples"]))


def read_factor(group, name):
    by_factor = group[f"by_{name}"]
    information = group[f"mutual_information/{name}"]
    return Factor(name, attributes(by_factor)["dimensions"][1:], by_factor[...], float(information["soft"][1]),
                  float(information["hard"][1]), tuple(information["p_value"][...] if "p_value" in information else ()),
                  information["null"].shape[1] if "null" in information else 0)


def read_layer(number, group):
    mean_gate = group["mean_gate"][...]
    dead = group["dead"][...] != 0 if "dead" in group else mean_gate < 0.01 / len(mean_gate)
    entropies = [float(group["entropy"][name][1]) if "entropy" in group else None
                 for name in ("of_mean_gate", "mean_of_gates")]
    factors = [read_factor(group, name) for name in group.get("mutual_information", {})]
    factors.sort(key=lambda factor: (-len(factor.axes), factor.name != "class", factor.name))  # where, then what
    return AnalysedLayer(number, mean_gate, dead, factors, *entropies, read_top(group))


def read_launch(group):
    timing = columns(group["timing"]) if "timing" in group else {"phases": [], "seconds": np.zeros((0, 0))}
    return Launch(attributes(group), [text(name) for name in timing["phases"]], timing["seconds"])


def count_parameters(path):
    """All numbers of a model file; None where there is none."""
    sizes = []
    try:
        with h5py.File(path, "r") as file:
            file["model"].visititems(
                lambda _, item: sizes.append(item.size) if isinstance(item, h5py.Dataset) else None)
    except (OSError, KeyError):
        return None
    return sum(sizes)


def read_network(file, config, folder):
    """What Run says of the network; older files know less of it."""
    known = attributes(file["network"]) if "network" in file else {}
    return {"network": known.get("layers") or words.network(config),
            "inputs": known.get("inputs"), "classes": known.get("classes"),
            "parameters": known.get("parameters") or count_parameters(folder / "model.h5"),
            "multiply_accumulates": known.get("multiply_accumulates")}


def level_names(run, factor):
    """What the levels of a factor of a frames file are called, where that file is in reach; else []."""
    if run.config["data"]["name"] != "frames":
        return []
    places = ["frames/labels"] if factor == "class" else [f"{of}/factors/{factor}" for of in ("frames", "utterances")]
    try:
        with h5py.File(run.config["data"]["path"], "r") as file:
            found = next((file[place] for place in places if place in file), None)
            return [text(level) for level in found.attrs["levels"]] if found is not None else []
    except (OSError, KeyError):
        return []


def check_format(file, path):
    kind = text(file.attrs.get("format", "of another program"))
    if kind != "dmoe-run":
        raise ReportError(f"{path} is no run file, its format is '{kind}'; give the folder of a run")
    version = int(file.attrs["format_version"])
    if version > NEWEST_FORMAT:
        raise ReportError(f"{path} has format_version {version}, this report reads up to {NEWEST_FORMAT}: "
                          "take the scripts of a newer dmoe")


def read_run(given):
    """The run of a folder, or of its run.h5. Throws ReportError."""
    path = pathlib.Path(given)
    path = path / "run.h5" if path.is_dir() else path
    if not path.is_file():
        raise ReportError(f"{path} does not exist; give the folder of a run (dmoe train CONFIG --output RUN)")
    try:
        with h5py.File(path, "r") as file:
            check_format(file, path)
            analysis = file.get("analysis", {})
            config_text = text(file["config"][()])
            config = tomllib.loads(config_text)
            return Run(
                folder=path.parent, name=path.resolve().parent.name, config_text=config_text,
                config=config, provenance=attributes(file["provenance"]),
                dmoe_version=text(file.attrs["dmoe_version"]),
                launches=[read_launch(group) for _, group in numbered(file, "launches")],
                train=columns(file["train"]), phases=attributes(file["train/phase"])["names"],
                evaluation=columns(file["evaluation"]),
                assignments=[Assignment(number, **columns(group["assignment"]))
                             for number, group in numbered(file, "layers") if "assignment" in group],
                examples=int(analysis.attrs["examples"]) if analysis else None,
                split=text(analysis.attrs["split"]) if analysis else "",
                layers=[read_layer(number, group) for number, group in numbered(analysis, "layers")],
                pairs=[Pair(number, group["joint_rows"][...], read_top(group))
                       for number, group in numbered(analysis, "pairs")],
                **read_network(file, config, path.parent))
    except OSError as error:
        raise ReportError(f"{path} cannot be read as an HDF5 file: {str(error).splitlines()[0]}") from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ReportError(f"{path} is no complete run file: {error}") from error


def read_runs(given):
    """Runs with names that tell them apart. Throws ReportError."""
    runs = [read_run(path) for path in given]
    names = [run.name for run in runs]
    for run in runs:
        if names.count(run.name) > 1:
            run.name = str(run.folder)
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise ReportError(f"{name} is given {names.count(name)} times; each run once")
    return runs

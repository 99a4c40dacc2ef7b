"""Reads a run's run.h5 (layout: docs/run-file.md, analysis_file.hpp and cost_file.hpp beside it)."""
import pathlib
import tomllib
from collections.abc import Container, Iterable
from typing import Any

import h5py
import numpy as np

from reporting import words
from reporting.architecture import of_older_run, of_run
from reporting.run import (ROUTINGS, STATUSES, AnalysedLayer, Assignment, Columns, Cost, Factor, Launch, Pair,
                           ReportError, Run, TopExamples, time_of)
from reporting.words import Config

NEWEST_FORMAT = 1
NUMBERS_OF_COST = ("setting", "error", "loss", "multiply_accumulates", "seconds")


def text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def attributes(item: h5py.HLObject) -> dict[str, Any]:
    """Plain Python values of all attributes of a group or dataset."""
    return {name: [text(v) for v in value.tolist()] if isinstance(value, np.ndarray)
            else text(value.item() if isinstance(value, np.generic) else value) for name, value in item.attrs.items()}


def columns(group: h5py.Group) -> Columns:
    return {name: data[...] for name, data in group.items() if isinstance(data, h5py.Dataset)}


def numbered(parent: h5py.Group, path: str) -> list[tuple[int, h5py.Group]]:
    """(number, group) of the children of a group that may be absent, in order."""
    group = parent.get(path, {})
    return [(int(name), group[name]) for name in sorted(group, key=int)]


def read_top(group: h5py.Group) -> TopExamples | None:
    if "top_examples" not in group:
        return None
    return TopExamples(**columns(group["top_examples"]))


def read_factor(group: h5py.Group, name: str) -> Factor:
    by_factor = group[f"by_{name}"]
    information = group[f"mutual_information/{name}"]
    about = attributes(by_factor)
    return Factor(name, about["dimensions"][1:], by_factor[...], float(information["soft"][1]),
                  float(information["hard"][1]), tuple(information["p_value"][...] if "p_value" in information else ()),
                  information["null"].shape[1] if "null" in information else 0, about.get("levels", []))


def read_layer(number: int, group: h5py.Group) -> AnalysedLayer:
    mean_gate = group["mean_gate"][...]
    dead = group["dead"][...] != 0 if "dead" in group else mean_gate < 0.01 / len(mean_gate)
    evenness, softness = [float(group["entropy"][name][1]) if "entropy" in group else None
                          for name in ("of_mean_gate", "mean_of_gates")]
    factors = [read_factor(group, name) for name in group.get("mutual_information", {})]
    factors.sort(key=lambda factor: (-len(factor.axes), factor.name != "class", factor.name))  # where, then what
    return AnalysedLayer(number, mean_gate, dead, factors, evenness, softness, read_top(group))


def read_pair(number: int, group: h5py.Group) -> Pair:
    next_number = attributes(group).get("next_layer", number + 1)
    return Pair(number, next_number, group["joint_rows"][...], read_top(group))


def read_launch(group: h5py.Group) -> Launch:
    timing = columns(group["timing"]) if "timing" in group else {"phases": np.array([]), "seconds": np.zeros((0, 0))}
    parts = timing.get("parts", np.array([])), timing.get("part_seconds", np.zeros((0, 0)))  # none in the first runs
    return Launch(
        attributes(group),
        [text(name) for name in timing["phases"]],
        timing["seconds"],
        [text(name) for name in parts[0]],
        parts[1],
    )


def count_parameters(path: pathlib.Path) -> int | None:
    """All numbers of a model file; None where there is none."""
    sizes: list[int] = []
    try:
        with h5py.File(path, "r") as file:
            file["model"].visititems(
                lambda _, item: sizes.append(item.size) if isinstance(item, h5py.Dataset) else None)
    except (OSError, KeyError):
        return None
    return sum(sizes)


def read_network(file: h5py.File, config: Config, folder: pathlib.Path) -> dict[str, Any]:
    """What Run says of the network; older files know less of it."""
    known = attributes(file["network"]) if "network" in file else {}
    inputs, classes, network = known.get("inputs"), known.get("classes"), known.get("layers") or words.network(config)
    typed = [attributes(layer) for _, layer in numbered(file, "network/layers")]
    for number, layer in enumerate(typed, start=1):
        check_names(f"/network/layers/{number}", layer, NEEDED_OF_LAYER)
    return {"network": network,
            "architecture": of_run(inputs, classes, typed) if typed else of_older_run(inputs, classes, network, config),
            "inputs": inputs, "classes": classes,
            "parameters": known.get("parameters") or count_parameters(folder / "model.h5"),
            "multiply_accumulates": known.get("multiply_accumulates")}


def read_classes_not_trained(file: h5py.File) -> list[str]:
    """What Run says of classes without a training example."""
    if "data/train/class_counts" not in file:
        return []
    counts = file["data/train/class_counts"][...]
    names = [text(name) for name in file["data/levels/class"]] if "data/levels/class" in file else range(len(counts))
    return [str(name) for name, count in zip(names, counts) if count == 0]


def config_of(group: h5py.Group) -> Config | None:
    """The config that a group was made with; None where it does not tell."""
    return tomllib.loads(text(group["config"][()])) if "config" in group else None


def read_analysis(group: h5py.Group) -> dict[str, Any]:
    """What Run says of the analysis; `group` is {} without one."""
    about = attributes(group) if group else {}
    return {"examples": about["examples"] if group else 0, "split": about["split"] if group else "",
            "groups": about.get("groups"),
            "analysis_config": config_of(group),
            "layers": [read_layer(number, layer) for number, layer in numbered(group, "layers")],
            "pairs": [read_pair(number, pair) for number, pair in numbered(group, "pairs")],
            "data_differences": list(about.get("data_differences", []))}


def read_cost(group: h5py.Group) -> Cost | None:
    """None where there is no `group`. Throws ValueError."""
    if group is None:
        return None
    if not isinstance(group, h5py.Group):
        raise ValueError("/cost is no group")
    about, held = attributes(group), columns(group)
    facts, numbers = ("split", "examples", "ranks", "repetitions"), NUMBERS_OF_COST
    check_names("/cost", about, facts)
    check_names("/cost", held, ("routing", *numbers))
    if len({held[name].shape for name in ("routing", *numbers)}) > 1 or held["routing"].ndim != 1:
        raise ValueError("the columns of /cost are not of one length")
    measured: dict[str, Any] = {name: held[name].astype(float) for name in numbers}
    cost = Cost(**{name: about[name] for name in facts}, routing=[text(name) for name in held["routing"]],
                **measured, step=about.get("step"),
                instruction_set=about.get("instruction_set"), config=config_of(group),
                data_differences=list(about.get("data_differences", [])))
    check_cost(cost)
    return cost


# --- what a report needs -----------------------------------------------------------------------------------------

NEEDED_OF = {
    "config": ("data", "layers", "phases"),
    "provenance": ("version", "git_commit", "seed", "start_time", "status"),
    "train": ("step", "epoch", "phase", "loss", "error", "learning_rate", "examples_per_second"),
    "evaluation": ("epoch", "test_loss", "test_error", "train_loss", "train_error"),
}
NEEDED_OF_LAUNCH = ("command_line", "hosts", "mpi_library", "ranks", "threads", "cpu", "instruction_set", "compiler")
NEEDED_OF_LAYER = ("kind", "experts", "hidden", "gate_hidden", "inputs")


def check_names(place: str, held: Container[str], needed: Iterable[str]) -> None:
    missing = [name for name in needed if name not in held]
    if missing:
        raise ValueError(f"{place} lacks {words.listed(missing)}")


def check_cost(cost: Cost) -> None:
    """Throws ValueError."""
    unknown = [name for name in cost.routing if name not in ROUTINGS]
    if unknown:
        raise ValueError(f"a routing in /cost is '{unknown[0]}', expected {words.listed(ROUTINGS, 'or')}")
    if cost.routing.count("all") != 1:
        raise ValueError(f"/cost has {cost.routing.count('all')} rows of all experts, expected 1")
    if cost.examples < 1:
        raise ValueError(f"/cost is of {words.counted(cost.examples, 'example')}, expected at least 1")
    settings = cost.setting[np.arange(len(cost.routing)) != cost.of_all]
    if not all(np.isfinite(column).all() for column in (settings, cost.error, cost.multiply_accumulates, cost.seconds)):
        raise ValueError("/cost holds numbers that are not finite")
    if cost.multiply_accumulates.min() <= 0 or cost.seconds.min() <= 0:
        raise ValueError("/cost has a row without multiply-accumulates or without time")


def check_run(run: Run) -> None:
    """Throws ValueError where a report would have to stop half-way."""
    for place, needed in NEEDED_OF.items():
        check_names(f"/{place}", getattr(run, place), needed)
    check_names("/config, data", run.config["data"], ("name",))
    for phase in run.config["phases"]:
        check_names("/config, phases", phase, ("name", "epochs"))
    for number, launch in enumerate(run.launches, start=1):
        check_names(f"/launches/{number}", launch.about, NEEDED_OF_LAUNCH)
    for place in ("train", "evaluation"):
        if len({len(column) for column in getattr(run, place).values()}) > 1:
            raise ValueError(f"the columns of /{place} are not of one length")
    if np.max(run.train["phase"], initial=-1) >= len(run.phases):
        raise ValueError(f"/train/phase counts beyond its {words.counted(len(run.phases), 'name')}")
    if run.provenance["status"] not in STATUSES:
        raise ValueError(f"the status in /provenance is '{run.provenance['status']}', "
                         f"expected {words.listed(STATUSES, 'or')}")
    for about in (run.provenance, *(launch.about for launch in run.launches)):
        for name in ("start_time", "end_time"):
            if about.get(name):
                time_of(about[name])
    run.steps_per_epoch


def check_format(file: h5py.File, path: pathlib.Path) -> None:
    kind = text(file.attrs.get("format", "of another program"))
    if kind != "dmoe-run":
        raise ReportError(f"{path} is no run file, its format is '{kind}'; give the folder of a run")
    version = int(file.attrs["format_version"])
    if version > NEWEST_FORMAT:
        raise ReportError(f"{path} has format_version {version}, this report reads up to {NEWEST_FORMAT}: "
                          "take the scripts of a newer dmoe")


def read_run(given: str | pathlib.Path) -> Run:
    """The run of a folder, or of its run.h5. Throws ReportError."""
    path = pathlib.Path(given)
    path = path / "run.h5" if path.is_dir() else path
    if not path.is_file():
        raise ReportError(f"{path} does not exist; give the folder of a run (dmoe train CONFIG --output RUN)")
    try:
        with h5py.File(path, "r") as file:
            check_format(file, path)
            config_text = text(file["config"][()])
            config = tomllib.loads(config_text)
            check_names("/config", config, NEEDED_OF["config"])
            run = Run(
                folder=path.parent, name=path.resolve().parent.name, config_text=config_text,
                config=config, provenance=attributes(file["provenance"]),
                dmoe_version=text(file.attrs["dmoe_version"]),
                launches=[read_launch(group) for _, group in numbered(file, "launches")],
                train=columns(file["train"]), phases=attributes(file["train/phase"])["names"],
                evaluation=columns(file["evaluation"]),
                assignments=[Assignment(number, **columns(group["assignment"]))
                             for number, group in numbered(file, "layers") if "assignment" in group],
                data=attributes(file["data"]) if "data" in file else {},
                classes_not_trained=read_classes_not_trained(file), cost=read_cost(file.get("cost")),
                **read_analysis(file.get("analysis", {})), **read_network(file, config, path.parent))
            check_run(run)
            return run
    except OSError as error:
        raise ReportError(f"{path} cannot be read as an HDF5 file: {str(error).splitlines()[0]}") from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ReportError(f"{path} is no complete run file: {error}") from error


def read_runs(given: Iterable[str | pathlib.Path]) -> list[Run]:
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

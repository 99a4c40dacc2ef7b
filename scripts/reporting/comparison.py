"""Several runs side by side: those whose configs differ in train.seed alone are one group, measured over its seeds."""
import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable

from reporting import words
from reporting.run import Run
from reporting.words import Config

# What the network and the column of epochs already say.
SAID = ("kind", "experts", "hidden", "epochs", "name")
MOST_DIFFERENCES = 4  # named in a group's label

Flat = dict[str, object]  # a config as flat() makes it
Measure = Callable[[Run], float | None]  # a number of a run, where it has it


def is_done(run: Run) -> bool:
    return run.is_finished and run.last("test_error") is not None


@dataclasses.dataclass
class Group:
    label: str  # network, and what sets it apart from the first group
    epochs: str  # "8 + 4"
    runs: list[Run]

    @property
    def of_seeds(self) -> list[Run]:
        """A run for each seed: of several the first that is done, or else the first."""
        found: dict[int, Run] = {}
        for run in sorted(self.runs, key=lambda run: not is_done(run)):
            found.setdefault(run.provenance["seed"], run)
        return list(found.values())

    @property
    def counted(self) -> list[Run]:
        """The runs that count for means."""
        return list(filter(is_done, self.of_seeds))


@dataclasses.dataclass
class Spread:
    """Of one number over the runs of a group that have it."""

    values: list[float]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation; None of a single value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def spread(runs: list[Run], measure: Measure) -> Spread:
    values = [measure(run) for run in runs]
    return Spread([value for value in values if value is not None and math.isfinite(value)])


def flat(config: object, prefix: str = "") -> Flat:
    """{"phases.constrained.epochs": 8, ..}: lists by their names, or counted from 1."""
    items: Iterable[tuple[object, object]]
    if isinstance(config, dict):
        items = config.items()
    elif isinstance(config, list):
        items = ((item.get("name", i) if isinstance(item, dict) else i, item) for i, item in enumerate(config, 1))
    else:
        return {prefix: config}
    found: Flat = {}
    for key, value in items:
        found |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def without_seed(run: Run) -> Flat:
    keys = flat(run.config)
    keys.pop("train.seed", None)
    return keys


def epochs_of(config: Config) -> str:
    return " + ".join(str(phase["epochs"]) for phase in config["phases"])


def setting(keys: Flat, key: str) -> str:
    name = key.removeprefix("phases.")
    return f"{name} = {keys[key]}" if key in keys else f"without {name}"


def phases_of(run: Run) -> dict[str, Config]:
    """{"constrained": {..}, ..}, routings in words."""
    return {phase["name"]: {**phase, "routing": words.routings(phase.get("routing", {}))}
            for phase in run.config["phases"]}


def phase_differences(run: Run, first: Run) -> list[str]:
    """New phases and other routings, then all else of phases that differs from those of the same name or place."""
    ours, others = phases_of(run), phases_of(first)
    by_place = dict(zip(ours, others.values()))
    routings, rest = [], []
    for name, phase in ours.items():
        like = others.get(name, by_place.get(name, {}))
        routing = f" with {phase['routing']}"
        if name not in others:
            routings.append(f"phase {name}" + ("" if phase["routing"] == words.ALL_EXPERTS else routing))
        elif phase["routing"] != like["routing"]:
            routings.append(name + routing)
        keys, reference = flat(phase), flat(like)
        rest += [f"{name}.{setting(keys, key)}" for key in keys
                 if keys[key] != reference.get(key) and key not in (*SAID, "routing")]
    return routings + rest


def label(run: Run, first: Run) -> str:
    """The network, then what else differs from the first group's run and is not said in a column."""
    keys, reference = without_seed(run), without_seed(first)
    changed = [key for key in keys if keys[key] != reference.get(key) and not key.startswith("phases.")
               and key != "network.baseline" and not (key.startswith("layers") and key.rpartition(".")[2] in SAID)]
    if "data.name" in changed:  # its settings go without saying
        changed = [key for key in changed if not key.startswith("data.") or key == "data.name"]
    parts = [run.network]
    if run.architecture.gates not in ("", first.architecture.gates):
        parts.append(run.architecture.gates)
    differences = [setting(keys, key) for key in changed if not key.endswith(".gate_hidden")]
    differences += phase_differences(run, first)
    parts += differences[:MOST_DIFFERENCES]
    if len(differences) > MOST_DIFFERENCES:
        parts.append(f"and {len(differences) - MOST_DIFFERENCES} more")
    missing = [key for key in reference if key not in keys]
    if missing and len(parts) == 1 and not any(key.startswith("layers") for key in missing):
        parts.append(f"without {words.listed(missing[:MOST_DIFFERENCES])}")
    return ", ".join(parts)


def told_apart(labels: Iterable[str], keys_of: list[Flat]) -> list[str]:
    """The labels; equal ones with the settings that tell those groups apart. keys_of: the flat config of each."""
    labels = list(labels)
    for text in {text for text in labels if labels.count(text) > 1}:
        alike = [place for place, other in enumerate(labels) if other == text]
        for key in dict.fromkeys(key for place in alike for key in keys_of[place]):
            longer = {place: f"{labels[place]}, {setting(keys_of[place], key)}" for place in alike}
            if len(set(longer.values())) > len({labels[place] for place in alike}):
                for place in alike:
                    labels[place] = longer[place]
    return labels


def groups_of(runs: list[Run]) -> list[Group]:
    """In the order in which they are first met."""
    found: list[tuple[Flat, list[Run]]] = []
    for run in runs:
        keys = without_seed(run)
        members = next((members for other, members in found if other == keys), None)
        if members is None:
            found.append((keys, [run]))
        else:
            members.append(run)
    labels = told_apart((label(members[0], runs[0]) for _, members in found), [keys for keys, _ in found])
    return [Group(text, epochs_of(members[0].config), members) for text, (_, members) in zip(labels, found)]


def counted(runs: list[Run]) -> list[Run]:
    return [run for group in groups_of(runs) for run in group.counted]


def set_apart(runs: list[Run]) -> list[Run]:
    """Those analysed on other examples than their own test set, where not all were analysed on the same."""
    ways = {run.analysed_otherwise for run in runs if run.is_analysed}
    return [run for run in runs if run.analysed_otherwise] if len(ways) > 1 else []


def notes(runs: list[Run]) -> list[str]:
    """What a reader must know before comparing."""
    found = []
    unfinished = [run.name for run in runs if not run.is_finished]
    if unfinished:
        found.append(f"Not finished, so not in the means: {words.listed(unfinished)}.")
    chosen = [run.name for group in groups_of(runs) for run in group.of_seeds]
    repeated = [run.name for run in runs if is_done(run) and run.name not in chosen]
    if repeated:
        found.append(f"Of the same config and seed as another run, so not counted again: {words.listed(repeated)}.")
    apart = [f"{run.name} ({run.analysed_otherwise})" for run in set_apart(runs)]
    if apart:
        found.append("Not analysed on their own test sets, so without mutual information here: "
                     f"{words.listed(apart)}.")
    elif any(run.analysed_otherwise for run in runs):
        other = next(run.analysed_otherwise for run in runs if run.is_analysed)
        found.append(f"All mutual information is of {other}.")
    return found


def information(runs: list[Run], layer_number: int, factor_name: str) -> Measure:
    """A measure: I / log N of a layer and a factor, None where a run lacks it or has it of other examples."""
    apart = {run.name for run in set_apart(runs)}

    def measure(run: Run) -> float | None:
        if run.name in apart:
            return None
        factors = [factor for layer in run.layers if layer.number == layer_number for factor in layer.factors]
        return next((factor.soft for factor in factors if factor.name == factor_name), None)
    return measure


def pairs_of(runs: list[Run]) -> list[tuple[int, str]]:
    """(layer, factor) that any run was analysed for, in order."""
    found: dict[tuple[int, str], None] = {}
    for run in runs:
        for layer in run.layers:
            for factor in layer.factors:
                found[layer.number, factor.name] = None
    return sorted(found, key=lambda pair: (pair[0], pair[1] != "translation", pair[1] != "class", pair[1]))

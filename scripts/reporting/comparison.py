"""Several runs side by side: those whose configs differ in train.seed alone are one group, measured over its seeds."""
import dataclasses
import math
import statistics

from reporting import words

# What the network and the column of epochs already say.
SAID = ("kind", "experts", "hidden", "epochs", "name")
MOST_DIFFERENCES = 4  # named in a group's label


@dataclasses.dataclass
class Group:
    label: str  # network, and what sets it apart from the first group
    epochs: str  # "8 + 4"
    runs: list

    @property
    def finished(self):
        """The runs that count for means."""
        return [run for run in self.runs if run.is_finished and run.last("test_error") is not None]


@dataclasses.dataclass
class Spread:
    """Of one number over the runs of a group that have it."""

    values: list

    @property
    def mean(self):
        return statistics.fmean(self.values) if self.values else None

    @property
    def deviation(self):
        """Sample standard deviation; None of a single value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def spread(runs, measure):
    values = [measure(run) for run in runs]
    return Spread([value for value in values if value is not None and math.isfinite(value)])


def flat(config, prefix=""):
    """{"phases.constrained.epochs": 8, ..}: lists by their names, or counted from 1."""
    if isinstance(config, dict):
        items = config.items()
    elif isinstance(config, list):
        items = ((item.get("name", i) if isinstance(item, dict) else i, item) for i, item in enumerate(config, 1))
    else:
        return {prefix: config}
    found = {}
    for key, value in items:
        found |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def without_seed(run):
    keys = flat(run.config)
    keys.pop("train.seed", None)
    return keys


def epochs_of(config):
    return " + ".join(str(phase["epochs"]) for phase in config["phases"])


def label(run, keys, reference):
    """The network, then what else differs from the first group and is not said in a column."""
    changed = [key for key in keys if keys[key] != reference.get(key) and key != "network.baseline"
               and not (key.startswith(("layers", "phases")) and key.endswith(SAID))]
    if "data.name" in changed:  # its settings go without saying
        changed = [key for key in changed if not key.startswith("data.") or key == "data.name"]
    parts = [run.network]
    if any(key.endswith("gate_hidden") for key in changed) and words.gates(run.config):
        parts.append(words.gates(run.config))
    rest = [key for key in changed if not key.endswith("gate_hidden")]
    parts += [f"{key.removeprefix('phases.')} = {keys[key]}" for key in rest[:MOST_DIFFERENCES]]
    if len(rest) > MOST_DIFFERENCES:
        parts.append(f"and {len(rest) - MOST_DIFFERENCES} more")
    missing = [key for key in reference if key not in keys]
    if missing and len(parts) == 1 and not any(key.startswith("layers") for key in missing):
        parts.append(f"without {words.listed(missing[:MOST_DIFFERENCES])}")
    return ", ".join(parts)


def groups_of(runs):
    """In the order in which they are first met."""
    found = []  # (keys, runs)
    for run in runs:
        keys = without_seed(run)
        members = next((members for other, members in found if other == keys), None)
        if members is None:
            found.append((keys, [run]))
        else:
            members.append(run)
    return [Group(label(members[0], keys, found[0][0]), epochs_of(members[0].config), members)
            for keys, members in found]


def information(layer_number, factor_name):
    """A measure: I / log N of a layer and a factor, None where a run lacks it."""
    def measure(run):
        return next((factor.soft for layer in run.layers if layer.number == layer_number
                     for factor in layer.factors if factor.name == factor_name), None)
    return measure


def pairs_of(runs):
    """(layer, factor) that any run was analysed for, in order."""
    found = {}
    for run in runs:
        for layer in run.layers:
            for factor in layer.factors:
                found[layer.number, factor.name] = None
    return sorted(found, key=lambda pair: (pair[0], pair[1] != "translation", pair[1] != "class", pair[1]))

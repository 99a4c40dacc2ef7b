"""What a run holds, in memory; run_file.py reads it.

Parts that do not apply are absent from the file, and empty here: a layer that is no mixture has no assignment and no
analysis, a run that has just begun no evaluations. Layers count from 1, experts from 0.
"""
import dataclasses
import datetime
import math
import pathlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reporting import words
from reporting.architecture import Architecture
from reporting.words import Config

STATUSES = ("running", "finished", "interrupted", "failed")
ROUTINGS = ("top_k", "threshold", "all")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]  # name -> (rows), each of a type of its own


class ReportError(Exception):
    """A mistake of the caller, in one line: which file, what is wrong, what to do."""


def time_of(text: str) -> datetime.datetime:
    """Of ISO 8601. Throws ValueError."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@dataclasses.dataclass
class Factor:
    """What one layer's experts have to do with one known factor of the examples."""

    name: str
    axes: list[str]  # names of the axes of its levels: ["class"], ["row_translation", "column_translation"]
    mean_gate: Floats  # (N, levels..), NaN where a level has no examples
    soft: float  # I(expert; factor) / log N, from the gates
    hard: float  # the same from the largest gate
    p_values: tuple[float, ...]  # of soft and hard; () where no permutation was made
    permutations: int
    names: list[str]  # of the levels, flat; [] where they have none

    @property
    def most(self) -> float:
        """What I / log N cannot exceed: I is at most log N, and at most the log of the number of levels met."""
        experts, levels = len(self.mean_gate), int((~np.isnan(self.mean_gate).all(axis=0)).sum())
        return min(1.0, math.log(levels) / math.log(experts)) if min(experts, levels) > 1 else 0.0

    @property
    def strength(self) -> float:
        """I as a part of that bound. Where the examples are spread unevenly over the levels, less is possible."""
        return self.soft / self.most if self.most else 0.0


@dataclasses.dataclass
class TopExamples:
    index: Integers  # (.., n), -1 where there are fewer examples
    gate: NDArray[np.float32]  # (.., n)
    input: NDArray[np.float32]  # (.., n, D)


@dataclasses.dataclass
class AnalysedLayer:
    number: int
    mean_gate: Floats  # (N)
    dead: Booleans  # (N)
    factors: list[Factor]
    evenness: float | None  # entropy of the mean gate / log N: 1 where all experts are used alike
    softness: float | None  # mean entropy of the gates / log N: 0 where one expert takes each example
    top: TopExamples | None

    @property
    def experts(self) -> int:
        return len(self.mean_gate)

    def most_used(self, count: int) -> list[int]:
        """The `count` experts with the largest mean gate, in order; all where there are fewer."""
        return sorted(int(expert) for expert in np.argsort(-self.mean_gate, kind="stable")[:count])


@dataclasses.dataclass
class Pair:
    """Layers `number` and `next_number`, the next with a gate."""

    number: int
    next_number: int
    joint_rows: Floats  # (N, N'), rows sum to 1
    top: TopExamples | None


@dataclasses.dataclass
class Assignment:
    number: int
    step: Integers  # (T)
    totals: Floats  # (T, N), examples
    masked: Floats  # (T, N), fraction of the steps since the last row


@dataclasses.dataclass
class Cost:
    """One trained model under many routings: how well it does, and what an example costs."""

    split: str
    examples: int
    ranks: int
    repetitions: int
    routing: list[str]  # (R), of ROUTINGS; "all" once
    setting: Floats  # (R), k or the threshold; NaN of "all"
    error: Floats  # (R), fraction
    loss: Floats  # (R), nats
    multiply_accumulates: Floats  # (R), of an example in the mean
    seconds: Floats  # (R), of the forward passes over all examples
    step: int | None  # of the model; these three None in a file that does not tell
    instruction_set: str | None
    config: Config | None  # that it was measured with
    data_differences: list[str]  # from the data of the run, in words

    @property
    def of_all(self) -> int:
        """The row of the dense mixture, which computes all experts."""
        return self.routing.index("all")

    @property
    def microseconds(self) -> Floats:
        """(R), of an example."""
        return 1e6 * self.seconds / self.examples


@dataclasses.dataclass
class Launch:
    about: dict[str, Any]  # command_line, hosts, mpi_library, ranks, threads, cpu, instruction_set, compiler; of newer
    # files start_time, first_step and, where it goes on with other settings, config_changes
    activities: list[str]
    seconds: Floats  # (ranks, activities)
    parts: list[str]  # of the first activity, which is what is computed
    part_seconds: Floats  # (ranks, parts)

    def detailed(self) -> tuple[list[str], Floats]:
        """Parts, the rest of what is computed, and the other activities: names, and (ranks, names) seconds."""
        if not self.part_seconds.size:
            return self.activities, self.seconds
        rest = self.seconds[:, :1] - self.part_seconds.sum(axis=1, keepdims=True)
        names = [*self.parts, "other computing", *self.activities[1:]]
        return names, np.hstack([self.part_seconds, rest, self.seconds[:, 1:]])


@dataclasses.dataclass
class Run:
    folder: pathlib.Path
    name: str  # of the folder; made unique where several are reported
    config_text: str
    config: Config
    provenance: dict[str, Any]
    dmoe_version: str
    launches: list[Launch]
    train: Columns  # name -> (T)
    phases: list[str]  # names, in the order of the phase numbers of the rows
    evaluation: Columns  # name -> (K)
    assignments: list[Assignment]
    data: dict[str, int]  # train_examples, validation_examples, test_examples; {} of an older file
    classes_not_trained: list[str]  # names or numbers of those without a training example; [] of an older file
    examples: int  # analysed; 0 without an analysis
    split: str  # analysed; "" without an analysis
    groups: int | None  # that the analysed examples come in (utterances); None where each stands for itself
    analysis_config: Config | None  # None of an older file
    data_differences: list[str]  # in what the analysed data are not those of the run, in words
    layers: list[AnalysedLayer]  # analysed ones, in order; [] without an analysis
    pairs: list[Pair]
    network: str  # "4x100 - 4x100": of a baseline, what became of the config's layers
    architecture: Architecture
    inputs: int | None
    classes: int | None
    parameters: int | None
    multiply_accumulates: int | None  # of one forward pass of one example, all experts computed
    cost: Cost | None  # None where it was not measured

    @property
    def is_analysed(self) -> bool:
        return bool(self.layers)

    @property
    def is_finished(self) -> bool:
        return bool(self.provenance["status"] == "finished")

    @property
    def epochs(self) -> int:
        """Of the last evaluation."""
        return int(self.evaluation["epoch"][-1]) if len(self.evaluation["epoch"]) else 0

    @property
    def steps_per_epoch(self) -> float:
        """Of an older file from the rows, which count epochs from 0: exact once a row ends an epoch."""
        if self.data.get("train_examples"):
            return float(math.ceil(self.data["train_examples"] / self.config["train"]["batch_size"]))
        return float(np.max(self.train["step"] / (self.train["epoch"] + 1))) if len(self.train["step"]) else 1.0

    @property
    def seconds(self) -> float | None:
        """Of the last launch, from start to end; None while it goes on."""
        started = [launch.about["start_time"] for launch in self.launches if "start_time" in launch.about]
        start, end = (started or [self.provenance["start_time"]])[-1], self.provenance.get("end_time")
        return (time_of(end) - time_of(start)).total_seconds() if end else None

    @property
    def seconds_of_all(self) -> float | None:
        """Of all the training; None where it was resumed, as nothing tells how long a killed launch went on."""
        return self.seconds if len(self.launches) < 2 else None

    @property
    def test_examples(self) -> int | None:
        """None where the files do not tell."""
        known = self.data.get("test_examples") or self.config["data"].get("test_examples")
        return known or (self.examples if self.split and not self.analysed_otherwise else None)

    @property
    def analysed_with(self) -> list[str]:
        """Settings of the data that are not those of the training: ["data.test = dev"]."""
        return self.other_data(self.analysis_config)

    def other_data(self, config: Config | None) -> list[str]:
        """As analysed_with, of a config; [] of None."""
        ours = self.config["data"]
        theirs = ours if config is None else config.get("data", {})
        return [f"data.{key} = {theirs[key]}" if key in theirs else f"no data.{key}"
                for key in ours | theirs if ours.get(key) != theirs.get(key)]

    @property
    def analysed_otherwise(self) -> str:
        """What was analysed in place of the run's own test set: "the test split with data.test = dev"; else ""."""
        if self.split in ("", "test") and not self.analysed_with:
            return ""
        return f"the {self.split} split" + (f" with {words.listed(self.analysed_with)}" if self.analysed_with else "")

    @property
    def analysed_examples(self) -> str:
        """"10,000 test examples"."""
        settings = f" (with {words.listed(self.analysed_with)})" if self.analysed_with else ""
        return f"{words.grouped(self.examples)} {self.split} examples{settings}"

    def last(self, name: str) -> float | None:
        """The last evaluation's `name`; None before the first."""
        values = self.evaluation.get(name)
        return float(values[-1]) if values is not None and len(values) else None

    def sampling_error(self) -> float | None:
        """Standard error of the test error; None where it is not known, or where examples come in groups (the
        frames of an utterance), so that they are not as many independent ones."""
        if self.config["data"]["name"] == "frames" or self.groups:
            return None
        error, count = self.last("test_error"), self.test_examples
        return math.sqrt(error * (1 - error) / count) if error is not None and count else None

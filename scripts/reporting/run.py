"""What a run holds, in memory; run_file.py reads it.

Parts that do not apply are absent from the file, and empty here: a layer that is no mixture has no assignment and no
analysis, a run that has just begun no evaluations. Layers count from 1, experts from 0.
"""
import dataclasses
import datetime
import math
import pathlib

import numpy as np


class ReportError(Exception):
    """A mistake of the caller, in one line: which file, what is wrong, what to do."""


@dataclasses.dataclass
class Factor:
    """What one layer's experts have to do with one known factor of the examples."""

    name: str
    axes: list  # names of the axes of its levels: ["class"], ["row_translation", "column_translation"]
    mean_gate: np.ndarray  # (N, levels..), NaN where a level has no examples
    soft: float  # I(expert; factor) / log N, from the gates
    hard: float  # the same from the largest gate
    p_values: tuple  # of soft and hard; () where no permutation was made
    permutations: int


@dataclasses.dataclass
class TopExamples:
    index: np.ndarray  # (.., n), -1 where there are fewer examples
    gate: np.ndarray  # (.., n)
    input: np.ndarray  # (.., n, D)


@dataclasses.dataclass
class AnalysedLayer:
    number: int
    mean_gate: np.ndarray  # (N)
    dead: np.ndarray  # (N), bool
    factors: list
    evenness: float | None  # entropy of the mean gate / log N: 1 where all experts are used alike
    softness: float | None  # mean entropy of the gates / log N: 0 where one expert takes each example
    top: TopExamples | None

    @property
    def experts(self):
        return len(self.mean_gate)


@dataclasses.dataclass
class Pair:
    """Layers `number` and `number` + 1."""

    number: int
    joint_rows: np.ndarray  # (N, N'), rows sum to 1
    top: TopExamples | None


@dataclasses.dataclass
class Assignment:
    number: int
    step: np.ndarray  # (T)
    totals: np.ndarray  # (T, N), examples
    masked: np.ndarray  # (T, N), fraction of the steps since the last row


@dataclasses.dataclass
class Launch:
    about: dict  # command_line, hosts, mpi_library, ranks, threads, cpu, instruction_set, compiler
    activities: list
    seconds: np.ndarray  # (ranks, activities)


@dataclasses.dataclass
class Run:
    folder: pathlib.Path
    name: str  # of the folder; made unique where several are reported
    config_text: str
    config: dict
    provenance: dict
    dmoe_version: str
    launches: list
    train: dict  # name -> (T)
    phases: list  # names, in the order of the phase numbers of the rows
    evaluation: dict  # name -> (K)
    assignments: list
    examples: int | None  # analysed
    split: str
    layers: list  # analysed ones, in order; [] without an analysis
    pairs: list
    network: str  # "4x100 - 4x100": of a baseline, what became of the config's layers
    inputs: int | None
    classes: int | None
    parameters: int | None
    multiply_accumulates: int | None  # of one forward pass of one example

    @property
    def is_analysed(self):
        return bool(self.layers)

    @property
    def is_finished(self):
        return self.provenance["status"] == "finished"

    @property
    def epochs(self):
        """Of the last evaluation."""
        return int(self.evaluation["epoch"][-1]) if len(self.evaluation["epoch"]) else 0

    @property
    def steps_per_epoch(self):
        """From the rows, which count epochs from 0: exact once a row ends an epoch."""
        return float(np.max(self.train["step"] / (self.train["epoch"] + 1))) if len(self.train["step"]) else 1.0

    @property
    def seconds(self):
        """From start to end, None while it goes on."""
        times = [self.provenance.get(name) for name in ("start_time", "end_time")]
        if not all(times):
            return None
        start, end = (datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) for time in times)
        return (end - start).total_seconds()

    @property
    def test_examples(self):
        """None where the files do not tell."""
        if self.split == "test":
            return self.examples
        return self.config["data"].get("test_examples")

    def last(self, name):
        """The last evaluation's `name`; None before the first."""
        values = self.evaluation.get(name, ())
        return float(values[-1]) if len(values) else None

    def sampling_error(self):
        """Standard error of the test error, of as many independent examples; None where it is not known."""
        error, count = self.last("test_error"), self.test_examples
        return math.sqrt(error * (1 - error) / count) if error is not None and count else None

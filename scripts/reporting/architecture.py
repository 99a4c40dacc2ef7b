"""The network of a run, block by block: shapes and parameters, as src/model/network_spec.hpp counts them."""
import dataclasses
import re
from typing import Any

from reporting.words import Config

GATED = ("mixture", "classifier_mixture")
KINDS = (*GATED, "single", "concatenated", "dense")


@dataclasses.dataclass
class Layer:
    """N experts of H units that read D inputs, a gate of G units. Single and dense: N = 1. Not known: None."""

    number: int  # from 1
    kind: str  # mixture, single, concatenated, dense, classifier_mixture
    experts: int
    hidden: int
    gate_hidden: int  # 0 without a gate
    inputs: int | None
    classes: int | None

    @property
    def is_gated(self) -> bool:
        return self.kind in GATED

    @property
    def outputs(self) -> int | None:
        if self.kind == "classifier_mixture":
            return self.classes
        return self.experts * self.hidden if self.kind == "concatenated" else self.hidden

    @property
    def expert_parameters(self) -> int | None:
        """Of all experts together."""
        if not self.inputs or not self.outputs:
            return None
        onto_classes = self.classes * (self.hidden + 1) if self.kind == "classifier_mixture" and self.classes else 0
        return self.experts * (self.hidden * (self.inputs + 1) + onto_classes)

    @property
    def gate_parameters(self) -> int | None:
        if not self.inputs or not self.is_gated:
            return None
        return self.gate_hidden * (self.inputs + 1) + self.experts * (self.gate_hidden + 1)


@dataclasses.dataclass
class Architecture:
    inputs: int | None
    classes: int | None
    layers: list[Layer]

    @property
    def is_gated(self) -> bool:
        """Whether some layer has anything to choose from."""
        return any(layer.is_gated for layer in self.layers)

    @property
    def gates(self) -> str:
        """"gates 50 - 50", "" where no layer has one."""
        hidden = [str(layer.gate_hidden) for layer in self.layers if layer.is_gated]
        return ("gates " if len(hidden) > 1 else "gate ") + " - ".join(hidden) if hidden else ""

    @property
    def has_head(self) -> bool:
        return self.layers[-1].kind != "classifier_mixture"

    @property
    def head_parameters(self) -> int | None:
        """None where there is no head."""
        width = self.layers[-1].outputs
        return self.classes * (width + 1) if self.has_head and self.classes and width is not None else None

    @property
    def parameters(self) -> int | None:
        """None where they are not known."""
        if not self.inputs or not self.classes:
            return None
        return sum((layer.expert_parameters or 0) + (layer.gate_parameters or 0) for layer in self.layers) + \
            (self.head_parameters or 0)


def of_run(inputs: int | None, classes: int | None, layers: list[dict[str, Any]]) -> Architecture:
    """From what run.h5 says of each layer. Throws ValueError."""
    for number, spec in enumerate(layers, start=1):
        for name in ("experts", "hidden", "gate_hidden", "inputs"):
            if not isinstance(spec[name], int):
                raise ValueError(f"{name} of /network/layers/{number} is no number, but {spec[name]!r}")
        if spec["kind"] not in KINDS:
            raise ValueError(f"layer {number} is of an unknown kind, {spec['kind']!r}; known: {', '.join(KINDS)}")
    return Architecture(inputs, classes, [
        Layer(number, spec["kind"], spec["experts"], spec["hidden"], spec["gate_hidden"], spec["inputs"], classes)
        for number, spec in enumerate(layers, start=1)])


def of_older_run(inputs: int | None, classes: int | None, text: str, config: Config) -> Architecture:
    """Of a file before format_minor 2: from the layers in short ("4x100 - 100 single") and, for the gates, the config.
    Throws ValueError."""
    layers: list[Layer] = []
    width = inputs
    for number, (part, spec) in enumerate(zip(text.split(" - "), config["layers"]), start=1):
        found = re.fullmatch(r"(?:(\d+)x)?(\d+)(?: (\w+))?", part)
        if found is None:
            raise ValueError(f"'{part}' is no layer of a network, expected one such as '4x100' or '100 single'")
        experts, hidden, kind = found.groups()
        kind = kind or "mixture"
        gate = spec.get("gate_hidden", 0) if kind in GATED else 0
        layers.append(Layer(number, kind, int(experts or 1), int(hidden), gate, width, classes))
        width = layers[-1].outputs
    return Architecture(inputs, classes, layers)

"""The network of a run, block by block: shapes and parameters, as src/model/network_spec.hpp counts them."""
import dataclasses
import re

from reporting.run import Run

GATED = ("mixture", "classifier_mixture")


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


def architecture(run: Run) -> Architecture:
    """From what the program says of the layers ("4x100 - 100 single") and, for the gates, the config. Throws
    ValueError."""
    layers: list[Layer] = []
    width = run.inputs
    for number, (text, spec) in enumerate(zip(run.network.split(" - "), run.config["layers"]), start=1):
        found = re.fullmatch(r"(?:(\d+)x)?(\d+)(?: (\w+))?", text)
        if found is None:
            raise ValueError(f"'{text}' is no layer of a network, expected one such as '4x100' or '100 single'")
        experts, hidden, kind = found.groups()
        kind = kind or "mixture"
        gate = spec.get("gate_hidden", 0) if kind in GATED else 0
        layers.append(Layer(number, kind, int(experts or 1), int(hidden), gate, width, run.classes))
        width = layers[-1].outputs
    return Architecture(run.inputs, run.classes, layers)

"""Simulated ranks send what the closed form of src/distribution/traffic.hpp says, each of them: traffic_test.py.

The closed form is written out once more here, for every rank, from choices that are drawn here too. The program is
built for SimGrid's SMPI in BUILD/smpi; SMPI_PROGRAM in the environment names one that stands already.
"""

import json
import os
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

from dmoe_testing import BUILD_DIR, SOURCE_DIR, checked, main

WORD = 2**64 - 1
CLASSES = 10
FLOAT = 4


def scrambled(value: int) -> int:
    """SplitMix64, as src/simulation/drawn_top_k.cpp."""
    value = (value + 0x9E3779B97F4A7C15) & WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return value ^ (value >> 31)


def drawn(gate: int, row: int, experts: int, chosen: int) -> list[int]:
    """The experts that row `row` of a gate chooses."""
    bits = scrambled((gate << 40) + row)
    found: list[int] = []
    while len(found) < chosen:
        bits = scrambled(bits)
        expert = bits % experts
        while expert in found:
            expert = (expert + 1) % experts
        found.append(expert)
    return sorted(found)


def share(count: int, owners: int, owner: int) -> range:
    """What an owner has of experts, slices or values."""
    return range(owner * count // owners, (owner + 1) * count // owners)


def blocks(own: range, count: int) -> list[range]:
    """The maximal subtrees of a tree over `count` leaves within `own`; what is behind the last leaf goes with it."""
    width_of_all = 1
    while width_of_all < count:
        width_of_all *= 2
    end = width_of_all if own.stop == count else own.stop
    found, first = [], own.start
    while first < min(end, count):
        width = 1
        while first % (2 * width) == 0 and first + 2 * width <= end:
            width *= 2
        found.append(range(first, first + width))
        first += width
    return found


@dataclass
class Bytes:
    sent: int = 0
    received: int = 0
    reduced: int = 0


@dataclass(frozen=True)
class Run:
    ranks: int = 16
    replicas: int = 2
    slices: int = 4
    rows: int = 120
    experts: int = 20
    hidden: int = 12
    gate_hidden: int = 6
    inputs: int = 16
    layers: int = 2
    chosen: int = 2

    @property
    def group(self) -> int:
        return self.ranks // self.replicas

    def own_rows(self, replica: int) -> int:
        length = -(-self.rows // self.slices)
        own = share(self.slices, self.replicas, replica)
        return min(own.stop * length, self.rows) - min(own.start * length, self.rows)

    def width(self, layer: int) -> int:
        return self.inputs if layer == 0 else self.hidden

    def values(self, place: int) -> int:
        """Of all parameters of a rank."""
        own = len(share(self.experts, self.group, place))
        count = sum(own * self.hidden * (self.width(layer) + 1) for layer in range(self.layers))
        if place == 0:
            for layer in range(self.layers):
                count += self.gate_hidden * (self.width(layer) + 1) + self.experts * (self.gate_hidden + 1)
            count += CLASSES * (self.hidden + 1)
        return count

    def add_layer(self, of: list[Bytes], replica: int, layer: int, step: int) -> None:
        """What a layer moves in a replica, whose first rank is the coordinator."""
        rows = self.own_rows(replica)
        first = (step * self.layers + layer) * rows
        choices = [drawn(replica * self.group, first + row, self.experts, self.chosen) for row in range(rows)]
        coordinator = of[replica * self.group]
        for place in range(1, self.group):
            own = share(self.experts, self.group, place)
            down = up = 0
            down += rows * 2 * self.chosen  # choices
            needed = sum(any(expert in own for expert in chosen) for chosen in choices)
            sums = sum(
                any(expert in block for expert in chosen) for block in blocks(own, self.experts) for chosen in choices
            )
            down += needed * self.hidden  # dz
            up += sums * self.hidden  # z
            up += sum(expert in own for chosen in choices for expert in chosen)  # dg
            if layer > 0:
                down += needed * self.width(layer)
                up += sums * self.width(layer)
            coordinator.sent += FLOAT * down
            of[replica * self.group + place].received += FLOAT * down
            coordinator.received += FLOAT * up
            of[replica * self.group + place].sent += FLOAT * up

    def add_exchange(self, of: list[Bytes], replica: int, place: int) -> None:
        """Gradients to their owners, weights back."""
        values = self.values(place)

        def chunk(owner: int) -> int:
            return len(share(values, self.replicas, owner))

        def held(owner: int) -> int:
            return len(blocks(share(self.slices, self.replicas, owner), self.slices))

        others = [owner for owner in range(self.replicas) if owner != replica]
        gradients_out = held(replica) * sum(chunk(owner) for owner in others)
        gradients_in = chunk(replica) * sum(held(owner) for owner in others)
        rank = of[replica * self.group + place]
        rank.sent += FLOAT * (gradients_out + chunk(replica) * len(others))
        rank.received += FLOAT * (gradients_in + sum(chunk(owner) for owner in others))

    def closed_form(self, step: int) -> list[Bytes]:
        of = [Bytes() for _ in range(self.ranks)]
        for replica in range(self.replicas):
            for layer in range(self.layers):
                self.add_layer(of, replica, layer, step)
            for place in range(self.group):
                self.add_exchange(of, replica, place)
                of[replica * self.group + place].reduced += 8 * (self.layers * self.experts + 3)
            if self.replicas > 1:
                of[replica * self.group].reduced += 16 * self.slices
        return of


def program() -> Path:
    named = os.environ.get("SMPI_PROGRAM")
    if named:
        return Path(named)
    folder = Path(BUILD_DIR) / "smpi"
    checked("cmake", "-S", SOURCE_DIR, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DDMOE_SMPI=ON")
    checked("cmake", "--build", folder, "--target", "dmoe_smpi", timeout=1100)
    return folder / "dmoe_smpi"


def work_times(run: Run) -> str:
    """A table with all products of the network; how long they take does not matter here."""
    lines = ["work,outputs,inputs,rows,nanoseconds"]
    lines += [f"{unit},0,0,0,1" for unit in ("byte", "logit", "choice", "exponential")]
    shapes = {(run.experts, run.gate_hidden), (CLASSES, run.hidden)}
    for layer in range(run.layers):
        shapes |= {(run.hidden, run.width(layer)), (run.gate_hidden, run.width(layer))}
    for product in ("output", "input_gradient", "weight_gradient", "added_weight_gradient"):
        lines += [f"{product},{outputs},{inputs},1,100" for outputs, inputs in sorted(shapes)]
    return "\n".join(lines) + "\n"


def simulate(run: Run) -> str:
    with tempfile.TemporaryDirectory(prefix="dmoe-smpi-") as name:
        folder = Path(name)
        (folder / "work_times.csv").write_text(work_times(run))
        (folder / "hosts").write_text("".join(f"node-{rank}\n" for rank in range(run.ranks)))
        (folder / "platform.xml").write_text(
            "<?xml version='1.0'?>\n"
            '<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">\n'
            '<platform version="4.1">\n'
            f'<cluster id="cluster" prefix="node-" suffix="" radical="0-{run.ranks - 1}" speed="1Gf" bw="1GBps"'
            ' lat="1us"/>\n'
            "</platform>\n"
        )
        options = {name: value for name, value in vars(run).items() if name not in ("ranks", "chosen")}
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        return checked(
            "smpirun", "-np", run.ranks, "-platform", folder / "platform.xml", "-hostfile", folder / "hosts",
            "--cfg=smpi/simulate-computation:no", "--cfg=smpi/privatization:dlopen",
            "--cfg=smpi/shared-malloc-blocksize:67108864", "--log=root.thres:warning",
            PROGRAM, *words, "--top-k", run.chosen, "--steps", 1, "--each-rank",
            "--products", folder / "work_times.csv",
        )


PROGRAM = program()


class Traffic(unittest.TestCase):
    def check(self, run: Run) -> None:
        counted = json.loads(simulate(run))
        expected = run.closed_form(step=1)  # one comes before what counts
        for what in ("sent", "received", "reduced"):
            by_rank = [getattr(rank, what) for rank in expected]
            self.assertEqual(counted[f"bytes_{what}_by_rank"], by_rank, what)
        self.assertGreater(counted["step_ms"]["largest"], 0)

    def test_shards_and_replicas(self) -> None:
        self.check(Run())

    def test_shards_alone(self) -> None:
        self.check(Run(replicas=1, slices=1))

    def test_uneven_replicas(self) -> None:
        self.check(Run(ranks=15, replicas=3, slices=8, rows=125))

    def test_the_same_time_again(self) -> None:
        self.assertEqual(simulate(Run()), simulate(Run()))


main()

#!/usr/bin/env python3
"""The model of scale a second time, from its formulas, to check `dmoe bench scale` against.

    model.py CONFIG.toml --machine MACHINE.toml --inputs D --classes C [--ranks 1,2,4] [--gating coordinator|rows]

Written from README.md beside it and not from the C++. Letters: b rows of the replica with the most, N experts of a
layer of H units on inputs of width D, a gate of G units, E ranks of a replica, R replicas, S slices, K blocks of the
summation tree, k experts that a row chooses. Seconds and bytes.
"""

import argparse
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FLOAT = 4
INTEGER = 8
GATED = ("mixture", "classifier_mixture")
LOCAL = ("single", "dense")


# What is known of the machine, the network and the work.


@dataclass
class Link:
    latency: float
    bandwidth: float
    overhead: float
    sizes: tuple = ()  # of messages that were measured, one way and two that cross
    one_way: tuple = ()
    crossing: tuple = ()

    @classmethod
    def load(cls, table):
        return cls(**{key: value for key, value in table.items() if key != "messages"}, **table.get("messages", {}))

    def curve(self, crossing):
        """Sizes and seconds, and what a byte takes beyond them."""
        if not self.sizes:
            return (0, 1), (self.latency, self.latency + 1 / self.bandwidth), 1 / self.bandwidth
        times = self.crossing if crossing else self.one_way
        return self.sizes, times, (times[-1] - times[-2]) / (self.sizes[-1] - self.sizes[-2])

    def one(self, size, crossing=False):
        """One message, without what it costs a processor."""
        sizes, times, a_byte = self.curve(crossing)
        return np.interp(size, sizes, times) + max(0, size - sizes[-1]) * a_byte

    def messages(self, flow, turns=1):
        """All messages of a flow at one rank, in so many turns: each waits for its first message, whose followers come
        one behind the other. They cost its processor one by one."""
        count = flow.out_messages + flow.in_messages
        if count == 0:
            return 0.0
        size, number = max((flow.out, flow.out_messages), (flow.into, flow.in_messages), key=lambda way: way[0])
        crossing = min(flow.out, flow.into) > 0
        each = size / max(1, number)
        return (count * self.overhead + turns * self.one(each, crossing)
                + max(0, size - turns * each) * self.curve(crossing)[2])  # fmt: skip

    def rounds(self, size, ranks):
        """A broadcast, or an all-reduce, of so many bytes."""
        return math.ceil(math.log2(ranks)) * (self.overhead + self.one(size))


@dataclass
class Machine:
    memory: float
    costs: dict
    inner: Link
    outer: Link
    ranks_a_node: int
    axes: list
    tables: dict
    at_once: bool = False  # slices and experts in one product

    @classmethod
    def load(cls, path):
        text = tomllib.loads(Path(path).read_text())
        products = text["products"]
        axes = [np.log(np.array(products[name], float)) for name in ("rows", "outputs", "inputs")]
        shape = [len(axis) for axis in axes]
        tables = {kind: np.log(1e-3 * np.array(products[kind], float).reshape(shape))
                  for kind in ("forward", "input_gradient", "weight_gradient")}  # fmt: skip
        inner, outer = (Link.load(text.get(name, text["inner"])) for name in ("inner", "outer"))
        return cls(text["memory"]["bandwidth"], text["costs"], inner, outer,
                   text.get("node", {}).get("ranks", 0), axes, tables, products.get("at_once", False))  # fmt: skip

    def product(self, kind, m, n, k):
        """Seconds; log t is interpolated axis by axis, and grows as the operations beyond the table."""
        table = self.tables[kind]
        beyond = 1.0
        for axis, size in zip(self.axes, (m, n, k)):
            at = math.log(size)
            # The first axis that is left is interpolated away.
            flat = table.reshape(len(axis), -1)
            columns = [np.interp(at, axis, flat[:, j]) for j in range(flat.shape[1])]
            table = np.array(columns).reshape(table.shape[1:])
            beyond *= math.exp(max(0.0, at - axis[-1]))
        return beyond * math.exp(float(table))

    def floats(self, count):
        """So many read or written."""
        return FLOAT * count / self.memory

    def within(self, shards, ranks):
        on_one_node = self.ranks_a_node == 0 or ranks <= self.ranks_a_node or self.ranks_a_node % shards == 0
        return self.inner if on_one_node else self.outer

    def across(self, ranks):
        return self.inner if self.ranks_a_node == 0 or ranks <= self.ranks_a_node else self.outer


@dataclass
class Layer:
    kind: str
    N: int
    H: int
    G: int
    D: int  # inputs
    out: int  # width of z
    k: int  # chosen by a row; 0: all

    @property
    def gated(self):
        return self.kind in GATED

    @property
    def sharded(self):
        return self.kind not in LOCAL


@dataclass
class Work:
    layers: list
    inputs: int
    classes: int
    B: int
    S: int
    momentum: bool
    clips: bool
    T: int = 1  # slices of the gate in one of the experts

    @classmethod
    def load(cls, path, inputs, classes, slices=None):
        """Of the phase with the most epochs of a config without a baseline."""
        config = tomllib.loads(Path(path).read_text())
        phase = max(config["phases"], key=lambda one: one["epochs"])
        routing = phase.get("routing", {"rule": "all"})
        layers = []
        width = inputs
        for number, table in enumerate(config["layers"]):
            kind = table["kind"]
            N = 1 if kind in LOCAL else table["experts"]
            out = {"classifier_mixture": classes, "concatenated": N * table["hidden"]}.get(kind, table["hidden"])
            rule = routing[number] if isinstance(routing, list) else routing
            k = min(rule.get("k", N), N) if kind in GATED and rule["rule"] == "top_k" else 0
            layers.append(Layer(kind, N, table["hidden"], table.get("gate_hidden", 0), width, out, 0 if k == N else k))
            width = out
        train = config["train"]
        return cls(layers, inputs, classes, train["batch_size"], slices or train.get("slices", 1),
                   train.get("momentum", 0) != 0, train.get("max_gradient_norm", 0) > 0,
                   1 if slices else max(1, train.get("gate_slices", 0) // train.get("slices", 1)))  # fmt: skip

    def slices_of(self, replicas):
        """Rows of each slice of a replica that has the most of them."""
        q = self.T * -(-self.B // (self.S * self.T))
        count = -(-self.S // replicas)
        sizes = [max(0, min(q, self.B - s * q)) for s in range(count)]
        return [size for size in sizes if size > 0]

    def gated(self, R, E, gating):
        """Rows of each slice of the gate on the rank that gates most, and the leaves of the whole batch. Without enough
        slices for all homes, as if there were one for each."""
        b, leaves = sum(self.slices_of(R)), self.S * self.T
        q = -(-self.B // leaves)
        mine = -(-self.S // R) * self.T
        if gating == "rows" and mine < E:
            return [-(-b // E)], R * E
        rows = b if gating != "rows" else min(b, -(-mine // E) * q)
        sizes = [min(q, rows - first) for first in range(0, rows, q)]
        return sizes, leaves

    @property
    def head(self):
        return self.layers[-1].kind != "classifier_mixture"


# Who owns what.


def part(count, parts, index):
    first = index * count // parts
    return first, (index + 1) * count // parts


def blocks_of(first, end, count):
    """The largest subtrees over [0, count) that lie in [first, end), where what does not exist lies everywhere."""
    found = []

    def visit(low, width):
        high = min(low + width, count)
        if low >= count or high <= first or low >= end:
            return
        if first <= low and high <= end:
            found.append(high - low)
        else:
            visit(low, width // 2)
            visit(low + width // 2, width // 2)

    visit(0, 1 << (count - 1).bit_length())
    return found


@dataclass
class Share:
    """Of a layer, on one rank: experts, blocks, and, routed, what falls on them."""

    experts: float
    blocks: float
    entries: float = 0.0
    rows: float = 0.0
    sums: float = 0.0


def chance(N, k, n):
    """That k of N, drawn without putting back, have one of n among them."""
    return 1 - math.comb(N - n, k) / math.comb(N, k)


def share_of(layer, rank, E, b):
    if not layer.sharded:
        here = 1 if rank == 0 else 0
        return Share(here, here)
    first, end = part(layer.N, E, rank)
    blocks = blocks_of(first, end, layer.N)
    share = Share(end - first, len(blocks))
    if layer.k:
        share.entries = b * layer.k * share.experts / layer.N
        share.rows = b * chance(layer.N, layer.k, share.experts)
        share.sums = b * sum(chance(layer.N, layer.k, width) for width in blocks)
    return share


def busiest(b, k, n, N, E):
    """Median of the largest of E binomial numbers of b k trials with probability n / N, no more than rows allow."""
    most = b * min(k, n)
    if n == 0 or n >= N:
        return min(b * k, most) if n else 0
    trials, p = b * k, n / N
    low = max(0, math.floor(trials * p - 12 * math.sqrt(trials * p * (1 - p)) - 12))
    counts = np.arange(low, trials + 1)
    logs = [math.lgamma(trials + 1) - math.lgamma(c + 1) - math.lgamma(trials - c + 1) for c in counts]
    density = np.exp(np.array(logs) + counts * math.log(p) + (trials - counts) * math.log1p(-p))
    place = int(np.searchsorted(np.cumsum(density), 0.5 ** (1 / E)))
    return min(low + min(place, len(counts) - 1), most)


def shares(layer, E, b):
    """Of the coordinator, of the most of any other rank (or of the only one), of all."""
    every = [share_of(layer, rank, E, b) for rank in range(E)]
    others = every[1:] or every
    fields = ("experts", "blocks", "entries", "rows", "sums")
    most = Share(*(max(getattr(one, field) for one in others) for field in fields))
    total = Share(*(sum(getattr(one, field) for one in every) for field in fields))
    return every[0], most, total


# What is said.


@dataclass
class Flow:
    out: float = 0.0
    into: float = 0.0
    out_messages: float = 0
    in_messages: float = 0
    broadcast: bool = False

    def __add__(self, other):
        return Flow(self.out + other.out, self.into + other.into, self.out_messages + other.out_messages,
                    self.in_messages + other.in_messages)  # fmt: skip


NAMES = ("counts", "gates", "z", "z_sums", "dz", "dg", "dx_sums")


def coordinator_flows(layer, number, E, b):
    flows = {name: Flow() for name in NAMES}
    if E == 1 or not layer.sharded:
        return flows
    own, _, total = shares(layer, E, b)
    owners = sum(1 for rank in range(1, E) if share_of(layer, rank, E, b).experts > 0)

    def to_all(width):
        return Flow(out=(E - 1) * FLOAT * b * width, out_messages=E - 1, broadcast=True)

    def to_owners(floats):
        return Flow(out=FLOAT * floats, out_messages=owners)

    def from_owners(floats):
        return Flow(into=FLOAT * floats, in_messages=owners)

    sums = total.sums - own.sums if layer.k else b * (total.blocks - own.blocks)
    if number > 0:
        flows["z"] = to_owners((total.rows - own.rows) * layer.D) if layer.k else to_all(layer.D)
        flows["dx_sums"] = from_owners(sums * layer.D)
    if not layer.gated:
        side_by_side = b * (layer.N - own.experts) * layer.H
        flows["z_sums"], flows["dz"] = from_owners(side_by_side), to_owners(side_by_side)
        return flows
    flows["gates"] = to_all(2 * layer.k if layer.k else layer.N)
    flows["z_sums"] = from_owners(sums * layer.out)
    flows["dz"] = to_owners((total.rows - own.rows) * layer.out) if layer.k else to_all(layer.out)
    flows["dg"] = from_owners(total.entries - own.entries if layer.k else b * (layer.N - own.experts))
    return flows


def other_flows(layer, number, E, b):
    """Of the rank with the most to say beside the coordinator."""
    flows = {name: Flow() for name in NAMES}
    if E == 1 or not layer.sharded:
        return flows
    _, own, _ = shares(layer, E, b)

    def come(floats):
        return Flow(into=FLOAT * floats, in_messages=1)

    def go(floats):
        return Flow(out=FLOAT * floats, out_messages=1)

    rows, sums = (own.rows, own.sums) if layer.k else (b, b * own.blocks)
    if number > 0:
        flows["z"], flows["dx_sums"] = come(rows * layer.D), go(sums * layer.D)
    if not layer.gated:
        flows["z_sums"], flows["dz"] = go(b * own.experts * layer.H), come(b * own.experts * layer.H)
        return flows
    flows["gates"] = come(b * (2 * layer.k if layer.k else layer.N))
    flows["z_sums"], flows["dz"] = go(sums * layer.out), come(rows * layer.out)
    flows["dg"] = go(own.entries if layer.k else b * own.experts)
    return flows


def home_flows(layer, number, E, b, home):
    """Of the rank with the most experts, each row at home on one of E, `home` of them here."""
    flows = {name: Flow() for name in NAMES}
    if E == 1 or not layer.gated:
        return flows
    _, own, total = shares(layer, E, b)

    def flow(out, into, partners):
        return Flow(FLOAT * out, FLOAT * into, partners, partners)

    if layer.k:
        here = home / b
        partners = min(E - 1, home * layer.k)
        entries = (own.entries * (1 - here), (total.entries - own.entries) * here)  # of other homes; elsewhere
        rows = (own.rows * (1 - here), (total.rows - own.rows) * here)
        sums = (own.sums * (1 - here), (total.sums - own.sums) * here)
        flows["counts"] = Flow(8 * (E - 1), 8 * (E - 1), E - 1, E - 1)
        flows["gates"] = flow(3 * entries[1], 3 * entries[0], partners)
        flows["dg"] = flow(*entries, partners)
        flows["dz"] = flow(rows[1] * layer.out, rows[0] * layer.out, partners)
        flows["z_sums"] = flow(sums[0] * layer.out, sums[1] * layer.out, partners)
        if number > 0:
            flows["z"] = flow(rows[1] * layer.D, rows[0] * layer.D, partners)
            flows["dx_sums"] = flow(sums[0] * layer.D, sums[1] * layer.D, partners)
        return flows

    def to_all(width):
        return flow((E - 1) * home * width, (b - home) * width, E - 1)

    def to_homes(width):
        return flow(own.blocks * (b - home) * width, (total.blocks - own.blocks) * home * width, E - 1)

    flows["gates"], flows["dz"] = to_all(layer.N), to_all(layer.out)
    flows["z_sums"] = to_homes(layer.out)
    flows["dg"] = flow((b - home) * own.experts, home * (layer.N - own.experts), E - 1)
    if number > 0:
        flows["z"], flows["dx_sums"] = to_all(layer.D), to_homes(layer.D)
    return flows


def tensors(work, counts, with_gates):
    """Lengths of the tensors of a rank with so many experts of each layer."""
    gate = 1 if with_gates else 0
    found = []
    for layer, n in zip(work.layers, counts):
        found += [n * layer.H * layer.D, n * layer.H]
        if layer.kind == "classifier_mixture":
            found += [n * work.classes * layer.H, n * work.classes]
        if layer.gated:
            found += [gate * layer.G * layer.D, gate * layer.G, gate * layer.N * layer.G, gate * layer.N]
    if work.head:
        found += [gate * work.classes * work.layers[-1].out, gate * work.classes]
    return found


@dataclass
class Column:
    """Tensors whose gradients so many ranks sum over so many leaves, each owning a chunk of all values."""

    lengths: list
    leaves: int
    ranks: int
    clips: bool

    @property
    def chunk(self):
        return -(-sum(self.lengths) // self.ranks)

    @property
    def blocks(self):
        shares_of_leaves = [part(self.leaves, self.ranks, r) for r in range(self.ranks)]
        return [len(blocks_of(first, end, self.leaves)) for first, end in shares_of_leaves]

    def flow(self):
        """The most of any of the ranks."""
        if self.ranks == 1:
            return Flow()
        ends = np.cumsum([0, *self.lengths])
        V = int(ends[-1])
        own, pieces = [], []
        for r in range(self.ranks):
            first, end = part(V, self.ranks, r)
            own.append(end - first)
            overlap = np.minimum(ends[1:], end) - np.maximum(ends[:-1], first)
            pieces.append(int((overlap > 0).sum()))
        c, t, K = np.array(own), np.array(pieces), np.array(self.blocks)
        back = 2 if self.clips else 1
        R = self.ranks
        return Flow(FLOAT * float((K * (V - c) + back * (R - 1) * c).max()),
                    FLOAT * float(((K.sum() - K) * c + back * (V - c)).max()),
                    int((K * (t.sum() - t) + back * (R - 1) * t).max()),
                    int(((K.sum() - K) * t + back * (t.sum() - t)).max()))  # fmt: skip

    def seconds(self, machine, link):
        if self.ranks == 1:
            return 0.0
        turns = 3 if self.clips else 2
        return link.messages(self.flow(), turns) + machine.floats((sum(self.blocks) + 1) * self.chunk)


def columns_of(work, R, E, gating):
    """Of the first rank, one or more; the last is that of the other with the most."""
    first = [1 if not layer.sharded else part(layer.N, E, 0)[1] for layer in work.layers]
    others = range(1, E) if E > 1 else [0]
    most = [max(np.subtract(*part(layer.N, E, rank)[::-1]) for rank in others) if layer.sharded
            else (1 if E == 1 else 0) for layer in work.layers]  # fmt: skip
    if gating == "rows":
        local = [0 if layer.sharded else 1 for layer in work.layers]
        experts = Column(tensors(work, [int(n) if layer.sharded else 0 for n, layer in zip(most, work.layers)], False),
                         work.S, R, work.clips)  # fmt: skip
        return [experts, Column(tensors(work, local, True), work.gated(R, E, gating)[1], R * E, work.clips)]
    other = Column(tensors(work, [int(n) for n in most], E == 1), work.S, R, work.clips)
    whole = Column(tensors(work, first, True), work.S, R, work.clips)
    if work.T == 1:
        return [whole, other]
    gates = tensors(work, [0 if layer.sharded else 1 for layer in work.layers], True)
    apart = [0 if at_home else length for length, at_home in zip(whole.lengths, gates)]
    return [Column(apart, work.S, R, work.clips), Column(gates, work.S * work.T, R, work.clips), other]


# What it takes.


def padded(rows):
    """Eight sizes between two powers of two."""
    if rows <= 8:
        return rows
    step = (1 << (rows.bit_length() - 1)) // 8
    return -(-rows // step) * step


class Terms:
    def __init__(self, machine, work):
        self.machine, self.work = machine, work

    def linear(self, slices, n, k, at_once=True):
        """Seconds of y, dx, dW of a linear part of n outputs and k inputs."""
        kinds = ("forward", "input_gradient", "weight_gradient")
        y, dx, dw = (sum(self.machine.product(kind, m, n, k) for m in slices) for kind in kinds)
        if at_once and self.machine.at_once:
            y, dx = (self.machine.product(kind, sum(slices), n, k) for kind in kinds[:2])
        pairs = -(-len(slices) // 2)
        return np.array([y, dx, dw + self.machine.floats(3 * max(0, pairs - 1) * n * k)])

    def gate(self, layer, number, slices):
        """Forward, backward to logits and x, backward to weights."""
        if not layer.gated:
            return np.zeros(3)
        hidden, logits = self.linear(slices, layer.G, layer.D), self.linear(slices, layer.N, layer.G)
        values = sum(slices) * layer.N
        cost = self.machine.costs["choosing" if layer.k else "softmax"]
        return np.array([hidden[0] + logits[0] + cost * values,
                         self.machine.floats(3 * values) + logits[1] + (hidden[1] if number else 0),
                         hidden[2] + logits[2]])  # fmt: skip

    def head(self, slices):
        return float(self.linear(slices, self.work.classes, self.work.layers[-1].out).sum()) if self.work.head else 0.0

    def experts(self, layer, number, share, slices):
        """Products forward, dx, dW; weighing, gradient of the outputs, shares of dx."""
        rows, sums = sum(slices) * share.experts, sum(slices) * share.blocks
        count, each, gathered = share.experts, slices, 0.0
        if layer.k:
            rows, sums = share.entries, share.sums
            products = share.experts * len(slices)
            if products == 0:
                return np.zeros(6)
            each = [padded(max(1, math.ceil(rows / products)))] * len(slices)
            count = min(products, rows) / len(slices)
            gathered = self.machine.floats(2 * rows * layer.D)
        hidden = count * self.linear(each, layer.H, layer.D, not layer.k)
        if self.machine.at_once and layer.kind == "mixture" and not layer.k and share.experts > 1:
            beside = self.linear(slices, int(share.experts) * layer.H, layer.D)
            hidden[0] = beside[0]
            if number == 0 and len(slices) == 1:
                hidden[2] = beside[2]
        classes = np.zeros(3)
        if layer.kind == "classifier_mixture":
            classes = count * self.linear(each, self.work.classes, layer.H, not layer.k)
        width = self.work.classes if layer.kind == "classifier_mixture" else layer.H
        above = number > 0
        return np.array([hidden[0] + classes[0] + gathered,
                         hidden[1] if above else 0,
                         hidden[2] + classes[2],
                         self.machine.floats(width * (rows + sums)) if layer.gated else 0,
                         self.machine.floats(3 * width * rows) + classes[1],
                         self.machine.floats(layer.D * (rows + sums)) if above and layer.sharded else 0])  # fmt: skip

    def sgd(self, values):
        return self.machine.floats((5 if self.work.momentum else 3) * values)


def predict_coordinator(machine, work, R, E):
    """Events of the coordinator and of the busiest other rank: each begins when all that it waits for has ended."""
    terms = Terms(machine, work)
    slices = work.slices_of(R)
    b = sum(slices)
    gated_slices, _ = work.gated(R, E, "coordinator")
    link, world = machine.within(E, R * E), machine.across(R * E)
    busy: dict[str, float] = {}  # seconds that the coordinator computes

    def work_first(name, seconds):
        busy[name] = busy.get(name, 0.0) + seconds
        return seconds

    def travel(flow):
        return link.rounds(flow.out / (E - 1), E) if flow.broadcast else link.messages(flow)

    class Of:
        """A layer."""

        def __init__(self, number, layer):
            own, most, total = shares(layer, E, b)
            most.entries = busiest(b, layer.k, most.experts, layer.N, E) if layer.k else 0
            self.flows = coordinator_flows(layer, number, E, b)
            self.gate = terms.gate(layer, number, gated_slices)
            self.own = terms.experts(layer, number, own, slices if layer.sharded else gated_slices)
            self.other = terms.experts(layer, number, most, slices) if E > 1 and layer.sharded else np.zeros(6)
            sums = total.sums + b if layer.k else b * (total.blocks + 1)
            side_by_side = 2 * b
            self.combine_z = self.combine_dx = 0.0
            if layer.sharded:
                self.combine_z = machine.floats((sums if layer.gated else side_by_side) * layer.out)
                self.combine_dx = machine.floats(sums * layer.D) if number else 0.0
            if layer.gated and number:
                self.combine_dx += machine.floats(3 * b * layer.D)
            away = total.rows - own.rows if layer.k else 0.0
            self.pack_z = machine.floats(2 * away * layer.D) if number else 0.0
            self.pack_dz = machine.floats(2 * away * layer.out)
            self.plan = machine.costs["planning"] * b * layer.k

    all_layers = [Of(number, layer) for number, layer in enumerate(work.layers)]
    first = other = work_first("presenting", machine.costs["presenting"] * b * work.inputs)
    for layer, of in zip(work.layers, all_layers):
        z_ready = first
        gated = first + work_first("gate", of.gate[0])
        first = gated
        if layer.k:
            first += work_first("packing", of.plan + of.pack_z)
            other = max(other, gated + travel(of.flows["gates"])) + of.plan
            other = max(other, first + travel(of.flows["z"])) + of.other[0]
        else:
            other = max(max(other, z_ready + travel(of.flows["z"])) + of.other[0], gated + travel(of.flows["gates"]))
        other += of.other[3]
        first += work_first("experts", of.own[0]) + work_first("packing", of.own[3])
        first = max(first, other + link.messages(of.flows["z_sums"])) + work_first("packing", of.combine_z)
    forward_end = max(first, other)
    first += work_first("head", terms.head(gated_slices)) + work_first("packing", all_layers[-1].pack_dz)
    dz_sent = first
    for number in reversed(range(len(all_layers))):
        of = all_layers[number]
        other = max(other, dz_sent + travel(of.flows["dz"])) + of.other[4]
        dg_sent = other
        other += of.other[1] + of.other[5]
        first += work_first("packing", of.own[4] + of.own[5]) + work_first("experts", of.own[1])
        first = max(first, dg_sent + link.messages(of.flows["dg"])) + work_first("gate", of.gate[1])
        if number:
            first = max(first, other + link.messages(of.flows["dx_sums"])) + work_first("packing", of.combine_dx)
            first += work_first("packing", all_layers[number - 1].pack_dz)
        dz_sent = first
        first += work_first("gate", of.gate[2]) + work_first("experts", of.own[2])
        other += of.other[2]
    *mine, others = columns_of(work, R, E, "coordinator")
    stepped = 1.0
    if R == 1:  # experts that no row chose are left alone
        none = [(1 - layer.k / layer.N) ** b if layer.k else 0.0 for layer in work.layers]
        counts = [layer.N for layer in work.layers]
        stepped = 1 - float(np.dot(none, counts)) / sum(counts)
    for one in mine:
        first += work_first("replicas", one.seconds(machine, world)) + work_first("sgd", stepped * terms.sgd(one.chunk))
    if E > 1:
        other += others.seconds(machine, world) + stepped * terms.sgd(others.chunk)
        first = max(first, other)
    busy["exchange"] = max(0.0, first - sum(busy.values()))
    totals = forward_end + (world.rounds(totals_bytes(work), R * E) if R * E > 1 else 0)
    busy["totals"] = max(0.0, totals - first)
    return busy


def predict_rows(machine, work, R, E):
    """All ranks do alike: the parts of one follow each other, but for what travels while something is computed."""
    terms = Terms(machine, work)
    slices = work.slices_of(R)
    b = sum(slices)
    homes, _ = work.gated(R, E, "rows")
    home = sum(homes)
    link, world = machine.within(E, R * E), machine.across(R * E)
    parts = dict.fromkeys(("presenting", "gate", "experts", "packing", "head", "sgd", "exchange", "replicas"), 0.0)
    forward_end = 0.0
    presented: float = b
    if work.layers[0].k:
        presented = min(b, home + shares(work.layers[0], E, b)[1].rows)
    parts["presenting"] = machine.costs["presenting"] * presented * work.inputs
    backward = []
    for number, layer in enumerate(work.layers):
        if not layer.sharded:
            y, dx, dw, weighing, output, sharing = terms.experts(layer, number, Share(1, 1), homes)
            parts["experts"] += y
            backward.append({"experts": dx + dw, "packing": output})
            continue
        _, own, total = shares(layer, E, b)
        own.entries = busiest(b, layer.k, own.experts, layer.N, E) if layer.k else 0
        flows = home_flows(layer, number, E, b, home)
        gate = terms.gate(layer, number, homes)
        y, dx, dw, weighing, output, sharing = terms.experts(layer, number, own, slices)
        sums = total.sums * home / b + home if layer.k else home * (total.blocks + 1)
        away = (total.rows - own.rows) * home / b if layer.k else 0.0
        parts["gate"] += gate[0]
        parts["experts"] += y
        parts["packing"] += weighing + machine.floats(sums * layer.out)
        if layer.k:
            parts["packing"] += machine.costs["planning"] * (home * layer.k + own.entries)
            parts["packing"] += machine.floats(2 * away * layer.D) if number else 0
            parts["exchange"] += sum(link.messages(flows[name]) for name in ("counts", "gates", "z"))
        else:
            parts["exchange"] += max(0.0, link.messages(flows["z"]) - gate[0])
            parts["exchange"] += max(0.0, link.messages(flows["gates"]) - y)
        parts["exchange"] += link.messages(flows["z_sums"])
        backward.append({
            "gate": gate[1] + gate[2],
            "experts": dx + dw,
            "packing": output + sharing + machine.floats(2 * away * layer.out)
            + (machine.floats((sums + 3 * home) * layer.D) if number else 0),
            "exchange": link.messages(flows["dz"]) + max(0.0, link.messages(flows["dg"]) - dx - sharing)
            + link.messages(flows["dx_sums"]),
        })  # fmt: skip
    forward_end = sum(parts.values())
    parts["head"] = terms.head(homes)
    for one in backward:
        for name, seconds in one.items():
            parts[name] += seconds
    for column in columns_of(work, R, E, "rows"):
        parts["replicas"] += column.seconds(machine, world)
        parts["sgd"] += terms.sgd(column.chunk)
    parts["totals"] = max(0.0, forward_end + world.rounds(totals_bytes(work), R * E) - sum(parts.values()))
    return parts


def totals_bytes(work):
    return INTEGER * (sum(layer.N for layer in work.layers if layer.gated) + 3)


def load_of(work, flows, columns, E, b, reduced):
    flow = Flow()
    for number, layer in enumerate(work.layers):
        for one in flows(layer, number, E, b).values():
            flow += one
    for column in columns:
        flow += column.flow()
    return {"bytes_sent": flow.out, "bytes_received": flow.into, "bytes_reduced": reduced,
            "messages_sent": flow.out_messages, "messages_received": flow.in_messages}  # fmt: skip


def predict(machine, work, R, E, gating="coordinator"):
    """Of one layout: milliseconds, by part, and the bytes and messages of the first rank and of the busiest other."""
    b = sum(work.slices_of(R))
    totals = totals_bytes(work) if R * E > 1 else 0
    at_home, leaves = work.gated(R, E, gating)
    losses = 2 * INTEGER * leaves if (R * E if gating == "rows" else R) > 1 else 0
    columns = columns_of(work, R, E, gating)
    if gating == "rows":
        parts = predict_rows(machine, work, R, E)

        def flows(layer, number, E, b):
            return home_flows(layer, number, E, b, sum(at_home))

        first = other = load_of(work, flows, columns, E, b, totals + losses)
    else:
        parts = predict_coordinator(machine, work, R, E)
        first = other = load_of(work, coordinator_flows, columns[:-1], E, b, totals + losses)
        if E > 1:
            other = load_of(work, other_flows, columns[-1:], E, b, totals)
    milliseconds = {name: 1e3 * seconds for name, seconds in parts.items()}
    return {"ranks": R * E, "replicas": R, "shards": E, "gating": gating, "milliseconds": sum(milliseconds.values()),
            "parts": milliseconds, "first": first, "other": other}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description="The model of scale a second time: JSON, as dmoe bench scale --json.")
    parser.add_argument("config")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--ranks", default="1,2,4,8")
    parser.add_argument("--gating", choices=["coordinator", "rows"], default="coordinator")
    options = parser.parse_args()
    machine = Machine.load(options.machine)
    work = Work.load(options.config, options.inputs, options.classes)
    most = max([layer.N for layer in work.layers if layer.sharded], default=1)
    layouts = [
        predict(machine, work, R, P // R, options.gating if P // R > 1 else "coordinator")
        for P in map(int, options.ranks.split(","))
        for R in range(1, min(P, work.S) + 1)
        if P % R == 0 and P // R <= most
    ]
    print(json.dumps({"layouts": layouts}, indent=1))


if __name__ == "__main__":
    main()

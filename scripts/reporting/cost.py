"""Accuracy against cost: what one trained model does when it computes some of its experts only, beside networks that
have no gate. Operations are counted, times measured (dmoe evaluate --curve)."""
import dataclasses
import functools
import typing

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reporting import comparison, style, words
from reporting.axes import Label, log_scale, put_labels
from reporting.drawing import WIDTH, AnyFigure, Panel, Rows, legend, long_legend
from reporting.run import Cost, Floats, Run

AS_GOOD = 0.001  # of all examples: an error that much above that of the dense mixture counts as as good
NO_MORE = 1.005  # times the work of a reference is no more work: no two networks take quite the same
HEIGHT = 2.9
AXIS = (WIDTH - 0.7, HEIGHT - 0.6)  # inches, about: without ticks and names
MOST_LABELLED = 4  # curves whose k and thresholds are written beside their points
MOST_NAMED = 12  # values of k that may all be named
MOST_MARKED = 30  # points of a line that have markers of full size
OPERATIONS = "multiply-accumulates an example"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A family of routings: one line."""

    name: str  # in the file
    title: str
    marker: str
    colour: str
    sides: str  # of its labels, the best first


TOP_SIDES = "above-right right above above-left left below below-left below-right"
THRESHOLD_SIDES = "below-left left below below-right right above above-right above-left"
REFERENCE_SIDES = "above right left below below-right above-right below-left above-left"
KINDS = [Kind("top_k", "the k largest gates", "o", style.BLUE, TOP_SIDES),
         Kind("threshold", "gates of a threshold and more", "s", style.VERMILLION, THRESHOLD_SIDES)]
ALL_MARKER, REFERENCE_MARKER = "D", "*"


def has_choice(run: Run) -> bool:
    """Whether its layers have anything to choose from."""
    return run.architecture.is_gated


def has_curve(run: Run) -> bool:
    return run.cost is not None and has_choice(run)


def measured(run: Run) -> Cost:
    """The curve of a run that has one."""
    assert run.cost is not None
    return run.cost


def steps_missed(run: Run) -> int:
    """Steps that the run has made since its curve was measured, or has logged of them."""
    step = measured(run).step
    return max(0, int(np.max(run.train["step"], initial=0)) - step) if step is not None else 0


def set_apart(run: Run, split: str) -> str:
    """Why the curve of a run is none of its last model on its own examples of a split; "" where it is."""
    cost = measured(run)
    reasons = [f"of the {cost.split} split"] if cost.split != split else []
    reasons += [f"with {words.listed(run.other_data(cost.config))}"] if run.other_data(cost.config) else []
    reasons += ["of other data than the run's"] if cost.data_differences else []
    reasons += [f"{words.counted(steps_missed(run), 'step')} old"] if steps_missed(run) else []
    return words.listed(reasons)


def rows_of(cost: Cost, kind: Kind) -> list[int]:
    """Of a line, from the fewest experts to all of them, where all lines end; [] without such a routing."""
    rows = [row for row, name in enumerate(cost.routing) if name == kind.name]
    rows.sort(key=lambda row: float(cost.setting[row]), reverse=kind.name == "threshold")
    return rows and rows + [cost.of_all]


def in_order(cost: Cost) -> list[int]:
    """All rows, a family after the other, all experts last."""
    return [row for kind in KINDS for row in rows_of(cost, kind)[:-1]] + [cost.of_all]


def name_of(cost: Cost, row: int) -> str:
    """In a sentence."""
    return words.routing(cost.routing[row], cost.setting[row])


def short_name(cost: Cost, row: int) -> str:
    """In a table; without "gate", beside a point."""
    name = f"gate ≥ {cost.setting[row]:g}" if cost.routing[row] == "threshold" else name_of(cost, row)
    return name.replace(" ", "\N{NO-BREAK SPACE}")


def labels_of(cost: Cost, kind: Kind, x: Floats, y: Floats) -> list[Label]:
    """The ends first, then every other point; where k goes far, at k = 1, 2, 4, 8, .. only."""
    rows = rows_of(cost, kind)[:-1]
    if kind.name == "top_k" and len(rows) > MOST_NAMED:
        rows = [row for row in rows if np.log2(cost.setting[row]) % 1 == 0]
    ranks = {row: place for place, row in enumerate(rows)}
    rows.sort(key=lambda row: (ranks[row] not in (0, len(rows) - 1), ranks[row] % 2, ranks[row]))
    names = [short_name(cost, row).removeprefix("gate\N{NO-BREAK SPACE}") for row in rows]
    return [Label(x[row], y[row], name, kind.name, kind.sides) for row, name in zip(rows, names)]


def plot(axis: Axes, cost: Cost, kind: Kind, y: Floats, **how: object) -> None:
    """y (R) of a family of routings, where there are any, joined up to that of all experts."""
    rows = rows_of(cost, kind)
    if rows:
        axis.plot(cost.multiply_accumulates[rows], y[rows], marker=kind.marker, linewidth=1.1,
                  markersize=3.6 if len(rows) <= MOST_MARKED else 2.2, gid=kind.name, **how)


# --- of one run --------------------------------------------------------------------------------------------------

def draw(figure: AnyFigure, cost: Cost, y: Floats, name: str, is_in_proportion: bool = False) -> None:
    """y (R) over multiply-accumulates, a line for each family of routings; dotted where y would be in proportion."""
    axis = figure.subplots()
    x, every = cost.multiply_accumulates, cost.of_all
    span = np.array([x.min(), x[every]])
    values = y
    if is_in_proportion:
        axis.plot(span, y[every] * span / x[every], color=style.MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        values = np.append(y, y[every] * span / x[every])
    for kind in KINDS:
        plot(axis, cost, kind, y, color=kind.colour)
    axis.plot(x[every], y[every], ALL_MARKER, color=style.INK, markersize=5.5, gid="all")
    log_scale(axis.xaxis, x)
    scale_of_values(axis, values)
    axis.set_xlabel(OPERATIONS)
    axis.set_ylabel(name)
    labels = [label for kind in KINDS for label in labels_of(cost, kind, x, y)]
    put_labels(axis, [Label(x[every], y[every], "all", sides="below above left"), *labels], AXIS)


def scale_of_values(axis: Axes, values: Floats) -> None:
    """Log where they span enough for it."""
    low, high = np.min(values), np.max(values)
    if low > 0 and high > 3 * low:
        log_scale(axis.yaxis, values)
    else:
        margin = 0.1 * (high - low) or 0.1
        axis.set_ylim(low - margin, high + margin)


def handle(label: str, marker: str = "", line: str = "-", colour: str = style.INK) -> Line2D:
    return Line2D([], [], label=label, color=colour, marker=marker, linestyle=line, linewidth=1.1,
                  markersize=6 if marker == REFERENCE_MARKER else 4)


def panels(run: Run) -> Rows:
    cost = measured(run)
    key = [handle(kind.title, kind.marker, colour=kind.colour) for kind in KINDS if rows_of(cost, kind)]
    key += [handle("all experts: the dense mixture", ALL_MARKER, "None"),
            Line2D([], [], label="time in proportion to operations", color=style.MUTED, linewidth=0.9,
                   linestyle=(0, (1, 2)))]
    return [[legend(key, columns=2, width=WIDTH)],
            [Panel(lambda figure: draw(figure, cost, 100 * cost.error, f"{cost.split} error [%]"), height=HEIGHT),
             Panel(lambda figure: draw(figure, cost, cost.microseconds, "microseconds an example",
                                       is_in_proportion=True), height=HEIGHT)]]


def best(cost: Cost) -> int:
    """The row of the fewest multiply-accumulates among those as good as all experts."""
    most = cost.error[cost.of_all] + AS_GOOD + 1e-9
    rows = [row for row in range(len(cost.routing)) if cost.error[row] <= most]
    return min(rows, key=lambda row: (float(cost.multiply_accumulates[row]), row != cost.of_all))


def share(values: Floats, row: int, whole: int) -> str:
    return f"{100 * values[row] / values[whole]:.0f} %"


def costs_sentence(cost: Cost) -> str:
    """What can be saved, in words."""
    every, row = cost.of_all, best(cost)
    within = f"within {100 * AS_GOOD:g} percentage points of that"
    of_all = f"All experts, the dense mixture, have an error of {words.percent(cost.error[every])}."
    if row == every:
        return f"{of_all} No cheaper routing comes {within}."
    return (f"{of_all} The cheapest routing {within} or better is {name_of(cost, row)}: "
            f"{words.percent(cost.error[row])} with {share(cost.multiply_accumulates, row, every)} of the "
            f"multiply-accumulates, in {share(cost.seconds, row, every)} of the time.")


def learned_sentence(run: Run) -> str:
    """Under which routing the training ended."""
    phases = [phase for phase in run.config["phases"] if phase["epochs"]]
    names = words.routings_by_layer(phases[-1].get("routing", {}) if phases else {})
    if len(set(names)) > 1:
        names = [f"{name} in layer {number}" for number, name in enumerate(names, start=1)]
    return f"In its last phase it learned with {words.listed(dict.fromkeys(names))}."


def caption(run: Run) -> str:
    cost = measured(run)
    ranks = "1 rank" if cost.ranks == 1 else f"the first of {cost.ranks} ranks"
    times = f"on {ranks}, the median of {words.counted(cost.repetitions, 'repetition')}"
    times += f" with the instruction set {cost.instruction_set}" if cost.instruction_set else ""
    data = run.other_data(cost.config)
    with_data = f" (with {words.listed(data)})" if data else ""
    model = f"The model after {words.counted(cost.step, 'step')}, since when the run has gone on," \
        if cost.step is not None and steps_missed(run) else "The trained model"
    return (f"{model} over {words.grouped(cost.examples)} {cost.split} examples{with_data}, computing in each layer "
            "only the experts with the k largest gates, or only those with gates of a threshold and more (and always "
            f"the largest). {learned_sentence(run)} {costs_sentence(cost)} Multiply-accumulates are counted, gates "
            f"included; times are of the forward passes {times}.")


# --- of several runs ---------------------------------------------------------------------------------------------

class Curve(typing.NamedTuple):
    """The mean of a group's curves."""

    place: int  # of the group among all, for its colour
    group: comparison.Group
    cost: Cost


class Reference(typing.NamedTuple):
    """Networks without a gate, which have nothing to choose: a point."""

    group: comparison.Group
    multiply_accumulates: float
    error: float


def split_of(runs: list[Run]) -> str:
    """Whose curves are drawn: test where there are any."""
    splits = [measured(run).split for run in comparison.counted(runs) if has_curve(run)]
    return "test" if "test" in splits else next(iter(splits), "")


def left_out(runs: list[Run]) -> dict[str, str]:
    """Counted runs with a curve that cannot stand beside the others, and why."""
    split = split_of(runs)
    return {run.name: set_apart(run, split) for run in comparison.counted(runs)
            if has_curve(run) and set_apart(run, split)}


def mean_of(costs: list[Cost]) -> Cost:
    """Over the routings that all have, in the order of the first."""
    keys = [list(zip(cost.routing, np.nan_to_num(cost.setting))) for cost in costs]
    common = [key for key in keys[0] if all(key in other for other in keys)]

    rows = [[own.index(key) for key in common] for own in keys]

    def mean(name: str) -> Floats:
        found: Floats = np.mean([getattr(cost, name)[own] for cost, own in zip(costs, rows)], axis=0)
        return found

    means: dict[str, typing.Any] = {
        name: mean(name) for name in ("setting", "error", "loss", "multiply_accumulates", "seconds")}
    return dataclasses.replace(costs[0], routing=[name for name, _ in common], **means)


def curves(runs: list[Run]) -> list[Curve]:
    found = []
    for place, group in enumerate(comparison.groups_of(runs)[:style.MOST_LINES]):
        costs = [measured(run) for run in group.counted if has_curve(run) and not set_apart(run, split_of(runs))]
        if costs:
            found.append(Curve(place, group, mean_of(costs)))
    return found


def references(runs: list[Run]) -> list[Reference]:
    found = []
    for group in comparison.groups_of(runs):
        first, split = group.runs[0], split_of(runs)
        error = comparison.spread(group.counted, lambda run: run.last(f"{split}_error")).mean
        if not has_choice(first) and first.multiply_accumulates and error is not None:
            found.append(Reference(group, first.multiply_accumulates, 100 * error))
    return found


def reference_label(reference: Reference, others: list[Reference]) -> str:
    networks = [other.group.runs[0].network for other in others]
    network = reference.group.runs[0].network
    return network if networks.count(network) == 1 else reference.group.label


def beside_sentence(point: Reference, others: list[Reference], drawn: list[Curve]) -> str:
    """What the curves reach for the work of a reference."""
    name = f"{reference_label(point, others)} ({point.error:.2f} %)"
    affordable = [(100 * float(curve.cost.error[row]), curve, row)
                  for curve in drawn for row in range(len(curve.cost.routing))
                  if curve.cost.multiply_accumulates[row] <= NO_MORE * point.multiply_accumulates]
    if not affordable:
        return f"No point of a curve takes as little work as {name}."
    error, curve, row = min(affordable, key=lambda found: found[0])
    of = f"{curve.group.label} with " if len(drawn) > 1 else ""
    return f"For no more work than {name} the least error on a curve is {error:.2f} %: {of}{name_of(curve.cost, row)}."


def draw_runs(figure: AnyFigure, runs: list[Run], kind: Kind) -> None:
    """All curves of one family of routings, and the points of the references."""
    axis = figure.subplots()
    drawn, beside = curves(runs), references(runs)
    labels = [Label(point.multiply_accumulates, point.error, reference_label(point, beside), "references",
                    REFERENCE_SIDES, gap=0.09, is_needed=True) for point in beside]
    for place, group, cost in drawn:
        x, y, every = cost.multiply_accumulates, 100 * cost.error, cost.of_all
        plot(axis, cost, kind, y, **style.line(place))
        axis.plot(x[every], y[every], ALL_MARKER, color=style.line(place)["color"], markersize=5, gid="all")
        if len(drawn) <= MOST_LABELLED:
            labels += labels_of(cost, kind, x, y)
    axis.plot([point.multiply_accumulates for point in beside], [point.error for point in beside], REFERENCE_MARKER,
              color=style.INK, markersize=7, gid="references")
    log_scale(axis.xaxis, np.concatenate([[point.multiply_accumulates for point in beside],
                                          *(curve.cost.multiply_accumulates for curve in drawn)]))
    scale_of_values(axis, np.concatenate([[point.error for point in beside],
                                          *(100 * curve.cost.error for curve in drawn)]))
    axis.set_xlabel(OPERATIONS)
    axis.set_ylabel(f"{split_of(runs)} error [%]")
    axis.set_title(kind.title[0].upper() + kind.title[1:], loc="left", fontsize=9)
    put_labels(axis, labels, (AXIS[0], AXIS[1] - 0.2))


def panels_of_runs(runs: list[Run]) -> Rows:
    drawn = curves(runs)
    key = [Line2D([], [], label=f"{curve.group.label} ({words.counted(len(curve.group.counted), 'run')})",
                  **style.line(curve.place)) for curve in drawn]
    key.append(handle("all experts: the dense mixture", ALL_MARKER, "None"))
    if references(runs):
        key.append(handle("network without a gate", REFERENCE_MARKER, "None"))
    kinds = [kind for kind in KINDS if any(rows_of(curve.cost, kind) for curve in drawn)]
    return [[Panel(functools.partial(draw_runs, runs=runs, kind=kind), height=HEIGHT) for kind in kinds],
            [long_legend(key)]]


def has_curves(runs: list[Run]) -> bool:
    return bool(curves(runs))


def caption_of_runs(runs: list[Run]) -> str:
    drawn, beside = curves(runs), references(runs)
    parts = [f"Error on the {split_of(runs)} split against the work for an example, for every k and a range of "
             "thresholds; of a config with several finished runs the means."]
    if len(drawn) == 1:
        parts.append(costs_sentence(drawn[0].cost))
    parts.append("Stars: networks without a gate, which always compute everything." if beside else
                 "No network without a gate is among these runs, so there is none to compare with.")
    parts += [beside_sentence(point, beside, drawn) for point in beside[:MOST_LABELLED]]
    if left_out(runs):
        parts.append("Not drawn, as their curves are not of the same examples or of an older model: "
                     f"{words.listed(f'{name} ({why})' for name, why in left_out(runs).items())}.")
    return " ".join(parts)

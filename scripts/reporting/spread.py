"""Figures of several runs: all learning curves, and how much expert and factor know of each other over the seeds."""
import functools

import numpy as np
from matplotlib.lines import Line2D

from reporting import comparison, curves, style, words
from reporting.drawing import AnyFigure, Panel, Rows, long_legend
from reporting.run import Floats, Run

MOST_GROUPS = style.MOST_LINES


def shown(runs: list[Run]) -> list[comparison.Group]:
    return comparison.groups_of(runs)[:MOST_GROUPS]


def left_out(runs: list[Run]) -> str:
    more = len(comparison.groups_of(runs)) - MOST_GROUPS
    return f" The last {more} configs are left out." if more > 0 else ""


# --- learning curves ---------------------------------------------------------------------------------------------

def has_evaluations(runs: list[Run]) -> bool:
    return any(len(run.evaluation["epoch"]) for run in runs)


def draw_errors(figure: AnyFigure, runs: list[Run], split: str) -> None:
    axis = figure.subplots()
    values = []
    for index, group in enumerate(shown(runs)):
        for run in group.runs:
            errors = 100 * run.evaluation[f"{split}_error"]
            axis.plot(run.evaluation["epoch"], errors, linewidth=1.0, alpha=0.85, **style.line(index))
            values.append(errors)
    curves.log_scale(axis, np.concatenate(values), curves.plain_number)
    axis.set_xlim(left=0)
    axis.set_xlabel("epoch")
    axis.set_ylabel(f"{split} error [%]")


def legend_row(runs: list[Run]) -> list[Panel]:
    """Group by group, as lines."""
    labels = [f"{group.label}; {group.epochs} epochs ({words.counted(len(group.runs), 'run')})"
              for group in shown(runs)]
    handles = [Line2D([], [], label=label, **style.line(index)) for index, label in enumerate(labels)]
    return [long_legend(handles)]


def learning_panels(runs: list[Run]) -> Rows:
    return [[Panel(functools.partial(draw_errors, runs=runs, split=split), height=2.9)
             for split in ("test", "train")], legend_row(runs)]


def learning_caption(runs: list[Run]) -> str:
    return ("Error on the test set and on the freshly jittered training set after each evaluated epoch, a line a run, "
            "a colour a config." + left_out(runs))


# --- mutual information ------------------------------------------------------------------------------------------

def has_information(runs: list[Run]) -> bool:
    return all_values(runs).size > 0


def draw_layer(figure: AnyFigure, runs: list[Run], number: int, factors: list[str]) -> None:
    """Dots of all runs and a bar at the mean, a row for each factor and group."""
    axis = figure.subplots()
    groups = shown(runs)
    positions, labels = [], []
    for row, factor in enumerate(factors):
        measure = comparison.information(runs, number, factor)
        for index, group in enumerate(groups):
            spread = comparison.spread(group.counted, measure)
            if not spread.values:
                continue
            height = row * (len(groups) + 1) + index
            colour = style.line(index)["color"]
            axis.plot(spread.values, [height] * len(spread.values), "o", color=colour, alpha=0.65, markersize=4.5,
                      markeredgewidth=0)
            if len(spread.values) > 1:
                axis.plot([spread.mean] * 2, [height - 0.36, height + 0.36], color=style.INK, linewidth=1.6)
        positions.append(row * (len(groups) + 1) + (len(groups) - 1) / 2)
        labels.append(words.factor(factor))
    axis.set_yticks(positions, labels)
    axis.set_ylim(len(factors) * (len(groups) + 1) - 1.3, -0.7)
    axis.grid(False, axis="y")
    axis.set_xlim(-0.02, 1.0 if all_values(runs).max() > 0.6 else 0.62)
    axis.set_xlabel("I(expert; factor) / log N")
    axis.set_title(f"Layer {number}", loc="left", fontsize=9)


def all_values(runs: list[Run]) -> Floats:
    """I / log N of every dot."""
    values = [comparison.spread(comparison.counted(runs), comparison.information(runs, *pair)).values
              for pair in comparison.pairs_of(runs)]
    return np.concatenate(values) if values else np.array([])


def information_panels(runs: list[Run]) -> Rows:
    layers: dict[int, list[str]] = {}
    for number, factor in comparison.pairs_of(runs):
        layers.setdefault(number, []).append(factor)
    rows = max(len(factors) for factors in layers.values()) * (len(shown(runs)) + 1)
    panels = [Panel(functools.partial(draw_layer, runs=runs, number=number, factors=factors),
                    height=1.1 + 0.16 * rows) for number, factors in layers.items()]
    return [panels[i:i + 2] for i in range(0, len(panels), 2)] + [legend_row(runs)]


def information_caption(runs: list[Run]) -> str:
    return ("Mutual information between the expert of a layer and a factor of the example, from the gates, in units of "
            "log N: a dot a finished run, a bar at the mean of a config with several." + left_out(runs))

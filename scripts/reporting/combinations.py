"""Figures 3 to 5 of the paper: the examples that drive each combination of experts hardest, and how the choice at one
layer goes with the choice at the next."""
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reporting import style, words
from reporting.drawing import ON_MAP, WIDTH, AnyFigure, Panel, Rows, largest
from reporting.run import Booleans, Floats, Pair, Run, TopExamples

MOST_EXPERTS = 16  # of each layer, in a grid of combinations: those with the largest mean gate
MOST_A_SIDE = 4  # 4 x 4 examples for each combination, as in figure 4; 3 x 3, as in figure 3, where fewer are kept
MOST_NUMBERS = 12  # experts up to which the joint assignment has its numbers written into the cells

Layers = tuple[int | None, int]  # numbers of a pair; None where there is one layer only
Pictures = NDArray[np.floating[Any]]


# --- how one input is looked at ----------------------------------------------------------------------------------

def is_speech(run: Run, inputs: int) -> bool:
    return run.config["data"]["name"] == "frames" or math.isqrt(inputs) ** 2 != inputs


def as_pictures(run: Run, inputs: Pictures) -> Pictures:
    """(.., D) as (.., height, width) in 0 .. 1: square images as they are, speech as spectrogram, low bands below."""
    size = inputs.shape[-1]
    if not is_speech(run, size):
        side = math.isqrt(size)
        return np.clip(inputs.reshape(*inputs.shape[:-1], side, side), 0, 1)
    stacked = 2 * run.config["data"].get("context", 0) + 1
    bins = size // stacked
    if size % stacked:
        return np.zeros((*inputs.shape[:-1], 1, size)) + inputs[..., None, :]
    frames = inputs.reshape(*inputs.shape[:-1], stacked, bins)
    low, high = 0.0, 1.0
    if inputs.size:
        low, high = np.percentile(inputs, [1, 99])
    return np.clip((np.swapaxes(frames, -1, -2)[..., ::-1, :] - low) / max(high - low, 1e-9), 0, 1)


def side_of(count: int) -> int:
    """Of the largest square of pictures that `count` of them fill."""
    return max(1, min(MOST_A_SIDE, math.isqrt(count)))


def mosaic(pictures: Pictures, present: Booleans) -> Floats:
    """(n, h, w) as a square of pictures with a gap of one pixel; NaN where there is none."""
    height, width = pictures.shape[1:]
    side = side_of(len(pictures))
    canvas = np.full((side * (height + 1) - 1, side * (width + 1) - 1), np.nan)
    for place in range(min(len(pictures), side * side)):
        if present[place]:
            row, column = divmod(place, side)
            canvas[row * (height + 1):, column * (width + 1):][:height, :width] = pictures[place]
    return canvas


# --- figures 3 (images) and 4 (speech): top examples -------------------------------------------------------------

def tops(run: Run) -> list[tuple[Layers, TopExamples]]:
    """(what the rows and columns are, TopExamples with axes (N, N', ..)) of each pair, or of a single layer."""
    found: list[tuple[Layers, TopExamples]] = [((pair.number, pair.next_number), pair.top)
                                               for pair in run.pairs if pair.top]
    for layer in run.layers:
        if layer.top and not found:
            top = layer.top
            found.append(((None, layer.number), type(top)(top.index[None], top.gate[None], top.input[None])))
    return found


def tops_are_speech(run: Run) -> bool | None:
    """None where there are no top examples."""
    return next((is_speech(run, top.input.shape[-1]) for _, top in tops(run)), None)


def shown_experts(run: Run, number: int | None) -> list[int]:
    """Of a layer, in order; the one row where there is no layer."""
    return [0] if number is None else next(layer for layer in run.layers if layer.number == number).most_used(
        MOST_EXPERTS)


def draw_top(figure: AnyFigure, run: Run, layers: Layers, whole: TopExamples) -> None:
    lower, upper = (shown_experts(run, number) for number in layers)
    cells = np.ix_(lower, upper)
    top = TopExamples(whole.index[cells], whole.gate[cells], whole.input[cells])
    pictures = as_pictures(run, top.input)
    rows, columns = top.index.shape[:2]
    axes = figure.subplots(rows, columns, squeeze=False)
    speech = is_speech(run, top.input.shape[-1])
    how = {"cmap": style.MAP_COLOURS, "aspect": "auto"} if speech else {"cmap": style.PIXELS, "aspect": "equal"}
    for row in range(rows):
        for column in range(columns):
            axis = axes[row, column]
            present = top.index[row, column] >= 0
            axis.imshow(mosaic(pictures[row, column], present), **how, vmin=0, vmax=1, interpolation="none")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(True)
            axis.spines[:].set_color(style.GRID)
            gates = top.gate[row, column][present][:side_of(len(present)) ** 2]
            if columns <= 8 and len(gates):
                axis.set_xlabel(f"{gates[-1]:.2f} to {gates[0]:.2f}", fontsize=7.5, color=style.MUTED, labelpad=2)
    for column, axis in zip(upper, axes[0]):
        axis.set_title(f"layer {layers[1]}, expert {column}" if columns <= 4 else column, fontsize=8)
    for row, axis in zip(lower, axes[:, 0]):
        if layers[0]:
            axis.set_ylabel(f"layer {layers[0]}, expert {row}" if columns <= 4 else row, fontsize=8)
    if columns > 4:
        figure.suptitle(f"expert of layer {layers[1]}", fontsize=8.5)
        if layers[0]:
            figure.supylabel(f"expert of layer {layers[0]}", fontsize=8.5)


def top_panels(run: Run) -> Rows:
    rows = []
    for layers, top in tops(run):
        down, across = (min(count, MOST_EXPERTS) for count in top.index.shape[:2])
        speech = is_speech(run, top.input.shape[-1])
        width = max(WIDTH, (1.15 if across <= 4 else 0.75) * across)
        height = width / across * (1.35 if speech else 1.15) * down + 0.4
        rows.append([Panel(functools.partial(draw_top, run=run, layers=layers, whole=top), width, height,
                           grow=1.7, kind="examples" + (" speech" if speech else ""))])
    return rows


def top_caption(run: Run) -> str:
    (first, _), top = tops(run)[0]
    drawn = (top.index >= 0)[..., :side_of(top.index.shape[-1]) ** 2]
    shown = words.counted(int(drawn.sum(axis=-1).max()), f"{run.split} example")
    what = "combination of experts" if first else "expert"
    value = "product of gating values" if first else "gating value"
    number = 4 if is_speech(run, top.input.shape[-1]) else 3
    parts = [f"{'Figure' if first else 'As figure'} {number} of the paper: the {shown} "
             f"with the highest {value} for each {what}, best first"
             f"{f' (with {words.listed(run.analysed_with)})' if run.analysed_with else ''}"
             f"{'' if top.index.shape[1] > 8 else '; below each, the range of it'}."]
    if is_speech(run, top.input.shape[-1]):
        parts.append("Each patch is one input: time from left to right, low frequency bands at the bottom.")
    if any(max(top.index.shape[:2]) > MOST_EXPERTS for _, top in tops(run)):
        parts.append(f"Only the {MOST_EXPERTS} experts of each layer with the largest mean gate are drawn; the run "
                     "file has all.")
    return " ".join(parts)


# --- figure 5: joint assignment ----------------------------------------------------------------------------------

def draw_joint(figure: AnyFigure, pair: Pair) -> None:
    rows, columns = pair.joint_rows.shape
    axis = figure.subplots()
    highest = max(largest(pair.joint_rows), 1e-6)
    top = 1 if highest > 0.5 else highest
    image = axis.imshow(pair.joint_rows, vmin=0, vmax=top, aspect="auto", interpolation="none")
    axis.grid(False)
    if max(rows, columns) <= MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(pair.joint_rows):
            if np.isnan(value):
                continue
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8 if columns <= 8 else 6.5,
                      color="#ffffff" if value < 0.6 * top else "#10141a", gid=f"{ON_MAP}-{row}-{column}")
    for tick_axis, count in ((axis.xaxis, columns), (axis.yaxis, rows)):
        tick_axis.set_ticks(range(0, count, math.ceil(count / 20)))
    axis.set_xlabel(f"expert of layer {pair.next_number}")
    axis.set_ylabel(f"expert of layer {pair.number}")
    bar = figure.colorbar(image, ax=axis, fraction=0.05)
    bar.outline.set_visible(False)
    bar.set_label("P(column | row)")


def joint_panels(run: Run) -> Rows:
    panels = [Panel(functools.partial(draw_joint, pair=pair),
                    height=min(max(0.9 + 0.42 * len(pair.joint_rows), 1.9), 4.4)) for pair in run.pairs]
    return [panels[i:i + 2] for i in range(0, len(panels), 2)]


def spread_of_rows(pair: Pair) -> float:
    """How far two rows of the joint assignment are apart at most, in total variation (0: the choices are
    independent, 1: they never overlap). Rows of experts that never gated are NaN and do not count."""
    rows = pair.joint_rows[~np.isnan(pair.joint_rows).any(axis=1)]
    return max((float(np.abs(rows - a).sum(axis=1).max() / 2) for a in rows), default=0.0)


def joint_caption(run: Run) -> str:
    spreads = words.listed(
        f"{spread_of_rows(pair):.2f} (layers {pair.number} and {pair.next_number})" for pair in run.pairs)
    return ("Figure 5 of the paper: mean product of the gates of consecutive layers, each row divided by its sum: how "
            "the choice at one layer goes with the choice at the next. Equal rows mean that it does not depend on it. "
            f"Largest distance between two rows, in total variation from 0 (equal) to 1: {spreads}.")

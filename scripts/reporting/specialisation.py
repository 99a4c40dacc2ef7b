"""Figure 2 of the paper: mean gating output of every expert by every known factor, a row a layer. A factor with two
axes (translation) becomes a map for each expert, one with a single axis (class) a row for each."""
import functools
import math

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import FuncFormatter

from reporting import style, words
from reporting.drawing import WIDTH, AnyFigure, Panel, Rows, largest
from reporting.run import AnalysedLayer, Factor, Run

MOST_MAPS = 32  # experts shown as maps, those with the largest mean gate
MOST_ROWS = 256  # experts shown as rows, chosen as these: of more a picture has no pixels
MOST_NAMES = 44  # levels with names on one axis, of a wide panel
MOST_TICKS = 20  # labels on another axis

Extent = tuple[float, float, float, float]  # left, right, bottom, top


def analysed(run: Run) -> list[AnalysedLayer]:
    return [layer for layer in run.layers if layer.factors]


def scale(run: Run) -> Normalize:
    """Colours go up to 1, or to the largest value where gates are spread over so many experts that all are small."""
    top = max((largest(factor.mean_gate) for layer in analysed(run) for factor in layer.factors), default=1.0)
    return Normalize(0, 1 if top > 0.5 else max(top, 1e-6))


def shown_maps(layer: AnalysedLayer) -> list[int]:
    """The experts that get a map, in order."""
    return layer.most_used(MOST_MAPS)


def map_columns(count: int) -> int:
    return min(count, 4 if count <= 8 else 6)


def row_height(layer: AnalysedLayer) -> float:
    """Inches; all panels of a layer are as high."""
    heights = [1.4]
    for factor in layer.factors:
        if len(factor.axes) == 2:
            shown = min(layer.experts, MOST_MAPS)
            columns = map_columns(shown)
            heights.append(math.ceil(shown / columns) * (3.1 / columns + 0.22) + 0.62)
        else:
            heights.append(min(0.14 * layer.experts, 6) + 0.9)
    return max(heights)


def headline(figure: AnyFigure, layer: AnalysedLayer, factor: Factor) -> None:
    chance = f" (p = {words.number(factor.p_values[0])})" if factor.p_values else ""
    title = f"Layer {layer.number} by {words.factor(factor.name)}: I / log N = {words.number(factor.soft)}{chance}"
    figure.suptitle(title, x=0.012, ha="left", fontsize=9)


def few(count: int) -> range:
    """Ticks at no more than MOST_TICKS of the positions 0 .. count - 1."""
    return range(0, count, math.ceil(count / MOST_TICKS))


def extent_of(factor: Factor) -> tuple[Extent, tuple[str, str]]:
    """Pixel edges of a map, and how its axes are called: translations stand around 0."""
    rows, columns = factor.mean_gate.shape[1:]
    if all("translation" in axis for axis in factor.axes) and rows % 2 and columns % 2:
        return (-columns / 2, columns / 2, rows / 2, -rows / 2), ("right [pixels]", "down [pixels]")
    return (-0.5, columns - 0.5, rows - 0.5, -0.5), (words.factor(factor.axes[1]), words.factor(factor.axes[0]))


def ends(low: float, high: float, middle: bool) -> list[float]:
    """Ticks at the first and the last cell between two edges, and at the middle one where there is one."""
    cells = round(high - low)
    return [low + 0.5, *([(low + high) / 2] if middle and cells % 2 and cells > 1 else []), high - 0.5]


def draw_maps(figure: AnyFigure, layer: AnalysedLayer, factor: Factor, norm: Normalize) -> None:
    headline(figure, layer, factor)
    shown = shown_maps(layer)
    columns = map_columns(len(shown))
    axes = figure.subplots(math.ceil(len(shown) / columns), columns, squeeze=False, sharex=True, sharey=True)
    extent, (across, down) = extent_of(factor)
    for place, axis in enumerate(axes.flat):
        if place >= len(shown):
            axis.set_axis_off()
            continue
        axis.imshow(factor.mean_gate[shown[place]], norm=norm, extent=extent, interpolation="none")
        axis.set_title(f"expert {shown[place]}" if columns <= 4 else shown[place], pad=3)
        axis.grid(False)
        axis.set_xticks(ends(*extent[:2], middle=columns <= 4))
        axis.set_yticks(ends(*extent[:1:-1], middle=columns <= 4))
        axis.tick_params(length=2)
        axis.xaxis.set_major_formatter(FuncFormatter(words.whole))
        axis.yaxis.set_major_formatter(FuncFormatter(words.whole))
    axes[-1, 0].set_xlabel(across)
    axes[-1, 0].set_ylabel(down)


def draw_rows(figure: AnyFigure, layer: AnalysedLayer, factor: Factor, norm: Normalize) -> None:
    names = factor.names
    headline(figure, layer, factor)
    axis = figure.subplots()
    shown = layer.most_used(MOST_ROWS)
    axis.imshow(factor.mean_gate[shown], norm=norm, aspect="auto", interpolation="none")
    axis.grid(False)
    if names and len(names) <= MOST_NAMES:
        axis.set_xticks(range(len(names)), names, rotation=90 if 8 < len(names) <= MOST_TICKS else 0, fontsize=7.5)
    else:
        axis.set_xticks(few(factor.mean_gate.shape[1]))
    ticks = few(len(shown))
    axis.set_yticks(ticks, [shown[row] for row in ticks])
    axis.set_xlabel(words.factor(factor.name))
    axis.set_ylabel("expert")


def draw(figure: AnyFigure, layer: AnalysedLayer, factor: Factor, norm: Normalize) -> None:
    if len(factor.axes) == 2:
        draw_maps(figure, layer, factor, norm)
    else:
        draw_rows(figure, layer, factor, norm)


def draw_scale(figure: AnyFigure, norm: Normalize) -> None:
    bar = figure.colorbar(ScalarMappable(norm, style.MAP_COLOURS), cax=figure.subplots(), orientation="horizontal")
    bar.set_label("mean gating output")
    bar.outline.set_visible(False)
    bar.ax.grid(False)


def scale_row(norm: Normalize) -> list[Panel]:
    return [Panel(lambda figure: draw_scale(figure, norm), height=0.55)]


def panels(run: Run) -> Rows:
    norm = scale(run)
    rows = []
    for layer in analysed(run):
        narrow = []
        for factor in layer.factors:
            if len(factor.axes) > 2:
                continue
            is_wide = len(factor.axes) == 1 and len(factor.names) > MOST_TICKS
            panel = Panel(functools.partial(draw, layer=layer, factor=factor, norm=norm),
                          width=2 * WIDTH if is_wide else WIDTH, height=row_height(layer))
            if is_wide:
                rows.append([panel])
            else:
                narrow.append(panel)
        rows += [narrow[i:i + 2] for i in range(0, len(narrow), 2)]
    return rows + [scale_row(norm)]


def caption(run: Run) -> str:
    kinds = [layer.kind for layer in run.architecture.layers]
    is_of_1991 = kinds == ["classifier_mixture"]
    what = "The comparison within figure 2 of the paper, a mixture of experts of 1991" if is_of_1991 else \
        "Figure 2 of the paper"
    parts = [f"{what}: mean gating output of each expert over {run.analysed_examples}, no expert masked. I / log N is "
             "the mutual information between expert and factor (from the gates), in units of log N."]
    if any(layer.experts > MOST_MAPS for layer in analysed(run)):
        parts.append(f"Maps are of the {MOST_MAPS} experts with the largest mean gate of each layer; the others are "
                     "left out.")
    if any(layer.experts > MOST_ROWS for layer in analysed(run)):
        parts.append(f"Rows are of the {MOST_ROWS} with the largest mean gate.")
    if any(np.isnan(factor.mean_gate).any() for layer in analysed(run) for factor in layer.factors):
        parts.append("Blank: no such example.")
    if scale(run).vmax < 1:
        parts.append(f"Colours end at the largest value, {scale(run).vmax:.2f}.")
    left_out = sorted({factor.name for layer in analysed(run) for factor in layer.factors if len(factor.axes) > 2})
    if left_out:
        parts.append(f"Not drawn, as it has more than two axes: {words.listed(left_out)}.")
    return " ".join(parts)

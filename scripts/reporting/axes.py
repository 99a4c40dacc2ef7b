"""Logarithmic axes with plain numbers, and texts beside points where there is room."""
import dataclasses
import typing
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from reporting import style, words
from reporting.run import Floats

STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))  # of a decade
LETTER, LINE = 0.062, 0.115  # inches that a letter of a label takes across, a line down; rather more than less
LABEL_SIZE = 7.5  # points

Box = tuple[float, float, float, float]  # left, bottom, right, top [inches]
Place = tuple[Box, tuple[float, float], dict[str, typing.Any]]  # box, offset [points], options of the text


# --- log scales --------------------------------------------------------------------------------------------------

def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers within the limits of a log axis: at least three where any are as close together."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in STEPS:
        found = [step * 10.0 ** decade for decade in decades for step in steps]
        found = [value for value in found if low <= value <= high]
        if len(found) >= 3:
            return found
    return [value for value in MaxNLocator(4).tick_values(low, high) if low <= value <= high]


def log_scale(axis: Axis, values: ArrayLike, room: float = 0.07) -> None:
    """Makes an axis.xaxis or axis.yaxis logarithmic, with limits around all `values` (> 0) and a bit of room."""
    low, high = np.log10(np.min(values)), np.log10(np.max(values))
    margin = max(room * (high - low), 0.02)
    low, high = 10 ** (low - margin), 10 ** (high + margin)
    is_across = axis.axis_name == "x"
    (axis.axes.set_xscale if is_across else axis.axes.set_yscale)("log")
    (axis.axes.set_xlim if is_across else axis.axes.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(log_ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(words.short))


# --- labels ------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Label:
    x: float
    y: float
    text: str
    line: str = ""  # gid of the lines whose other points it must not seem to be of
    sides: str = "above right left below"  # where it may stand, the best first
    gap: float = 0.06  # inches to the point
    is_needed: bool = False  # rather further away, with a stroke to the point, than nowhere


def box_at(label: Label, left: float, bottom: float) -> Box:
    return left, bottom, left + LETTER * len(label.text), bottom + LINE


def places_of(label: Label, point: Floats) -> Iterator[Place]:
    """(box, offset [points], alignments) of a label on each of its sides."""
    wide, high = LETTER * len(label.text), LINE
    for side in label.sides.split():
        across = {"left": -1, "right": 1}.get(side.rpartition("-")[2], 0)
        up = {"above": 1, "below": -1}.get(side.partition("-")[0], 0)
        shift = (0.7 if across and up else 1) * label.gap
        left = point[0] + across * shift - wide * (1 - across) / 2
        bottom = point[1] + up * shift - high * (1 - up) / 2
        alignments = {"ha": ("center", "left", "right")[across], "va": ("center", "bottom", "top")[up]}
        yield box_at(label, left, bottom), (72 * across * shift, 72 * up * shift), alignments


def far_places_of(label: Label, point: Floats, size: Floats) -> Iterator[Place]:
    """As places_of, in wider and wider circles within the axis, with a stroke to the point."""
    wide = LETTER * len(label.text)
    stroke = {"arrowstyle": "-", "color": style.MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3.5}
    for distance in (0.25, 0.4, 0.6, 0.9, 1.2):
        for angle in np.radians([270, 90, 315, 225, 45, 135]):
            centre = point + distance * np.array([np.cos(angle), np.sin(angle)])
            left = float(np.clip(centre[0], wide / 2 + 0.03, size[0] - wide / 2)) - wide / 2
            box = box_at(label, left, centre[1] - LINE / 2)
            offset = (72 * (left + wide / 2 - point[0]), 72 * (centre[1] - point[1]))
            yield box, offset, {"ha": "center", "va": "center", "arrowprops": stroke}


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def marked_points(axis: Axes, size: Floats, gid: str | None = None) -> Floats:
    """(n, 2) of all lines, or of those with that gid [inches]."""
    found = [in_inches(axis, size, *line.get_data()) for line in axis.lines
             if line.get_marker() not in ("", "None", None) and gid in (None, line.get_gid())]
    return np.concatenate([np.zeros((0, 2)), *found])


def distances(box: Box, points: Floats) -> Floats:
    """Of each point to a box."""
    beyond = np.maximum(np.maximum(np.array(box[:2]) - points, points - np.array(box[2:])), 0)
    found: Floats = np.hypot(*beyond.T)
    return found


def drawn_boxes(axis: Axes, size: Floats) -> list[Box]:
    """Small boxes at all markers of an axis and along its lines [inches]."""
    found = [(x - 0.04, y - 0.04, x + 0.04, y + 0.04) for x, y in marked_points(axis, size)]
    for line in axis.lines:
        points = in_inches(axis, size, *line.get_data())
        if line.get_linestyle() != "None":
            for place in range(len(points) - 1):
                start, end = points[place], points[place + 1]
                count = int(np.hypot(*(end - start)) / 0.03) + 2
                found += [(x, y, x, y) for x, y in start + np.linspace(0, 1, count)[:, None] * (end - start)]
    return found


def in_inches(axis: Axes, size: Floats, x: ArrayLike, y: ArrayLike) -> Floats:
    """(n, 2), from the lower left corner of an axis of that size."""
    points = np.column_stack([np.atleast_1d(x), np.atleast_1d(y)]).astype(float)
    inches: Floats = axis.transLimits.transform(axis.transScale.transform(points)) * size
    return inches


def put_labels(axis: Axes, labels: Iterable[Label], size: tuple[float, float]) -> None:
    """Writes those texts that meet no line, no marker and no text before them and stand clearly nearer to their own
    point than to another of such a line; the first are the most important. Last of all that is drawn: limits and
    scales count. `size`: of the axis, about, in inches."""
    corner = np.array(size)
    taken = drawn_boxes(axis, corner)

    def is_free(box: Box) -> bool:
        is_inside = box[0] > 0 and box[1] > 0 and box[2] < size[0] + 0.05 and box[3] < size[1] + 0.1
        return is_inside and not any(meet(box, other) for other in taken)

    for label in labels:
        point = in_inches(axis, corner, label.x, label.y)[0]
        points = marked_points(axis, corner, label.line)
        others = points[np.hypot(*(points - point).T) > 0.03]
        places = chain(places_of(label, point), far_places_of(label, point, corner) if label.is_needed else ())
        for box, offset, how in places:
            is_nearest = "arrowprops" in how or np.min(distances(box, others), initial=1) > 1.5 * label.gap
            if is_nearest and is_free(box):
                axis.annotate(label.text, (label.x, label.y), offset, textcoords="offset points", fontsize=LABEL_SIZE,
                              color=style.INK, **how)
                taken.append(box)
                break

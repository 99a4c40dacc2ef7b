"""Panels become SVG inside the page, where they flow into as many columns as fit, and one picture in a file."""
import dataclasses
import functools
import html
import io
import os
import pathlib
import re
import typing
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from reporting import style, words
from reporting.run import ReportError

PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html",)
STARTS = {".png": (b"\x89png",), ".svg": (b"<?xml", b"<svg"), ".pdf": (b"%pdf-",),
          ".html": (b"<!doctype html", b"<html")}
UNDATED: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}  # metadata
ON_MAP = "on-map"  # how the gid of a text starts that stands on the colours of a map, not on the page
WIDTH = 4.0  # inches, suits a phone as well as half a wide page

AnyFigure: typing.TypeAlias = Figure | SubFigure


@dataclasses.dataclass(frozen=True)
class Panel:
    """One picture within a figure."""

    draw: Callable[[AnyFigure], object]  # puts it into an empty figure
    width: float = WIDTH  # inches at natural size
    height: float = 2.4
    grow: float = 1.35  # how far a wide page may enlarge it
    kind: str = ""  # a CSS class


Rows = list[list[Panel]]  # of a figure


def largest(values: NDArray[np.floating[typing.Any]]) -> float:
    """Of those that are numbers; 0 where none is."""
    return float(np.max(values[np.isfinite(values)], initial=0.0))


def legend(handles: Sequence[Artist], columns: int, width: float = WIDTH) -> Panel:
    """A panel that is nothing but a legend; for all panels of a figure, which are too small for one each."""
    def draw(figure: AnyFigure) -> None:
        figure.legend(handles=handles, loc="center left", ncol=columns, columnspacing=1.1, handlelength=1.3,
                      handletextpad=0.5, borderaxespad=0)
    rows = -(-len(handles) // columns)
    return Panel(draw, width, 0.1 + 0.19 * rows)


def long_legend(handles: Sequence[Artist]) -> Panel:
    """One to a line, as wide as the longest needs."""
    longest = max(len(handle.get_label()) for handle in handles)
    return legend(handles, columns=1, width=max(WIDTH, 0.6 + 0.058 * longest))


def inline_svg(panel: Panel, prefix: str, label: str) -> str:
    """The panel as an <svg> element for an HTML page; `prefix` keeps its ids apart from all others."""
    figure = Figure(figsize=(panel.width, panel.height), layout="constrained")
    panel.draw(figure)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.S)
    svg = with_own_ids(svg, prefix)
    svg = re.sub(r"font: ([^;\"]*?)([\d.]+px) [^;\"]*", in_the_font_of_the_page, svg)
    view_box = re.findall(r'viewBox="[^"]*"', svg)[0]
    head = (f'<svg {view_box} role="img" aria-label="{html.escape(label)}" class="panel {panel.kind}" '
            f'xmlns:xlink="http://www.w3.org/1999/xlink">')
    return style.with_variables(head + svg[svg.index(">") + 1:])


def in_the_font_of_the_page(match: re.Match[str]) -> str:
    """CSS without a family, of `font: [oblique] [weight] size family`."""
    weights = re.findall(r"bold|\d{3}", match[1])
    return "".join([*("font-style:italic;" for _ in re.findall("oblique|italic", match[1])),
                    *(f"font-weight:{weight};" for weight in weights), f"font-size:{match[2]}"])


def with_own_ids(svg: str, prefix: str) -> str:
    """Ids that something refers to are made unique in the page, all others go; ON_MAP becomes a class."""
    wanted = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))

    def own(match: re.Match[str]) -> str:
        name = match[1]
        return f' id="{prefix}-{name}"' if name in wanted else ' class="on-map"' if name.startswith(ON_MAP) else ""

    return re.sub(r'((?:url\(|href=")#)', rf"\g<1>{prefix}-", re.sub(r'\sid="([^"]*)"', own, svg))


def picture(rows: Rows) -> Figure:
    """Rows of panels as one matplotlib Figure, in the paper's arrangement."""
    width = max(sum(panel.width for panel in row) for row in rows)
    heights = [max(panel.height for panel in row) for row in rows]
    figure = Figure(figsize=(width, sum(heights)), layout="constrained", facecolor="white")
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, row in zip(parts, rows):
        spare = width - sum(panel.width for panel in row)
        widths = [panel.width for panel in row] + ([spare] if spare > 0.01 else [])
        for panel, place in zip(row, part.subfigures(1, len(widths), width_ratios=widths, squeeze=False)[0]):
            panel.draw(place)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once for all files
    return figure


def check_target(path: pathlib.Path, suffixes: Sequence[str]) -> None:
    """Throws ReportError where a name ends in none of them, or a file of another kind would be replaced."""
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ReportError(f"{path}: its name must end in {words.listed(suffixes, 'or')}")
    try:
        with open(path, "rb") as file:
            start = file.read(64).lstrip().lower()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from error
    if start and not start.startswith(STARTS[suffix]):
        raise ReportError(f"{path} is not replaced: it holds no {suffix[1:].upper()}")


def written(path: pathlib.Path, write: Callable[[typing.BinaryIO], object]) -> None:
    """write(file) into a binary file beside `path` that takes its name once it is whole. Throws ReportError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            write(file)
        os.replace(aside, path)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)


def save(rows: Rows, *paths: pathlib.Path) -> None:
    """The picture of `rows` in files, each as its name ends. Throws ReportError."""
    for path in paths:
        check_target(path, PICTURES)
    figure = picture(rows)
    for path in paths:
        kind = path.suffix[1:].lower()
        written(path, functools.partial(figure.savefig, format=kind, dpi=200, facecolor="white",
                                        metadata=UNDATED[kind]))

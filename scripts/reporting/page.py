"""The page: one HTML file with everything inside it."""
import html
import pathlib
import re
from collections.abc import Iterable

from reporting import comparison, figures, style, summary, tables, words
from reporting.drawing import inline_svg
from reporting.figures import FigureKind, Subject
from reporting.run import Run

NOTES = ("p: how often a random permutation of the factor gives as much mutual information or more. Evenness: entropy "
         "of the mean gate over log N, 1 where all experts are used alike. Softness: mean entropy of the gates over "
         "log N, 0 where each example has one expert to itself. Dead: less than 1 % of an even share.")
COMPARED_NOTES = ("Runs whose configs differ in nothing but the seed are one row; settings are named where they differ "
                  "from the first row. I(e1; class): mutual information between the expert of layer 1 and the class, "
                  "from the gates, in units of log N.")

MOST_ROWS = 20  # of a table that is open from the start


def anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{html.escape(text)}</p>' if text else ""


def figure(kind: FigureKind[Subject], subject: Subject, prefix: str, file_stem: str) -> str:
    """A figure of the table as <figure>; "" where it does not apply. `file_stem`: its files without their suffix."""
    if not kind.applies(subject):
        return ""
    rows, number = "", 0
    for row in kind.draw(subject):
        svgs = []
        for panel in row:
            number += 1
            svg = inline_svg(panel, f"{prefix}-{kind.name}-{number}", f"{kind.title}, part {number}")
            size = f"--width:{96 * panel.width:.0f}px;--grow:{panel.grow}"
            svgs.append(f'<div class="scroll panel-box" style="{size}">{svg}</div>')
        rows += f'<div class="row">{"".join(svgs)}</div>'
    links = " ".join(f'<a href="{html.escape(file_stem)}.{suffix}">{suffix.upper()}</a>' for suffix in ("svg", "pdf"))
    caption = f'{html.escape(kind.caption(subject))} <span class="files">{links}</span>'
    return (f'<figure id="{prefix}-{kind.name}"><h3>{html.escape(kind.title)}</h3>{rows}'
            f"<figcaption>{caption}</figcaption></figure>")


def tiles(run: Run) -> str:
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{detail}</small></dd></div>"
                    for name, value, detail in ([html.escape(part) for part in tile] for tile in summary.tiles(run)))
    return f'<dl class="tiles">{cells}</dl>' if cells else ""


def warning(text: str) -> str:
    return f'<p class="warning" role="note">{html.escape(text)}</p>'


def status(run: Run) -> str:
    name = run.provenance["status"]
    return f'<span class="status {html.escape(name)}">{html.escape(name)}</span>'


def about(run: Run) -> str:
    """Summary of one run: warnings, numbers, words."""
    return "".join([*map(warning, summary.warnings(run)), tiles(run), paragraph(summary.trained(run)),
                    paragraph(summary.where_and_what(run))])


def section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}"><h2>{html.escape(title)}</h2>{body}</section>' if body else ""


def config_block(run: Run) -> str:
    return f'<pre tabindex="0">{html.escape(run.config_text)}</pre>'


def folded(title: str, body: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{body}</details>"


def folded_where_long(title: str, table: str) -> str:
    return folded(title, table) if table.count("<tr>") > MOST_ROWS else table


def links(names: Iterable[str]) -> str:
    return "".join(f'<a href="#{anchor(name)}">{html.escape(name)}</a>' for name in names)


def run_page(run: Run, files: str) -> str:
    """The page of one run; `files` is the folder of its figures, as seen from the page."""
    shown = {kind.name: figure(kind, run, "run", f"{files}/{kind.name}") for kind in figures.OF_A_RUN}
    training = "".join(shown.pop(name) for name in ("learning", "assignment"))
    timing = shown.pop("timing") + tables.seconds_table(run)
    cost = shown.pop("cost") + folded_where_long("All points of the curve", tables.cost_table(run))
    analysis = []
    if run.is_analysed:
        analysis = [tables.information_table(run), tables.use_table(run), paragraph(NOTES, "note")]
    network = f'<div class="beside">{shown.pop("figure1")}{tables.network_table(run)}</div>'
    sections = [("Summary", about(run)), ("Network", network), ("Training", training),
                ("Specialisation", "".join([*analysis, *shown.values()])), ("Cost", cost), ("Time", timing),
                ("Provenance", tables.provenance_table(run) + folded("Effective config", config_block(run)))]
    title = f"{run.name}: {run.network} on {run.config['data']['name']}"
    return document(title, f"{html.escape(run.name)} {status(run)}",
                    f"{run.network} on {run.config['data']['name']}", run.dmoe_version, sections)


def runs_page(runs: list[Run], files_of: dict[str, str], files: str) -> str:
    """The page of several runs: compared first, then each in short. files_of[run name]: folder of its figures."""
    anchors = {run.name: f"run-{place}-{anchor(run.name)}" for place, run in enumerate(runs, start=1)}
    compared = tables.comparison_table(runs) + paragraph(COMPARED_NOTES, "note") + tables.runs_table(runs, anchors)
    compared += "".join(map(warning, comparison.notes(runs)))
    pictures = "".join(figure(kind, runs, "all", f"{files}/{kind.name}") for kind in figures.OF_RUNS)
    pictures += tables.cost_of_runs_table(runs)
    each = ""
    for run in runs:
        drawn = "".join(figure(kind, run, anchors[run.name], f"{files_of[run.name]}/{kind.name}")
                        for kind in figures.OF_A_RUN if kind.name in figures.IN_A_SHORT_SECTION)
        each += (f'<article id="{anchors[run.name]}"><h2>{html.escape(run.name)} {status(run)}</h2>{about(run)}{drawn}'
                 f"{folded('Provenance and config', tables.provenance_table(run) + config_block(run))}</article>")
    sections = [("Comparison", compared), ("All runs in pictures", pictures), ("Runs one by one", each)]
    data = words.listed(dict.fromkeys(run.config["data"]["name"] for run in runs))
    return document(f"{len(runs)} runs on {data}", f"{len(runs)} runs compared", f"on {data}",
                    words.listed(dict.fromkeys(run.dmoe_version for run in runs)), sections)


def document(title: str, headline: str, subtitle: str, version: str, sections: list[tuple[str, str]]) -> str:
    """`headline` is markup, the rest text; sections: (title, markup), left out where empty."""
    css = style.css_variables() + (pathlib.Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    present = [(name, body) for name, body in sections if body]
    body = "".join(section(anchor(name), name, content) for name, content in present)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="dmoe {html.escape(version)}, report">
<link rel="icon" href="data:,">
<title>{html.escape(title)}</title>
<style>
{css}</style>
</head>
<body>
<header>
<h1>{headline}</h1>
<p>{html.escape(subtitle)}</p>
<nav aria-label="Contents">{links(name for name, _ in present)}</nav>
</header>
<main>{body}</main>
<footer>Made by dmoe-report from files of dmoe {html.escape(version)}. Layers count from 1, experts from 0.</footer>
</body>
</html>
"""

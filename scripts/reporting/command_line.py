"""What scripts/report does with its arguments."""
import argparse
import os
import pathlib
import re
import sys
import typing
from collections.abc import Iterable

from reporting import figures, page, style
from reporting.drawing import PAGES, PICTURES, Rows, check_target, save, written
from reporting.figures import FigureKind, Subject
from reporting.run import ReportError, Run
from reporting.run_file import read_runs

DESCRIPTION = """Makes one HTML page of a run, or compares several: what was trained and how well it does, learning
curves, what the experts specialise in, timing, provenance. The page needs nothing but itself to be opened. Its figures
are saved beside it as SVG and PDF."""


# As one types it, from the sources or installed.
PROGRAM = "dmoe-report" if pathlib.Path(sys.argv[0]).name == "dmoe-report" else "scripts/report"


def names(kinds: Iterable[FigureKind[typing.Any]]) -> str:
    return ", ".join(kind.name for kind in kinds)


EPILOG = f"""figures: {names(figures.OF_A_RUN)}; of several runs: {names(figures.OF_RUNS)}

examples:
  {PROGRAM} runs/quickstart                      runs/quickstart/report.html, figures in report_figures/
  {PROGRAM} runs/A-quick-s*                      runs/report.html
  {PROGRAM} runs/quickstart --figure figure2 --to figure2.png

Exit status: 0 done, 2 bad usage or a file that cannot be read or written."""


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("report", description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=pathlib.Path, help="folder of a run")
    parser.add_argument("--output", metavar="FILE", type=pathlib.Path,
                        help="page to write (default: report.html in the run's folder, for several runs in the folder "
                             "that holds them)")
    parser.add_argument("--figure", metavar="NAME", help="write no page, only this figure")
    parser.add_argument("--to", metavar="FILE", type=pathlib.Path, help="where to: a name in .png, .svg or .pdf")
    options = parser.parse_args(given)
    if bool(options.figure) != bool(options.to):
        parser.error("--figure NAME and --to FILE go together")
    if options.figure and options.output:
        parser.error("--output is of a page, --figure writes none; its file is named with --to")
    return options


def is_of_a_report(path: pathlib.Path) -> bool:
    """A page or its folder of figures: they stand among the runs that DIR/runs/* means."""
    page_of = path.with_name(f"{path.name.removesuffix('_figures')}.html") if path.name.endswith("_figures") else path
    return page_of.suffix == ".html" and page_of.is_file()


def begun(given: list[pathlib.Path]) -> list[pathlib.Path]:
    """Where several are given, those that hold a run.h5; the others are named. Throws ReportError where none does."""
    if len(given) == 1:
        return given
    given = [path for path in given if not is_of_a_report(path)]
    empty = [path for path in given if path.is_dir() and not (path / "run.h5").exists()]
    if len(empty) == len(given):
        raise ReportError("none of the folders given holds a run.h5")
    for path in empty:
        print(f"report: left out {path}: it holds no run.h5 yet", file=sys.stderr)
    return [path for path in given if path not in empty]


def output_of(runs: list[Run], wanted: pathlib.Path | None) -> pathlib.Path:
    """Of the page. Throws ReportError."""
    if wanted:
        return wanted
    folders = {run.folder.resolve().parent for run in runs}
    if len(runs) == 1:
        return runs[0].folder / "report.html"
    if len(folders) > 1:
        raise ReportError("the runs are in different folders: say where the page goes with --output FILE")
    return runs[0].folder.parent / "report.html"


def rows_of(kind: FigureKind[Subject], held: list[FigureKind[Subject]], subject: Subject, runs: list[Run]) -> Rows:
    """Of a figure among those `held`. Throws ReportError where the runs do not hold what it shows."""
    if not kind.applies(subject):
        command = next(filter(None, (figures.command_for(kind, run) for run in runs)), "")
        hint = f"run: {command}" if command else \
            f"figures of it: {names(other for other in held if other.applies(subject))}"
        raise ReportError(f"{runs[0].folder / 'run.h5'} does not hold what figure '{kind.name}' shows; {hint}")
    return kind.draw(subject)


def save_one(runs: list[Run], name: str, path: pathlib.Path) -> None:
    of_a_run, of_runs = figures.named(figures.OF_A_RUN, name), figures.named(figures.OF_RUNS, name)
    if of_runs:
        rows = rows_of(of_runs, figures.OF_RUNS, runs, runs)
    elif not of_a_run:
        raise ReportError(f"there is no figure '{name}'; known: {names([*figures.OF_A_RUN, *figures.OF_RUNS])}")
    elif len(runs) != 1:
        raise ReportError(f"figure '{name}' is of one run, got {len(runs)}")
    else:
        rows = rows_of(of_a_run, figures.OF_A_RUN, runs[0], runs)
    save(rows, path)
    print(f"wrote {path}")


def save_all(kinds: Iterable[FigureKind[Subject]], subject: Subject, folder: pathlib.Path) -> int:
    """How many figures were saved, each as SVG and PDF."""
    shown = [kind for kind in kinds if kind.applies(subject)]
    for kind in shown:
        save(kind.draw(subject), folder / f"{kind.name}.svg", folder / f"{kind.name}.pdf")
    return len(shown)


def make_page(runs: list[Run], output: pathlib.Path) -> None:
    check_target(output, PAGES)
    files = output.with_name(f"{output.stem}_figures")
    if len(runs) == 1:
        text = page.run_page(runs[0], files.name)
        count = save_all(figures.OF_A_RUN, runs[0], files)
    else:
        folders = {run.name: re.sub(r"[^\w.-]+", "_", run.name) for run in runs}
        text = page.runs_page(runs, {name: f"{files.name}/{folder}" for name, folder in folders.items()}, files.name)
        count = save_all(figures.OF_RUNS, runs, files)
        short = [kind for kind in figures.OF_A_RUN if kind.name in figures.IN_A_SHORT_SECTION]
        count += sum(save_all(short, run, files / folders[run.name]) for run in runs)
    written(output, lambda file: file.write(text.encode()))
    print(f"wrote {output}" + (f", {count} figures as SVG and PDF in {files}{os.sep}" if count else ""))


def main(given: list[str] | None = None) -> int:
    """Exit status."""
    options = arguments(given)
    style.apply()
    try:
        if options.to:
            check_target(options.to, PICTURES)
        runs = read_runs(begun(options.runs))
        if options.figure:
            save_one(runs, options.figure, options.to)
        else:
            make_page(runs, output_of(runs, options.output))
    except ReportError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0

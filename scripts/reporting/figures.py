"""The table of figures. A new one is a line here: `draw(run)` returns rows of panels (drawing.py), `applies(run)` says
whether the run holds what it shows, `caption(run)` what is seen and what was left out. Those of several runs take the
list of them in place of a run."""
import dataclasses
import typing
from collections.abc import Callable

from reporting import combinations, cost, curves, network_figure, specialisation, spread, timing
from reporting.drawing import Rows
from reporting.run import Run

Subject = typing.TypeVar("Subject", Run, list[Run])


@dataclasses.dataclass(frozen=True)
class FigureKind(typing.Generic[Subject]):
    name: str  # of its files, and for --figure
    title: str
    caption: Callable[[Subject], str]
    applies: Callable[[Subject], bool]
    draw: Callable[[Subject], Rows]


OF_A_RUN: list[FigureKind[Run]] = [
    FigureKind("figure1", "What reads what", network_figure.caption, lambda run: True, network_figure.panels),
    FigureKind("learning", "Learning curves", curves.learning_caption,
               lambda run: len(run.train["step"]) > 0, curves.learning_panels),
    FigureKind("assignment", "How the examples were shared out", curves.assignment_caption,
               lambda run: bool(run.assignments), curves.assignment_panels),
    FigureKind("figure2", "Where and what: mean gating output by factor", specialisation.caption,
               lambda run: bool(specialisation.analysed(run)), specialisation.panels),
    FigureKind("figure3", "Examples with the highest gates", combinations.top_caption,
               lambda run: combinations.tops_are_speech(run) is False, combinations.top_panels),
    FigureKind("figure4", "Speech with the highest gates", combinations.top_caption,
               lambda run: combinations.tops_are_speech(run) is True, combinations.top_panels),
    FigureKind("figure5", "Joint assignment of consecutive layers", combinations.joint_caption,
               lambda run: bool(run.pairs), combinations.joint_panels),
    FigureKind("cost", "Accuracy against cost", cost.caption, cost.has_curve, cost.panels),
    FigureKind("timing", "Time of the ranks", timing.caption, lambda run: bool(timing.timed(run)), timing.panels),
]
OF_RUNS: list[FigureKind[list[Run]]] = [
    FigureKind("comparison", "Learning curves of all runs", spread.learning_caption, spread.has_evaluations,
               spread.learning_panels),
    FigureKind("where_and_what", "Mutual information of all runs", spread.information_caption,
               spread.has_information, spread.information_panels),
    FigureKind("cost_of_runs", "Accuracy against cost of all runs", cost.caption_of_runs, cost.has_curves,
               cost.panels_of_runs),
]
IN_A_SHORT_SECTION = {"figure2", "figure5"}  # of each run, where several are reported


def command_for(kind: FigureKind[typing.Any], run: Run) -> str:
    """What would make the run hold what the figure shows; "" where nothing would."""
    if kind.name in ("cost", "cost_of_runs"):
        return f"dmoe evaluate {run.folder} --curve" if run.cost is None and cost.has_choice(run) else ""
    return "" if run.is_analysed else f"dmoe analyze {run.folder}"


def named(kinds: list[FigureKind[Subject]], name: str) -> FigureKind[Subject] | None:
    """None where there is none."""
    return next((kind for kind in kinds if kind.name == name), None)

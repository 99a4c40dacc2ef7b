"""What happened while a run trained: losses, errors, rates, and how the balancing rule shared the examples out."""
import functools
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from reporting import style, words
from reporting.drawing import AnyFigure, Panel, Rows, legend
from reporting.run import Assignment, Floats, Run


# --- axes that all curves share ----------------------------------------------------------------------------------

def mark_phases(axis: Axes, run: Run) -> None:
    """A shade behind every other phase, names on top of all; phases meet where their rows do."""
    train = run.train
    if not len(train["step"]):
        return
    ends = [train["step"][train["phase"] == phase].max() / run.steps_per_epoch for phase in np.unique(train["phase"])]
    start = 0.0
    for number, (phase, end) in enumerate(zip(np.unique(train["phase"]), ends)):
        if number % 2:
            axis.axvspan(start, end, color=style.SHADE, linewidth=0, zorder=0)
        if len(ends) <= 4:
            axis.annotate(run.phases[phase].replace("_", " "), ((start + end) / 2, 1), (0, 2), ha="center",
                          xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=7.5,
                          color=style.MUTED, annotation_clip=False)
        start = end
    axis.set_xlim(0, max(ends[-1], run.epochs))


def epochs_label(axis: Axes, run: Run) -> None:
    steps = run.steps_per_epoch
    axis.set_xlabel(f"epoch (of {steps:,.0f} steps)" if len(run.train["step"]) else "epoch")


def log_scale(axis: Axes, values: Floats, plain: Callable[[float, object], str]) -> None:
    """Log scale with plain numbers, where the values allow and span enough for one."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 3 * values.min():
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(FuncFormatter(plain))
        span = values.max() / values.min()
        axis.yaxis.set_minor_formatter(FuncFormatter(
            lambda v, _: plain(v, _) if str(f"{v:e}")[0] in ("2", "5") else "") if span < 200 else NullFormatter())
        axis.tick_params(axis="y", which="minor", labelsize=8, color=style.GRID)


def plain_number(value: float, _: object) -> str:
    return f"{value:g}"


# --- learning curves ---------------------------------------------------------------------------------------------

SPLITS = {"train": "training", "test": "test", "validation": "validation"}


def draw_score(figure: AnyFigure, run: Run, name: str, unit: str, factor: float) -> None:
    """`name` (loss, error) of the training batches by step and of the evaluations by epoch."""
    axis = figure.subplots()
    mark_phases(axis, run)
    everything = [factor * run.train[name]]
    axis.plot(run.train["step"] / run.steps_per_epoch, factor * run.train[name], color=style.MUTED, linewidth=0.9,
              alpha=0.75, label="training batches")
    for index, (split, name_of) in enumerate(SPLITS.items()):
        values = run.evaluation.get(f"{split}_{name}")
        if values is None:
            continue
        everything.append(factor * values)
        axis.plot(run.evaluation["epoch"], factor * values, marker="o", label=f"{name_of} set",
                  color=(style.BLUE, style.VERMILLION, style.GREEN)[index], linewidth=1.2, markersize=2.8)
    log_scale(axis, np.concatenate(everything), plain_number)
    axis.set_ylabel(f"{name} [{unit}]")
    epochs_label(axis, run)
    axis.legend(loc="upper right")


def draw_column(figure: AnyFigure, run: Run, name: str, label: str, colour: str) -> None:
    axis = figure.subplots()
    mark_phases(axis, run)
    axis.plot(run.train["step"] / run.steps_per_epoch, run.train[name], color=colour, drawstyle="steps-pre")
    axis.set_ylim(bottom=0)
    axis.set_ylabel(label)
    epochs_label(axis, run)
    if max(run.train[name], default=0) >= 1000:
        axis.yaxis.set_major_formatter(FuncFormatter(words.whole))


def learning_panels(run: Run) -> Rows:
    return [
        [Panel(lambda figure: draw_score(figure, run, "error", "%", 100)),
         Panel(lambda figure: draw_score(figure, run, "loss", "nats", 1))],
        [Panel(lambda figure: draw_column(figure, run, "learning_rate", "learning rate", style.GREEN), height=1.7),
         Panel(lambda figure: draw_column(figure, run, "examples_per_second", "examples per second", style.PURPLE),
               height=1.7)]]


def learning_caption(run: Run) -> str:
    return ("Error and loss of the training batches (means over a logging interval"
            f"{', under the rule in force' if run.assignments else ''}) and of the whole sets after an epoch. The "
            "training set is jittered afresh for each evaluation where the data set jitters. "
            f"Phases: {words.listed(name.replace('_', ' ') for name in run.phases)}.")


# --- assignment --------------------------------------------------------------------------------------------------

def draw_experts(figure: AnyFigure, run: Run, assignment: Assignment, values: Floats, label: str) -> Axes:
    """One line an expert; with more than can be told apart, the range of all and their median."""
    axis = figure.subplots()
    mark_phases(axis, run)
    epochs = assignment.step / run.steps_per_epoch
    count = values.shape[1]
    if count <= style.MOST_LINES:
        for expert in range(count):
            axis.plot(epochs, values[:, expert], linewidth=1.1, **style.line(expert))
    else:
        axis.fill_between(epochs, values.min(axis=1), values.max(axis=1), color=style.SKY, alpha=0.4, linewidth=0)
        axis.plot(epochs, np.median(values, axis=1), color=style.BLUE)
    axis.set_title(f"Layer {assignment.number}", loc="left", pad=14, fontsize=9)
    axis.set_ylabel(label)
    epochs_label(axis, run)
    return axis


def experts_legend(run: Run) -> Panel:
    counts = [layer.totals.shape[1] for layer in run.assignments]
    lines = max((count for count in counts if count <= style.MOST_LINES), default=0)
    handles = [Line2D([], [], label=f"expert {expert}", **style.line(expert)) for expert in range(lines)]
    if max(counts) > style.MOST_LINES:
        handles += [Line2D([], [], label="median expert", color=style.BLUE),
                    Patch(label="least to most", color=style.SKY, alpha=0.4, linewidth=0)]
    return legend(handles, columns=4)


def shares(totals: Floats) -> Floats:
    """(T, N): the part of each interval's examples that an expert got."""
    gains = np.diff(totals, axis=0, prepend=np.zeros((1, totals.shape[1])))
    parts: Floats = gains / np.maximum(gains.sum(axis=1, keepdims=True), 1e-12)
    return parts


def draw_shares(figure: AnyFigure, run: Run, assignment: Assignment) -> None:
    axis = draw_experts(figure, run, assignment, 100 * shares(assignment.totals), "share of examples [%]")
    axis.axhline(100 / assignment.totals.shape[1], color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    axis.set_ylim(bottom=0)


def draw_lead(figure: AnyFigure, run: Run, assignment: Assignment) -> None:
    lead = assignment.totals - assignment.totals.mean(axis=1, keepdims=True)
    axis = draw_experts(figure, run, assignment, lead, "total minus mean [examples]")
    axis.locator_params(axis="y", integer=True)
    axis.yaxis.set_major_formatter(FuncFormatter(words.whole))


def draw_masked(figure: AnyFigure, run: Run, assignment: Assignment) -> None:
    axis = draw_experts(figure, run, assignment, 100 * assignment.masked, "steps masked [%]")
    axis.set_ylim(0, max(axis.get_ylim()[1], 1))


def assignment_panels(run: Run) -> Rows:
    return [[experts_legend(run)]] + [
        [Panel(functools.partial(draw, run=run, assignment=layer), width=3.4, height=2.2)
         for draw in (draw_shares, draw_lead, draw_masked)] for layer in run.assignments]


def assignment_caption(run: Run) -> str:
    parts = ["Per layer and expert: the share of each interval's examples (dotted: an even share); the running total "
             "assignment over all phases, minus its mean over the experts; and the part of the steps in which the "
             "balancing rule masked it."]
    if any(layer.totals.shape[1] > style.MOST_LINES for layer in run.assignments):
        parts.append(f"With more than {style.MOST_LINES} experts, lines give way to their range and median.")
    return " ".join(parts)

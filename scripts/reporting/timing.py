"""Where each rank's time went."""
import numpy as np
from matplotlib.patches import Patch

from reporting import style
from reporting.drawing import AnyFigure, Panel, Rows, legend
from reporting.run import Launch, Run

MOST_RANKS = 32
COLOURS = {"compute": style.BLUE, "communication": style.VERMILLION, "waiting": style.ORANGE, "data": style.GREEN,
           "io": style.PURPLE, "gate": style.YELLOW, "experts": style.BLUE, "packing": style.SKY,
           "optimizer": style.INK, "other computing": style.MUTED}


def timed(run: Run) -> list[tuple[int, Launch]]:
    """(number, launch) of those with seconds; the last is shown."""
    return [(number, launch) for number, launch in enumerate(run.launches, start=1) if launch.seconds.size]


def colour(activity: str) -> str:
    return COLOURS.get(activity, style.SKY)


def draw_launch(figure: AnyFigure, launch: Launch) -> None:
    axis = figure.subplots()
    activities, all_seconds = launch.detailed()
    seconds = all_seconds[:MOST_RANKS]
    ranks = np.arange(len(seconds))
    left = np.zeros(len(seconds))
    for place, activity in enumerate(activities):
        axis.barh(ranks, seconds[:, place], left=left, height=0.7, color=colour(activity))
        left += seconds[:, place]
    axis.set_yticks(ranks)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set_ylabel("rank")
    axis.set_xlabel("time [s]")


def panels(run: Run) -> Rows:
    _, launch = timed(run)[-1]
    key = legend([Patch(color=colour(name), label=name) for name in launch.detailed()[0]], columns=3)
    return [[key], [Panel(lambda figure: draw_launch(figure, launch),
                          height=0.8 + 0.28 * min(len(launch.seconds), MOST_RANKS))]]


def caption(run: Run) -> str:
    number, launch = timed(run)[-1]
    parts = ["Seconds of each rank by what it did; waiting is time in which a rank had nothing to do until another "
             "was ready."]
    if launch.part_seconds.size:
        parts.append("Packing is what brings rows together and adds up what experts made of them.")
    if len(launch.seconds) > MOST_RANKS:
        parts.append(f"The first {MOST_RANKS} ranks are drawn.")
    if len(run.launches) > 1:
        parts.append(f"Launch {number} of {len(run.launches)}.")
    return " ".join(parts)

"""Where each rank's time went."""
import numpy as np
from matplotlib.patches import Patch

from reporting import style, words
from reporting.drawing import Panel, legend

MOST_RANKS = 32
COLOURS = {"compute": style.BLUE, "communication": style.VERMILLION, "waiting": style.ORANGE, "data": style.GREEN,
           "io": style.PURPLE}


def timed(run):
    """(number, launch) of those with seconds."""
    return [(number, launch) for number, launch in enumerate(run.launches, start=1) if launch.seconds.size]


def colour(activity):
    return COLOURS.get(activity, style.SKY)


def draw_launch(figure, number, launch):
    axis = figure.subplots()
    seconds = launch.seconds[:MOST_RANKS]
    ranks = np.arange(len(seconds))
    left = np.zeros(len(seconds))
    for place, activity in enumerate(launch.activities):
        axis.barh(ranks, seconds[:, place], left=left, height=0.7, color=colour(activity))
        left += seconds[:, place]
    axis.set_yticks(ranks)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set_ylabel("rank")
    axis.set_xlabel("time [s]")
    axis.set_title(f"Launch {number}", loc="left", fontsize=9)


def panels(run):
    launches = [Panel(lambda figure, number=number, launch=launch: draw_launch(figure, number, launch),
                      height=0.8 + 0.28 * min(len(launch.seconds), MOST_RANKS)) for number, launch in timed(run)]
    activities = dict.fromkeys(name for _, launch in timed(run) for name in launch.activities)
    key = legend([Patch(color=colour(name), label=name) for name in activities], columns=3)
    return [[key]] + [launches[i:i + 2] for i in range(0, len(launches), 2)]


def caption(run):
    parts = ["Seconds of each rank by what it did; waiting is time in which a rank had nothing to do until another "
             "was ready."]
    if any(len(launch.seconds) > MOST_RANKS for _, launch in timed(run)):
        parts.append(f"The first {MOST_RANKS} ranks are drawn.")
    if len(run.launches) > 1:
        parts.append(f"The run was started or resumed in {len(run.launches)} launches.")
    return " ".join(parts)

"""Colours and fonts, the one home for the figures and the page.

Figures are drawn in the light theme. Inlined into the page, colours with a name become CSS variables, so that they
follow the reader's theme.
"""
import matplotlib

# name: (light, dark). Figures use the light value; no two alike.
THEME = {
    "paper": ("#fefefe", "#14181d"),  # behind everything
    "card": ("#f5f7f9", "#1c2229"),
    "ink": ("#1b2026", "#e8ecf0"),  # text and axes
    "muted": ("#56606b", "#a3afbb"),  # what is said aside
    "grid": ("#d7dde3", "#37414b"),
    "shade": ("#eceff3", "#20272f"),  # every other phase
    "accent": ("#00629b", "#6cbcf0"),
    "warning": ("#9a3f00", "#ffa666"),
    "good": ("#00664b", "#4fd1a5"),
    "blue": ("#0072b2", "#3d9be0"),  # lines: Okabe and Ito, told apart without colour vision
    "vermillion": ("#d55e00", "#f07a28"),
    "green": ("#009e73", "#1fbf8f"),
    "purple": ("#cc79a7", "#de97bf"),
    "orange": ("#e69f00", "#f2bd45"),
    "sky": ("#56b4e9", "#a4dbfa"),
    "yellow": ("#f0e442", "#f7ee7a"),
}
INK, MUTED, GRID, SHADE = (THEME[name][0] for name in ("ink", "muted", "grid", "shade"))
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW = (
    THEME[name][0] for name in ("blue", "vermillion", "green", "purple", "orange", "sky", "yellow"))
LINES = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY]
DASHES = ["-", "--", ":"]
MOST_LINES = len(LINES) * len(DASHES)  # more cannot be told apart

MAP_COLOURS = "viridis"  # perceptually uniform, readable without colour vision, monotone in print
PIXELS = "gray_r"  # ink on paper; the page inverts it in the dark


def line(index: int) -> dict[str, str]:
    """Options of the line of expert or group `index`."""
    return {"color": LINES[index % len(LINES)], "linestyle": DASHES[index // len(LINES) % len(DASHES)]}


def apply() -> None:
    """Settings of matplotlib for all figures."""
    matplotlib.use("Agg")
    matplotlib.rcParams.update({
        "font.size": 8.5, "axes.titlesize": 8.5, "axes.labelsize": 8.5, "legend.fontsize": 8,
        "xtick.labelsize": 8, "ytick.labelsize": 8, "figure.titlesize": 9.5,
        "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.edgecolor": MUTED,
        "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
        "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none",
        "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.6, "axes.axisbelow": True,
        "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
        "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 1.4, "lines.markersize": 3.5,
        "legend.frameon": False, "legend.borderpad": 0.2, "legend.handlelength": 1.6, "image.cmap": MAP_COLOURS,
        "pdf.fonttype": 42,  # text that editors can change
        "svg.hashsalt": "dmoe",  # the same file for the same run
    })


def css_variables() -> str:
    """The theme as CSS: light unless the reader's system asks for dark; prints are light."""
    light, dark = ("".join(f"--{name}:{colours[i]};" for name, colours in THEME.items()) for i in (0, 1))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"


def with_variables(svg: str) -> str:
    """Named colours of an SVG as CSS variables."""
    for name, (light, _) in THEME.items():
        svg = svg.replace(light, f"var(--{name})")
    return svg

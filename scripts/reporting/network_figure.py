"""Figure 1 of the paper, of the run's own network: what each layer is made of, and what reads what, from the input
below to the classes on top. Lengths are inches."""
from collections.abc import Callable, Iterable

from matplotlib.colors import to_rgba
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from reporting import style, words
from reporting.architecture import Architecture, Layer
from reporting.drawing import WIDTH, AnyFigure, Panel, Rows
from reporting.run import Run

MOST_EXPERTS = 5  # of a layer, all drawn; of more the first three and the last
MOST_LAYERS = 8  # all drawn; of more the first and the last
SPINE = 2.54  # where data rises from layer to layer
LEFT = 0.18  # of words and gates
GATE_WIDTH = 0.9
BUS, FOOT = 0.17, 0.40  # above a layer's lower edge: the line that hands its input out, and the boxes that read it
LONE_FOOT = 0.22  # of a box that is the only one to read
BOX = 0.42  # height
LONE_HEIGHT = LONE_FOOT + BOX + 0.18
LEFT_OUT_HEIGHT = 0.5
PILL = 0.25  # height
GAP = 0.56  # between layers, with the pill of what goes from one to the next
DASHES = (0, (2.6, 1.6))
EXPERT, GATE, HEAD = style.BLUE, style.VERMILLION, style.GREEN

Point = tuple[float, float]  # across, up
Colour = tuple[float, float, float, float]  # red, green, blue, opacity


def tint(colour: str) -> Colour:
    found: Colour = to_rgba(colour, 0.16)
    return found


class Canvas:
    """Blocks, lines and words on one empty axis."""

    def __init__(self, figure: AnyFigure, height: float) -> None:
        self.axis = figure.add_subplot()
        self.axis.set_position((0, 0, 1, 1))
        self.axis.set(xlim=(0, WIDTH), ylim=(0, height))
        self.axis.set_axis_off()

    def box(self, middle: float, bottom: float, width: float, height: float, colour: str,
            rounding: float = 0.03) -> None:
        shape = FancyBboxPatch((middle - width / 2, bottom), width, height, linewidth=0.9, edgecolor=colour,
                               facecolor=tint(colour), boxstyle=f"round,pad=0,rounding_size={rounding}", zorder=3)
        self.axis.add_patch(shape)

    def text(self, across: float, up: float, text: int | str, size: float = 7.8, align: str = "center",
             **font: object) -> None:
        self.axis.text(across, up, text, size=size, ha=align, va="center_baseline", zorder=5, **font)

    def two_lines(self, middle: float, bottom: float, formula: str, words: str) -> None:
        """In a box of the height BOX."""
        self.text(middle, bottom + 0.28, formula, size=9.5, style="italic")
        self.text(middle, bottom + 0.11, words)

    def symbol(self, edge: float, up: float, letter: str, above: int | str, below: int | str, size: float) -> None:
        """A letter with an index above and one below from `edge`, each a text of its own, so that any font will do."""
        self.text(edge, up, letter, size, "right", style="italic")
        self.text(edge + 0.016, up + 0.0062 * size, above, 0.68 * size, "left")
        self.text(edge + 0.016, up - 0.0054 * size, below, 0.68 * size, "left")

    def pill(self, middle_height: float, name: str, amount: str) -> None:
        """What goes from one layer to the next; `amount` is "" where it is not known."""
        self.axis.add_patch(FancyBboxPatch(
            (SPINE - 0.68, middle_height - PILL / 2), 1.36, PILL, linewidth=0.9, edgecolor=style.MUTED,
            facecolor=style.THEME["paper"][0], boxstyle=f"round,pad=0,rounding_size={PILL / 2}", zorder=3))
        if not amount:
            self.text(SPINE, middle_height, name, 9, style="italic")
            return
        edge = SPINE + 0.035 * (len(name) - len(amount)) - 0.04  # both together in the middle, by the number of letters
        self.text(edge, middle_height, name, 9, "right", style="italic")
        self.text(edge + 0.08, middle_height, amount, 8.5, "left")

    def band(self, bottom: float, height: float) -> None:
        """Behind all that is one layer's."""
        self.axis.add_patch(FancyBboxPatch(
            (0.04, bottom), WIDTH - 0.08, height, linewidth=0.7, edgecolor=style.GRID,
            facecolor=style.THEME["card"][0], boxstyle="round,pad=0,rounding_size=0.08", zorder=0))

    def circle(self, across: float, up: float, radius: float, colour: str, text: str, size: float) -> None:
        self.axis.add_patch(Circle((across, up), radius, linewidth=0.9, edgecolor=colour,
                                   facecolor=style.THEME["paper"][0], zorder=3))
        self.text(across, up, text, size=size)

    def line(self, *points: Point, colour: str = style.MUTED, dashes: object = "-") -> None:
        self.axis.plot(*zip(*points), color=colour, linewidth=1.0, linestyle=dashes, zorder=1, snap=False,
                       solid_capstyle="round", solid_joinstyle="round")

    def arrow(self, start: Point, end: Point, colour: str = style.MUTED) -> None:
        self.axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>,head_length=3.2,head_width=1.7",
                                            mutation_scale=1, linewidth=1.0, color=colour, shrinkA=0, shrinkB=0,
                                            zorder=2, joinstyle="miter"))

    def dots(self, across: float, up: float) -> None:
        for offset in (-0.09, 0, 0.09):
            self.axis.add_patch(Circle((across + offset, up), 0.018, color=style.MUTED, linewidth=0, zorder=3))

    def words(self, top: float, title: str, lines: Iterable[str]) -> None:
        self.text(LEFT, top, title, size=8.5, align="left", weight="bold")
        for place, line in enumerate(lines, start=1):
            self.text(LEFT, top - 0.16 * place, line, align="left")


# --- what stands where -------------------------------------------------------------------------------------------

def shown(count: int) -> list[int | None]:
    """Numbers of the experts that are drawn, None for those left out between them."""
    return list(range(1, count + 1)) if count <= MOST_EXPERTS else [1, 2, 3, None, count]


def columns(places: int) -> tuple[list[float], float]:
    """(middle of each place, width of a box)."""
    step = min(0.66, 2.04 / max(places - 1, 1))
    return [SPINE + step * (place - (places - 1) / 2) for place in range(places)], min(0.5, step - 0.07)


def expert_box(layer: Layer) -> float:
    """Height: classifiers have their softmax inside."""
    return BOX + 0.16 if layer.kind == "classifier_mixture" else BOX


def layer_height(layer: Layer) -> float:
    return LONE_HEIGHT if layer.kind in ("single", "dense") else FOOT + expert_box(layer) + 0.97


def raised(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def between(number: int) -> str:
    """Name of what layer `number` gives; of 0, the input."""
    return f"z{raised(number)}" if number else "x"


def affine(number: int) -> str:
    return f"W{raised(number)}{between(number - 1)} + b{raised(number)}"


def size_words(layer: Layer) -> list[str]:
    units = words.counted(layer.hidden, "unit")
    if layer.kind == "dense":
        return [f"dense, {units}"]
    if layer.kind == "single":
        return [f"1 fixed expert of {units}"]
    return [f"{words.counted(layer.experts, 'expert')} of {units}"]


def parameter_words(count: int | None) -> list[str]:
    return [f"{count:,} parameters"] if count else []


# --- blocks, each from its lower edge ----------------------------------------------------------------------------

def draw_input(canvas: Canvas, bottom: float, readers: list[float]) -> None:
    """The value on the spine, handed out to all `readers` (middles of boxes)."""
    canvas.line((SPINE, bottom), (SPINE, bottom + BUS))
    canvas.line((min(readers), bottom + BUS), (max(readers), bottom + BUS))
    for reader in readers:
        canvas.arrow((reader, bottom + BUS), (reader, bottom + FOOT))


def draw_experts(canvas: Canvas, foot: float, layer: Layer) -> list[tuple[int | None, float]]:
    """The row of experts from the height `foot`; (number, middle) of those drawn, None for a gap."""
    numbers = shown(layer.experts)
    middles, width = columns(len(numbers))
    height = expert_box(layer)
    for number, middle in zip(numbers, middles):
        if number is None:
            canvas.dots(middle, foot + height / 2)
            continue
        canvas.box(middle, foot, width, height, EXPERT)
        is_classifier = layer.kind == "classifier_mixture"
        canvas.symbol(middle - 0.035 * len(str(number)) + 0.03, foot + height / 2 - (0.1 if is_classifier else 0), "f",
                      layer.number, number if layer.kind != "single" else "", 10.5)
        if is_classifier:
            canvas.text(middle, foot + height - 0.13, "softmax", size=6.5)
    return list(zip(numbers, middles))


def draw_gated(canvas: Canvas, bottom: float, layer: Layer) -> float:
    placed = draw_experts(canvas, bottom + FOOT, layer)
    drawn = [(number, middle) for number, middle in placed if number]
    gate, top = LEFT + GATE_WIDTH / 2, bottom + FOOT + expert_box(layer)
    weigh, total = top + 0.27, bottom + layer_height(layer) - 0.24
    draw_input(canvas, bottom, [gate, *(middle for _, middle in drawn)])
    canvas.box(gate, bottom + FOOT, GATE_WIDTH, BOX, GATE, rounding=0.12)
    canvas.two_lines(gate, bottom + FOOT, f"g{raised(layer.number)}({between(layer.number - 1)})",
                     f"gate {layer.gate_hidden:,}")
    canvas.line((gate, bottom + FOOT + BOX), (gate, weigh), (drawn[-1][1], weigh), colour=GATE, dashes=DASHES)
    for number, middle in placed:
        if number is None:
            continue
        canvas.line((middle, top), (middle, weigh))
        across, up = SPINE - middle, total - weigh
        length = (across ** 2 + up ** 2) ** 0.5
        canvas.arrow((middle, weigh), (SPINE - 0.13 * across / length, total - 0.13 * up / length))
        canvas.arrow((middle - 0.15, weigh), (middle - 0.085, weigh), GATE)
        canvas.circle(middle, weigh, 0.085, GATE, "×", 8.5)
        canvas.symbol(middle + 0.13, weigh - 0.135, "g", layer.number, number, 8.5)
    canvas.circle(SPINE, total, 0.13, style.MUTED, "Σ", 9.5)
    return total + 0.13


def draw_concatenated(canvas: Canvas, bottom: float, layer: Layer) -> float:
    placed = draw_experts(canvas, bottom + FOOT, layer)
    drawn = [middle for number, middle in placed if number]
    draw_input(canvas, bottom, drawn)
    row = bottom + FOOT + BOX + 0.2
    edges = placed[0][1], placed[-1][1]
    step = (edges[1] - edges[0]) / max(len(placed) - 1, 1) or 0.5
    for number, middle in placed:
        canvas.axis.add_patch(Rectangle((middle - step / 2, row), step, 0.2, linewidth=0.9, edgecolor=EXPERT,
                                        facecolor=tint(EXPERT), zorder=3))
        if number:
            canvas.arrow((middle, bottom + FOOT + BOX), (middle, row))
        else:
            canvas.dots(middle, row + 0.1)
    canvas.text(SPINE + 0.1, row + 0.33, "side by side", align="left")
    return row + 0.2


def draw_alone(canvas: Canvas, bottom: float, colour: str, formula: str, words: str) -> float:
    canvas.arrow((SPINE, bottom), (SPINE, bottom + LONE_FOOT))
    canvas.box(SPINE, bottom + LONE_FOOT, 1.8, BOX, colour)
    canvas.two_lines(SPINE, bottom + LONE_FOOT, formula, words)
    return bottom + LONE_FOOT + BOX


def draw_dense(canvas: Canvas, bottom: float, layer: Layer) -> float:
    return draw_alone(canvas, bottom, EXPERT, affine(layer.number), "rectified")


def draw_single(canvas: Canvas, bottom: float, layer: Layer) -> float:
    canvas.arrow((SPINE, bottom), (SPINE, bottom + LONE_FOOT))
    draw_experts(canvas, bottom + LONE_FOOT, layer)
    return bottom + LONE_FOOT + BOX


DRAWN: dict[str, Callable[[Canvas, float, Layer], float]] = {
    "mixture": draw_gated, "classifier_mixture": draw_gated, "concatenated": draw_concatenated, "single": draw_single,
    "dense": draw_dense}


def draw_layer(canvas: Canvas, bottom: float, layer: Layer) -> float:
    """The height at which its result leaves it."""
    height = layer_height(layer)
    canvas.band(bottom, height)
    total = None if layer.expert_parameters is None else layer.expert_parameters + (layer.gate_parameters or 0)
    canvas.words(bottom + height - 0.17, f"Layer {layer.number}", size_words(layer) + parameter_words(total))
    return DRAWN[layer.kind](canvas, bottom, layer)


def draw_head(canvas: Canvas, bottom: float, network: Architecture) -> float:
    canvas.band(bottom, LONE_HEIGHT)
    canvas.words(bottom + LONE_HEIGHT - 0.17, "Head", parameter_words(network.head_parameters))
    return draw_alone(canvas, bottom, HEAD, affine(len(network.layers) + 1), "softmax")


# --- the figure --------------------------------------------------------------------------------------------------

def drawn_layers(network: Architecture) -> list[Layer | None]:
    """Those with a place; None for the ones left out."""
    layers = network.layers
    return [*layers] if len(layers) <= MOST_LAYERS else [*layers[:MOST_LAYERS - 2], None, layers[-1]]


def amount(count: int | None, noun: str, plural: str | None = None) -> str:
    return words.counted(count, noun, plural) if count else ""


def figure_height(network: Architecture) -> float:
    heights = [LEFT_OUT_HEIGHT if layer is None else layer_height(layer) for layer in drawn_layers(network)]
    heights += [LONE_HEIGHT] if network.has_head else []
    return sum(heights) + GAP * len(heights) + PILL + 0.06


def draw_left_out(canvas: Canvas, bottom: float, network: Architecture) -> float:
    for up in (0.16, 0.25, 0.34):
        canvas.axis.add_patch(Circle((SPINE, bottom + up), 0.018, color=style.MUTED, linewidth=0))
    canvas.text(LEFT, bottom + 0.25, f"layers {MOST_LAYERS - 1} to {len(network.layers) - 1}", align="left")
    return bottom + LEFT_OUT_HEIGHT


def draw(figure: AnyFigure, network: Architecture) -> None:
    canvas = Canvas(figure, figure_height(network))
    middle = 0.03 + PILL / 2  # of the pill below
    canvas.pill(middle, "x", amount(network.inputs, "input"))
    blocks: list[Layer | str | None] = [*drawn_layers(network), *(["head"] if network.has_head else [])]
    for place, block in enumerate(blocks, start=1):
        bottom = middle + GAP / 2
        canvas.line((SPINE, middle + PILL / 2), (SPINE, bottom))
        if isinstance(block, Layer):
            leaves, height = draw_layer(canvas, bottom, block), layer_height(block)
        elif block is None:
            leaves, height = draw_left_out(canvas, bottom, network), LEFT_OUT_HEIGHT
        else:
            leaves, height = draw_head(canvas, bottom, network), LONE_HEIGHT
        middle = bottom + height + GAP / 2
        canvas.arrow((SPINE, leaves), (SPINE, middle - PILL / 2))
        if place == len(blocks):
            canvas.pill(middle, "F(x)", amount(network.classes, "class", "classes"))
        else:
            layer = block if isinstance(block, Layer) else network.layers[-2]
            canvas.pill(middle, between(layer.number), amount(layer.outputs, "unit"))


def panels(run: Run) -> Rows:
    network = run.architecture
    return [[Panel(lambda figure: draw(figure, network), height=figure_height(network), grow=1.3)]]


def caption(run: Run) -> str:
    network = run.architecture
    kinds = {layer.kind for layer in network.layers}
    like = "Figure 1 of the paper, of this run's network" if any(layer.is_gated for layer in network.layers) else \
        "The network of this run, drawn like figure 1 of the paper"
    parts = [f"{like}: the input is below, the probabilities F(x) of the classes on top."]
    if "mixture" in kinds:
        parts.append("The gate of a layer and its experts read the same input; dashed, the gate's softmax multiplies "
                     "what each expert gives, and the sum is what the layer gives.")
    if "classifier_mixture" in kinds:
        parts.append("Each expert gives probabilities of the classes; the gate, which reads the same as they do, "
                     "weighs them (dashed) and the sum is what the network gives.")
    if "single" in kinds:
        parts.append("A single expert has no gate: every example goes through it.")
    if "concatenated" in kinds:
        parts.append("Concatenated experts have no gate: all that they give is handed on side by side.")
    if any(layer.is_gated for layer in network.layers):
        parts.append("Here experts count from 1, as in the paper: expert 0 of the other figures is the first.")
    if any(layer.experts > MOST_EXPERTS for layer in network.layers):
        parts.append("Dots stand for experts that are not drawn.")
    if len(network.layers) > MOST_LAYERS:
        parts.append("The layers left out are in the table.")
    return " ".join(parts)

"""Tables as HTML: each in a box of its own that scrolls where the page is too narrow."""
import html
from collections.abc import Iterable, Sequence

from reporting import comparison, cost, words
from reporting.run import Launch, Run
from reporting.timing import timed
from reporting.words import NONE


def table(caption: str, headings: Iterable[object], rows: Iterable[Sequence[object]], kind: str = "") -> str:
    """Headings and cells are text, or Html; the first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{markup(cell)}</th>' for cell in headings)
    body = "".join(f'<tr><th scope="row">{markup(row[0])}</th>'
                   + "".join(f"<td>{markup(cell)}</td>" for cell in row[1:]) + "</tr>" for row in rows)
    header = f"<thead><tr>{head}</tr></thead>" if headings else ""
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption)}"><table class="{kind}">'
            f"<caption><span>{html.escape(caption)}</span></caption>{header}<tbody>{body}</tbody></table></div>")


class Html(str):
    """Markup, in place of text."""


def markup(cell: object) -> str:
    return cell if isinstance(cell, Html) else html.escape(str(cell))


# --- of one run --------------------------------------------------------------------------------------------------

def network_table(run: Run) -> str:
    """A row a block, the input's first; "" where the file does not tell the shapes."""
    network = run.architecture
    if network.parameters is None:
        return ""
    rows = []

    def add(name: str, widths: list[int | None], parameters: int | None) -> None:
        rows.append([name, " → ".join(f"{width:,}" for width in widths), f"{parameters:,}"])

    for layer in network.layers:
        name = f"layer {layer.number}"
        if layer.is_gated:
            add(f"{name}, gate", [layer.inputs, layer.gate_hidden, layer.experts], layer.gate_parameters)
        classes = [layer.classes] if layer.kind == "classifier_mixture" else []
        add(name if layer.experts == 1 else f"{name}, {words.counted(layer.experts, 'expert')}",
            [layer.inputs, layer.hidden, *classes], layer.expert_parameters)
    if network.has_head:
        add("head", [network.layers[-1].outputs, network.classes], network.head_parameters)
    add("all", [network.inputs, network.classes], network.parameters)
    return table("Shapes and parameters", ["block", "shape of each", "parameters"], rows, "numbers")


def information_table(run: Run) -> str:
    """Where and what, for every layer and factor."""
    rows = []
    for layer in run.layers:
        for factor in layer.factors:
            p_values = [words.number(p) for p in factor.p_values] or [NONE, NONE]
            rows.append([f"layer {layer.number}, {words.factor(factor.name)}", words.number(factor.soft), p_values[0],
                         words.number(factor.hard), p_values[1]])
    return table("Mutual information between expert and factor, in units of log N",
                 ["layer and factor", "from the gates", "p", "from the largest gate", "p"], rows, "numbers")


def use_table(run: Run) -> str:
    rows = [[f"layer {layer.number}", layer.experts, words.number(layer.mean_gate.min()),
             words.number(layer.mean_gate.max()), int(layer.dead.sum()), words.number(layer.evenness),
             words.number(layer.softness)] for layer in run.layers]
    return table("How the experts are used on the analysed examples",
                 ["layer", "experts", "smallest mean gate", "largest mean gate", "dead", "evenness", "softness"], rows,
                 "numbers")


def seconds_table(run: Run) -> str:
    """Of the last launch with seconds; "" without one."""
    if not timed(run):
        return ""
    number, launch = timed(run)[-1]
    rows = []
    for rank in range(len(launch.seconds)):
        seconds = launch.seconds[rank]
        rows.append([f"rank {rank}", *(f"{value:.1f}" for value in seconds), f"{seconds.sum():.1f}"])
    of = f" in launch {number}" if len(run.launches) > 1 else ""
    return table(f"Seconds of each rank{of}", ["rank", *launch.activities, "all"], rows, "numbers")


def cost_table(run: Run) -> str:
    """A row a routing; "" without a curve."""
    if not cost.has_curve(run):
        return ""
    curve = cost.measured(run)
    every = curve.of_all
    rows = [[cost.short_name(curve, row), words.number(100 * curve.error[row], 2), words.number(curve.loss[row]),
             words.whole(curve.multiply_accumulates[row]), cost.share(curve.multiply_accumulates, row, every),
             words.number(curve.microseconds[row], 1), cost.share(curve.seconds, row, every)]
            for row in cost.in_order(curve)]
    return table("Points of the curve", ["computed", f"{curve.split} error [%]", "loss [nats]", "multiply-accumulates",
                                         "of all", "microseconds", "of all"], rows, "numbers")


def hosts_of(launch: Launch) -> str:
    hosts = launch.about["hosts"]
    return ", ".join(f"{host} ({words.counted(hosts.count(host), 'rank')})" for host in dict.fromkeys(hosts))


def command_of(launch: Launch) -> Html:
    return Html(f"<code>{html.escape(launch.about['command_line'])}</code>")


def launches_table(run: Run) -> str:
    """A row a launch; "" where there is one only."""
    if len(run.launches) < 2:
        return ""
    rows = []
    for number, launch in enumerate(run.launches, start=1):
        facts = launch.about
        rows.append([f"launch {number}", words.moment(facts["start_time"]) if "start_time" in facts else NONE,
                     words.grouped(facts.get("first_step")), facts["ranks"], facts["threads"], hosts_of(launch),
                     "; ".join(facts.get("config_changes", [])) or NONE, command_of(launch)])
    return table("Launches, each going on from a checkpoint of the one before",
                 ["launch", "started", "steps done before", "ranks", "threads of each", "hosts", "settings changed",
                  "command"], rows, "launches")


def provenance_table(run: Run) -> str:
    about = run.provenance
    rows = [["folder", run.folder], ["status", about["status"]],
            ["dmoe", f"{about['version']}, commit {about['git_commit']}"],
            ["started", words.moment(about["start_time"])],
            ["ended", words.moment(about["end_time"]) if about.get("end_time") else NONE], ["seed", about["seed"]]]
    for launch in run.launches[-1:]:
        prefix = "last launch: " if len(run.launches) > 1 else ""
        facts = launch.about
        rows += [[prefix + "command", command_of(launch)],
                 [prefix + "ranks", f"{facts['ranks']}, {words.counted(facts['threads'], 'thread')} each"],
                 [prefix + "hosts", hosts_of(launch)], [prefix + "CPU", f"{facts['cpu']}, {facts['instruction_set']}"],
                 [prefix + "MPI", facts["mpi_library"]], [prefix + "compiler", facts["compiler"]]]
    return table("Where the numbers come from", [], rows, "facts") + launches_table(run)


# --- of several runs ---------------------------------------------------------------------------------------------

ERRORS = ("test_error", "train_error")


def spread_cell(spread: comparison.Spread, places: int, runs: int) -> str:
    """Mean +- sample standard deviation; below it the range, and the number of values where it is not `runs`."""
    if not spread.values:
        return NONE
    mean, below = f"{spread.mean:.{places}f}", []
    if spread.deviation is not None:
        mean += f" ± {spread.deviation:.{places}f}"
        below.append(f"{min(spread.values):.{places}f} to {max(spread.values):.{places}f}")
    if len(spread.values) != runs:
        below.append(words.counted(len(spread.values), "run"))
    return Html(f"{mean}<small>{', '.join(below)}</small>") if below else mean


def information_heading(pair: tuple[int, str]) -> str:
    return f"I(e{pair[0]}; {words.factor(pair[1])})"


def percentages(name: str) -> comparison.Measure:
    """A measure: the last evaluation's `name` [%]."""
    def measure(run: Run) -> float | None:
        fraction = run.last(name)
        return None if fraction is None else 100 * fraction
    return measure


def comparison_table(runs: list[Run]) -> str:
    """A row a config: mean and spread over its finished runs, one for each seed."""
    factors = comparison.pairs_of(runs)
    rows = []
    for group in comparison.groups_of(runs):
        done, seeds, first = group.counted, len(group.of_seeds), group.runs[0]
        rows.append([
            Html(f"{html.escape(group.label)}<small>{group.epochs} epochs</small>"),
            str(seeds) if len(done) == seeds else f"{len(done)} of {seeds}",
            *(spread_cell(comparison.spread(done, percentages(name)), 2, len(done)) for name in ERRORS),
            *(spread_cell(comparison.spread(done, comparison.information(runs, *pair)), 3, len(done))
              for pair in factors),
            words.grouped(first.parameters), words.grouped(first.multiply_accumulates),
            words.duration(comparison.spread(done, lambda run: run.seconds_of_all).mean)])
    headings = ["config", "seeds", "test error [%]", "train error [%]", *map(information_heading, factors),
                "parameters", "multiply-accumulates", "time"]
    if all(run.multiply_accumulates is None for run in runs):  # files of an older dmoe do not tell
        headings, *rows = ([*row[:-2], row[-1]] for row in [headings, *rows])
    return table("Configs compared: mean ± sample standard deviation over finished runs, smallest to largest",
                 headings, rows, "numbers compared")


def cost_of_runs_table(runs: list[Run]) -> str:
    """A row a config that has a curve or no gate; "" without a curve."""
    rows = []
    for _, group, curve in cost.curves(runs):
        every, row = curve.of_all, cost.best(curve)
        rows.append([group.label, words.number(100 * curve.error[every], 2),
                     words.whole(curve.multiply_accumulates[every]), cost.short_name(curve, row),
                     words.number(100 * curve.error[row], 2), words.whole(curve.multiply_accumulates[row]),
                     cost.share(curve.multiply_accumulates, row, every), cost.share(curve.seconds, row, every)])
    if not rows:
        return ""
    for reference in cost.references(runs):
        rows.append([reference.group.label, words.number(reference.error, 2),
                     words.whole(reference.multiply_accumulates), *[NONE] * 5])
    return table("All experts, and the cheapest routing within "
                 f"{100 * cost.AS_GOOD:g} percentage points of them or better",
                 ["config", "error of all [%]", "multiply-accumulates of all", "cheapest", "its error [%]",
                  "its multiply-accumulates", "of those of all", "of the time of all"], rows, "numbers compared")


def runs_table(runs: list[Run], anchors: dict[str, str]) -> str:
    """A row a run, linked to its section."""
    factors = comparison.pairs_of(runs)
    rows = [[Html(f'<a href="#{anchors[run.name]}">{html.escape(run.name)}</a>'),
             *(words.number(percentages(name)(run), 2) for name in ERRORS),
             *(words.number(comparison.information(runs, *pair)(run)) for pair in factors), run.provenance["seed"],
             run.provenance["status"], words.duration(run.seconds_of_all)] for run in runs]
    return table("All runs", ["run", "test error [%]", "train error [%]", *map(information_heading, factors), "seed",
                              "status", "time"], rows, "numbers")

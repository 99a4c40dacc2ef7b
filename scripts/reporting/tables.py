"""Tables as HTML: each in a box of its own that scrolls where the page is too narrow."""
import html

from reporting import comparison, words
from reporting.architecture import architecture
from reporting.words import NONE


def table(caption, headings, rows, kind=""):
    """Headings and cells are text, or Html; the first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{markup(cell)}</th>' for cell in headings)
    body = "".join(f'<tr><th scope="row">{markup(row[0])}</th>'
                   + "".join(f"<td>{markup(cell)}</td>" for cell in row[1:]) + "</tr>" for row in rows)
    header = f"<thead><tr>{head}</tr></thead>" if headings else ""
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption)}"><table class="{kind}">'
            f"<caption><span>{html.escape(caption)}</span></caption>{header}<tbody>{body}</tbody></table></div>")


class Html(str):
    """Markup, in place of text."""


def markup(cell):
    return cell if isinstance(cell, Html) else html.escape(str(cell))


# --- of one run --------------------------------------------------------------------------------------------------

def network_table(run):
    """A row a block, the input's first; "" where the file does not tell the shapes."""
    network = architecture(run)
    if network.parameters is None:
        return ""
    rows = []

    def add(name, widths, parameters):
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


def information_table(run):
    """Where and what, for every layer and factor."""
    rows = []
    for layer in run.layers:
        for factor in layer.factors:
            p_values = [words.number(p) for p in factor.p_values] or [NONE, NONE]
            rows.append([f"layer {layer.number}, {words.factor(factor.name)}", words.number(factor.soft), p_values[0],
                         words.number(factor.hard), p_values[1]])
    return table("Mutual information between expert and factor, divided by log N",
                 ["layer and factor", "from the gates", "p", "from the largest gate", "p"], rows, "numbers")


def use_table(run):
    rows = [[f"layer {layer.number}", layer.experts, words.number(layer.mean_gate.min()),
             words.number(layer.mean_gate.max()), int(layer.dead.sum()), words.number(layer.evenness),
             words.number(layer.softness)] for layer in run.layers]
    return table("How the experts are used on the analysed examples",
                 ["layer", "experts", "smallest mean gate", "largest mean gate", "dead", "evenness", "softness"], rows,
                 "numbers")


def seconds_table(run):
    launches = [(number, launch) for number, launch in enumerate(run.launches, 1) if launch.seconds.size]
    if not launches:
        return ""
    activities = launches[-1][1].activities
    rows = [[f"launch {number}, rank {rank}" if len(launches) > 1 else f"rank {rank}",
             *(f"{value:.1f}" for value in seconds), f"{seconds.sum():.1f}"]
            for number, launch in launches for rank, seconds in enumerate(launch.seconds)]
    return table("Seconds of each rank", ["rank", *activities, "all"], rows, "numbers")


def provenance_table(run):
    about = run.provenance
    rows = [["folder", run.folder], ["status", about["status"]],
            ["dmoe", f"{about['version']}, commit {about['git_commit']}"],
            ["started", words.moment(about["start_time"])],
            ["ended", words.moment(about["end_time"]) if about.get("end_time") else NONE], ["seed", about["seed"]]]
    for number, launch in enumerate(run.launches, start=1):
        prefix = f"launch {number}: " if len(run.launches) > 1 else ""
        facts = launch.about
        hosts = facts.get("hosts", [])
        counts = [f"{host} ({words.counted(hosts.count(host), 'rank')})" for host in dict.fromkeys(hosts)]
        rows += [[prefix + "command", Html(f"<code>{html.escape(facts['command_line'])}</code>")],
                 [prefix + "ranks", f"{facts['ranks']}, {words.counted(facts['threads'], 'thread')} each"],
                 [prefix + "hosts", ", ".join(counts)], [prefix + "CPU", f"{facts['cpu']}, {facts['instruction_set']}"],
                 [prefix + "MPI", facts["mpi_library"]], [prefix + "compiler", facts["compiler"]]]
    return table("Where the numbers come from", [], rows, "facts")


# --- of several runs ---------------------------------------------------------------------------------------------

ERRORS = ("test_error", "train_error")


def spread_cell(spread, places, runs):
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


def information_heading(pair):
    return f"I(e{pair[0]}; {words.factor(pair[1])})"


def percentages(name):
    """A measure: the last evaluation's `name` [%]."""
    return lambda run: None if run.last(name) is None else 100 * run.last(name)


def comparison_table(runs):
    """A row a config: mean and spread over its finished runs."""
    factors = comparison.pairs_of(runs)
    rows = []
    for group in comparison.groups_of(runs):
        done, first = group.finished, group.runs[0]
        rows.append([
            Html(f"{html.escape(group.label)}<small>{group.epochs} epochs</small>"),
            str(len(done)) if len(done) == len(group.runs) else f"{len(done)} of {len(group.runs)}",
            *(spread_cell(comparison.spread(done, percentages(name)), 2, len(done)) for name in ERRORS),
            *(spread_cell(comparison.spread(done, comparison.information(*pair)), 3, len(done)) for pair in factors),
            words.grouped(first.parameters), words.grouped(first.multiply_accumulates),
            words.duration(comparison.spread(done, lambda run: run.seconds).mean)])
    headings = ["config", "seeds", "test error [%]", "train error [%]", *map(information_heading, factors),
                "parameters", "multiply-accumulates", "time"]
    if all(run.multiply_accumulates is None for run in runs):  # files of an older dmoe do not tell
        headings, *rows = ([*row[:-2], row[-1]] for row in [headings, *rows])
    return table("Configs compared: mean ± sample standard deviation over finished runs, smallest to largest",
                 headings, rows, "numbers compared")


def runs_table(runs, anchors):
    """A row a run, linked to its section."""
    factors = comparison.pairs_of(runs)
    rows = [[Html(f'<a href="#{anchors[run.name]}">{html.escape(run.name)}</a>'),
             *(words.number(percentages(name)(run), 2) for name in ERRORS),
             *(words.number(comparison.information(*pair)(run)) for pair in factors), run.provenance["seed"],
             run.provenance["status"], words.duration(run.seconds)] for run in runs]
    return table("All runs", ["run", "test error [%]", "train error [%]", *map(information_heading, factors), "seed",
                              "status", "time"], rows, "numbers")

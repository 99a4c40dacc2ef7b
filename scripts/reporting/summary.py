"""A run in words and numbers: what was trained, how well it does, what its experts divide among themselves."""
import math

from reporting import words
from reporting.run import AnalysedLayer, Factor, Run
from reporting.words import Config

MUCH = 0.1  # of the most that I can be, from which on a layer is said to go by a factor
LITTLE = 0.03  # below, experts are said to be all but blind to it
MOSTLY = 0.6  # mean gate from which one expert is said to take a layer over


def tiles(run: Run) -> list[tuple[str, str, str]]:
    """(label, number, what to know about it), the numbers that one looks for first."""
    error = run.sampling_error()
    found = []
    if run.last("test_error") is not None:
        detail = f"± {words.percent(error)}: one standard error, {run.test_examples:,} examples" if error else \
            f"after {words.counted(run.epochs, 'epoch')}"
        found.append(("Test error", words.percent(run.last("test_error")), detail))
        found.append(("Training error", words.percent(run.last("train_error")),
                      f"after {words.counted(run.epochs, 'epoch')}"))
    for layer in run.layers:
        if layer.factors:
            strongest = max(layer.factors, key=lambda factor: factor.strength)
            most = math.ceil(100 * strongest.most) / 100
            found.append((f"Layer {layer.number} by {words.factor(strongest.name)}",
                          words.number(strongest.soft), f"I / log N, at most {most:g}"))
    if run.seconds is not None:
        ranks = words.counted(run.launches[-1].about["ranks"], "rank") if run.launches else ""
        found.append(("Time", words.duration(run.seconds),
                      f"{ranks}, last of {len(run.launches)} launches" if len(run.launches) > 1 else ranks))
    return found


def phase_text(phase: Config, is_gated: bool) -> str:
    epochs = words.counted(phase["epochs"], "epoch")
    if not is_gated:  # nothing to balance
        return f"{epochs} ({phase['name'].replace('_', ' ')})"
    balance = dict(phase.get("balance", {}))
    rule = balance.pop("rule", "none")
    settings = ", ".join(f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
                         for name, value in balance.items())
    details = f" ({settings})" if settings else ""
    how = "without a balancing rule" if rule == "none" else f"under the {rule} rule{details}"
    routings = words.routings(phase.get("routing", {}))
    return f"{epochs} {how}" + ("" if routings == words.ALL_EXPERTS else f", computing {routings}")


def trained(run: Run) -> str:
    """What was trained, on what, and how far it came."""
    config = run.config
    gates = run.architecture.gates
    size = f"{run.parameters:,} parameters" if run.parameters else ""
    work = f"{run.multiply_accumulates:,} multiply-accumulates an example" if run.multiply_accumulates else ""
    details = ", ".join(filter(None, [gates, size, work]))
    network = f"{run.network} ({details})" if details else run.network
    is_gated = run.architecture.is_gated
    phases = ", then ".join(phase_text(phase, is_gated) for phase in config["phases"] if phase["epochs"])
    done = "was trained" if run.is_finished else "was to be trained"
    sentences = [f"A network {network} {done} on {config['data']['name']} with seed {run.provenance['seed']}: "
                 f"{phases}."]
    if run.last("test_error") is not None:
        error = run.sampling_error()
        chance = f" ± {words.percent(error)}, one standard error of {run.test_examples:,} examples," if error else ""
        sentences.append(f"After {words.counted(run.epochs, 'epoch')} it has a test error of "
                         f"{words.percent(run.last('test_error'))}{chance} and a training error of "
                         f"{words.percent(run.last('train_error'))}.")
        if run.last("validation_error") is not None:
            sentences.append(f"On the validation split it has {words.percent(run.last('validation_error'))}.")
    return " ".join(sentences)


def layer_sentence(layer: AnalysedLayer) -> str:
    """What the experts of a layer go by; p and I say different things."""
    ordered = sorted(layer.factors, key=lambda factor: -factor.strength)

    def with_number(factor: Factor) -> str:
        return f"{words.factor(factor.name)} ({factor.soft:.3f})"

    first, rest = ordered[0], ordered[1:]
    if first.strength >= MUCH:
        sentence = f"The experts of layer {layer.number} divide the examples by {with_number(first)}"
        strong = [factor for factor in rest if factor.strength >= MUCH]
        between = [factor for factor in rest if LITTLE <= factor.strength < MUCH]
        weak = [factor for factor in rest if factor.strength < LITTLE]
        if strong:
            sentence += f" and by {words.listed(map(with_number, strong))}"
        if between:
            sentence += f", a little by {words.listed(map(with_number, between))}"
        if weak:
            sentence += f", hardly by {words.listed(map(with_number, weak), 'or')}"
        return sentence + "."
    how = "hardly go by any known factor" if first.strength < LITTLE else "go only a little by any known factor"
    return f"The experts of layer {layer.number} {how}: {words.listed(map(with_number, ordered))}."


def chance_sentence(run: Run) -> str:
    """What the p-values say of the numbers from the gates, and what they do not."""
    tested = [(layer, factor) for layer in run.layers for factor in layer.factors if factor.p_values]
    if not tested:
        return "This analysis has no p-values: it is of an older dmoe."
    count = min(factor.permutations for _, factor in tested)
    by_chance = [f"layer {layer.number} and {words.factor(factor.name)} (p = {factor.p_values[0]:.3f})"
                 for layer, factor in tested if factor.p_values[0] > 0.05]
    largest = max(factor.p_values[0] for _, factor in tested)
    at_floor = math.isclose(largest, 1 / (count + 1), rel_tol=0.01)
    if by_chance:
        seen = f"chance alone would do as much in {words.listed(by_chance)}"
    else:
        limit = f"p at most {largest:.3f}"
        if at_floor:
            each = " for each" if len(tested) > 1 else ""
            limit = f"p = {largest:.3f}{each}, the least that {count} can show"
        none_is = "this dependence is not" if len(tested) == 1 else "none of these dependences is"
        seen = f"{none_is} mere chance ({limit})"
    of = "the" if len(tested) == 1 else "each"
    how = f", with {run.groups:,} groups of examples shuffled as wholes" if run.groups else ""
    return (f"Against {count} random permutations of {of} factor{how}, {seen}; p says only that there is a dependence, "
            "I / log N how strong it is.")


def where_and_what(run: Run) -> str:
    """Paragraph on the specialisation; "" without an analysis."""
    layers = [layer for layer in run.layers if layer.factors]
    if not layers:
        return ""
    bound = "log N, or the log of the number of levels where a factor has fewer than N; uneven levels allow less still"
    brackets = ("In brackets: mutual information I between expert and factor from the gates, in units of log N. "
                f"The words go by how close it comes to {bound}.")
    return " ".join([*map(layer_sentence, layers), brackets, chance_sentence(run)])


STATUS = {
    "running": "The run goes on, or was killed: its file still says running. The numbers are of the last evaluation.",
    "interrupted": "The run was stopped before its end. The numbers are of the last evaluation.",
    "failed": "The run failed. The numbers are of the last evaluation before that.",
}


def expert_names(numbers: list[int]) -> str:
    return f"expert{'' if len(numbers) == 1 else 's'} {words.listed(map(str, numbers[:12]))}" + \
        (f" and {len(numbers) - 12} more" if len(numbers) > 12 else "")


def warnings(run: Run) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    if not run.is_finished:
        found.append(STATUS[run.provenance["status"]])
    if run.last("test_error") is None:
        found.append("Nothing has been evaluated yet.")
    if run.classes_not_trained:
        found.append(f"No training example is of {'class' if len(run.classes_not_trained) == 1 else 'classes'} "
                     f"{words.listed(run.classes_not_trained)}.")
    if not run.is_analysed and run.assignments:
        found.append(f"No analysis, so no word on where and what. Make one with: dmoe analyze {run.folder}")
    if run.analysed_otherwise:
        found.append(f"What is said of the experts is not of the run's own test set but of {run.analysed_otherwise}, "
                     f"{words.counted(run.examples, 'example')}.")
    if run.data_differences:
        found.append(f"What is said of the experts is of other data than the run's: {'; '.join(run.data_differences)}.")
    for layer in run.layers:
        dead = [expert for expert in range(layer.experts) if layer.dead[expert]]
        if dead:
            found.append(f"Layer {layer.number}: {expert_names(dead)} {'is' if len(dead) == 1 else 'are'} dead, with "
                         "less than 1 % of an even share of the examples.")
        largest = int(layer.mean_gate.argmax())
        if layer.experts > 2 and layer.mean_gate[largest] >= MOSTLY:
            found.append(f"Layer {layer.number} has collapsed onto expert {largest}: its mean gate is "
                         f"{layer.mean_gate[largest]:.2f}, an even share would be {1 / layer.experts:.2f}.")
    return found

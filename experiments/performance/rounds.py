"""dmoe and PyTorch timed in turn, on the same cores."""

import dataclasses
import os
import statistics

import forms
import work

# name: (what PyTorch does, its forms, dmoe's benchmark)
KINDS: dict[str, tuple[type[work.Training] | type[work.Evaluation], tuple[forms.Form, ...], str]] = {
    "training": (work.Training, forms.TRAINING, "step"),
    "evaluation": (work.Evaluation, forms.EVALUATION, "evaluate"),
}


@dataclasses.dataclass(frozen=True)
class Setting:
    what: str  # of KINDS
    cores: int
    batch: int


@dataclasses.dataclass
class Result:
    """Milliseconds of a step or batch, one value a round."""
    setting: Setting
    pytorch_as: str  # the fastest form and its threads
    trials: list  # (form, threads, milliseconds) of all
    dmoe: list
    pytorch: list
    pytorch_not_presenting: list  # the same batch again and again

    def ratios(self, values):
        """PyTorch over dmoe of each round: above 1 dmoe is faster."""
        return [value / own for value, own in zip(values, self.dmoe)]


def spread(values):
    """Median, smallest and largest."""
    return statistics.median(values), min(values), max(values)


def settings(options):
    return [Setting(what, cores, batch) for cores in sorted(set(options.cores)) for what in options.what
            for batch in options.batch_size]


def pin(cores):
    """This process and those that it starts to the last so many cores that it was given."""
    os.sched_setaffinity(0, sorted(ALL_CORES)[-cores:])


def named(form, threads):
    return f"{form.name}, {threads} thread{'s' * (threads > 1)}"


ALL_CORES = os.sched_getaffinity(0)


def measured(dmoe, parameters, setting, candidates, options):
    kind, _, benchmark = KINDS[setting.what]
    pin(setting.cores)
    fastest = work.Fastest(kind, candidates, parameters, work.Images(), setting.batch, setting.cores, options.steps)
    own = []
    presenting: list[float] = []
    not_presenting: list[float] = []
    for _ in range(options.rounds):
        own.append(dmoe.bench(benchmark, setting.batch, options.steps, ranks=setting.cores))
        for times, presents in ((presenting, True), (not_presenting, False)):
            work.milliseconds(fastest.work, options.steps, presents)  # warms up, as dmoe does
            times.append(work.milliseconds(fastest.work, options.steps, presents))
    chosen = named(fastest.work.form, fastest.threads)
    return Result(setting, chosen, fastest.trials, own, presenting, not_presenting)

"""What is timed in PyTorch: training steps and evaluation of batches, presented like dmoe's."""

import time

import torch
from torch.nn import functional

import forms

MARGIN, RATE = 100.0, 0.01  # as in `dmoe bench`


class Images:
    """Images of random pixels at random translations: 28 x 28 on 36 x 36, of 4096 examples, as in `dmoe bench`."""

    COUNT, SIDE, TRANSLATION, CLASSES = 4096, 28, 4, 10

    def __init__(self):
        self.canvas = self.SIDE + 2 * self.TRANSLATION
        self.padded = self.SIDE + 4 * self.TRANSLATION  # a canvas at any translation is a window of it
        pixels = torch.zeros((self.COUNT, self.padded, self.padded), dtype=torch.uint8)
        inner = slice(2 * self.TRANSLATION, 2 * self.TRANSLATION + self.SIDE)
        pixels[:, inner, inner] = torch.randint(0, 256, (self.COUNT, self.SIDE, self.SIDE), dtype=torch.uint8)
        # Row i: the canvas' width of pixels from pixel i on.
        self.rows = pixels.view(-1).as_strided((pixels.numel() - self.canvas + 1, self.canvas), (1, 1))
        self.row_offsets = torch.arange(self.canvas) * self.padded
        self.labels = torch.randint(0, self.CLASSES, (self.COUNT,))
        self.shuffle()

    def shuffle(self):
        self.order, self.next = torch.randperm(self.COUNT), 0

    def present(self, count):
        """x (count, 1296) and labels (count) of the next examples of the epoch."""
        if self.next + count > self.COUNT:
            self.shuffle()
        chosen = self.order[self.next : self.next + count]
        self.next += count
        row, column = torch.randint(0, 2 * self.TRANSLATION + 1, (2, count))
        starts = (chosen * self.padded + row).mul_(self.padded).add_(column)
        windows = self.rows.index_select(0, (starts[:, None] + self.row_offsets).view(-1))
        return windows.to(torch.float32).mul_(1 / 255).view(count, -1), self.labels.index_select(0, chosen)


class Training:
    """Steps of plain SGD under the margin rule."""

    def __init__(self, form, parameters, images, batch):
        self.form, self.images, self.batch = form, images, batch
        self.fixed = images.present(batch)
        self.totals = torch.zeros((len(parameters.sizes), parameters.sizes[0][0]), dtype=torch.float64)
        x, labels = self.fixed
        self.gradients = forms.Gradients(form, parameters, x, labels, self.masks())
        self.tensors = parameters.tensors

    def masks(self):
        return self.totals > self.totals.mean(1, keepdim=True) + MARGIN

    def run(self, count, presents):
        for _ in range(count):
            with torch.inference_mode(self.form.by_hand):
                x, labels = self.images.present(self.batch) if presents else self.fixed
                _, gates, found = self.gradients(x, labels, self.masks())
            with torch.no_grad():
                self.totals += torch.stack([gate.sum(0) for gate in gates])
                torch._foreach_add_(self.tensors, found, alpha=-RATE)


class Evaluation:
    """Loss and error of batches."""

    def __init__(self, form, parameters, images, batch):
        self.form, self.images, self.batch = form, images, batch
        self.fixed = images.present(batch)
        self.scores = forms.Scores(form, parameters, self.fixed[0])

    def run(self, count, presents):
        loss, wrong = 0, 0
        with torch.inference_mode():
            for _ in range(count):
                x, labels = self.images.present(self.batch) if presents else self.fixed
                scores = self.scores(x)
                loss += functional.cross_entropy(scores, labels, reduction="sum")
                wrong += (scores.argmax(1) != labels).sum()
            return float(loss), int(wrong)


def milliseconds(work, count, presents=True):
    """Of one of `count` steps or batches."""
    began = time.perf_counter()
    work.run(count, presents)
    return 1000 * (time.perf_counter() - began) / count


class Fastest:
    """The fastest form and number of threads, at most `cores` and left in force, of a kind of work; each is tried for
    so many steps at most. trials: (form, threads, milliseconds) of all, fastest first."""

    PASSES = 2  # over all: one alone may meet a busy moment

    def __init__(self, kind, candidates, parameters, images, batch, cores, steps):
        works = [kind(form, parameters.copy(), images, batch) for form in candidates]
        ways = [(work, threads) for work in works for threads in range(1, cores + 1)]
        found = dict.fromkeys(ways, float("inf"))
        for _ in range(self.PASSES):
            for work, threads in ways:
                torch.set_num_threads(threads)
                found[work, threads] = min(found[work, threads], self.tried(work, min(found.values()), steps))
        ranked = sorted(found.items(), key=lambda one: one[1])
        self.trials = [(work.form, threads, ms) for (work, threads), ms in ranked]
        (self.work, self.threads), _ = ranked[0]
        torch.set_num_threads(self.threads)

    @staticmethod
    def tried(work, best, steps):
        ms = min(milliseconds(work, 1) for _ in range(4))  # torch.jit compiles in the first ones
        ends = time.perf_counter() + 0.2
        for _ in range(steps):
            if ms > 4 * best or time.perf_counter() > ends:  # far slower ones need no more
                break
            ms = min(ms, milliseconds(work, 1))
        return ms

"""Do the forms in PyTorch compute what dmoe computes? Outputs and gradients compared, on data made for the purpose.

dmoe trains the network on images that fill its input, so that there is no jitter, with the whole training set as its
batch, so that there is no order. Then
- outputs: dmoe evaluates its model.h5 on test sets of one image that is given each class in turn; the losses are the
  negative logarithms of that image's class probabilities;
- gradients: dmoe does the same training once more and one step more, at a rate so large that the weights' rounding does
  not count: the difference of the two models over the rate. Experts are masked in that step.
"""

import dataclasses
import json
import re
import struct

import h5py
import numpy as np
import torch

import forms
import network
from program import ProgramError

TOLERANCE = 1e-5
SIDE, CLASSES = 36, 10  # 1296 inputs
EXAMPLES, SCORED = 96, 2
STEPS, RATE, MARGIN = 40, 0.3, 1.0  # margin: examples, of 96 a step, so that somebody is masked
LARGE_RATE = 2.0**14

CONFIG = f"""[data]
name = "mnist"
path = {{path}}
[[layers]]
kind = "mixture"
experts = 4
hidden = 100
gate_hidden = 50
[[layers]]
kind = "mixture"
experts = 4
hidden = 100
gate_hidden = 50
[train]
batch_size = {EXAMPLES}
log_every_steps = 1
[evaluation]
every_epochs = 0
[[phases]]
name = "learn"
epochs = {STEPS}
balance = {{{{ rule = "margin", margin = {MARGIN} }}}}
learning_rate = {{{{ schedule = "constant", start = {RATE} }}}}
[[phases]]
name = "measure"
epochs = {{epochs}}
balance = {{{{ rule = "margin", margin = {MARGIN} }}}}
learning_rate = {{{{ schedule = "constant", start = {LARGE_RATE} }}}}
[checkpoint]
at_phase_ends = false
"""


class Disagreement(Exception):
    """dmoe and PyTorch do not even mask the same experts."""


@dataclasses.dataclass
class Difference:
    """Of a tensor of PyTorch from dmoe's."""
    name: str
    absolute: float  # the largest
    largest: float  # value of dmoe's tensor
    form: str

    @property
    def relative(self):
        return self.absolute / self.largest if self.largest > 0 else self.absolute

    @property
    def agrees(self):
        """Relative to the tensor's largest value is the meaningful one: a gradient of 1e-5 agrees absolutely with 0."""
        return max(self.absolute, self.relative) <= TOLERANCE  # False of NaN


def write_idx(path, array):
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def make_images():
    """Bright bars whose place tells the class, with noise; images (n, 36, 36) and labels (n)."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, EXAMPLES).astype(np.uint8)
    images = random.integers(0, 100, (EXAMPLES, SIDE, SIDE)).astype(np.uint8)
    for number, label in enumerate(labels):
        first = random.integers(0, 20)
        images[number, 3 * label : 3 * label + 4, first : first + 16] += np.uint8(150)
    return images, labels


def write_folder(folder, train, test):
    folder.mkdir()
    for prefix, (images, labels) in (("train", train), ("t10k", test)):
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)


def inputs_of(images):
    """(n, 1296): pixels / 255, as dmoe presents them."""
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / np.float32(255))


class Reference:
    """What dmoe computes: model (path of model.h5), x, labels, masks (L, N), loss and gradients by path of that step on
    the model; scored (n, 1296) and their log probabilities (n, C)."""

    def __init__(self, dmoe, folder):
        images, labels = make_images()
        folder.joinpath("one").mkdir()
        write_folder(folder / "data", (images, labels), (images[:1], labels[:1]))
        before, after = (self.trained(dmoe, folder, epochs) for epochs in (0, 1))
        self.model = before / "model.h5"
        self.x, self.labels = inputs_of(images), torch.from_numpy(labels.astype(np.int64))
        with h5py.File(after / "run.h5") as run:
            layers = [run[f"layers/{number}/assignment"] for number in range(1, len(run["layers"]) + 1)]
            masked = np.array([layer["masked"][-1] for layer in layers])
            totals = np.array([layer["totals"][-2] for layer in layers])  # before the step, examples
            self.loss = float(run["train/loss"][-1])
        self.masks = torch.from_numpy(totals > totals.mean(1, keepdims=True) + MARGIN)
        if not np.array_equal(self.masks.numpy(), masked == 1) or not self.masks.any():
            raise Disagreement(f"masked by totals {totals.tolist()}: expected somebody, as in dmoe, {masked.tolist()}")
        values = [network.Parameters.of_file(run / "model.h5").by_path() for run in (before, after)]
        self.gradients = {path: (before_step.astype(float) - values[1][path]) / LARGE_RATE
                          for path, before_step in values[0].items()}
        self.scored = self.x[:SCORED]
        self.log_p = np.array([[-self.loss_of_one(dmoe, folder, before, image, label) for label in range(CLASSES)]
                               for image in images[:SCORED]])

    @staticmethod
    def trained(dmoe, folder, epochs):
        config, output = folder / f"{epochs}.toml", folder / f"run-{epochs}"
        config.write_text(CONFIG.format(path=json.dumps(str(folder / "data")), epochs=epochs))
        dmoe.run("train", config, "--output", output)
        return output

    @staticmethod
    def loss_of_one(dmoe, folder, run, image, label):
        one = folder / "one" / f"{len(list((folder / 'one').iterdir()))}"
        set_of_one = image[None], np.array([label], np.uint8)
        write_folder(one, set_of_one, set_of_one)
        printed = dmoe.run("evaluate", run, "--set", f"data.path={one}")
        loss = re.search(r"loss ([\d.]+) nats", printed)
        if loss is None:
            raise ProgramError(f"dmoe evaluate: expected a loss, got: {printed}")
        return float(loss.group(1))


def difference(name, found, expected, form):
    return Difference(name, float(np.abs(found - expected).max()), float(np.abs(expected).max()), form.name)


def differences(reference, training, evaluation):
    """One Difference an output and tensor, of the form of `training` or `evaluation` in which it is largest."""
    parameters = network.Parameters.of_file(reference.model)
    found = []
    for form in evaluation:
        scores = forms.Scores(form, parameters.copy(), reference.scored)(reference.scored)
        found.append(difference("log probabilities", torch.log_softmax(scores, 1).numpy(), reference.log_p, form))
    for form in training:
        gradients_of = forms.Gradients(form, parameters.copy(), reference.x, reference.labels, reference.masks)
        loss, _, gradients = gradients_of(reference.x, reference.labels, reference.masks)
        found.append(difference("loss", loss.item(), reference.loss, form))
        by_path = network.Parameters(parameters.sizes, list(gradients)).by_path()
        found += [difference(f"d {path}", by_path[path], value, form) for path, value in reference.gradients.items()]
    worst: dict[str, Difference] = {}
    for one in found:
        if one.name not in worst or not one.relative <= worst[one.name].relative:
            worst[one.name] = one
    return list(worst.values())

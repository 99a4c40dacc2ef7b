"""The forms that the PyTorch network is tried in. Each gives the same gradients and scores; only the fastest counts."""

import dataclasses
import warnings

import torch
from torch.nn import functional

import network


@dataclasses.dataclass(frozen=True)
class Form:
    name: str
    products: type  # of network.py
    forward: object = network.fused  # or network.one_by_one
    by_hand: bool = False  # gradients without autograd
    is_traced: bool = False  # compiled by torch.jit
    is_optimised: bool = False  # traced and put through torch.jit.optimize_for_inference


TRAINING = (
    Form("fused, by hand, oneDNN for large products, torch.jit", network.LargeByOneDnn, by_hand=True, is_traced=True),
    Form("fused, by hand, oneDNN for large products", network.LargeByOneDnn, by_hand=True),
    Form("fused, by hand, oneDNN", network.OneDnn, by_hand=True),
    Form("fused, by hand, BLAS", network.Blas, by_hand=True),
    Form("fused, autograd, oneDNN, torch.jit", network.OneDnn, is_traced=True),
    Form("fused, autograd, oneDNN", network.OneDnn),
    Form("fused, autograd, BLAS", network.Blas),
    Form("experts one by one, autograd, oneDNN", network.OneDnn, network.one_by_one),
    Form("experts one by one, autograd, BLAS", network.Blas, network.one_by_one),
)
EVALUATION = (
    Form("fused, oneDNN for large products, torch.jit", network.LargeByOneDnn, is_traced=True),
    Form("fused, oneDNN for large products", network.LargeByOneDnn),
    Form("fused, oneDNN", network.OneDnn),
    Form("fused, BLAS", network.Blas),
    Form("fused, torch.jit, optimize_for_inference", network.Blas, is_traced=True, is_optimised=True),
    Form("experts one by one, BLAS", network.Blas, network.one_by_one),
)


def traced(function, *examples):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a trace fixes is what stays the same here: shapes
        return torch.jit.trace(function, examples, check_trace=False)


class Gradients:
    """A callable (x, labels, masks) -> loss, gates of each layer, gradients of each tensor, for batches of the shape of
    `x` and `labels`. masks: booleans (L, N). Updates of the parameters' tensors in place are seen."""

    def __init__(self, form, parameters, x, labels, masks):
        self.form, self.sizes, self.tensors = form, parameters.sizes, parameters.tensors
        for tensor in self.tensors:
            tensor.requires_grad_(not form.by_hand)
        self.function = self.by_hand if form.by_hand else self.forward
        if form.is_traced:
            with torch.inference_mode(form.by_hand):
                self.function = traced(self.function, x, labels, masks, *self.tensors)

    def by_hand(self, x, labels, masks, *tensors):
        loss, gates, found = network.gradients_by_hand(self.sizes, tensors, x, labels, masks, self.form.products)
        return loss, *gates, *found

    def forward(self, x, labels, masks, *tensors):
        scores, gates = self.form.forward(self.sizes, tensors, x, masks, self.form.products)
        return functional.cross_entropy(scores, labels), *gates

    def __call__(self, x, labels, masks):
        layers = len(self.sizes)
        if self.form.by_hand:
            with torch.inference_mode():
                loss, *rest = self.function(x, labels, masks, *self.tensors)
                return loss, rest[:layers], rest[layers:]
        loss, *gates = self.function(x, labels, masks, *self.tensors)
        return loss, [gate.detach() for gate in gates], torch.autograd.grad(loss, self.tensors)


class Scores:
    """A callable x -> class scores (B, C), for batches of the shape of `x`; nobody masked."""

    def __init__(self, form, parameters, x):
        self.form, self.sizes, self.tensors = form, parameters.sizes, parameters.tensors
        self.masks = torch.zeros((len(self.sizes), self.sizes[0][0]), dtype=torch.bool)
        self.function = self.forward
        if form.is_traced:
            with torch.no_grad():
                self.function = traced(self.forward, x)
                if form.is_optimised:
                    module = torch.jit.trace(Module(self), x, check_trace=False).eval()
                    self.function = torch.jit.optimize_for_inference(torch.jit.freeze(module))

    def forward(self, x):
        return self.form.forward(self.sizes, self.tensors, x, self.masks, self.form.products)[0]

    def __call__(self, x):
        with torch.inference_mode():
            return self.function(x)


class Module(torch.nn.Module):
    """The scores as a module, which torch.jit.freeze wants."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores

    def forward(self, x):
        return self.scores.forward(x)

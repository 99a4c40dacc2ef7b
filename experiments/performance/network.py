"""A network of mixtures in PyTorch, with weights of a dmoe model file, in several forms of which the fastest counts.

Dimensions as in dmoe: B examples, D inputs, N experts of H units, G hidden units of a gate, C classes. Experts and the
gate's hidden layer read the same input, so their weights are one matrix (N H + G, D): one product a layer.
"""

import h5py
import torch
from torch.nn import functional

TENSORS = ("experts/weight", "experts/bias", "gate/hidden_weight", "gate/hidden_bias", "gate/output_weight",
           "gate/output_bias")


class Parameters:
    """Tensors of layer l: weight (N H + G, D), bias (N H + G), gate_weight (N, G), gate_bias (N); then of the head
    weight (C, H), bias (C). `tensors` is the flat list, four a layer and two."""

    def __init__(self, sizes, tensors):
        self.sizes = sizes  # (N, H) of each layer
        self.tensors = tensors

    @classmethod
    def of_file(cls, path):
        """Of model.h5 or a checkpoint. Throws OSError, ValueError where there is a layer without a gate."""
        sizes, tensors = [], []
        with h5py.File(path) as file:
            for number in range(1, len(file["model/layers"]) + 1):
                layer = file[f"model/layers/{number}"]
                if layer.attrs["kind"] not in ("mixture", b"mixture"):
                    raise ValueError(f"{path}: layer {number} is no mixture")
                weight, bias, hidden, hidden_bias, output, output_bias = (
                    torch.from_numpy(layer[name][()]) for name in TENSORS)
                sizes.append(tuple(bias.shape))
                tensors += [torch.cat((weight.flatten(0, 1), hidden)), torch.cat((bias.flatten(), hidden_bias)),
                            output, output_bias]
            tensors += [torch.from_numpy(file[f"model/head/{name}"][()]) for name in ("weight", "bias")]
        return cls(sizes, tensors)

    def copy(self):
        return Parameters(self.sizes, [tensor.clone() for tensor in self.tensors])

    def by_path(self):
        """Every tensor of dmoe by its path below /model, as a NumPy array."""
        found: dict = {}
        for number, (experts, hidden) in enumerate(self.sizes, 1):
            weight, bias, output, output_bias = self.tensors[4 * number - 4 : 4 * number]
            units = experts * hidden
            parts = (weight[:units].view(experts, hidden, -1), bias[:units].view(experts, hidden), weight[units:],
                     bias[units:], output, output_bias)
            found |= {f"layers/{number}/{name}": part.numpy() for name, part in zip(TENSORS, parts)}
        found["head/weight"], found["head/bias"] = (tensor.numpy() for tensor in self.tensors[-2:])
        return found


class Blas:
    """Products by the BLAS that PyTorch was linked with."""

    @staticmethod
    def kept(x, weight):
        """x as the products with this weight want it; made once where several are to follow."""
        return x

    @staticmethod
    def linear(x, weight, bias):
        return functional.linear(x, weight, bias)

    @staticmethod
    def weight_gradient(d_y, x, weight):
        return d_y.t() @ x, d_y.sum(0)

    @staticmethod
    def input_gradient(d_y, weight):
        return d_y @ weight


class OneDnn:
    """Products by oneDNN, which PyTorch does not use by itself for products of dense float32 tensors."""

    @staticmethod
    def kept(x, weight):
        return x.contiguous().to_mkldnn()

    @staticmethod
    def linear(x, weight, bias):
        return torch._C._nn.mkldnn_linear(x, weight, bias).to_dense()

    @staticmethod
    def weight_gradient(d_y, x, weight):
        d_weight, d_bias = torch.ops.aten.mkldnn_linear_backward_weights(d_y, x, weight, True)
        return d_weight, d_bias.to_dense() if d_bias.is_mkldnn else d_bias

    @staticmethod
    def input_gradient(d_y, weight):
        return torch.ops.aten.mkldnn_linear_backward_input((d_y.size(0), weight.size(1)), d_y, weight).to_dense()


class LargeByOneDnn:
    """Products by oneDNN where they are large enough to repay the copies into its tensors, else by BLAS."""

    @staticmethod
    def of(x, weight):
        return OneDnn if x.size(0) * weight.numel() > 40_000 else Blas

    @classmethod
    def kept(cls, x, weight):
        return cls.of(x, weight).kept(x, weight)

    @classmethod
    def linear(cls, x, weight, bias):
        return cls.of(x, weight).linear(x, weight, bias)

    @classmethod
    def weight_gradient(cls, d_y, x, weight):
        return cls.of(d_y, weight).weight_gradient(d_y, x, weight)

    @classmethod
    def input_gradient(cls, d_y, weight):
        return cls.of(d_y, weight).input_gradient(d_y, weight)


def linear(products, x, weight, bias):
    return products.linear(products.kept(x, weight), weight, bias)


def masked_softmax(logits, masked):
    """The softmax over the unmasked; masked: booleans (N)."""
    return torch.softmax(logits.masked_fill(masked, -torch.inf), 1)


def layer_tensors(tensors, layer):
    return tensors[4 * layer : 4 * layer + 4]


def one_by_one(sizes, tensors, x, masks, products):
    """Class scores (B, C) and gates (B, N) of each layer; every expert a product of its own, as one would write it
    first. masks: booleans (N) of each layer."""
    gates = []
    for layer, (experts, hidden) in enumerate(sizes):
        weight, bias, gate_weight, gate_bias = layer_tensors(tensors, layer)
        units = experts * hidden
        gate_hidden = linear(products, x, weight[units:], bias[units:]).relu()
        gate = masked_softmax(linear(products, gate_hidden, gate_weight, gate_bias), masks[layer])
        rows = [slice(i * hidden, (i + 1) * hidden) for i in range(experts)]
        outputs = [linear(products, x, weight[own], bias[own]).relu() for own in rows]
        x = sum(gate[:, i : i + 1] * output for i, output in enumerate(outputs))
        gates.append(gate)
    return linear(products, x, *tensors[-2:]), gates


def fused(sizes, tensors, x, masks, products):
    """The same with one product for all experts and the gate's hidden layer."""
    gates = []
    for layer, (experts, hidden) in enumerate(sizes):
        weight, bias, gate_weight, gate_bias = layer_tensors(tensors, layer)
        units = experts * hidden
        outputs = linear(products, x, weight, bias).relu_()
        gate = masked_softmax(linear(products, outputs[:, units:], gate_weight, gate_bias), masks[layer])
        x = (gate[:, :, None] * outputs[:, :units].unflatten(1, (experts, hidden))).sum(1)
        gates.append(gate)
    return linear(products, x, *tensors[-2:]), gates


def gradients_by_hand(sizes, tensors, x, labels, masks, products):
    """Loss, gates of each layer and the gradient of the loss by each tensor, without autograd."""
    trace, gates = [], []
    for layer, (experts, hidden) in enumerate(sizes):
        weight, bias, gate_weight, gate_bias = layer_tensors(tensors, layer)
        units = experts * hidden
        x = products.kept(x, weight)
        outputs = products.linear(x, weight, bias).relu_()
        gate_hidden = products.kept(outputs[:, units:], gate_weight)
        gate = masked_softmax(products.linear(gate_hidden, gate_weight, gate_bias), masks[layer])
        of_experts = outputs[:, :units].unflatten(1, (experts, hidden))
        trace.append((x, outputs, of_experts, gate_hidden))
        gates.append(gate)
        x = (gate[:, :, None] * of_experts).sum(1)
    head, head_bias = tensors[-2:]
    x = products.kept(x, head)
    log_p = torch.log_softmax(products.linear(x, head, head_bias), 1)
    loss = functional.nll_loss(log_p, labels)

    d_logits = log_p.exp_()
    d_logits.scatter_add_(1, labels[:, None], torch.full_like(d_logits[:, :1], -1.0)).mul_(1 / labels.numel())
    d_logits = products.kept(d_logits, head)
    found = [*products.weight_gradient(d_logits, x, head)]
    d_z = products.input_gradient(d_logits, head)
    for layer in reversed(range(len(sizes))):
        weight, _, gate_weight, _ = layer_tensors(tensors, layer)
        x, outputs, of_experts, gate_hidden = trace[layer]
        d_gate = (d_z[:, None, :] * of_experts).sum(2)
        d_gate_logits = torch._softmax_backward_data(d_gate, gates[layer], 1, torch.float32)
        d_gate_logits = products.kept(d_gate_logits, gate_weight)
        of_gate = products.weight_gradient(d_gate_logits, gate_hidden, gate_weight)
        d_experts = (gates[layer][:, :, None] * d_z[:, None, :]).flatten(1)
        d_outputs = torch.cat((d_experts, products.input_gradient(d_gate_logits, gate_weight)), 1)
        d_outputs = products.kept(torch.ops.aten.threshold_backward(d_outputs, outputs, 0), weight)
        found = [*products.weight_gradient(d_outputs, x, weight), *of_gate, *found]
        if layer > 0:
            d_z = products.input_gradient(d_outputs, weight)
    return loss, gates, found

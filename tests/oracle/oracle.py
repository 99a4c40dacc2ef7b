"""dmoe a second time, in NumPy: written from the documents, not from the C++.

Random streams, batches, jitter, initial weights, the network and its gradients, the balancing rule and SGD.
Values are float64 where dmoe's are float32; initial weights are rounded as dmoe rounds them, so that both
start from the same.
"""

import math

import numpy as np

# Purposes of random streams (src/core/random.hpp).
SHUFFLE, TRAIN_TRANSFORM, FIXED_TRANSFORM, EVALUATION_TRANSFORM, INITIALISATION = 1, 2, 3, 4, 5
# Roles of weight tensors in their streams (src/model/parameters.hpp).
EXPERT_WEIGHT, GATE_HIDDEN_WEIGHT, GATE_OUTPUT_WEIGHT, HEAD_WEIGHT, EXPERT_OUTPUT_WEIGHT = 1, 2, 3, 4, 5

UNITS = 1 << 24  # of a total, in one example


def philox4x32(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def stream(seed, purpose, index):
    """32-bit words: Philox of (block, purpose, index), keyed by the seed."""
    block = 0
    while True:
        counter = [block, purpose, index & 0xFFFFFFFF, index >> 32]
        yield from philox4x32(counter, [seed & 0xFFFFFFFF, seed >> 32])
        block += 1


def uniform(words, low, high, shape):
    """float32 in [low, high): low + (high - low) times the upper 24 bits of a word."""
    low, high = np.float32(low), np.float32(high)
    count = int(np.prod(shape))
    fractions = np.array([next(words) >> 8 for _ in range(count)], np.float32) * np.float32(2.0**-24)
    return (low + (high - low) * fractions).reshape(shape)


def below(words, bound):
    """Uniform in 0 .. bound - 1 (Lemire 2019)."""
    while True:
        product = next(words) * bound
        if product & 0xFFFFFFFF >= (1 << 32) % bound:
            return product >> 32


def shuffled(count, words):
    """Fisher-Yates from the last place to the first."""
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = below(words, i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def jittered(image, translation, words):
    """The image / 255 at a random place of a canvas that is 2 translation larger on each axis."""
    height, width = image.shape
    canvas = np.zeros((height + 2 * translation, width + 2 * translation))
    row, column = below(words, 2 * translation + 1), below(words, 2 * translation + 1)
    pixels = (image.astype(np.float32) / np.float32(255)).astype(float)
    canvas[row : row + height, column : column + width] = pixels
    return canvas.ravel()


def initial_weights(seed, layer, role, expert, rows, columns):
    """Uniform in +-1/sqrt(fan_in); layer counts from 1."""
    words = stream(seed, INITIALISATION, (layer << 40) + (role << 32) + expert)
    bound = np.float32(1) / np.sqrt(np.float32(columns))
    return uniform(words, -bound, bound, (rows, columns)).astype(float)


def initial_parameters(layers, inputs, classes, seed):
    """Every parameter by its path below /model; biases are 0."""
    parameters = {}

    def add_experts(path, number, role, experts, outputs, inputs):
        parameters[f"{path}weight"] = np.stack(
            [initial_weights(seed, number, role, i, outputs, inputs) for i in range(experts)]
        )
        parameters[f"{path}bias"] = np.zeros((experts, outputs))

    for number, layer in enumerate(layers, 1):
        experts, hidden, gate_hidden = layer.get("experts", 1), layer["hidden"], layer.get("gate_hidden")
        path = f"layers/{number}"
        if layer["kind"] == "classifier_mixture":
            add_experts(f"{path}/experts/hidden_", number, EXPERT_WEIGHT, experts, hidden, inputs)
            add_experts(f"{path}/experts/output_", number, EXPERT_OUTPUT_WEIGHT, experts, classes, hidden)
        else:
            add_experts(f"{path}/experts/", number, EXPERT_WEIGHT, experts, hidden, inputs)
        if gate_hidden is None:
            inputs = experts * hidden
            continue
        parameters[f"{path}/gate/hidden_weight"] = initial_weights(
            seed, number, GATE_HIDDEN_WEIGHT, 0, gate_hidden, inputs
        )
        parameters[f"{path}/gate/hidden_bias"] = np.zeros(gate_hidden)
        parameters[f"{path}/gate/output_weight"] = initial_weights(
            seed, number, GATE_OUTPUT_WEIGHT, 0, experts, gate_hidden
        )
        parameters[f"{path}/gate/output_bias"] = np.zeros(experts)
        inputs = hidden
    if layers[-1]["kind"] == "classifier_mixture":
        return parameters
    parameters["head/weight"] = initial_weights(seed, len(layers) + 1, HEAD_WEIGHT, 0, classes, inputs)
    parameters["head/bias"] = np.zeros(classes)
    return parameters


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def all_experts(parameters, path, x):
    """Every expert of x (B, D), (B, N, H), and of those that classify their hidden units, else None."""

    def affine(name, spelled, values):
        return np.einsum(spelled, values, parameters[f"{path}/{name}weight"]) + parameters[f"{path}/{name}bias"]

    if f"{path}/weight" in parameters:
        return np.maximum(affine("", "bd,nhd->bnh", x), 0), None
    hidden = np.maximum(affine("hidden_", "bd,nhd->bnh", x), 0)
    return softmax(affine("output_", "bnh,nch->bnc", hidden)), hidden


def routed(routing, gates):
    """The gate values in use of gates (B, N), and whether each is chosen: the k largest, of equals the first."""
    if routing["rule"] == "all":
        return gates, np.ones(gates.shape, bool)
    if routing["rule"] == "top_k":
        order = np.argsort(-gates, axis=1, kind="stable")[:, : routing["k"]]
        chosen = np.zeros(gates.shape, bool)
        np.put_along_axis(chosen, order, True, axis=1)
        chosen &= gates > 0  # the masked
    else:
        chosen = (gates >= routing["probability"]) | (gates == gates.max(axis=1, keepdims=True))
    values = np.where(chosen, gates, 0.0)
    if routing["value"] != "probability":
        values = values / values.sum(axis=1, keepdims=True)
    return values, chosen


def forward(parameters, x, masks, routings):
    """What each layer computed, its output and the class probabilities; masks: one boolean (N) per layer, of
    no values where there is no gate; routings: one per layer."""
    trace = []
    for number, (masked, routing) in enumerate(zip(masks, routings), 1):
        path = f"layers/{number}"
        outputs, hidden = all_experts(parameters, f"{path}/experts", x)
        step = {"x": x, "outputs": outputs, "hidden": hidden, "gates": np.zeros((len(x), 0))}
        trace.append(step)
        if f"{path}/gate/hidden_weight" not in parameters:
            x = outputs.reshape(len(x), -1)
            continue
        pre = x @ parameters[f"{path}/gate/hidden_weight"].T + parameters[f"{path}/gate/hidden_bias"]
        gate_hidden = np.maximum(pre, 0)
        logits = gate_hidden @ parameters[f"{path}/gate/output_weight"].T
        gates = np.where(masked, 0.0, softmax(logits + parameters[f"{path}/gate/output_bias"]))
        gates /= gates.sum(axis=1, keepdims=True)
        step["p"], step["value"], step["gate_hidden"] = gates, routing.get("value", "renormalised"), gate_hidden
        step["gates"], step["chosen"] = routed(routing, gates)
        x = np.einsum("bn,bnh->bh", step["gates"], outputs)
    if "head/weight" not in parameters:
        return trace, x, x
    return trace, x, softmax(x @ parameters["head/weight"].T + parameters["head/bias"])


def expert_gradients(parameters, found, path, step, d_outputs):
    """Puts those of all experts of a layer into `found`; returns their share of dx."""
    name = ""
    if step["hidden"] is None:
        d_hidden = d_outputs * (step["outputs"] > 0)
    else:
        p = step["outputs"]
        d_logits = p * (d_outputs - (p * d_outputs).sum(axis=-1, keepdims=True))
        found[f"{path}/output_weight"] = np.einsum("bnc,bnh->nch", d_logits, step["hidden"])
        found[f"{path}/output_bias"] = d_logits.sum(axis=0)
        d_hidden = np.einsum("bnc,nch->bnh", d_logits, parameters[f"{path}/output_weight"])
        d_hidden *= step["hidden"] > 0
        name = "hidden_"
    found[f"{path}/{name}weight"] = np.einsum("bnh,bd->nhd", d_hidden, step["x"])
    found[f"{path}/{name}bias"] = d_hidden.sum(axis=0)
    return np.einsum("bnh,nhd->bd", d_hidden, parameters[f"{path}/{name}weight"])


def gradients(parameters, trace, top, p, labels):
    """Of the mean cross-entropy, by the chain rule."""
    found = {}
    right = np.eye(p.shape[1])[labels]
    if "head/weight" in parameters:
        d_logits = (p - right) / len(labels)
        found["head/weight"], found["head/bias"] = d_logits.T @ top, d_logits.sum(axis=0)
        d_z = d_logits @ parameters["head/weight"]
    else:
        d_z = -right / p / len(labels)
    for number in range(len(trace), 0, -1):
        path, step = f"layers/{number}", trace[number - 1]
        x, gates, outputs = step["x"], step["gates"], step["outputs"]
        is_gated = gates.shape[1] > 0
        d_outputs = gates[:, :, None] * d_z[:, None, :] if is_gated else d_z.reshape(outputs.shape)
        d_x = expert_gradients(parameters, found, f"{path}/experts", step, d_outputs)
        if not is_gated:
            d_z = d_x
            continue
        d_gates = np.einsum("bh,bnh->bn", d_z, outputs)
        # Through the softmax over the chosen, or over all of which only the chosen reach the loss. Masked experts
        # have gate 0 and get nothing.
        d_gates = np.where(step["chosen"], d_gates, 0.0)
        shares = gates if step["value"] == "renormalised" else step["p"]
        d_gate_logits = shares * (d_gates - (shares * d_gates).sum(axis=1, keepdims=True))
        found[f"{path}/gate/output_weight"] = d_gate_logits.T @ step["gate_hidden"]
        found[f"{path}/gate/output_bias"] = d_gate_logits.sum(axis=0)
        d_hidden = d_gate_logits @ parameters[f"{path}/gate/output_weight"] * (step["gate_hidden"] > 0)
        found[f"{path}/gate/hidden_weight"] = d_hidden.T @ x
        found[f"{path}/gate/hidden_bias"] = d_hidden.sum(axis=0)
        d_z = d_x + d_hidden @ parameters[f"{path}/gate/hidden_weight"]
    return found


def margin_mask(totals, margin):
    """N G_i - sum G > N m 2^24, in integers; nobody without a margin."""
    count, units = len(totals), round(margin * UNITS) if margin is not None else 0
    return np.array([margin is not None and count * g - sum(totals) > count * units for g in totals], bool)


def learning_rate(phase, epoch):
    """Of epoch 0 .. E-1 of a phase."""
    schedule = phase["learning_rate"]
    if schedule["schedule"] == "constant":
        return schedule["start"]
    progress = epoch / max(phase["epochs"] - 1, 1)
    return schedule["start"] * math.pow(schedule["end"] / schedule["start"], progress)


class Oracle:
    """A run of `config` (the TOML's values) on images and labels of a training and a test set."""

    def __init__(self, config, train, test, classes):
        self.config, self.train_set, self.test_set = config, train, test
        self.seed = config["train"]["seed"]
        self.translation = config["data"]["max_translation"]
        height, width = train[0].shape[1:]
        inputs = (height + 2 * self.translation) * (width + 2 * self.translation)
        self.parameters = initial_parameters(config["layers"], inputs, classes, self.seed)
        self.velocity = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.sizes = [layer["experts"] if "gate_hidden" in layer else 0 for layer in config["layers"]]
        self.totals = [[0] * size for size in self.sizes]  # over all phases
        self.rule_totals = [[0] * size for size in self.sizes]  # since the rule was switched on
        self.rows = []  # (loss, error, totals per layer, masks per layer) of each step
        self.evaluations = []  # (test loss, test error, train loss, train error) of each epoch

    def run(self):
        epoch, margin = 0, None
        for phase in self.config["phases"]:
            before, margin = margin, phase["balance"].get("margin")
            if before is None:
                self.rule_totals = [[0] * size for size in self.sizes]
            for epoch_of_phase in range(phase["epochs"]):
                routing = phase.get("routing", {"rule": "all"})
                self.routings = routing if isinstance(routing, list) else [routing] * len(self.sizes)
                self.expert_rate_factor = phase.get("expert_rate_factor", 1.0)
                self.run_epoch(epoch, margin, learning_rate(phase, epoch_of_phase))
                self.evaluate(epoch)
                epoch += 1

    def run_epoch(self, epoch, margin, rate):
        images, labels = self.train_set
        count, batch = len(labels), self.config["train"]["batch_size"]
        order = shuffled(count, stream(self.seed, SHUFFLE, epoch))
        for first in range(0, count, batch):
            chosen = order[first : first + batch]
            presented = epoch * count + first
            x = [
                jittered(images[i], self.translation, stream(self.seed, TRAIN_TRANSFORM, presented + r))
                for r, i in enumerate(chosen)
            ]
            self.step(np.array(x), labels[chosen], margin, rate)

    def step(self, x, labels, margin, rate):
        masks = [margin_mask(totals, margin) for totals in self.rule_totals]
        trace, top, p = forward(self.parameters, x, masks, self.routings)
        found = gradients(self.parameters, trace, top, p, labels)
        for layer, computed in enumerate(trace):
            for i, total in enumerate(np.rint(computed["gates"] * UNITS).astype(np.int64).sum(axis=0)):
                self.totals[layer][i] += int(total)
                self.rule_totals[layer][i] += int(total) if margin is not None else 0
        for name, value in self.parameters.items():
            slope = found[name] + self.config["train"]["weight_decay"] * value
            self.velocity[name] = self.config["train"]["momentum"] * self.velocity[name] + slope
            factor = self.expert_rate_factor if self.is_of_gated_experts(name) else 1.0
            value -= rate * factor * self.velocity[name]
        totals = [np.array(layer) / UNITS for layer in self.totals]
        self.rows.append((*self.score(p, labels), totals, masks))

    def is_of_gated_experts(self, name):
        """layers/1/experts/.., where a gate chooses among them"""
        parts = name.split("/")
        return parts[2:3] == ["experts"] and self.sizes[int(parts[1]) - 1] > 0

    @staticmethod
    def score(p, labels):
        loss = -np.log(p[np.arange(len(labels)), labels]).mean()
        return loss, (p.argmax(axis=1) != labels).mean()

    def evaluate(self, evaluation):
        nobody = [np.zeros(size, bool) for size in self.sizes]
        scores = []
        test_seed = self.config["data"]["test_seed"]
        for (images, labels), seed, purpose, first in (
            (self.test_set, test_seed, FIXED_TRANSFORM, 0),
            (self.train_set, self.seed, EVALUATION_TRANSFORM, evaluation * len(self.train_set[1])),
        ):
            x = [
                jittered(image, self.translation, stream(seed, purpose, first + i))
                for i, image in enumerate(images)
            ]
            scores += self.score(forward(self.parameters, np.array(x), nobody, self.routings)[2], labels)
        self.evaluations.append(scores)

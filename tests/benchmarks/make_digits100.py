"""Train every network of spaces/digits100 and write what each comes to: tests/data/digits100.csv.

    python tests/benchmarks/make_digits100.py [--seeds N] [-o FILE]

The images are those of `archspec data digits` with noise on them, so that the networks differ:
1000 to train from, 397 to choose by (val), 400 to judge by (test), the same for all. A training is
120 steps of Adam on batches of 64; a seed draws weights and batches. 25 networks stand in one
graph, with the sum of their losses: Adam moves each as it would alone. About a second of one core
for each training.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from archspec.compiler import Model, build
from archspec.compiler.weights.initialize import initialize
from archspec.graph import Graph
from archspec.space import Space
from archspec.training.backends.mindspore.ranks import join
from archspec.training.digits import read_digits
from archspec.training.search.encoding import encoding_of

TABLE = Path(__file__).parents[1] / "data" / "digits100.csv"
TRAIN, VAL = 1000, 397
STEPS, BATCH, RATE, NOISE = 120, 64, 0.002, 0.25
TOGETHER = 25
MEAN, STD = 0.305, 0.376


class Several(nn.Cell):
    """Networks side by side: their logits, [networks, images, classes]."""

    def __init__(self, networks: Sequence[nn.Cell]):
        super().__init__()
        self.networks = nn.CellList(networks)

    def construct(self, images):
        logits = []
        for network in self.networks:
            logits.append(network(images))
        return ops.stack(logits)


class Step(nn.Cell):
    """One step of all networks: the sum of their losses, then Adam."""

    def __init__(self, several: Several):
        super().__init__(auto_prefix=False)
        self.several = several
        self.optimizer = nn.Adam(several.trainable_params(), learning_rate=RATE)
        self.gradients = ops.value_and_grad(self.loss, None, self.optimizer.parameters)

    def loss(self, images, labels):
        logits = self.several(images)
        repeated = ops.tile(labels, (logits.shape[0],))
        mean = ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), repeated)
        return mean * logits.shape[0]

    def construct(self, images, labels):
        loss, gradients = self.gradients(images, labels)
        return ops.depend(loss, self.optimizer(gradients))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=11, help="trainings of a network; default: 11")
    parser.add_argument("-o", "--output", type=Path, default=TABLE)
    options = parser.parse_args()
    join("CPU")
    space = Space("spaces/digits100")
    encoding, _ = encoding_of(space)
    rows = np.stack(np.unravel_index(np.arange(encoding.sizes.prod()), encoding.sizes), axis=1)
    assignments = [encoding.assignment(row) for row in rows.tolist()]
    graphs = [space.assign(assignment) for assignment in assignments]
    images, labels = noisy_digits()
    began = time.process_time()
    scores: list[np.ndarray] = []
    for first in range(0, len(graphs), TOGETHER):
        scores += [*accuracies(graphs[first : first + TOGETHER], options.seeds, images, labels)]
        print(f"{len(scores)} networks: {time.process_time() - began:.0f} s of processor time")
    with open(options.output, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [*sorted(assignments[0]), "params", "macs", "fingerprint", "seed", "val", "test"]
        )
        for assignment, graph, by_seed in zip(assignments, graphs, scores, strict=True):
            options_ = [assignment[key] for key in sorted(assignment)]
            for seed, (val, test) in enumerate(by_seed, 1):
                writer.writerow(
                    [*options_, graph.params, graph.macs, graph.fingerprint, seed,
                     f"{val:.4f}", f"{test:.4f}"]
                )  # fmt: skip


def noisy_digits() -> tuple[np.ndarray, np.ndarray]:
    """Images [1797, 1, 8, 8] in an order of their own, with their digits."""
    found = read_digits()
    pixels = np.array([list(image) for image, _ in found], np.float32).reshape(-1, 1, 8, 8) / 16
    labels = np.array([digit for _, digit in found], np.int32)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(found))
    noisy = pixels[order] + generator.normal(0, NOISE, pixels.shape).astype(np.float32)
    return (noisy - MEAN) / STD, labels[order]


def accuracies(
    graphs: Sequence[Graph], seeds: int, images: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Accuracy on val and test of each network after trainings of its own, [networks, seeds, 2].
    What is compiled serves all seeds."""
    several = Several([build(Model(graph, initialize(graph, "he"))) for graph in graphs])
    step = Step(several)
    at_first = {p.name: p.asnumpy().copy() for p in step.get_parameters()}
    found: list[np.ndarray] = []
    for seed in range(1, seeds + 1):
        for parameter in step.get_parameters():
            parameter.set_data(Tensor(at_first[parameter.name]))
        for place, graph in enumerate(graphs):
            weights = initialize(graph, "he", seed * 1000 + place)
            for parameter in several.networks[place].get_parameters():
                name = parameter.name.removeprefix(f"networks.{place}.")
                parameter.set_data(Tensor(weights[name]))
        several.set_train(True)
        generator = np.random.default_rng(seed)
        for _ in range(STEPS):
            chosen = generator.integers(0, TRAIN, BATCH)
            step(Tensor(images[chosen]), Tensor(labels[chosen]))
        several.set_train(False)
        answers = several(Tensor(images[TRAIN:])).asnumpy().argmax(axis=2)
        right = answers == labels[TRAIN:]
        found.append(np.stack([right[:, :VAL].mean(axis=1), right[:, VAL:].mean(axis=1)], axis=1))
    return np.stack(found, axis=1)


if __name__ == "__main__":
    ms.set_seed(0)
    main()

"""What deployment buys in onnxruntime, as ratios measured in one run. Nothing else should run.

For each network the models are timed in turn, A B A B, and compared by their medians: the ONNX of
the plain graph, that of the deployment graph, and where torch is installed the same network in
eager torch and as torch's own exporter writes it. All have one random set of weights and must agree
before they are timed. One thread each, unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import onnxruntime
from bench import machine

import archspec
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets.onnx import to_onnx
from archspec.compiler.targets.onnx.model import serialize

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the tests' own modules are

from oracles.rule_b import image, with_random_weights

NETWORKS = ("resnet50", "isynet_n1", "repvgg_a0", "mobilenet_v2")
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
ROUNDS = 25
"""Timings of each model, after two that warm it up."""

Run = Callable[[], np.ndarray]


def main() -> None:
    print(
        f"{date.today()}, {machine()}, onnxruntime {onnxruntime.__version__}, {THREADS} threads\n"
    )
    with_torch = importlib.util.find_spec("torch") is not None
    peers = ["torch eager", "torch's export"] if with_torch else []
    print(f"| network | ms | over the plain graph |{''.join(f' over {p} |' for p in peers)}")
    print(f"|---|--:|--:|{'--:|' * len(peers)}")
    for name in NETWORKS:
        ours, *others = medians(runs(name, with_torch))
        ratios = "".join(f" {ours / other:.2f} |" for other in others)
        print(f"| {name} | {ours * 1e3:.2f} |{ratios}", flush=True)


def runs(name: str, with_torch: bool) -> list[Run]:
    """The deployment graph, the plain graph and the peers, ready to run on one image."""
    model = with_random_weights(archspec.load(name))
    x = image(model.graph.input_shape)
    found = [_session(_onnx(for_deployment(model)), x), _session(_onnx(model), x)]
    if with_torch:
        from torch_peer import eager, export

        found += [eager(model, x, THREADS), _session(export(model, x), x)]
    first, *others = (run() for run in found)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-4 * np.abs(first).max())
    return found


def medians(found: list[Run]) -> list[float]:
    """Seconds of each, all of them timed in every round."""
    timings: list[list[float]] = [[] for _ in found]
    for turn in range(ROUNDS + 2):
        for run, times in zip(found, timings, strict=True):
            start = time.perf_counter()
            run()
            if turn >= 2:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in timings]


def _onnx(model: Model) -> bytes:
    return serialize(to_onnx(model))


def _session(content: bytes, x: np.ndarray) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (name,) = (value.name for value in session.get_inputs())
    return lambda: session.run(None, {name: x})[0]


if __name__ == "__main__":
    main()

"""Built cells beside hand-written ones: ResNeXt-152 64x4d at 224 px on MindSpore, on this CPU.

The peer below is written as its authors describe the network (same ops, nested cells). Compiling
and memory are measured in processes of their own, run in turn; inference and training steps of
both in one process, call by call in turn. Ratios of medians; nothing else should be running.

    python tests/benchmarks/bench_mindspore.py [--spec resnext50_32x4d] [--rounds 3] [--size 224]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

DEPTHS = {"resnext152_64x4d": (3, 8, 36, 3), "resnext50_32x4d": (3, 4, 6, 3)}
GROUPS = {"resnext152_64x4d": 64, "resnext50_32x4d": 32}
WARM_CALLS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", default="resnext152_64x4d", choices=list(DEPTHS))
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind")
    parser.add_argument("--calls", type=int, default=15, help="timed calls of each kind")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    print(f"{date.today()}, {_machine()}, Python {platform.python_version()}")
    print(f"{options.spec}, {options.size} px\n")
    print("| what | ours | hand-written | ratio | goal |")
    print("|---|--:|--:|--:|--:|")
    for rows in (first_calls, inference, steps):
        for row in rows(options):
            print(f"| {' | '.join(row)} |", flush=True)


def first_calls(options: argparse.Namespace) -> list[tuple[str, ...]]:
    ours, theirs = _in_turn(options, "first_ours", "first_peer")
    return [
        _row("first call in graph mode, s", ours, theirs, "seconds", "1.1"),
        _row("peak memory, MiB", ours, theirs, "mebibytes", "1.1"),
        _row("the cell built, s", ours, theirs, "built", ""),
    ]


def inference(options: argparse.Namespace) -> list[tuple[str, ...]]:
    found = _child(options, "inference")
    rows = [_row("inference, ms", [found], [found], ("ours", "peer"), "1.03")]
    rows.append(
        _row("deployment cell over training cell's evaluation, ms", [found], [found],
             ("deployed", "ours"), "0.92")
    )  # fmt: skip
    return rows


def steps(options: argparse.Namespace) -> list[tuple[str, ...]]:
    found = _child(options, "steps")
    return [
        _row("training step, ms", [found], [found], ("ours", "peer"), "1.03"),
        _row("first training step, s", [found], [found], ("ours_first", "peer_first"), ""),
    ]


def _row(
    what: str,
    ours: Sequence[dict[str, float]],
    theirs: Sequence[dict[str, float]],
    key: str | tuple[str, str],
    goal: str,
) -> tuple[str, ...]:
    one, other = (key, key) if isinstance(key, str) else key
    mine = statistics.median(found[one] for found in ours)
    peer = statistics.median(found[other] for found in theirs)
    return (what, f"{mine:.1f}", f"{peer:.1f}", f"{mine / peer:.3f}", goal)


def _in_turn(options: argparse.Namespace, *kinds: str) -> list[list[dict[str, float]]]:
    rounds = [[_child(options, kind) for kind in kinds] for _ in range(options.rounds)]
    return [list(column) for column in zip(*rounds, strict=True)]


def _child(options: argparse.Namespace, kind: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", kind, "--spec", options.spec]
    command += ["--calls", str(options.calls), "--size", str(options.size)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


# In a process of its own.


def _ready() -> Any:
    from archspec.compiler.targets.mindspore.device import prepare

    prepare()
    import mindspore

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    return mindspore


def _image(ms: Any, options: argparse.Namespace) -> Any:
    import numpy

    shape = (1, 3, options.size, options.size)
    return ms.Tensor(numpy.random.RandomState(0).uniform(-1, 1, shape).astype(numpy.float32))


def _ours(options: argparse.Namespace) -> Any:
    import archspec
    from archspec import compiler

    size = options.size
    return compiler.build(archspec.load(options.spec, input_shape=(3, size, size)))


def _first(
    make: Callable[[argparse.Namespace], Any], options: argparse.Namespace
) -> dict[str, float]:
    ms = _ready()
    image = _image(ms, options)
    start = time.perf_counter()
    cell = make(options)
    cell.set_train(False)
    built = time.perf_counter()
    cell(image).asnumpy()
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"built": built - start, "seconds": end - built, "mebibytes": peak}


def _inference(options: argparse.Namespace) -> dict[str, float]:
    import archspec
    from archspec import compiler
    from archspec.compiler.model import Model
    from archspec.compiler.weights.initialize import initialize

    ms = _ready()
    image = _image(ms, options)
    graph = archspec.load(options.spec, input_shape=(3, options.size, options.size))
    model = Model(graph, initialize(graph))
    cells = {
        "ours": compiler.build(model),
        "peer": written_by_hand(options),
        "deployed": compiler.build(model, purpose="deployment"),
    }
    for cell in cells.values():
        cell.set_train(False)
    works = {name: lambda cell=cell: cell(image).asnumpy() for name, cell in cells.items()}
    return _medians(_time_in_turn(works, options.calls))


def _steps(options: argparse.Namespace) -> dict[str, float]:
    ms = _ready()
    image, label = _image(ms, options), ms.Tensor([1], ms.int32)
    steps: dict[str, Any] = {}
    for name, cell in (("ours", _ours(options)), ("peer", written_by_hand(options))):
        loss = ms.nn.WithLossCell(cell, ms.nn.SoftmaxCrossEntropyWithLogits(sparse=True))
        optimizer = ms.nn.Momentum(cell.trainable_params(), 0.01, 0.9)
        steps[name] = ms.nn.TrainOneStepCell(loss, optimizer)
        steps[name].set_train()
    timings = _time_in_turn(
        {name: lambda step=step: step(image, label).asnumpy() for name, step in steps.items()},
        options.calls,
    )
    firsts = {f"{name}_first": found[0] / 1e3 for name, found in timings.items()}
    return {**firsts, **_medians(timings)}


def _time_in_turn(works: Mapping[str, Callable[[], object]], calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call of each work, A B C A B C."""
    timings: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(1 + WARM_CALLS + calls):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            timings[name].append((time.perf_counter() - start) * 1e3)
    return timings


def _medians(timings: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Of the calls after the first, which compiles, and a few that warm up."""
    return {name: statistics.median(found[1 + WARM_CALLS :]) for name, found in timings.items()}


def written_by_hand(options: argparse.Namespace) -> Any:
    """The network as one writes it: 7x7 stem, max pool 'same', bottlenecks of 1x1, grouped 3x3 and
    1x1 with the stride on the 3x3, mean, dense."""
    from mindspore import nn, ops

    class Bottleneck(nn.Cell):
        def __init__(self, channels, width, outputs, stride, groups):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 1)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, pad_mode="pad", padding=1, group=groups)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, outputs, 1)
            self.bn3 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.down_sample = None
            if stride != 1 or channels != outputs:
                self.down_sample = nn.SequentialCell(
                    nn.Conv2d(channels, outputs, 1, stride), nn.BatchNorm2d(outputs)
                )

        def construct(self, x):
            identity = x
            x = self.relu(self.bn1(self.conv1(x)))
            x = self.relu(self.bn2(self.conv2(x)))
            x = self.bn3(self.conv3(x))
            if self.down_sample is not None:
                identity = self.down_sample(identity)
            return self.relu(x + identity)

    class Network(nn.Cell):
        def __init__(self, depths, groups, is_same):
            super().__init__()
            self.conv = nn.Conv2d(3, 64, 7, 2, pad_mode="pad", padding=3)
            self.bn = nn.BatchNorm2d(64)
            self.relu = nn.ReLU()
            self.pool = nn.MaxPool2d(3, 2, pad_mode="same" if is_same else "valid")
            layers = []
            channels = 64
            for index, depth in enumerate(depths):
                planes = 64 * 2**index
                width = planes * 4 // 64 * groups
                blocks = []
                for block in range(depth):
                    stride = 2 if index and block == 0 else 1
                    blocks.append(Bottleneck(channels, width, 4 * planes, stride, groups))
                    channels = 4 * planes
                layers.append(nn.SequentialCell(blocks))
            self.layer1, self.layer2, self.layer3, self.layer4 = layers
            self.fc = nn.Dense(channels, 1000)

        def construct(self, x):
            x = self.pool(self.relu(self.bn(self.conv(x))))
            x = self.layer1(x)
            x = self.layer2(x)
            x = self.layer3(x)
            x = self.layer4(x)
            return self.fc(ops.flatten(ops.mean(x, (2, 3), keep_dims=True)))

    return Network(DEPTHS[options.spec], GROUPS[options.spec], "152" in options.spec)


CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "first_ours": lambda options: _first(_ours, options),
    "first_peer": lambda options: _first(written_by_hand, options),
    "inference": _inference,
    "steps": _steps,
}


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{cores} cores of {model}"


if __name__ == "__main__":
    main()

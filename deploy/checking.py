"""An exported file run once, held against plain numpy inference of the spec's own graph.

The numpy numbers are those of the graph before any pass, so that a fault of a pass, of a target or
of the runtime would all show.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.agreement import ANY_BATCH, SMALLEST, TOLERANCE, share_of_largest
from archspec.compiler.model import Model
from archspec.compiler.targets import reference
from archspec.errors import SpecError
from archspec.extras import lacking
from archspec.node import Tensor

SLOW = 2.0
"""Seconds after which one is told what takes so long."""


@dataclass(frozen=True)
class Sample:
    """Random images (batch, channels, height, width) and the outputs that they must give.

    `rows` are the images that numpy computed, the first and the last: a batch's images do not
    touch each other.
    """

    network: str
    images: np.ndarray
    rows: tuple[int, ...]
    outputs: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """What ran a file, and by how much its numbers differ at most, relative to the largest."""

    engine: str
    difference: float

    def __str__(self) -> str:
        return f"{self.engine} gives numpy's numbers, to {self.difference:.0e} of the largest"


def sample_of(model: Model, batch: int | None) -> Sample:
    """Images from a fixed seed for a model with weights, and what numpy makes of them."""
    assert model.weights is not None
    graph = model.graph
    count = batch or ANY_BATCH
    random = np.random.default_rng(0)
    images = random.standard_normal((count, *graph.input_shape), np.float32)
    rows = tuple(sorted({0, count - 1}))
    slow = told_when_slow(f"computing {graph.name} in numpy, to compare with")
    with slow, np.errstate(all="ignore"):  # numbers too large are refused where they are compared
        outputs = reference.run(graph, model.weights, images[list(rows)])
    return Sample(graph.name, images, rows, outputs)


def check_onnx(
    content: bytes,
    model: Model,
    batch: int | None,
    tolerance: float = TOLERANCE,
    written: Model | None = None,
) -> Comparison | None:
    """Run the ONNX of a spec's model in onnxruntime; None, with a word on standard error, where
    that is not installed. Raises SpecError where it does not run, or gives other numbers; then the
    node is named that differs most, where `written` is the model that the file was made of."""
    if not has_onnxruntime():
        return None
    sample = sample_of(model, batch)
    with told_when_slow(f"running {sample.network} in onnxruntime"), _not_running("onnxruntime"):
        session = open_session(content)
        names = [output.name for output in session.get_outputs()]
        results = session.run(names, {session.get_inputs()[0].name: sample.images})
    try:
        return compare("onnxruntime", dict(zip(names, results, strict=True)), sample, tolerance)
    except SpecError as error:
        if written is None:
            raise
        moved = _measure_conditioning(model, sample)
        nodes = _differing_nodes(content, written, sample, tolerance, moved)
        raise SpecError(f"{error}; {nodes}") from None


def _measure_conditioning(model: Model, sample: Sample) -> float:
    """By how much of its largest value an output of the spec moves, in numpy alone, when each pixel
    is the next float32: what rounding may do anywhere in the network."""
    images = sample.images[list(sample.rows)]
    with np.errstate(all="ignore"):
        moved = reference.run(model.graph, model.weights or {}, np.nextafter(images, np.inf))
        return max(share_of_largest(moved[name], output) for name, output in sample.outputs.items())


def _differing_nodes(
    content: bytes, written: Model, sample: Sample, tolerance: float, moved: float
) -> str:
    """In words, the node whose result differs most from numpy's for the same graph and weights, as
    a share of its largest value, and the first that differs by more than the tolerance; or that the
    network magnifies rounding, where its outputs are `moved` by more than the tolerance so."""
    single = [name for name, node in written.graph.nodes.items() if len(node.results) == 1]
    content, there = expose(content, single)
    nodes = {name: Tensor(name) for name in single if name in there}
    rows = list(sample.rows)
    session = open_session(content)
    ours = session.run([*nodes], {session.get_inputs()[0].name: sample.images})
    with np.errstate(all="ignore"):
        theirs = reference.run(
            replace(written.graph, outputs=nodes), written.weights or {}, sample.images[rows]
        )
        shares = {
            name: share_of_largest(np.asarray(array)[rows], theirs[name])
            for name, array in zip(nodes, ours, strict=True)
        }
    worst = max(shares, key=lambda name: np.nan_to_num(shares[name], nan=np.inf))
    first = next((name for name, share in shares.items() if not share <= tolerance), None)
    if tolerance < moved < math.inf:
        magnifies = (
            f"the network magnifies rounding: pixels changed in their last bit move an output by"
            f" {moved:.3g} of its largest value"
        )
        if first is None:
            return f"{magnifies}, while every node is as numpy has it, to {shares[worst]:.3g}"
    if first is None:
        return (
            f"every node is as the rewritten graph has it, to {shares[worst]:.3g}, so a pass"
            " changed what the spec computes"
        )
    return (
        f"the node that differs most is {worst}, by {shares[worst]:.3g} of its largest value, and"
        f" the first beyond the tolerance is {first}, by {shares[first]:.3g}"
    )


def has_onnxruntime() -> bool:
    """Whether it is installed; where not, a word on standard error says that nothing was run."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:
        why = lacking("that", "onnxruntime", error)
        print(f"note: the ONNX was not run; {why}", file=sys.stderr)
        return False
    return True


def open_session(content: bytes, *, is_optimized: bool = True) -> Any:
    """An ONNX in onnxruntime, on the CPU; node by node as it is written, or with nodes fused."""
    import onnxruntime

    level = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = (
        level.ORT_ENABLE_ALL if is_optimized else level.ORT_DISABLE_ALL
    )
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def expose(content: bytes, values: Iterable[str]) -> tuple[bytes, set[str]]:
    """An ONNX with these values as outputs too, as far as its nodes give them, and all that its
    nodes give."""
    import onnx

    proto = onnx.load_from_string(content)
    there = {name for node in proto.graph.node for name in node.output}
    told = {output.name for output in proto.graph.output}
    for name in dict.fromkeys(values):
        if name in there - told:
            proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return proto.SerializeToString(), there


def check_mindir(
    path: Path, model: Model, batch: int | None, tolerance: float = TOLERANCE
) -> Comparison:
    """Load the MindIR of a spec's model and run it. Raises as `check_onnx` does, and UsageError
    where MindSpore is missing."""
    # here, for what writes ONNX loads nothing of MindSpore's target
    from archspec.compiler.targets.mindspore.installed import mindspore

    ms = mindspore()
    sample = sample_of(model, batch)
    with told_when_slow(f"running {sample.network} in MindSpore"), _not_running("MindSpore"):
        network = ms.nn.GraphCell(ms.load(str(path)))
        results = network(ms.Tensor(sample.images))
        arrays = [result.asnumpy() for result in _several(results)]
    return compare("MindSpore", dict(zip(sample.outputs, arrays, strict=True)), sample, tolerance)


def _several(results: Any) -> Sequence[Any]:
    return results if isinstance(results, (tuple, list)) else [results]


@contextmanager
def _not_running(engine: str) -> Iterator[None]:
    """A runtime's own errors, which share no better base than Exception, as a SpecError."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise SpecError(
            f"{engine} cannot run what was exported, so it was not written ({reason})"
        ) from None


def compare(
    engine: str, outputs: Mapping[str, object], sample: Sample, tolerance: float = TOLERANCE
) -> Comparison:
    """Hold an engine's outputs against the sample's, which may differ by `tolerance` of an output's
    largest value. Raises SpecError with the numbers."""
    worst = 0.0
    for name, expected in sample.outputs.items():
        ours = np.asarray(outputs[name])
        if ours.shape != (len(sample.images), *expected.shape[1:]):
            raise SpecError(
                f"{engine} gives {name} of {sample.network} the shape {ours.shape}, and it should"
                f" have {(len(sample.images), *expected.shape[1:])}; nothing was written"
            )
        largest = float(np.abs(expected).max(initial=0))
        with np.errstate(invalid="ignore"):
            difference = float(np.abs(ours[list(sample.rows)] - expected).max(initial=0))
        # written so that a NaN on either side fails
        if not difference <= tolerance * largest + SMALLEST:
            raise SpecError(
                f"{engine} and numpy differ on {name} of {sample.network} by {difference:.3g}"
                f"{_way_on(difference, largest)}; the"
                f" largest value is {largest:.3g}, of which {tolerance:g} is allowed; nothing was"
                f" written"
            )
        worst = max(worst, difference / max(largest, SMALLEST))
    return Comparison(engine, worst)


def _way_on(difference: float, largest: float) -> str:
    """Where a wider tolerance would pass: of a network that makes small differences large."""
    share = difference / max(largest, SMALLEST)
    if not share < 1:
        return ""
    wider = 10.0 ** math.ceil(math.log10(share))
    return f" (--tolerance {wider:.0e} would take that)"


@contextmanager
def told_when_slow(what: str) -> Iterator[None]:
    """Say on standard error what is going on where the block takes long."""
    timer = threading.Timer(SLOW, lambda: print(f"{what} ...", file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

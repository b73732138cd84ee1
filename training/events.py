"""The lines of metrics.jsonl as events for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
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
    """A writer of events; a context manager. `step` is the one that the run goes on from: what an
    earlier process wrote after it is not shown."""

    def __init__(self, run: Run, step: int):
        # tensorboardX: 80 KB over protobuf, which MindSpore needs anyway. MindSpore's SummaryRecord
        # writes events of a kind that only MindInsight reads.
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run.path / EVENTS), purge_step=step + 1)

    def add(self, line: Mapping[str, Any]) -> None:
        for key, tag in TAGS[line["kind"]].items():
            self._writer.add_scalar(tag, line[key], line["step"])

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

"""What searches leave behind, and go on from, below the run's folder:

    single_path/settings.json      what is searched and how
    single_path/seed1-warmup/      checkpoints/ and log.jsonl of the warm-up
    single_path/seed1-target79.5/  the same of a search, found.json, the network's weights

All searches of a seed share its warm-up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archspec.document import read_document
from archspec.errors import UsageError
from archspec.training.checkpoint import Checkpoint, last_good, sweep, write_checkpoint
from archspec.training.meter import Sums
from archspec.training.search.single_path.found import Found
from archspec.training.search.single_path.plan import SearchPlan
from archspec.training.search.single_path.searcher import Searcher
from archspec.writing import write_whole, written_json

FOLDER = "single_path"
SETTINGS, LOG, FOUND, CHECKPOINTS = "settings.json", "log.jsonl", "found.json", "checkpoints"
CHECKPOINTS_KEPT = 2
MOVABLE = ("data", "device")
"""Settings that may be others when a search goes on."""


@dataclass
class Progress:
    """How far a search has come."""

    step: int = 0
    """Steps of the weights that are over."""
    epoch: int = 0
    """Epochs that are over."""
    position: int = 0
    """Steps of the weights that are over of the next one."""
    seconds: float = 0.0
    of_weights: Sums = field(default_factory=Sums)
    of_thresholds: Sums = field(default_factory=Sums)
    """Sums over the epoch so far."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Progress:
        data = dict(checkpoint.progress)
        sums = {name: Sums(**data.pop(name)) for name in ("of_weights", "of_thresholds")}
        return cls(step=checkpoint.step, **data, **sums)


def keep_settings(folder: Path, plan: SearchPlan) -> None:
    """Write what is searched and how. Raises UsageError where the folder's searches were begun with
    other settings."""
    supernet = plan.supernet
    facts = {
        **asdict(plan.settings),
        "data_fingerprint": plan.data_fingerprint,
        "largest": supernet.graph.fingerprint,
        "choices": {choice.key: choice.options for choice in supernet.choices},
    }
    facts = json.loads(json.dumps(facts))  # with lists for tuples, as it will be read
    path = folder / SETTINGS
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, written_json(facts) + "\n")
        return
    then = read_document(path).data
    for key, value in facts.items():
        if key not in MOVABLE and then.get(key) != value:
            raise UsageError(
                f"{folder} has searches that were begun with {key} {then.get(key)}, and this is"
                f" {value}; another folder would do"
            )


def resume(searcher: Searcher, home: Path, say: Callable[[str], None]) -> Progress | None:
    """Set the state to that of the last good checkpoint; None where there is none. What was logged
    since is forgotten."""
    checkpoints = home / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    sweep(checkpoints)
    wanted = {name: parameter.asnumpy() for name, parameter in searcher.state.items()}
    checkpoint, refused = last_good(checkpoints, wanted)
    for one in refused:
        say(f"note: {one}")
    if checkpoint is None:
        (home / LOG).unlink(missing_ok=True)
        return None
    searcher.set(checkpoint.arrays)
    progress = Progress.of(checkpoint)
    lines = [line for line in read_log(home / LOG) if line["epoch"] <= progress.epoch]
    write_whole(home / LOG, "".join(json.dumps(line) + "\n" for line in lines))
    return progress


def save(searcher: Searcher, home: Path, progress: Progress) -> None:
    said = asdict(progress)
    arrays = {name: parameter.asnumpy() for name, parameter in searcher.state.items()}
    checkpoint = Checkpoint(said.pop("step"), arrays, said)
    write_checkpoint(home / CHECKPOINTS, checkpoint, CHECKPOINTS_KEPT)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that a crash cut short is left out."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def add_line(home: Path, line: Mapping[str, Any]) -> None:
    with open(home / LOG, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_found(home: Path) -> Found:
    facts = read_document(home / FOUND).data
    weights = home / facts["weights"]
    return Found(
        home.name,
        facts["assignment"],
        weights,
        facts["objectives"],
        home / LOG,
        facts["target"],
        facts.get("nearest"),
    )

"""The training loop, to be read from top to bottom.

All that a run is stands in its folder (training.run) and in the state of its trainer.
Everything random is drawn anew from (seed, epoch or step, place), so a checkpoint is the state, the
position, and nothing else: a run that was killed goes on to the same bits.
"""

from __future__ import annotations

import errno
import signal
import time
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from mindspore import Tensor

from archspec.compiler.images.scores import Scores
from archspec.compiler.images.steps import preprocessing_of
from archspec.errors import UsageError
from archspec.training.build import Trained, build_trained
from archspec.training.checkpoint import (
    Checkpoint,
    last_good,
    set_refused_aside,
    sweep,
    write_checkpoint,
)
from archspec.training.data import EvalPipeline, TrainPipeline
from archspec.training.distributed import Ranks, join
from archspec.training.evaluate import evaluate
from archspec.training.events import Events
from archspec.training.facts import read_facts
from archspec.training.meter import Meter, Sums
from archspec.training.metrics import rewind_metrics
from archspec.training.noise import draw_masks
from archspec.training.progress import Display, Pulse, clock
from archspec.training.report import write_report
from archspec.training.run import (
    BEST,
    LAST,
    LOGS,
    METRICS,
    Run,
    RunError,
    changed_images,
    check_data,
    locked,
)
from archspec.training.saved import SavedWeights
from archspec.training.schedules import learning_rates
from archspec.training.signals import Stop
from archspec.training.upkeep import check_lost, seal_run, tidy
from archspec.writing import write_whole

LINES_OF_AN_EPOCH = 20
"""In metrics.jsonl, besides that of the epoch itself."""
LOOK_EVERY = 0.5
"""Seconds, about, between two looks at what the device has computed."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What a disk says that takes no more."""
MOST_UNSEEN = 50
"""Steps between two looks."""
REMEDY = (
    "try a smaller learning rate (--set optimizer.lr=...) or clipped gradients"
    " (--set optimizer.clip_norm=1); the last good checkpoint is kept"
)
"""Of a training that diverges."""
CHECKPOINT_EVERY = 600.0
"""Seconds that are lost at most, however long an epoch takes."""
REPORT_EVERY = 60.0


@dataclass
class Progress:
    """How far a run has come. A checkpoint keeps it, and the loop moves it."""

    epoch: int = 0
    """Epochs that are over."""
    position: int = 0
    """Steps that are over of the next one."""
    step: int = 0
    """Steps that are over of all."""
    seconds: float = 0.0
    best_top1: float = -1.0
    best_epoch: int = 0
    of_epoch: Sums = field(default_factory=Sums)
    of_line: Sums = field(default_factory=Sums)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """The lines of metrics.jsonl of the epochs that are over, should that file be damaged."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> Progress:
        sums = {name: Sums(**data[name]) for name in ("of_epoch", "of_line")}
        return cls(**{**data, **sums})


@dataclass(frozen=True)
class Result:
    """How a training ended. `stopped_by` is the number of the signal that ended it early."""

    run: Run
    epochs: int
    steps: int
    seconds: float
    best_top1: float
    best_epoch: int
    last: Scores | None
    stopped_by: int | None = None
    is_first: bool = True
    """Whether this process is the one that writes."""


def train_run(run: Run, stop: Stop, style: str = "auto") -> Result:
    """Train the run in a folder from its last good checkpoint, or from the start, to its end or
    until someone wishes to stop.

    `style` says what a person is shown, see training.progress. Raises RunError where it cannot go
    on, UsageError where the data or the device is not there.
    """
    ranks = join(run.facts["device"])
    with locked(run) if ranks.is_first else nullcontext():
        if read_facts(run.path) != run.facts:
            raise RunError(f"{run.path} was replaced by another run meanwhile; use another --out")
        try:
            result = _train(run, ranks, stop, style if ranks.is_first else "none")
        except (OSError, UsageError) as error:
            raise _full(run, error) from error
    if ranks.ranks > 1:
        # for whoever started the processes: the exit code of msrun says little
        done = run.path / LOGS / f"rank-{ranks.rank}.done"
        write_whole(done, f"{result.steps}\n", within=run.path)
    return result


def _full(run: Run, error: OSError | UsageError) -> Exception:
    """What to say of an error, which is another one where a disk did not take what was written."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(cause, OSError) or cause.errno not in FULL:
        return error
    why = (cause.strerror or str(cause)).lower()
    return RunError(
        f"{run.path} cannot be written to ({why}); what was saved before is good, so make room"
        f" there, then use {run.resume_command}"
    )


def _train(run: Run, ranks: Ranks, stop: Stop, style: str) -> Result:
    recipe, graph = run.recipe, run.networks[0]

    # Data. Both splits were read whole when the run was made; here it must still be the same data.
    train_images, val_images = check_data(run)
    changed = changed_images(run, train_images, val_images)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    share = {"workers": recipe.data.workers, "rank": ranks.rank, "ranks": ranks.ranks}
    pipeline = TrainPipeline(
        train_images, preprocessing, recipe.augment, recipe.mix, batch=recipe.batch,
        seed=recipe.seed, shuffle=recipe.data.shuffle, **share,
    )  # fmt: skip
    validation = EvalPipeline(val_images, preprocessing, batch=recipe.batch, **share)
    accumulate = recipe.optimizer.accumulate
    steps = pipeline.steps_per_epoch // accumulate * accumulate
    if steps == 0:
        raise UsageError(
            f"an epoch has {pipeline.steps_per_epoch} batches and {accumulate} of them make a step;"
            f" --set optimizer.accumulate={pipeline.steps_per_epoch} would do"
        )

    # Network, loss, optimizer: one cell.
    rates = learning_rates(recipe.schedule, recipe.optimizer.lr, recipe.epochs, steps // accumulate)
    trained = build_trained(run, rates, ranks)
    step = trained.step

    # Where it goes on.
    display = Display(recipe.epochs, steps, style)
    if changed is not None:
        display.say(changed)
    if pipeline.workers != run.facts["data_workers"]:
        display.say(
            f"note: the run was begun with {run.facts['data_workers']} data workers and there are"
            f" {pipeline.workers} here, so images are augmented otherwise than they would have been"
        )
    progress = _resumed(run, trained, ranks, display)
    if ranks.is_first:
        sweep(run.checkpoints)
        done = (progress.step, progress.epoch, progress.epochs)
        for note in rewind_metrics(run.path / METRICS, not run.is_old, *done):
            display.say(f"note: {note}")
        run = seal_run(run, (train_images, val_images))
        progress.epochs = [line for line in run.metrics() if line["kind"] == "epoch"]
    saved = SavedWeights(run, trained, display) if ranks.is_first else None
    if saved is not None and ranks.ranks == 1:
        saved.write_again(progress)
    events = Events(run, progress.step) if ranks.is_first else None
    looker = _Looker(ranks, stop, progress)
    scores: Scores | None = None
    stop.listen()
    reported_at = time.monotonic()

    with display, events or nullcontext():
        while progress.epoch < recipe.epochs and looker.stopped_by is None:
            epoch = progress.epoch
            looker.restart_clock()

            with closing(pipeline.epoch(epoch, progress.position)) as batches:
                for images, labels in islice(batches, steps - progress.position):
                    draw_masks(trained.noise, recipe.seed, progress.step, ranks.rank, ranks.ranks)
                    loss, logits = step(Tensor(images), Tensor(labels))
                    looker.meter.add(loss, logits, labels)
                    progress.step += 1
                    progress.position += 1

                    is_line = progress.position % max(1, steps // LINES_OF_AN_EPOCH) == 0
                    if not (is_line or looker.is_due or progress.position == steps):
                        continue
                    looker.look(trained.skips_steps)
                    display.pulse(_pulse(progress, looker, recipe.epochs, steps))
                    if is_line:
                        lr = float(rates[(progress.step - 1) // accumulate])
                        _write_line(run, events, progress, looker, lr)
                    if looker.stopped_by is not None:
                        break
                    if looker.seconds_unsaved > CHECKPOINT_EVERY:
                        _save(run, trained, ranks, progress, recipe.checkpoint.keep)
                        looker.saved()
            if looker.stopped_by is not None:
                _save(run, trained, ranks, progress, recipe.checkpoint.keep)
                break

            # An epoch is over: the first network is scored, as it would be served.
            _check_finite(trained, progress)
            with trained.averaged(ranks):
                scores = evaluate(trained.networks[0], validation, recipe.batch, ranks)
                looker.count_seconds()
                is_best = scores.top1 >= progress.best_top1
                if is_best:
                    progress.best_top1, progress.best_epoch = scores.top1, epoch + 1
                is_last = epoch + 1 == recipe.epochs
                is_saved = is_last or (epoch + 1) % recipe.checkpoint.every_epochs == 0
                if saved is not None and is_best:
                    saved.write(BEST, epoch + 1, scores.top1)
                if saved is not None and is_saved:
                    saved.write(LAST, epoch + 1, scores.top1)
            plain: Scores | None = None
            if trained.ema is not None:
                trained.share_statistics(ranks)
                plain = evaluate(trained.networks[0], validation, recipe.batch, ranks)
                looker.count_seconds()
            lr = float(rates[(progress.step - 1) // accumulate])
            line = _epoch_line(progress, scores, plain, lr)
            display.epoch(epoch, _words(line, progress, recipe.epochs))
            progress.epoch, progress.position = epoch + 1, 0
            progress.of_epoch = progress.of_line = Sums()
            progress.epochs.append(line)
            if ranks.is_first:
                run.add_metrics(line)
                assert events is not None
                events.add(line)
            if is_saved or looker.seconds_unsaved > CHECKPOINT_EVERY:
                _save(run, trained, ranks, progress, recipe.checkpoint.keep)
                looker.saved()
            if ranks.is_first and not is_last and time.monotonic() - reported_at > REPORT_EVERY:
                write_report(run)
                reported_at = time.monotonic()

    if ranks.is_first:
        write_report(run)
    return Result(
        run, progress.epoch, progress.step, progress.seconds, progress.best_top1,
        progress.best_epoch, scores, looker.stopped_by, ranks.is_first,
    )  # fmt: skip


# Looking at what the device has done, and agreeing with the other processes.


class _Looker:
    """Reads the meter every now and then, which is when all processes agree on what to do."""

    def __init__(self, ranks: Ranks, stop: Stop, progress: Progress):
        self.meter = Meter()
        self.ranks = ranks
        self.stop = stop
        self.progress = progress
        self.stopped_by: int | None = None
        self.seconds_unsaved = 0.0
        self.images_per_second = 0.0
        self.seconds_a_step = 0.0
        self._unseen = 1
        self._saved_at = self._looked_at = self._counted_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        # alone one can stop at once; several have to agree first
        wants_to_stop = self.ranks.ranks == 1 and self.stop.number is not None
        return wants_to_stop or len(self.meter.waiting) >= self._unseen

    def look(self, skips_steps: bool) -> None:
        """Take in the steps since the last look. Raises RunError where their loss is no number."""
        steps = len(self.meter.waiting)
        first_step = self.progress.step - steps + 1
        sums, bad = self.meter.read()
        now = time.monotonic()
        is_first = self.ranks.is_first
        *numbers, bads, stops, seconds, unsaved = self.ranks.sum(
            [
                *sums.numbers,
                bad >= 0,
                self.stop.number is not None,
                (now - self._looked_at) * is_first,
                (now - self._saved_at) * is_first,
            ]
        )
        if bads and not (skips_steps and numbers[-1]):
            where = f"step {first_step + bad}" if bad >= 0 else f"steps up to {self.progress.step}"
            raise RunError(
                f"the loss became infinite at {where} (epoch {self.progress.epoch + 1}); {REMEDY}"
            )
        sums = Sums(numbers[0], *numbers[1:])
        self.progress.of_epoch += sums
        self.progress.of_line += sums
        self.count_seconds()
        if stops:
            self.stopped_by = self.stop.number or signal.SIGTERM
        self.seconds_unsaved = unsaved
        self.images_per_second = sums.images / max(seconds, 1e-9)
        self.seconds_a_step = seconds / steps
        self._unseen = min(MOST_UNSEEN, max(1, round(LOOK_EVERY / max(self.seconds_a_step, 1e-9))))
        self._looked_at = now

    def restart_clock(self) -> None:
        """What comes before a step's data is asked for is no part of the pace."""
        self.count_seconds()
        self._looked_at = time.monotonic()

    def count_seconds(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._counted_at
        self._counted_at = now

    def saved(self) -> None:
        self._saved_at = time.monotonic()
        self.seconds_unsaved = 0.0


# What is written.


def _resumed(run: Run, trained: Trained, ranks: Ranks, display: Display) -> Progress:
    """Set the state to that of the last good checkpoint; the progress it was at."""
    state = trained.step.state()
    arrays = {name: parameter.asnumpy() for name, parameter in state.items()}
    if ranks.is_first:
        tidy(run)
    checkpoint, refused = last_good(run.checkpoints, arrays)
    found = 0 if checkpoint is None else checkpoint.step
    if ranks.sum([found])[0] != found * ranks.ranks:
        raise RunError(
            f"the processes found different checkpoints in {run.checkpoints}, this one that of step"
            f" {found}; one folder that all of them see would do"
        )
    if checkpoint is None:
        check_lost(run, refused)
        if run.metrics():
            display.say("note: it was ended before its first checkpoint, so it starts again")
        return Progress()
    if ranks.is_first:
        for note in set_refused_aside(refused):
            display.say(f"note: {note}")
    for name, parameter in state.items():
        parameter.set_data(Tensor(checkpoint.arrays[name]))
    progress = Progress.of({**checkpoint.progress, "step": checkpoint.step})
    epochs = run.recipe.epochs
    if progress.epoch < epochs:
        place = f"epoch {progress.epoch + 1} of {epochs}, step {progress.position}"
    else:
        place = f"all {epochs} epochs are over"
    display.say(f"resumed from step {progress.step} ({place})")
    return progress


def _save(run: Run, trained: Trained, ranks: Ranks, progress: Progress, keep: int) -> None:
    """Write a checkpoint, by the first process. Raises RunError, and writes nothing, where the
    state is no longer finite."""
    arrays = _check_finite(trained, progress)
    if ranks.is_first:
        said = {name: value for name, value in asdict(progress).items() if name != "step"}
        write_checkpoint(run.checkpoints, Checkpoint(progress.step, arrays, said), keep)


def _check_finite(trained: Trained, progress: Progress) -> dict[str, np.ndarray]:
    """The state that the next step depends on, by name. Raises RunError where it is not finite,
    as after a step whose own loss still was."""
    arrays = {name: parameter.asnumpy() for name, parameter in trained.step.state().items()}
    for name, array in arrays.items():
        if not np.isfinite(array.sum(dtype=np.float64)):
            raise RunError(
                f"{name} became infinite by step {progress.step} (epoch {progress.epoch + 1});"
                f" {REMEDY}"
            )
    return arrays


def _write_line(
    run: Run, events: Events | None, progress: Progress, looker: _Looker, lr: float
) -> None:
    """A line within an epoch: means since the line before."""
    sums = progress.of_line
    progress.of_line = Sums()
    if events is None:
        return
    line = {
        "kind": "step",
        "epoch": progress.epoch + 1,
        "step": progress.step,
        "loss": sums.mean_loss,
        "accuracy": sums.accuracy,
        "lr": lr,
        "images_per_second": round(looker.images_per_second, 1),
    }
    run.add_metrics(line)
    events.add(line)


def _epoch_line(
    progress: Progress, scores: Scores, plain: Scores | None, lr: float
) -> dict[str, Any]:
    """A line of an epoch. `plain` are the scores of the weights themselves, where `scores` are
    those of their moving average."""
    return {
        "kind": "epoch",
        "epoch": progress.epoch + 1,
        "step": progress.step,
        "loss": progress.of_epoch.mean_loss,
        "accuracy": progress.of_epoch.accuracy,
        "val_loss": scores.loss,
        "top1": scores.top1,
        "top5": scores.top5,
        "lr": lr,
        "seconds": round(progress.seconds, 3),
        "best_epoch": progress.best_epoch,
        **({} if plain is None else {"plain_top1": plain.top1}),
    }


def _pulse(progress: Progress, looker: _Looker, epochs: int, steps: int) -> Pulse:
    left = epochs * steps - progress.step
    # evaluations and checkpoints are in the pace of all that was done so far
    pace = max(looker.seconds_a_step, progress.seconds / max(progress.step, 1))
    sums = progress.of_epoch
    return Pulse(
        progress.epoch, progress.position, sums.mean_loss, sums.accuracy,
        looker.images_per_second, left * pace,
    )  # fmt: skip


def _words(line: dict[str, Any], progress: Progress, epochs: int) -> str:
    done = progress.epoch + 1
    left = progress.seconds / done * (epochs - done)
    mark = " (best)" if line["best_epoch"] == line["epoch"] else ""
    plain = f" (without EMA {line['plain_top1']:6.2%})" if "plain_top1" in line else ""
    return (
        f"loss {line['loss']:.4f}  accuracy {line['accuracy']:6.2%}  val loss"
        f" {line['val_loss']:.4f}  top-1 {line['top1']:6.2%}{plain}  top-5 {line['top5']:6.2%}"
        f"  lr {line['lr']:.3g}  {clock(progress.seconds)}, ETA {clock(left)}{mark}"
    )


__all__ = ["Result", "train_run"]

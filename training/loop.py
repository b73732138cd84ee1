"""The training of a run, to be read from top to bottom; the steps themselves are made by a session.

All that a run is stands in its folder (training.run) and in the state of its trainer, which is of
some backend (training.backend). Everything random is drawn again from (seed, epoch or step, place),
so a run that was killed resumes to the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import Any

from archspec.compiler.images.scores import Scores
from archspec.compiler.images.steps import Preprocessing, preprocessing_of
from archspec.errors import UsageError
from archspec.training.backend import Backend, Trainer, find_backend
from archspec.training.build import Learners, learners_of
from archspec.training.checkpoint import set_refused_aside, sweep
from archspec.training.data import EvalPipeline, Pipeline, Source
from archspec.training.distributed import Ranks
from archspec.training.early_stop import gains_no_more
from archspec.training.evaluate import evaluate
from archspec.training.events import Events
from archspec.training.facts import read_facts
from archspec.training.failures import explain_failures
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
    lock,
)
from archspec.training.saved import SavedWeights
from archspec.training.schedules import Rates, learning_rates
from archspec.training.session import Progress, Session, restore
from archspec.training.signals import Stop
from archspec.training.upkeep import check_lost, seal_run, tidy
from archspec.writing import write_whole

LINES_OF_AN_EPOCH = 20
"""In metrics.jsonl, apart from that of the epoch itself."""
REPORT_EVERY = 60.0


@dataclass
class RunProgress(Progress):
    """How far a run has come."""

    best_top1: float = -1.0
    best_epoch: int = 0
    reference: float | None = None
    """What a recipe's early_stop watches, at its last gain."""
    gained_epoch: int = 0
    extensions: int = 0
    """How often the run had been extended when early_stop ended it."""
    of_epoch: Sums = field(default_factory=Sums)
    of_line: Sums = field(default_factory=Sums)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """The lines of metrics.jsonl of the epochs that are over, should that file be damaged."""


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
    on, UsageError where the data, the backend or the device does not exist.
    """
    backend = find_backend(run.backend, str(run.path))
    ranks = backend.join(run.facts["device"])
    with lock(run) if ranks.is_first else nullcontext():
        if read_facts(run.path) != run.facts:
            raise RunError(f"{run.path} was replaced by another run meanwhile; use another --out")
        with explain_failures(run):
            result = _train(run, backend, ranks, stop, style if ranks.is_first else "none")
    if ranks.ranks > 1:
        # for whoever started the processes: the exit code of msrun says little
        done = run.path / LOGS / f"rank-{ranks.rank}.done"
        write_whole(done, f"{result.steps}\n", within=run.path)
    return result


def _train(run: Run, backend: Backend, ranks: Ranks, stop: Stop, style: str) -> Result:
    recipe, graph = run.recipe, run.networks[0]

    # Data. Both splits were read whole when the run was made; here it must still be the same data.
    sources = check_data(run)
    changed = changed_images(run, *sources)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    pipeline, validation = _pipelines(run, backend, ranks, sources, preprocessing)
    accumulate = recipe.optimizer.accumulate
    steps = pipeline.steps_per_epoch // accumulate * accumulate
    if steps == 0:
        raise UsageError(
            f"an epoch has {pipeline.steps_per_epoch} batches and {accumulate} of them make a step;"
            f" use --set optimizer.accumulate={pipeline.steps_per_epoch}"
        )

    # Networks, loss, optimizer: what the backend makes of them.
    rates = learning_rates(recipe.schedule, recipe.optimizer.lr, recipe.epochs, steps // accumulate)
    learners = learners_of(run)
    trainer = backend.trainer(learners, rates, ranks)

    # Where it resumes.
    display = Display(recipe.epochs, steps, style)
    if changed is not None:
        display.say(changed)
    if pipeline.draws_by_workers and pipeline.workers != run.facts["data_workers"]:
        display.say(
            f"note: the run was begun with {run.facts['data_workers']} data workers and there are"
            f" {pipeline.workers} here, so images are augmented otherwise than they would have been"
        )
    progress = _resume(run, trainer, ranks, display)
    if ranks.is_first:
        sweep(run.checkpoints)
        done = (progress.step, progress.epoch, progress.epochs)
        for note in rewind_metrics(run.path / METRICS, not run.is_old, *done):
            display.say(f"note: {note}")
        run = seal_run(run, sources)
        progress.epochs = [line for line in run.metrics() if line["kind"] == "epoch"]
    saved = SavedWeights(run, trainer, display) if ranks.is_first else None
    if saved is not None and ranks.ranks == 1:
        saved.write_again(progress)
    events = Events(run, progress.step) if ranks.is_first else None
    session = Session(trainer, progress, run.checkpoints, recipe.checkpoint.keep, stop, ranks)
    training = _Training(
        run, learners, trainer, pipeline, validation, steps, rates, session, progress, display,
        saved, events,
    )  # fmt: skip
    stop.listen()
    with display, events or nullcontext(), closing(pipeline):
        session.learn(training, recipe.epochs)
    if ranks.is_first:
        write_report(run)
    return Result(
        run, progress.epoch, progress.step, progress.seconds, progress.best_top1,
        progress.best_epoch, training.scores, session.stopped_by, ranks.is_first,
    )  # fmt: skip


def _pipelines(
    run: Run,
    backend: Backend,
    ranks: Ranks,
    sources: tuple[Source, Source],
    preprocessing: Preprocessing,
) -> tuple[Pipeline, EvalPipeline]:
    recipe = run.recipe
    share = {"workers": recipe.data.workers, "rank": ranks.rank, "ranks": ranks.ranks}
    train = backend.pipeline(
        sources[0], preprocessing, recipe.augment, recipe.mix, batch=recipe.batch,
        seed=recipe.seed, shuffle=recipe.data.shuffle, balanced=recipe.data.balanced, **share,
    )  # fmt: skip
    return train, EvalPipeline(sources[1], preprocessing, batch=recipe.batch, **share)


def _resume(run: Run, trainer: Trainer, ranks: Ranks, display: Display) -> RunProgress:
    """Set the state to that of the last good checkpoint; the progress it was at."""
    if ranks.is_first:
        tidy(run)
    progress, refused = restore(trainer, run.checkpoints, RunProgress, ranks)
    if progress is None:
        check_lost(run, refused)
        if run.metrics():
            display.say("note: it was ended before its first checkpoint, so it starts again")
        return RunProgress()
    if ranks.is_first:
        for note in set_refused_aside(refused):
            display.say(f"note: {note}")
    epochs = run.recipe.epochs
    if progress.is_over and len(run.facts.get("extended_from", ())) > progress.extensions:
        # someone has asked for more since: patience begins anew
        progress.is_over, progress.gained_epoch = False, progress.epoch
    if progress.is_over:
        place = f"it stopped early, after epoch {progress.epoch} of {epochs}"
    elif progress.epoch < epochs:
        place = f"epoch {progress.epoch + 1} of {epochs}, step {progress.position}"
    else:
        place = f"all {epochs} epochs are over"
    display.say(f"resumed from step {progress.step} ({place})")
    return progress


@dataclass
class _Training:
    """A run as a session's task: what a step is, and what becomes of it."""

    run: Run
    learners: Learners
    trainer: Trainer
    pipeline: Pipeline
    validation: EvalPipeline
    steps_per_epoch: int
    rates: Rates
    session: Session
    progress: RunProgress
    display: Display
    saved_weights: SavedWeights | None
    events: Events | None
    scores: Scores | None = None
    reported_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.meters = (Meter(self.trainer),)

    def steps(self) -> Generator[None, None, None]:
        progress, ranks = self.progress, self.session.ranks
        seed = self.run.recipe.seed
        with closing(self.pipeline.epoch(progress.epoch, progress.position)) as batches:
            for images, labels in batches:
                masks = draw_masks(
                    self.learners.places, seed, progress.step, ranks.rank, ranks.ranks
                )
                self.meters[0].add(self.trainer.step(images, labels, masks), labels)
                yield

    def wants_look(self) -> bool:
        return self.progress.position % max(1, self.steps_per_epoch // LINES_OF_AN_EPOCH) == 0

    def take(self, sums: Sequence[Sums]) -> None:
        self.progress.of_epoch += sums[0]
        self.progress.of_line += sums[0]

    def after_look(self) -> None:
        self.display.pulse(self._pulse())
        if self.wants_look():
            self._write_line()

    def end_epoch(self) -> bool:
        """Score the first network, as it would be served, and save its weights where they are the
        best or the last so far."""
        progress, recipe, batch = self.progress, self.run.recipe, self.run.recipe.batch
        epoch = progress.epoch + 1
        with self.trainer.serving():
            scores = evaluate(self.trainer, self.validation, batch, self.session.ranks)
            self.session.count_seconds()
            progress.is_over = gains_no_more(recipe, progress, scores, epoch)
            progress.extensions = len(self.run.facts["extended_from"])
            is_last = progress.is_over or epoch == recipe.epochs
            is_kept = is_last or epoch % recipe.checkpoint.every_epochs == 0
            # without a finite loss every image is of one class, as often right as that is met
            is_finite = math.isfinite(scores.loss)
            top1 = scores.top1 if is_finite else 0.0
            is_best = top1 >= progress.best_top1 and (is_finite or not progress.best_epoch)
            if is_best:
                progress.best_top1, progress.best_epoch = top1, epoch
            if self.saved_weights is not None and is_best:
                self.saved_weights.write(BEST, epoch, top1)
            if self.saved_weights is not None and is_kept:
                self.saved_weights.write(LAST, epoch, scores.top1)
        plain: Scores | None = None
        if recipe.ema is not None:
            with self.trainer.serving(averaged=False):
                plain = evaluate(self.trainer, self.validation, batch, self.session.ranks)
            self.session.count_seconds()
        self.scores = scores
        line = _epoch_line(progress, scores, plain, self._rate())
        if progress.is_over:
            line["stopped_early"] = True
        self.display.epoch(progress.epoch, _words(line, progress, recipe.epochs))
        progress.of_epoch = progress.of_line = Sums()
        progress.epochs.append(line)
        if self.events is not None:
            self.run.add_metrics(line)
            self.events.add(line)
        return is_kept

    def after_save(self) -> None:
        is_last = self.progress.is_over or self.progress.epoch == self.run.recipe.epochs
        is_due = time.monotonic() - self.reported_at > REPORT_EVERY
        if self.session.ranks.is_first and is_due and not is_last:
            write_report(self.run)
            self.reported_at = time.monotonic()

    def _rate(self) -> float:
        return float(self.rates[(self.progress.step - 1) // self.run.recipe.optimizer.accumulate])

    def _write_line(self) -> None:
        """Write a line within an epoch: means since the line before."""
        progress, sums = self.progress, self.progress.of_line
        progress.of_line = Sums()
        if self.events is None:
            return
        line = {
            "kind": "step",
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "loss": sums.mean_loss,
            "accuracy": sums.accuracy,
            "lr": self._rate(),
            "images_per_second": round(self.session.images_per_second, 1),
        }
        self.run.add_metrics(line)
        self.events.add(line)

    def _pulse(self) -> Pulse:
        progress, session = self.progress, self.session
        left = self.run.recipe.epochs * self.steps_per_epoch - progress.step
        # evaluations and checkpoints are in the pace of all that was done so far
        pace = max(session.seconds_a_step, progress.seconds / max(progress.step, 1))
        sums = progress.of_epoch
        return Pulse(
            progress.epoch, progress.position, sums.mean_loss, sums.accuracy,
            session.images_per_second, left * pace,
        )  # fmt: skip


def _epoch_line(
    progress: RunProgress, scores: Scores, plain: Scores | None, lr: float
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


def _words(line: dict[str, Any], progress: RunProgress, epochs: int) -> str:
    done = progress.epoch + 1
    left = progress.seconds / done * (epochs - done)
    is_best = line["best_epoch"] == line["epoch"] and math.isfinite(line["val_loss"])
    mark = " (best)" if is_best else ""
    plain = f" (without EMA {line['plain_top1']:6.2%})" if "plain_top1" in line else ""
    return (
        f"loss {line['loss']:.4f}  accuracy {line['accuracy']:6.2%}  val loss"
        f" {line['val_loss']:.4f}  top-1 {line['top1']:6.2%}{plain}  top-5 {line['top5']:6.2%}"
        f"  lr {line['lr']:.3g}  {clock(progress.seconds)}, ETA {clock(left)}{mark}"
    )


__all__ = ["Result", "train_run"]

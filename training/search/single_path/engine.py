"""The single-path search, to be read from top to bottom.

Weights learn from most of the train images and thresholds from the rest, so that each image is seen
once in an epoch. In the warm-up weights alone learn, and at each step some gates are closed at
random: every step is one of some network of the space. Then thresholds learn too.

All searches of a call use what was compiled once, and those of a seed one warm-up. Whatever is
random is drawn from (seed, step, place), so that a search that was killed goes on from its
checkpoint to the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from archspec.compiler.supernet import derived
from archspec.compiler.weights.loading import save_weights
from archspec.space import Space
from archspec.training.distributed import join
from archspec.training.evaluate import evaluate
from archspec.training.meter import Meter, Sums
from archspec.training.run import RunError
from archspec.training.search.single_path.folder import (
    add_line,
    found_in,
    opened,
    read_found,
    write_found,
)
from archspec.training.search.single_path.found import Found
from archspec.training.search.single_path.plan import Search, SearchPlan, plan_search
from archspec.training.search.single_path.resuming import Progress, Resuming, save
from archspec.training.search.single_path.searcher import Searcher
from archspec.training.search.single_path.settings import SinglePathSettings
from archspec.training.signals import Stop

REACH = 2.0
"""Norms that a threshold can move by in all its steps, unless the settings say how far in one.
Gates close at about 1."""
CHECKPOINT_EVERY = 600.0
"""Seconds that are lost at most, however long an epoch takes."""
MOST_UNSEEN = 50
"""Steps between two looks at losses."""
STATISTICS_STEPS = 50
"""For batch norms to forget other networks, at most an epoch."""


def search(
    space: Space,
    settings: SinglePathSettings,
    run_folder: Path,
    stop: Stop,
    say: Callable[[str], None],
    ends: float | None,
    restarts: bool,
) -> list[Found]:
    """See training.search.single_path.search_single_path."""
    plan = plan_search(space, settings, say)
    with opened(run_folder, plan, say) as folder:
        join(settings.device)
        stop.listen()
        searcher: Searcher | None = None
        found: list[Found] = []
        resuming = Resuming(run_folder, restarts, say)
        epochs = range(1, plan.recipe.epochs + 1)
        for asked in plan.searches:
            home, warmup = folder / asked.name, folder / f"seed{asked.seed}-warmup"
            there = found_in(home, say)
            if there is None:
                searcher = searcher or plan.searcher()
                searcher.restart(asked.seed)
                progress = (
                    resuming.resume(searcher, home, epochs[plan.warmup :])
                    or resuming.resume(searcher, warmup, epochs[: plan.warmup])
                    or Progress()
                )
                learner = _Learner(plan, searcher, asked, progress, stop, say, ends)
                if not learner.learn(warmup, plan.warmup) or not learner.learn(
                    home, plan.recipe.epochs
                ):
                    break
                _write_found(plan, searcher, asked, home, progress, say)
                there = read_found(home)
            found.append(there)
        return found


class _Learner:
    """One search under way."""

    def __init__(
        self,
        plan: SearchPlan,
        searcher: Searcher,
        search: Search,
        progress: Progress,
        stop: Stop,
        say: Callable[[str], None],
        ends: float | None,
    ):
        self.ends = math.inf if ends is None else ends
        self.plan = plan
        self.searcher = searcher
        self.search = search
        self.progress = progress
        self.stop = stop
        self.say = say
        self.weights, self.thresholds = plan.pipelines(search.seed)
        self.meters = Meter(), Meter()
        self.looked_at = self.saved_at = time.monotonic()

    def learn(self, home: Path, until: int) -> bool:
        """Learn up to an epoch, with checkpoints and log in a folder; False where someone wished to
        stop before, or the time was over."""
        progress, steps = self.progress, self.weights.steps_per_epoch
        self.looked_at = self.saved_at = time.monotonic()
        while progress.epoch < until:
            epoch, done = progress.epoch, self._thresholds_due()
            with (
                closing(self.weights.epoch(epoch, progress.position)) as batches,
                closing(self.thresholds.epoch(epoch, done)) as held_batches,
            ):
                for images, labels in islice(batches, steps - progress.position):
                    self._learn_weights(images, labels)
                    # the thresholds' steps lie evenly between those of the weights
                    for images, labels in islice(held_batches, self._thresholds_due() - done):
                        self._learn_thresholds(images, labels, done)
                        done += 1

                    if self.stop.number is not None or time.monotonic() > self.ends:
                        self._save(home)
                        return False
                    if len(self.meters[0].waiting) >= MOST_UNSEEN:
                        self._look()
                    if self.looked_at - self.saved_at > CHECKPOINT_EVERY:
                        self._save(home)
            self._look()
            self._tell(home)
            progress.epoch, progress.position = epoch + 1, 0
            progress.of_weights = progress.of_thresholds = Sums()
            self._save(home)
        return True

    @property
    def _is_warming_up(self) -> bool:
        return self.progress.epoch < self.plan.warmup

    def _thresholds_due(self) -> int:
        """Steps of the thresholds that go with those of the weights in the epoch so far."""
        if self._is_warming_up:
            return 0
        due = self.progress.position * self.thresholds.steps_per_epoch
        return due // self.weights.steps_per_epoch

    def _learn_weights(self, images: Any, labels: Any) -> None:
        progress, settings = self.progress, self.plan.settings
        keep = settings.keep if self._is_warming_up else 1.0
        loss, logits = self.searcher.learn_weights(
            images, labels, self.search.seed, progress.step, keep
        )
        self.meters[0].add(loss, logits, labels)
        progress.step += 1
        progress.position += 1

    def _learn_thresholds(self, images: Any, labels: Any, done: int) -> None:
        """`done` steps of this epoch came before."""
        plan, search = self.plan, self.search
        of_epoch = self.thresholds.steps_per_epoch
        step = (self.progress.epoch - plan.warmup) * of_epoch + done
        steps = (plan.recipe.epochs - plan.warmup) * of_epoch
        highest = plan.settings.lr_thresholds or 2 * REACH / steps
        rate = highest * (1 + math.cos(math.pi * step / steps)) / 2
        numbers = (search.lam, search.target or 1.0, rate)
        loss, logits = self.searcher.learn_thresholds(images, labels, search.seed, step, numbers)
        self.meters[1].add(loss, logits, labels)

    def _look(self) -> None:
        """Read the losses of the steps since the last look."""
        progress = self.progress
        progress.of_weights += self._read(self.meters[0])
        progress.of_thresholds += self._read(self.meters[1])
        now = time.monotonic()
        progress.seconds += now - self.looked_at
        self.looked_at = now

    def _read(self, meter: Meter) -> Sums:
        if not meter.waiting:
            return Sums()
        sums, first_bad = meter.read()
        if first_bad >= 0:
            raise RunError(
                f"the loss of {self.search.name} became infinite in epoch"
                f" {self.progress.epoch + 1}; try a smaller learning rate; the last good checkpoint"
                " is kept"
            )
        return sums

    def _save(self, home: Path) -> None:
        self._look()
        save(self.searcher, home, self.progress)
        self.saved_at = self.looked_at

    def _tell(self, home: Path) -> None:
        """What an epoch that is over came to, in the log and to people."""
        plan, progress = self.plan, self.progress
        epoch, sums = progress.epoch + 1, progress.of_weights
        line = {"epoch": epoch, "loss": sums.mean_loss, "accuracy": sums.accuracy}
        words = f"loss {sums.mean_loss:.4f}  accuracy {sums.accuracy:.2%}"
        if not self._is_warming_up:
            held, unit = progress.of_thresholds, plan.runtime.unit
            assignment = plan.supernet.assignment_of(self.searcher.set_gates())
            runtime = plan.runtime.of(assignment)
            line |= {"held_out_loss": held.mean_loss, "held_out_accuracy": held.accuracy}
            line |= {unit: runtime, "assignment": assignment}
            words += f"  held out {held.accuracy:.2%}  {runtime:,.6g} {unit}"
        add_line(home, line)
        progress.lines.append(line)
        self.say(f"{home.name}: epoch {epoch}/{plan.recipe.epochs}  {words}")


def _write_found(
    plan: SearchPlan,
    searcher: Searcher,
    search: Search,
    home: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    """Score the network that the thresholds stand for, or what they like best near the target, and
    write it with its weights."""
    assignment = plan.supernet.assignment_of(searcher.set_gates())
    nearest: float | None = None
    if search.target is not None and plan.possible is not None:
        assignment = plan.possible.liked(search.target, searcher.margins())
        nearest = plan.possible.nearest(search.target)
        searcher.take(assignment)
        shown = plan.runtime.shown
        say(
            f"{home.name}: {shown(plan.runtime.of(assignment))} found for a target of"
            f" {shown(search.target)}; the nearest possible is {shown(nearest)}"
        )
    with closing(plan.pipelines(search.seed)[0].epoch(plan.recipe.epochs)) as batches:
        searcher.gather_statistics(islice(batches, STATISTICS_STEPS))
    scores = evaluate(searcher.network, plan.validation(), plan.recipe.batch)
    graph, weights = derived(plan.supernet, assignment, searcher.arrays())
    name = f"{graph.fingerprint[:12]}.safetensors"
    notes = {"search": search.name, "top1": f"{scores.top1:.6f}"}
    if (home / name).is_symlink():
        (home / name).unlink()  # or what it leads to would be written
    save_weights(home / name, graph, weights, notes)
    facts = {
        **asdict(search),
        "nearest": nearest,
        "assignment": assignment,
        "fingerprint": graph.fingerprint,
        "weights": name,
        "objectives": {
            "params": graph.params,
            "macs": graph.macs,
            plan.runtime.unit: plan.runtime.of(assignment),
            "top1": scores.top1,
            "loss": scores.loss,
        },
        "seconds": round(progress.seconds, 3),
    }
    write_found(home, facts)

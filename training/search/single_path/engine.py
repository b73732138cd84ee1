"""The single-path search, to be read from top to bottom.

Weights learn from most of the train images and thresholds from the rest, so that each image is seen
once in an epoch. In the warm-up weights alone learn, and at each step some gates are closed at
random: every step is one of some network of the space. Then thresholds learn too.

All searches of a call use what was compiled once, and those of a seed one warm-up. Whatever is
random is drawn from (seed, step, place), so that a search that was killed resumes from its
checkpoint to the same bits. The steps are made by a session, as those of a training are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from archspec.compiler.supernet import derive
from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.loading import save_weights
from archspec.space import Space
from archspec.training.evaluate import evaluate
from archspec.training.meter import Meter, Sums
from archspec.training.search.single_path.folder import (
    CHECKPOINTS,
    add_line,
    find_result,
    open_folder,
    read_found,
    write_found,
)
from archspec.training.search.single_path.found import Found
from archspec.training.search.single_path.plan import Search, SearchPlan, plan_search
from archspec.training.search.single_path.resuming import (
    CHECKPOINTS_KEPT,
    Resuming,
    SearchProgress,
)
from archspec.training.search.single_path.searcher import Searcher
from archspec.training.search.single_path.settings import SinglePathSettings
from archspec.training.session import Session
from archspec.training.signals import Stop

REACH = 2.0
"""Norms that a threshold can move by in all its steps, unless the settings say how far in one.
Gates close at about 1."""
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
    with open_folder(run_folder, plan, say) as folder:
        plan.backend.join(settings.device)
        stop.listen()
        searcher: Searcher | None = None
        found: list[Found] = []
        resuming = Resuming(run_folder, restarts, say)
        epochs = range(1, plan.recipe.epochs + 1)
        for asked in plan.searches:
            home, warmup = folder / asked.name, folder / f"seed{asked.seed}-warmup"
            there = find_result(home, say)
            if there is None:
                searcher = searcher or plan.searcher()
                searcher.restart(asked.seed)
                progress = (
                    resuming.resume(searcher.trainer, home, epochs[plan.warmup :])
                    or resuming.resume(searcher.trainer, warmup, epochs[: plan.warmup])
                    or SearchProgress()
                )
                task = _Searching(plan, searcher, asked, progress, say)
                if not all(
                    task.learn(place, until, stop, ends)
                    for place, until in ((warmup, plan.warmup), (home, plan.recipe.epochs))
                ):
                    break
                _write_found(plan, searcher, asked, home, progress, say)
                there = read_found(home)
            found.append(there)
        return found


class _Searching:
    """One search under way, as a session's task."""

    def __init__(
        self,
        plan: SearchPlan,
        searcher: Searcher,
        search: Search,
        progress: SearchProgress,
        say: Callable[[str], None],
    ):
        self.plan = plan
        self.searcher = searcher
        self.search = search
        self.progress = progress
        self.say = say
        self.weights, self.thresholds = plan.pipelines(search.seed)
        self.steps_per_epoch = self.weights.steps_per_epoch
        self.meters = Meter(searcher.trainer), Meter(searcher.trainer)
        self.home = Path()

    def learn(self, home: Path, until: int, stop: Stop, ends: float | None) -> bool:
        """Learn up to an epoch, with checkpoints and log in a folder; False where someone wished to
        stop before, or the time was over."""
        self.home = home
        session = Session(
            self.searcher.trainer, self.progress, home / CHECKPOINTS, CHECKPOINTS_KEPT, stop,
            what=f"the loss of {self.search.name}", ends=math.inf if ends is None else ends,
        )  # fmt: skip
        with closing(self.weights), closing(self.thresholds):
            return session.learn(self, until)

    def steps(self) -> Generator[None, None, None]:
        """Steps of the weights, those of the thresholds evenly between them."""
        progress, done = self.progress, self._thresholds_due(self.progress.position)
        with (
            closing(self.weights.epoch(progress.epoch, progress.position)) as batches,
            closing(self.thresholds.epoch(progress.epoch, done)) as held_batches,
        ):
            for images, labels in batches:
                self._learn_weights(images, labels)
                due = self._thresholds_due(progress.position + 1)
                for images, labels in islice(held_batches, due - done):
                    self._learn_thresholds(images, labels, done)
                    done += 1
                yield

    def wants_look(self) -> bool:
        return False

    def take(self, sums: Sequence[Sums]) -> None:
        self.progress.of_weights += sums[0]
        self.progress.of_thresholds += sums[1]

    def after_look(self) -> None:
        pass

    def end_epoch(self) -> bool:
        self._tell()
        self.progress.of_weights = self.progress.of_thresholds = Sums()
        return True

    def after_save(self) -> None:
        pass

    @property
    def _is_warming_up(self) -> bool:
        return self.progress.epoch < self.plan.warmup

    def _thresholds_due(self, position: int) -> int:
        """Steps of the thresholds that go with so many of the weights in an epoch."""
        if self._is_warming_up:
            return 0
        return position * self.thresholds.steps_per_epoch // self.weights.steps_per_epoch

    def _learn_weights(self, images: Array, labels: Array) -> None:
        keep = self.plan.settings.keep if self._is_warming_up else 1.0
        pending = self.searcher.learn_weights(
            images, labels, self.search.seed, self.progress.step, keep
        )
        self.meters[0].add(pending, labels)

    def _learn_thresholds(self, images: Array, labels: Array, done: int) -> None:
        """`done` steps of this epoch came before."""
        plan, search = self.plan, self.search
        of_epoch = self.thresholds.steps_per_epoch
        step = (self.progress.epoch - plan.warmup) * of_epoch + done
        steps = (plan.recipe.epochs - plan.warmup) * of_epoch
        highest = plan.settings.lr_thresholds or 2 * REACH / steps
        rate = highest * (1 + math.cos(math.pi * step / steps)) / 2
        numbers = (search.lam, search.target or 1.0, rate)
        pending = self.searcher.learn_thresholds(images, labels, search.seed, step, numbers)
        self.meters[1].add(pending, labels)

    def _tell(self) -> None:
        """Say what an epoch that is over came to, in the log and to people."""
        plan, progress, home = self.plan, self.progress, self.home
        epoch, sums = progress.epoch + 1, progress.of_weights
        line = {"epoch": epoch, "loss": sums.mean_loss, "accuracy": sums.accuracy}
        words = f"loss {sums.mean_loss:.4f}  accuracy {sums.accuracy:.2%}"
        if not self._is_warming_up:
            held, unit = progress.of_thresholds, plan.runtime.unit
            assignment = plan.supernet.assignment_of(self.searcher.trainer.set_gates())
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
    progress: SearchProgress,
    say: Callable[[str], None],
) -> None:
    """Score the network that the thresholds stand for, or what they like best near the target, and
    write it with its weights."""
    assignment = plan.supernet.assignment_of(searcher.trainer.set_gates())
    nearest: float | None = None
    if search.target is not None and plan.possible is not None:
        assignment = plan.possible.find_liked(search.target, searcher.trainer.margins())
        nearest = plan.possible.nearest(search.target)
        searcher.take(assignment)
        shown = plan.runtime.shown
        say(
            f"{home.name}: {shown(plan.runtime.of(assignment))} found for a target of"
            f" {shown(search.target)}; the nearest possible is {shown(nearest)}"
        )
    pipeline = plan.pipelines(search.seed)[0]
    with closing(pipeline), closing(pipeline.epoch(plan.recipe.epochs)) as batches:
        seen = (images for images, _ in islice(batches, STATISTICS_STEPS))
        searcher.trainer.gather_statistics(seen)
    with searcher.trainer.serving():
        scores = evaluate(searcher.trainer, plan.validation(), plan.recipe.batch)
    graph, weights = derive(plan.supernet, assignment, searcher.trainer.weights())
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

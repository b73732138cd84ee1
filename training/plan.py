"""What a training is asked to do, and all that can be wrong with it found before the first step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.images.checks import damage, images_cache
from archspec.compiler.images.source import fingerprint
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.node_patterns import nodes_that_fit
from archspec.compiler.weights.loading import load_weights
from archspec.errors import SpecError, UsageError
from archspec.graph import Graph
from archspec.loading import build
from archspec.program import read_program
from archspec.shapes import Shape, elements, written
from archspec.sources import spec_path
from archspec.training.backend import choose_backend
from archspec.training.data import (
    Source,
    check_fits,
    check_same_classes,
    readable,
    scan,
    usable_workers,
)
from archspec.training.precision import ON_CPU, check_int8, fit_precision
from archspec.training.recipe import BALANCED, Recipe, Step
from archspec.training.recipe_files import read_recipe
from archspec.training.tuning import find_frozen, find_paces
from archspec.warn import softmax_results

MAX_SHOWN = 10
"""Class weights that are told."""


@dataclass(frozen=True)
class Plan:
    """What is to be trained. `networks` has the graph that is asked for, then those that learn
    beside it; `teacher` is the one it is distilled from. `given` is the spec's text as the user has
    it, `notes` are sentences for whoever starts the run. Nodes that fit the patterns `reset` do not
    start from `weights`."""

    networks: tuple[Graph, ...]
    teacher: Graph | None
    given: str
    recipe: Recipe
    data: Path
    train: Source
    val: Source
    weights: str | None
    device: str
    workers: int
    notes: tuple[str, ...]
    backend: str
    switches: Mapping[str, bool]
    reset: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.networks[0].name

    @property
    def data_fingerprint(self) -> str:
        return data_fingerprint(self.train, self.val)

    @property
    def data_workers(self) -> int:
        """Threads that augment images: another number draws other augmentations."""
        return usable_workers(self.recipe.data.workers)


def plan_run(
    spec: str | os.PathLike[str] | Graph,
    recipe: str | Recipe,
    data: str | os.PathLike[str],
    *,
    settings: Sequence[str] = (),
    arguments: Mapping[str, Any] | None = None,
    input_shape: Shape | None = None,
    weights: str | None = None,
    reset: Sequence[str] = (),
    device: str = "CPU",
    workers: int = 1,
    backend: str | None = None,
    switches: Mapping[str, bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Settle what is trained, how and on what.

    `settings` change the recipe ("optimizer.lr=0.1"), `arguments` are for the spec's args, before
    the recipe's. Nodes that fit the patterns `reset` start anew, all others from `weights`.
    `progress` is told of the images that are looked at. Raises SpecError or
    UsageError for whatever is wrong with any of it.
    """
    notes: list[str] = []
    if not isinstance(recipe, Recipe):
        recipe = read_recipe(recipe, settings, notes)
    elif settings:
        raise UsageError("settings are for a recipe's name or path, not for one that is read")
    asked = dict(arguments or {})
    usual = dict(recipe.spec.args) if recipe.spec is not None else {}
    if isinstance(spec, Graph):
        graph, given = spec, ""
    else:
        graph, left_out = network_for(os.fspath(spec), usual, asked, input_shape)
        notes += left_out
        given = spec_path(os.fspath(spec)).read_text(encoding="utf-8")
    check_classifier(graph)
    _check_start(graph, weights, reset)
    frozen = find_frozen(graph, recipe)
    find_paces(graph, recipe, frozen)

    # whatever can be said before the images are read is said first
    preprocessing_of(graph.preprocessing, graph.input_shape)
    found = scan_splits(Path(data))
    check_fits(found[0], graph)
    others = recipe.loss.mutual.specs if recipe.loss.mutual is not None else ()
    distill = recipe.loss.distill
    peers = [_other(name, graph, found[0], {**usual, **asked}) for name in others]
    teacher = None if distill is None else _other(distill.spec, graph, found[0], {**usual, **asked})
    for learner in (graph, *peers):
        _check_statistics(learner, recipe.batch, frozen if learner is graph else ())
        notes += [
            f"{learner.name} ends in a softmax ({node.name}), and the loss takes its own, which"
            " together learn next to nothing; use the values before it"
            for node in softmax_results(learner).values()
        ]
    if distill is not None and not Path(distill.weights).is_file():
        raise UsageError(
            f"the teacher's weights {distill.weights} do not exist; use --set"
            " loss.distill.weights=FILE"
        )
    train, val = read_splits(found, recipe.data.workers, progress)
    for source in (train, val):
        notes += source.ignored
        broken = damage(source)
        notes += [broken] if broken else []
    recipe, weighed = weigh_classes(recipe, train)
    notes += weighed
    backend = backend or choose_backend(device, "training")
    check_int8(recipe, backend)
    notes += _warnings(recipe, device, workers, backend)
    return Plan(
        (graph, *peers), teacher, given, recipe, Path(data), train, val, weights, device, workers,
        tuple(notes), backend, switches or {}, tuple(reset),
    )  # fmt: skip


def network_for(
    spec: str,
    usual: Mapping[str, Any],
    asked: Mapping[str, Any],
    input_shape: Shape | None = None,
) -> tuple[Graph, tuple[str, ...]]:
    """The graph of a spec with the args that are asked for, and the usual ones where it has such
    args; and notes on those it has not. Raises SpecError, UsageError for a search space."""
    program = read_program(spec)
    if program.has_choice:
        raise UsageError(
            f"{spec} is a search space, and one network is trained; archspec expand {spec}"
            " --decisions FILE -o NETWORK.json would write one"
        )
    means = program.input.get("mean")
    if input_shape is not None and means is not None and len(means) != input_shape[0]:
        raise UsageError(
            f"--input {written(input_shape)} has {input_shape[0]} channels and the spec's mean is"
            f" of {len(means)}; use {written((len(means), *input_shape[1:]))}"
        )
    known = {name: value for name, value in usual.items() if name in program.parameters}
    notes = tuple(
        f"the recipe sets {name}, which is not an arg of {program.name}; it is left out"
        for name in usual
        if name not in program.parameters and name not in asked
    )
    return build(program, {**known, **asked}, input_shape), notes


def check_classifier(graph: Graph) -> None:
    """Raises SpecError unless a network gives one vector of logits."""
    shapes = graph.output_shapes
    if len(shapes) != 1 or len(next(iter(shapes.values()))) != 1:
        outputs = ", ".join(f"{name} {written(shape)}" for name, shape in shapes.items())
        raise SpecError(
            f"{graph.name} gives {outputs}; what is trained and scored here is a classifier, so use"
            " a network with one vector of logits"
        )


def scan_splits(data: Path) -> tuple[Source, Source]:
    """The train and val images of a folder, of the same classes. Raises UsageError."""
    train, val = scan(data, "train"), scan(data, "val")
    check_same_classes(train, val)
    return train, val


def read_splits(
    found: tuple[Source, Source],
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Source, Source]:
    """Those of the images that can be read. Raises UsageError where too many cannot."""
    count = usable_workers(workers)
    train, val = (
        readable(source, count, cache=images_cache(), progress=progress) for source in found
    )
    return train, val


def data_fingerprint(train: Source, val: Source) -> str:
    """sha256 of what both splits consist of."""
    return hashlib.sha256(f"{fingerprint(train)} {fingerprint(val)}".encode()).hexdigest()


def weigh_classes(recipe: Recipe, train: Source) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with a number for each class where its class weights are to be balanced, and the
    notes on that. Raises UsageError for another number of them than there are classes."""
    weights, classes = recipe.loss.class_weights, train.classes
    if weights is None:
        return recipe, ()
    if weights != BALANCED:
        if len(weights) != len(classes):
            raise UsageError(
                f"loss.class_weights has {len(weights)} numbers and {train.where} has"
                f" {len(classes)} classes; use one for each, or balanced"
            )
        return recipe, ()
    counts = np.bincount(train.labels, minlength=len(classes))
    found = tuple(float(w) for w in len(train.labels) / (len(classes) * np.maximum(counts, 1)))
    some = zip(classes[:MAX_SHOWN], found[:MAX_SHOWN], strict=True)
    shares = ", ".join(f"{name} {weight:.3g}" for name, weight in some)
    more = f" and {len(classes) - MAX_SHOWN} more" if len(classes) > MAX_SHOWN else ""
    note = f"balanced class weights: {shares}{more}"
    return replace(recipe, loss=replace(recipe.loss, class_weights=found)), (note,)


def _other(name: str, graph: Graph, train: Source, arguments: Mapping[str, Any]) -> Graph:
    """A network that sees the same images."""
    other, _ = network_for(name, arguments, {}, graph.input_shape)
    check_classifier(other)
    check_fits(train, other)
    return other


def _check_start(graph: Graph, weights: str | None, reset: Sequence[str]) -> None:
    """Raises SpecError where weights to start from do not fit, UsageError where there are none."""
    if reset:
        nodes_that_fit(graph, reset, "--reset")
        if weights is None:
            raise UsageError("--reset is for nodes that do not start from --weights; use both")
    if weights is not None:
        load_weights(weights, graph, but=reset)


def _check_statistics(graph: Graph, batch: int, frozen: Collection[str]) -> None:
    """Raises UsageError where a batch norm that is not frozen would have one value of each channel
    to normalise: its variance is 0 and n / (n - 1), by which the running one is corrected, is
    infinite."""
    for node in graph.nodes.values():
        if node.op.name != "batch_norm" or node.name in frozen:
            continue
        shape = node.layer.input_shapes[0]
        if elements(shape[1:]) * batch == 1:
            raise UsageError(
                f"batch is 1 and {node.name} is a batch norm of {written(shape)}, which leaves one"
                " value of each channel to take a variance of; batch must be at least 2"
                " (--set batch=2)"
            )


def _warnings(recipe: Recipe, device: str, workers: int, backend: str) -> list[str]:
    result: list[str] = []
    if recipe.devices != workers:
        result.append(
            f"the figures of {recipe.name} are for {recipe.devices} devices of {recipe.batch}"
            f" images a step and there {'is' if workers == 1 else 'are'} {workers} here; the"
            " learning rate may need to change"
        )
    late = [
        milestone
        for milestone in (recipe.schedule.milestones if isinstance(recipe.schedule, Step) else ())
        if milestone >= recipe.epochs
    ]
    if late:
        result.append(
            f"the schedule's milestones {', '.join(map(str, late))} come after the last of"
            f" {recipe.epochs} epochs and change nothing"
        )
    if fit_precision(recipe.precision, device) != recipe.precision:
        result.append(ON_CPU)
    elif recipe.precision.tf32 and backend != "torch":
        result.append(f"{backend} has no setting for TF32, so precision.tf32 changes nothing")
    return result

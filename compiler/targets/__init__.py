"""What a network is written as: TARGETS has one row for each target, and all else reads it.

mindspore/ and torch/ are sources, by the writer of Python classes in python/; onnx/ is written
straight from the graph; reference runs a graph in numpy and writes nothing. Importing this imports
none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from archspec.errors import LackingError, Problem, SpecError, UsageError, did_you_mean
from archspec.extras import lacking, why_missing
from archspec.graph import Graph
from archspec.node import Node

_HERE = __name__


@dataclass(frozen=True)
class Target:
    """One target: its `name`, what it `writes` in words, and the `ending` of such files.

    `packages` are what it takes to write or run one, the last of them what makes it. `module` is a
    subpackage, imported on use: `make` is its function that makes the target's own form of a model,
    `spelling` the one that is registered for each op it can write. A source is text, to which
    `weights` is the ending of a file beside it. `commands` are those that write the target.
    """

    name: str
    writes: str
    ending: str
    packages: tuple[str, ...]
    module: str
    spelling: str
    make: str = ""
    weights: str = ""
    commands: tuple[str, ...] = ("compile", "export")

    @property
    def is_source(self) -> bool:
        return bool(self.weights)

    def load(self) -> Any:
        """The subpackage. Raises UsageError where it needs a package that is not installed."""
        return import_module(f"{_HERE}.{self.module}")

    def lacks(self) -> str:
        """The first of its packages that is not installed, or ""."""
        return next((package for package in self.packages if why_missing(package)), "")

    def has(self, node: Node) -> bool:
        """Whether it can write a node's op."""
        module, _, function = self.spelling.partition(":")
        spell = getattr(import_module(f"{_HERE}.{module}"), function)
        return spell.dispatch(type(node.op)) is not spell.dispatch(object)


_MINDSPORE = "mindspore.spelling:spelling_of"
_ONNX = "onnx.operators:spell"

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "mindspore", "MindSpore source", ".py", ("numpy", "mindspore"), "mindspore",
            _MINDSPORE, make="to_cell", weights=".ckpt", commands=("compile",),
        ),
        Target(
            "torch", "PyTorch source", ".py", ("torch",), "torch",
            "torch.spelling:spelling_of", make="to_module", weights=".torch.safetensors",
            commands=("compile",),
        ),
        Target("onnx", "ONNX", ".onnx", ("numpy", "onnx"), "onnx", _ONNX, make="to_onnx"),
        Target("mindir", "MindIR", ".mindir", ("numpy", "mindspore"), "mindspore",
               _MINDSPORE),
        Target("air", "AIR", ".air", ("numpy", "mindspore"), "mindspore", _MINDSPORE,
               commands=("export",)),
        Target("om", "OM, by CANN's atc", ".om", ("numpy", "onnx"), "onnx", _ONNX,
               commands=("export",)),
    )
}  # fmt: skip
"""Every target by its name. Where several share an ending, it stands for the first."""


def written_by(command: str) -> dict[str, Target]:
    """The targets that a command writes, by name."""
    return {name: target for name, target in TARGETS.items() if command in target.commands}


def find_target(name: str, known: Iterable[str] = TARGETS) -> Target:
    """The target of a name. Raises UsageError where it is not one of those known."""
    known = list(known)
    if name not in known:
        raise UsageError(
            f"there is no target {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})"
        )
    return TARGETS[name]


def check_packages(target: Target) -> None:
    """Say early, before anything is read, what a target lacks. Raises UsageError."""
    try:
        import_module(target.packages[-1])
    except ImportError as error:
        raise LackingError(lacking(target.writes, target.packages[-1], error)) from error


def check_spellings(name: str, graph: Graph) -> None:
    """Raise SpecError for the ops of a graph that a target cannot write, with those that can."""
    target, problems, told = TARGETS[name], [], set()
    for node in graph.nodes.values():
        if type(node.op) not in told and not target.has(node):
            told.add(type(node.op))
            problems.append(missing_spelling(f"the target {name}", node, _others(node)))
    if problems:
        raise SpecError(problems)


def missing_spelling(what: str, node: Node, others: Iterable[str] = ()) -> Problem:
    """What is said of an op that something cannot do, and which targets can."""
    can = list(others)
    rest = f"; {' and '.join(can)} {'has' if len(can) == 1 else 'have'}" if can else ""
    at = getattr(getattr(node.origin, "node", None), "at", None)
    message = f"{what} has no {node.op.name}{rest}"
    return Problem(message) if at is None else at.problem(message)


def _others(node: Node) -> list[str]:
    """Names of the targets that can write a node, one for each way of spelling."""
    found: dict[str, str] = {}
    for target in TARGETS.values():
        with suppress(UsageError):  # one that cannot be told without a package that is missing
            if target.spelling not in found and target.has(node):
                found[target.spelling] = target.name
    return list(found.values())

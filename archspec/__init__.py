"""Convolutional networks as data.

    import archspec
    graph = archspec.load("isynet_n1", classes=10)
    graph.params, graph.macs            # trainable weights, multiply-accumulates of one sample
    graph.stats().peak_activation_bytes # see archspec.stats.Stats for units
    network = archspec.build(graph, target="torch")  # or "mindspore", "onnx": see archspec.compiler

A spec can also be a text, and what it refers to a folder, a dict of texts or a Project:

    archspec.loads(text, name="net.json", project={"blocks.json": blocks})

What the commands do is here too, docs/api.md shows it: train, evaluate, predict, export,
search.

All raise SpecError, whose text says where the spec is wrong, what was met and what to use.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

# compiler/, training/ and deploy/ stand beside this folder in a checkout, and are archspec.compiler
# and so on: a wheel has them below, a checkout links to them. Where links were not kept (Windows,
# an archive), the folder beside is looked into instead.
if not Path(__path__[0], "compiler").is_dir():
    __path__.append(str(Path(__path__[0]).resolve().parent))

from archspec.api import FUNCTIONS
from archspec.errors import SpecError, UsageError
from archspec.graph import Graph
from archspec.loading import load, loads
from archspec.project import Project, Texts
from archspec.sources import Folder, Installed
from archspec.space import Space
from archspec.stats import Stats

if TYPE_CHECKING:
    from archspec.api.evaluating import evaluate
    from archspec.api.exporting import export
    from archspec.api.predicting import predict
    from archspec.api.quantizing import quantize
    from archspec.compiler import build
    from archspec.training import train
    from archspec.training.search import search


def __getattr__(name: str) -> Any:
    """What needs more than the language is imported when it is asked for."""
    if name not in FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(FUNCTIONS[name]), name)


__all__ = [
    "Folder",
    "Graph",
    "Installed",
    "Project",
    "Space",
    "SpecError",
    "Stats",
    "Texts",
    "UsageError",
    "build",
    "evaluate",
    "export",
    "load",
    "loads",
    "predict",
    "quantize",
    "search",
    "train",
]

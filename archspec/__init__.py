"""Convolutional networks as data.

    import archspec
    graph = archspec.load("isynet_n1", classes=10)
    graph.params, graph.macs            # trainable weights, multiply-accumulates of one sample
    graph.stats().peak_activation_bytes # see archspec.stats.Stats for units

`load` raises SpecError, whose text says where the spec is wrong, what was met and what would do.
"""

from pathlib import Path

# compiler/, training/ and deploy/ stand beside this folder in a checkout, and are archspec.compiler
# and so on: a wheel has them below, a checkout links to them. Where links were not kept (Windows,
# an archive), the folder beside is looked into instead.
if not Path(__path__[0], "compiler").is_dir():
    __path__.append(str(Path(__path__[0]).resolve().parent))

from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.loading import load
from archspec.space import Space
from archspec.stats import Stats

__all__ = ["Graph", "Space", "SpecError", "Stats", "load"]

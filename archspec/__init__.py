"""Convolutional networks as data.

    import archspec
    graph = archspec.load("isynet_n1", classes=10)
    graph.params, graph.macs            # trainable weights, multiply-accumulates of one sample
    graph.stats().peak_activation_bytes # see archspec.stats.Stats for units

`load` raises SpecError, whose text says where the spec is wrong, what was met and what would do.
"""

from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.loading import load
from archspec.space import Space
from archspec.stats import Stats

__all__ = ["Graph", "Space", "SpecError", "Stats", "load"]

"""What may stand for a network: a spec by path or name, its graph, or an exported model's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from archspec.deploy.engine_table import ENDINGS
from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.loading import load

Network: TypeAlias = str | os.PathLike[str] | Graph
"""A spec's path, a shipped one's bare name, a graph, or the path of an exported model."""


def is_model(network: Network) -> bool:
    """Whether it is an exported model, by its name's ending; any other is a spec."""
    return not isinstance(network, Graph) and Path(network).suffix.lower() in ENDINGS


def graph_of(network: Network) -> Graph:
    """The graph of a spec. Raises SpecError."""
    return network if isinstance(network, Graph) else load(network)


def shown_name(network: Network) -> str:
    return network.name if isinstance(network, Graph) else os.fspath(network)


def refuse(network: Network, what: str, options: dict[str, object]) -> None:
    """Raises UsageError for an option that is given and belongs to specs, or to models, alone."""
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} is for {what}")


def refuse_for_model(network: Network, **options: object) -> None:
    refuse(network, f"specs, and {shown_name(network)} is a model", options)


def refuse_for_spec(network: Network, **options: object) -> None:
    models = f"exported models ({', '.join(ENDINGS)})"
    refuse(network, f"{models}, and {shown_name(network)} is a spec", options)

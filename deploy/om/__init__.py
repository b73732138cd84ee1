"""Ascend's offline models (.om), read in pure Python: no device, no CANN, no protobuf.

    model = read_om("net.om")
    model.models[0].inputs      # names, types, shapes, layouts
    model.problems              # what is damaged; empty for a file as atc writes it

Weights and kernels are never loaded. Nothing here can tell whether a device takes the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from archspec.deploy.om.container import (
    MODEL_DEF,
    Container,
    Header,
    NotAnOm,
    Partition,
    open_file,
    read_container,
)
from archspec.deploy.om.messages import Allowance
from archspec.deploy.om.model import ModelDefinition, Operator, Tensor, read_definition

__all__ = [
    "Container",
    "Header",
    "ModelDefinition",
    "NotAnOm",
    "OfflineModel",
    "Operator",
    "Partition",
    "Tensor",
    "read_container",
    "read_om",
]

LARGEST_DEFINITION = 1 << 28
"""Bytes; a network of a thousand operators has a few million."""


@dataclass(frozen=True)
class OfflineModel:
    """A file and the models in it, by their numbers; a model whose definition cannot be read, or is
    of a kind that is only named, is not among them."""

    container: Container
    models: dict[int, ModelDefinition]
    problems: tuple[str, ...]


def read_om(path: str | os.PathLike[str]) -> OfflineModel:
    """All that can be read of a file. Raises as read_container does."""
    container = read_container(path)
    problems = list(container.problems)
    models: dict[int, ModelDefinition] = {}
    if container.header.is_readable:
        definitions = [part for part in container.partitions if part.type == MODEL_DEF]
        if not definitions:
            problems.append("it has no model definition that could be read")
        allowance = Allowance()
        for partition in definitions:
            what = f"{partition.name} of model {partition.model}"
            message = _content(container, partition, what, problems)
            models[partition.model] = read_definition(message, what, problems, allowance)
    return OfflineModel(container, models, tuple(problems))


def _content(
    container: Container, partition: Partition, what: str, problems: list[str]
) -> memoryview:
    if partition.size > LARGEST_DEFINITION:
        problems.append(f"{what} has {partition.size:,} bytes; {LARGEST_DEFINITION:,} are read")
    with open_file(container.path) as file:
        file.seek(partition.offset)
        return memoryview(file.read(min(partition.size, LARGEST_DEFINITION)))

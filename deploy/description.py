"""What is known of a model beside its numbers: whose it is, how images are prepared for it, and
what its classes are called."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.checksums import damage_error
from archspec.compiler.images.classes import CLASSES, check_count, numbers_of, read_names
from archspec.compiler.images.source import Source
from archspec.compiler.images.steps import Preprocessing, preprocessing_of
from archspec.compiler.metadata import check_metadata, seal_metadata, unseal
from archspec.compiler.weights.loading import SHORT
from archspec.document import parse_document, read_text
from archspec.document_schema import INPUT
from archspec.errors import Problem, SpecError, UsageError
from archspec.graph import RESULT, Graph
from archspec.identity import FINGERPRINT, is_of
from archspec.reading import sha256_of
from archspec.writing import write_whole

if TYPE_CHECKING:
    from archspec.deploy.engines import Engine, Port


SIDECAR = ".json"
"""What is put behind a model's name for the file beside it that says what the model itself has no
place for, as an OM has none."""
MODEL = "sha256"
"""What it says of the model's bytes; nothing where a convert.sh is still to make the model."""


@dataclass(frozen=True)
class Description:
    """Of a model made from a spec; `classes` are the names of its outputs, where they are known."""

    name: str
    fingerprint: str
    preprocessing: Preprocessing
    classes: tuple[str, ...] | None


def write_sidecar(
    path: str | os.PathLike[str], graph: Graph, notes: Mapping[str, str] | None = None
) -> None:
    """Say beside a model's file, which may be there already, which spec's graph it was made of;
    `notes` are those that an ONNX would hold. Raises UsageError where it cannot be written."""
    said = {
        "name": graph.name,
        "fingerprint": graph.fingerprint,
        "preprocessing": json.dumps(graph.settings),
        **(notes or {}),
    }
    if Path(path).is_file():
        said[MODEL] = sha256_of(path)
    write_whole(_beside(path), json.dumps(seal_metadata(said), indent=2) + "\n")


def remove_sidecar(path: str | os.PathLike[str]) -> None:
    """Take away what a file beside a model says, for the model is to be another."""
    _beside(path).unlink(missing_ok=True)


def read_sidecar(path: str | os.PathLike[str]) -> dict[str, str]:
    """What the file beside a model says, nothing where there is none. Raises SpecError where it is
    damaged."""
    beside = _beside(path)
    if not os.path.lexists(beside):
        return {}
    try:
        said = parse_document(read_text(beside, str(beside))).data
    except SpecError as error:
        raise damage_error(beside, error.problems[0].message) from None
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise SpecError(f"{beside} is not what archspec export writes; without it, use --spec SPEC")
    check_metadata(beside, said)
    return unseal(said)


def check_model(path: str | os.PathLike[str]) -> None:
    """Raises SpecError where a model is not the one that the file beside it was written for."""
    digest = read_sidecar(path).get(MODEL)
    if digest is not None and digest != sha256_of(path):
        raise damage_error(path, f"{_beside(path)} has the checksum of another content")


def describe(
    path: str | os.PathLike[str], metadata: Mapping[str, str], graph: Graph | None = None
) -> Description:
    """What a model's file, or else the one beside it, says of itself; or the graph of its spec in
    its place.

    Raises UsageError where neither says how images are prepared; SpecError where the file was made
    of another spec than the graph, or says what nobody can read.
    """
    metadata = {**read_sidecar(path), **metadata}
    classes = read_names(path, CLASSES, metadata[CLASSES]) if CLASSES in metadata else None
    if graph is not None:
        check_made_of(path, metadata, graph)
        preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
        return Description(graph.name, graph.fingerprint, preprocessing, classes)
    if "preprocessing" not in metadata:
        raise UsageError(
            f"{path} does not say how images are prepared for it; use --spec SPEC, the spec that it"
            " was made of"
        )
    return Description(
        metadata.get("name", ""),
        metadata.get("fingerprint", ""),
        _preprocessing(path, metadata["preprocessing"]),
        classes,
    )


def check_made_of(path: str | os.PathLike[str], metadata: Mapping[str, str], graph: Graph) -> None:
    """Raises SpecError where a file says that it was made of another spec."""
    if not is_of(graph, metadata):
        raise SpecError(
            f"{path} was made of {metadata.get('name', 'a network')}"
            f" ({metadata[FINGERPRINT][:SHORT]}), not of {graph.name}"
            f" ({graph.fingerprint[:SHORT]}); use its own spec, with the same --set and --input"
        )


def output_of(engine: Engine, name: str | None, path: str | os.PathLike[str]) -> Port:
    """The output that images are told apart by: the named one, "logits", or the only one. Raises
    UsageError where there is none such, SpecError where it is not a vector."""
    names = [port.name for port in engine.outputs]
    wanted = name or (RESULT if RESULT in names or len(names) > 1 else names[0])
    port = next((port for port in engine.outputs if port.name == wanted), None)
    if port is None:
        raise UsageError(
            f"{path} has no output {wanted!r}; use --output {' or --output '.join(names)}"
        )
    if len(port.shape) != 2 or port.shape[1] is None:
        raise SpecError(
            f"{path}: its output {port.name!r} is {port}; what is scored here is a classifier,"
            " so use an output of one vector for an image"
        )
    return port


def check_classes(path: str | os.PathLike[str], description: Description, output: Port) -> None:
    """Raises SpecError where a model names other than as many classes as it gives numbers."""
    if description.classes is not None:
        size = tuple(extent for extent in output.shape[1:] if extent is not None)
        network = description.name or "the model"
        check_count(path, description.classes, network, {output.name: size})


def numbers_for(images: Source, classes: tuple[str, ...] | None, output: Port) -> np.ndarray:
    """Which of the outputs each of the folder's classes is: by name where the names are known, else
    by place.

    By place the original ISyNets' 1,001 outputs fit 1,000 folders: their last class never occurs.
    Raises SpecError for a folder with other classes, UsageError where their number does not fit.
    """
    count = output.shape[1]
    if classes is not None:
        return numbers_of(images, classes)
    folders = len(images.classes)
    if count not in (folders, folders + 1):
        raise UsageError(
            f"{images.where} has {folders:,} classes and the model's output {output.name!r} is"
            f" {output}, and it does not name its classes; use a folder of all of them"
        )
    return np.arange(folders)


def _preprocessing(path: str | os.PathLike[str], text: str) -> Preprocessing:
    """What the file says that a spec's `input` would: nothing else, and all in its range."""
    settings = read_input(text)
    if settings is None:
        raise SpecError(
            Problem(
                "its metadata 'preprocessing' is not what archspec writes; use --spec SPEC, the"
                " spec that it was made of",
                os.fspath(path),
            )
        )
    return preprocessing_of(settings, tuple(settings["shape"]))


def read_input(text: str) -> dict[str, Any] | None:
    """A spec's `input` in JSON, or None where the text is not one."""
    from jsonschema import Draft202012Validator  # takes long, and only a model of no spec needs it

    try:
        settings = parse_document(text).data
    except SpecError:
        return None
    return settings if Draft202012Validator(INPUT).is_valid(settings) else None


def _beside(path: str | os.PathLike[str]) -> Path:
    return Path(f"{os.fspath(path)}{SIDECAR}")

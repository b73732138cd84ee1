"""The classes that a network finds likeliest for images."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.api.networks import (
    Network,
    graph_of,
    is_model,
    refuse_for_model,
    refuse_for_spec,
    shown_name,
)
from archspec.errors import UsageError
from archspec.graph import Graph

if TYPE_CHECKING:
    from archspec.compiler.images.guesses import Classifier, Prediction

ONE_BATCH = 16


def predict(
    network: Network,
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    weights: str | os.PathLike[str] | None = None,
    classes: str | os.PathLike[str] | None = None,
    top: int = 5,
    spec: Graph | None = None,
    engine: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    flip: bool = False,
) -> list[Prediction]:
    """The `top` likeliest classes of each image, in order, as Prediction(image, guesses, fault),
    whose guesses are (number, name, probability).

    `network` is a spec, with `weights`, or an exported model (.onnx, .mindir, .om) with, where its
    file does not say how images are prepared, the graph that it was made of as `spec`. `images` are
    files, folders, and patterns such as "photos/*.jpg". `classes` is a file of the classes' names,
    where the network's own file has none. `device` ("CPU", "GPU:0"), `backend` and `flip`
    are for specs, `engine` is for models. A file that is not a readable image has no guesses, and
    a fault that says why. Raises SpecError and UsageError for whatever does not fit.
    """
    from archspec.compiler.images.guesses import find_all
    from archspec.compiler.images.guesses import predict as predict_files

    if top < 1:
        raise UsageError(f"--top {top}: must be 1 or more")
    paths = [images] if isinstance(images, (str, os.PathLike)) else images
    files, _ = find_all([os.fspath(path) for path in paths])
    with open_network(
        network, weights=weights, classes=classes, spec=spec, engine=engine, device=device,
        backend=backend, flip=flip, images=len(files),
    ) as classifier:  # fmt: skip
        return list(predict_files(classifier, files, top))


@contextmanager
def open_network(
    network: Network,
    *,
    weights: str | os.PathLike[str] | None = None,
    classes: str | os.PathLike[str] | None = None,
    spec: Graph | None = None,
    engine: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    flip: bool = False,
    images: int = ONE_BATCH,
) -> Iterator[Classifier]:
    """A network loaded until the block ends; the rest is as for `predict`, and `images` is how
    many there are to be."""
    if is_model(network):
        refuse_for_model(network, weights=weights, device=device, backend=backend, flip=flip)
        from archspec.deploy.predict import open_classifier

        assert not isinstance(network, Graph)
        with open_classifier(network, engine=engine, graph=spec) as classifier:
            yield _rename(classifier, classes, network)
        return
    refuse_for_spec(network, engine=engine, spec=spec)
    if weights is None:
        raise UsageError(
            "--weights is missing; use --weights FILE, or an exported model in place of the spec"
        )
    opened = _open_spec(graph_of(network), weights, device or "CPU", backend, flip, images)
    yield _rename(opened, classes, network)


def _rename(
    classifier: Classifier, classes: str | os.PathLike[str] | None, network: Network
) -> Classifier:
    """The same with the names in a file, where one is given."""
    if classes is None:
        return classifier
    from archspec.compiler.images.classes import check_count, read_class_file

    names = read_class_file(classes)
    check_count(classes, names, shown_name(network), {"logits": (classifier.outputs,)})
    return replace(classifier, names=names)


def _open_spec(
    graph: Graph,
    weights: str | os.PathLike[str],
    device: str,
    backend: str | None,
    flip: bool,
    images: int,
) -> Classifier:
    from archspec.training.backend import BACKENDS, is_installed
    from archspec.training.predict import BATCH, open_classifier, open_numpy_classifier

    if device == "CPU" and backend is None and not any(map(is_installed, BACKENDS)):
        print(
            "note: neither MindSpore nor PyTorch is installed; plain numpy runs the network",
            file=sys.stderr,
        )
        return open_numpy_classifier(graph, weights, flip)
    return open_classifier(graph, weights, min(BATCH, images), device, backend, flip)

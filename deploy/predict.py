"""An exported model as a classifier of single images; infer runs it over folders of classes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np

from archspec.compiler.images.guesses import Classifier
from archspec.deploy.description import check_classes, describe, output_of
from archspec.deploy.engines import engine_for, open_engine
from archspec.deploy.feeding import feed_of
from archspec.deploy.infer import only_input
from archspec.graph import Graph


@contextmanager
def open_classifier(
    model: str | os.PathLike[str], *, engine: str | None = None, graph: Graph | None = None
) -> Iterator[Classifier]:
    """A model's file, loaded until the block ends. `engine` is one of deploy.engines.ENGINES, by
    the file's ending if not given; `graph` the model's spec where its file does not say how images
    are prepared. Raises SpecError and UsageError for whatever does not fit."""
    with closing(open_engine(engine or engine_for(model), model)) as opened:
        description = describe(model, opened.metadata, graph)
        port = output_of(opened, None, model)
        outputs = port.shape[1]
        assert outputs is not None, "output_of refused others"
        check_classes(model, description, port)
        feed = feed_of(only_input(opened, model), description.preprocessing, None, str(model))

        def score(images: np.ndarray) -> np.ndarray:
            array = feed.nothing()
            array[: len(images)] = images
            return opened.run({feed.port.name: array})[port.name][: len(images)]

        yield Classifier(feed.image, score, feed.batch, outputs, description.classes)

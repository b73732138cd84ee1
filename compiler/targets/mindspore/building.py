"""From generated source to a cell that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from archspec.compiler.model import Model, weights_of
from archspec.compiler.targets.mindspore.device import prepare
from archspec.compiler.targets.mindspore.installed import mindspore
from archspec.compiler.targets.mindspore.source import network_name, source_of
from archspec.compiler.targets.python.modules import PACKAGE, digest_of, module_of
from archspec.compiler.wellformed import check_model

CACHE_ENABLE, CACHE_PATH = "MS_COMPILER_CACHE_ENABLE", "MS_COMPILER_CACHE_PATH"


def to_cell(model: Model) -> Any:
    """The network as a mindspore.nn.Cell of generated source, its weights loaded where it has any.

    Its parameters have the graph's weight paths for names. It is in training mode; set_train(False)
    is for inference. Raises ModelError where weights are not the graph's and UsageError where
    MindSpore is missing.
    """
    check_model(model, model.graph.name)
    prepare()
    ms = mindspore()
    source = source_of(model)
    _keep_compiled_graphs_apart(source)
    network = getattr(module_of(source, model.graph.name), network_name(model.graph))
    if model.weights is None:
        cell = network()
        _check_names(cell, model)
    else:
        with _skip_initialising():
            cell = network()
        _check_names(cell, model)
        for parameter in cell.get_parameters():
            parameter.set_data(ms.Tensor(model.weights[parameter.name]))
    cell.set_train(True)
    return cell


def _keep_compiled_graphs_apart(source: str) -> None:
    """Give each network a folder of its own in MindSpore's compile cache, where that is on.

    MindSpore takes the n-th graph it compiled last time for the n-th now as long as the script and
    what it imports by name have not changed: it would run one network as another, with no word.
    """
    if os.environ.get(CACHE_ENABLE) != "1":
        return
    base = Path(os.environ.get(CACHE_PATH) or ".")
    digest = digest_of(source)
    if base.parent.name == PACKAGE:  # an earlier network of this process: both count
        digest = digest_of(base.name + digest)
        base = base.parent.parent
    os.environ[CACHE_PATH] = str(base / PACKAGE / digest)


def _skip_initialising() -> Any:
    """A context in which parameters get no values: they would be overwritten at once."""
    from mindspore.nn.utils import no_init_parameters

    return no_init_parameters()


def _check_names(cell: Any, model: Model) -> None:
    """That nothing went wrong here: every weight of the graph is a parameter of its shape."""
    found = {p.name: (tuple(p.shape), p.requires_grad) for p in cell.get_parameters()}
    wanted = {path: (w.shape, w.trainable) for path, w in weights_of(model.graph).items()}
    if found != wanted:
        wrong = sorted(set(found.items()) ^ set(wanted.items()))[:4]
        raise AssertionError(f"generated cells and graph differ in {wrong}")

"""From generated source to a module that runs."""

from __future__ import annotations

from typing import Any

from archspec.compiler.model import Model, weights_of
from archspec.compiler.targets.python.modules import module_of
from archspec.compiler.targets.torch.installed import torch
from archspec.compiler.targets.torch.source import network_name, source_of, weight_names
from archspec.compiler.weights.layouts import TORCH_COUNTER
from archspec.compiler.wellformed import check_model


def to_module(model: Model) -> Any:
    """The network as a torch.nn.Module of generated source, on the CPU, its weights loaded where it
    has any.

    Its state_dict has the names of `weight_names`. It is in training mode; eval() is for inference.
    Raises ModelError where weights are not the graph's, SpecError for an op that PyTorch has no
    spelling for and UsageError where PyTorch is missing.
    """
    check_model(model, model.graph.name)
    package = torch()
    source = source_of(model)
    make = getattr(module_of(source, model.graph.name), network_name(model.graph))
    names = weight_names(model.graph)
    if model.weights is None:
        network = make()
    else:
        with package.device("meta"):  # initial values would be overwritten at once
            network = make()
        state = {names[path]: package.tensor(array) for path, array in model.weights.items()}
        network.load_state_dict(state, strict=True, assign=True)
    _check_names(network, model, names)
    return network.train()


def _check_names(network: Any, model: Model, names: dict[str, str]) -> None:
    """That nothing went wrong here: every weight of the graph has its place and shape."""
    trained = {name for name, _ in network.named_parameters()}
    found = {
        name: (tuple(tensor.shape), name in trained)
        for name, tensor in network.state_dict().items()
        if name.rpartition(".")[2] != TORCH_COUNTER
    }
    wanted = {names[path]: (w.shape, w.trainable) for path, w in weights_of(model.graph).items()}
    if found != wanted:
        wrong = sorted(set(found.items()) ^ set(wanted.items()))[:4]
        raise AssertionError(f"generated modules and graph differ in {wrong}")

"""PyTorch: readable source, and modules built from it.

    source_of(model)     # the text of one Python file, needs no torch
    to_module(model)     # an nn.Module with the model's weights
    weight_names(graph)  # what a state_dict calls each weight

dialect says how PyTorch writes the classes of ../python, spelling how it writes each op; cells are
modules that it lacks. building runs the text.
"""

from archspec.compiler.targets.torch.building import to_module
from archspec.compiler.targets.torch.source import network_name, source_of, weight_names

__all__ = ["network_name", "source_of", "to_module", "weight_names"]

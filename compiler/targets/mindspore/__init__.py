"""MindSpore: readable source, cells built from it, and MindIR.

    source_of(model)                  # the text of one Python file, needs no MindSpore
    to_cell(model)                    # an nn.Cell, its parameters named as the graph's weights
    write_mindir(model, "net.mindir") # one image a batch; batch=None takes any

dialect says how MindSpore writes the classes of ../python, spelling how it writes each op; cells
are those that it lacks. building runs the text, device readies the machine for that.
"""

from archspec.compiler.targets.mindspore.building import to_cell
from archspec.compiler.targets.mindspore.device import set_device
from archspec.compiler.targets.mindspore.mindir import write_mindir
from archspec.compiler.targets.mindspore.source import network_name, source_of, weight_names

__all__ = ["network_name", "set_device", "source_of", "to_cell", "weight_names", "write_mindir"]

"""Supernets: all networks of a space in one, whose weights they share.

    supernet = supernet_of(Space("spaces/single_path_nas"))
    supernet.graph                          # the largest network, which is what runs
    supernet.gates_of(assignment)           # numbers that make it the network of an assignment
    graph, weights = derived(supernet, assignment, weights)   # that network by itself

`derivation` finds out from the spec what a choice does. What puts the gates into a network that
runs is the target's: targets.mindspore.gates.
"""

from archspec.compiler.supernet.derivation import supernet_of
from archspec.compiler.supernet.description import Choice, Nested, Supernet
from archspec.compiler.supernet.weights import derive, regions_of

__all__ = ["Choice", "Nested", "Supernet", "derive", "regions_of", "supernet_of"]

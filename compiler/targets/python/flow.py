"""The method that runs a cell: its statements, and which variable holds which value.

Names are used again as soon as what they held is no longer needed, so that outside of a compiled
graph no value outlives its use for long. (MindSpore compiles no `del`, and wants `self`.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from archspec.compiler.targets.python.dialect import Dialect
from archspec.compiler.targets.python.layout import INDENT, call, lines_of
from archspec.compiler.targets.python.names import identifier
from archspec.compiler.targets.python.outline import Group
from archspec.compiler.targets.python.patterns import Part, Pattern, Ref
from archspec.node import INPUT

SHORT_NAMES = ("x", "y", "z")
SHORTLY = 2
"""Statements that a value may pass over and still go without a name of its own."""
MAX_NAMES = 16
"""Values with names of their own in one class; where there are more, names are used again."""
END = 1 << 60


@dataclass(eq=False)
class _Step:
    """A statement: a part, what it reads and which values it gives."""

    part: Part
    attribute: str
    inputs: tuple[Ref, ...]
    results: tuple[Ref, ...]


@dataclass(eq=False)
class _Flow:
    steps: list[_Step] = field(default_factory=list)
    outputs: tuple[Ref, ...] = ()
    last_use: dict[Ref, int] = field(default_factory=dict)
    readers: dict[Ref, list[_Step]] = field(default_factory=dict)


def flow_lines(pattern: Pattern, results: Sequence[str], dialect: Dialect) -> list[str]:
    """The dialect's method; `results` are the names of the values it returns, where they have."""
    flow = _flow(pattern)
    names = _Names(pattern, flow, results, dialect.reserved)
    ordered = [pattern.input_names[k] for k in input_order(pattern)]
    lines = lines_of(call(f"def {dialect.method}", "self", *ordered), 1, "", ":")
    for index, step in enumerate(flow.steps):
        inputs = [names.of[ref] for ref in step.inputs]
        expression = _expression(step, inputs)
        names.assign(index, step)
        is_last = index == len(flow.steps) - 1
        if is_last and len(flow.outputs) == 1 and step.results == flow.outputs:
            return [*lines, *lines_of(expression, 2, "return ")]
        targets = ", ".join(names.of.get(ref, "_") for ref in step.results)
        lines += lines_of(expression, 2, f"{targets} = ")
    returned = ", ".join(names.of[ref] for ref in flow.outputs)
    return [*lines, f"{INDENT * 2}return {returned}"]


def _expression(step: _Step, inputs: Sequence[str]):
    spelling = step.part.spelling
    if spelling is not None and spelling.expression is not None:
        return spelling.expression(inputs)
    if step.part.pattern is not None:
        inputs = [inputs[k] for k in input_order(step.part.pattern)]
    return call(f"self.{step.attribute}", *inputs)


def _flow(pattern: Pattern) -> _Flow:
    flow = _Flow()
    same_as: dict[Ref, Ref] = {}
    count = 0
    for part, attribute in zip(pattern.parts, pattern.attributes, strict=True):
        if not part.is_live:
            continue
        inputs = tuple(same_as.get(ref, ref) for ref in part.inputs)
        results = tuple(range(count, count + part.results))
        count += part.results
        if part.spelling is not None and part.spelling.is_input:
            same_as[results[0]] = inputs[0]
            continue
        step = _Step(part, attribute, inputs, results)
        for ref in inputs:
            flow.last_use[ref] = len(flow.steps)
            flow.readers.setdefault(ref, []).append(step)
        flow.steps.append(step)
    flow.outputs = tuple(same_as.get(ref, ref) for ref in pattern.outputs)
    flow.last_use.update(dict.fromkeys(flow.outputs, END))
    return flow


class _Names:
    """Which variable holds which value."""

    def __init__(self, pattern: Pattern, flow: _Flow, results: Sequence[str], reserved: Set[str]):
        self.flow = flow
        self.reserved = reserved
        self.group = pattern.uses[0].group
        self.of: dict[Ref, str] = {
            -1 - index: name for index, name in enumerate(pattern.input_names)
        }
        self.held = {name for ref, name in self.of.items() if ref in flow.last_use}
        self.wishes = self._wishes(results)
        self.is_crowded = len(self.wishes) - len(flow.outputs) > MAX_NAMES

    def _wishes(self, results: Sequence[str]) -> Mapping[Ref, str]:
        """Names for the values that should have one of their own."""
        wishes: dict[Ref, str] = {}
        for index, step in enumerate(self.flow.steps):
            for number, ref in enumerate(step.results, 1):
                if self._deserves_name(index, ref):
                    wishes[ref] = _result_name(step, number)
        if not results:
            group = self.group
            results = [group.output_names.get(tensor, "") for tensor in group.outputs]
        if len(self.flow.outputs) > 1 or len(results) > 1:
            named = zip(self.flow.outputs, results, strict=False)
            wishes.update((ref, name) for ref, name in named if name)
        return wishes

    def _deserves_name(self, index: int, ref: Ref) -> bool:
        last_use = self.flow.last_use.get(ref, index)
        if last_use == END:
            return len(self.flow.outputs) > 1
        if len(self.flow.steps[index].results) > 1:
            return last_use > index
        joined = any(
            reader.part.spelling is not None and reader.part.spelling.wording.startswith("cat")
            for reader in self.flow.readers.get(ref, ())
        )
        return last_use - index > SHORTLY or joined

    def assign(self, index: int, step: _Step) -> None:
        """Choose the variables of a step's results; those its inputs held last are free for it."""
        for ref in step.inputs:
            if self.flow.last_use[ref] <= index:
                self.held.discard(self.of[ref])
        for ref in step.results:
            if ref in self.flow.last_use:  # else it is never read, and is "_"
                self.of[ref] = self._choose(ref, step, self.held)
                self.held.add(self.of[ref])

    def _choose(self, ref: Ref, step: _Step, held: set[str]) -> str:
        wish = self.wishes.get(ref)
        is_result = ref in self.flow.outputs
        if wish is not None and (is_result or not self.is_crowded):
            return identifier(wish, (self.reserved - {"x"}) | held)
        for name in SHORT_NAMES:
            if name not in held:
                return name
        if self.is_crowded:
            number = len(SHORT_NAMES) + 1
            while f"x{number}" in held:
                number += 1
            return f"x{number}"
        return identifier(step.part.name, self.reserved | held)


def _result_name(step: _Step, number: int) -> str:
    """The part's name, where it has several results with what its template calls this one."""
    name, pattern = step.part.name, step.part.pattern
    if len(step.results) == 1:
        return name
    if pattern is not None:
        group = pattern.uses[0].group
        told = group.output_names.get(group.outputs[number - 1])
        if told is not None:
            return f"{name}_{told}"
    return _number(name, number)


def _number(name: str, number: int) -> str:
    return f"{name}_{number}" if name[-1:].isdigit() else f"{name}{number}"


# Inputs.


def input_order(pattern: Pattern) -> list[int]:
    """The order in which the method takes the inputs: the template's, where it is known, else that
    in which the first use's are made."""
    group = pattern.uses[0].group
    declared = {tensor: place for place, tensor in enumerate(group.input_names)}
    places = [declared.get(tensor, len(declared)) for tensor in group.inputs]
    return sorted(range(pattern.inputs), key=lambda index: (places[index], group.made_at[index]))


def input_names(pattern: Pattern, reserved: Set[str]) -> None:
    """Name the inputs as the template does, where the spec's `from` tells."""
    if pattern.inputs == 1:
        pattern.input_names = ("x",)
        return
    found = _names_of_spec(pattern.uses[0].group)
    names: list[str] = []
    for index in range(pattern.inputs):
        wish = found.get(index, f"x{input_order(pattern).index(index) + 1}")
        names.append(identifier(wish, (reserved - {"x"}) | set(names)))
    pattern.input_names = tuple(names)


def _names_of_spec(group: Group) -> dict[int, str]:
    """Inputs by the template's name: their sources are looked up around the group, and the one
    that is left is the one not found."""
    told = {k: group.input_names[t] for k, t in enumerate(group.inputs) if t in group.input_names}
    if len(told) == len(group.inputs):
        return told
    sources = getattr(getattr(group.origin, "node", None), "sources", None)
    if not isinstance(sources, Mapping):
        return {}
    found: dict[int, str] = {}
    left: list[str] = []
    for name, written in sources.items():
        source = written[0].raw
        index = _place_of(source, group) if isinstance(source, str) else None
        if index is None or index in found:
            left.append(name)
        else:
            found[index] = name
    rest = [index for index in range(len(group.inputs)) if index not in found]
    if len(left) == len(rest) == 1:
        found[rest[0]] = left[0]
    return found


def _place_of(source: str, group: Group) -> int | None:
    """Which input a source names: the tensor of a node at or below that name, seen from the group
    outwards."""
    scope = group.path.split(".")[:-1]
    for depth in range(len(scope), -1, -1):
        path = ".".join([*scope[:depth], source])
        for index, tensor in enumerate(group.inputs):
            if tensor.node == path or tensor.node.startswith(f"{path}."):
                return index
            if source == INPUT == tensor.node:
                return index
    return None

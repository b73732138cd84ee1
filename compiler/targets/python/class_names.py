"""What the classes of a network are called, and the attributes that their parts become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.compiler.targets.python.dialect import Dialect
from archspec.compiler.targets.python.names import camel, identifier, is_safe
from archspec.compiler.targets.python.parameters import parametrize
from archspec.compiler.targets.python.patterns import Pattern, patterns_of, split_number
from archspec.graph import Graph

_PART_WORDS = ("Norm", "Act")
"""Words in the names of templates that stand for parts which not every call has."""


def classes_of(graph: Graph, dialect: Dialect) -> tuple[list[Pattern], dict[str, str]]:
    """The classes of a network, still without names, and what the spec calls attributes that could
    not have its words. Raises SpecError as patterns_of."""
    patterns = patterns_of(graph, dialect)
    for pattern in patterns:
        parametrize(pattern, dialect.reserved)
    return patterns, _name_parts(patterns, dialect)


def _name_parts(patterns: Sequence[Pattern], dialect: Dialect) -> dict[str, str]:
    """Give each part the attribute it becomes. The result says what the spec calls those that
    cannot be called so; no attribute stands for two names."""
    odd: dict[tuple[str, int], str] = {}
    taken = {name for pattern in patterns for name in pattern.part_names()} | dialect.members
    for pattern in patterns:
        seen: dict[str, int] = {}
        attributes: list[str] = []
        for part, name in zip(pattern.parts, pattern.part_names(), strict=True):
            if part.reuses is not None:
                attributes.append("")
                continue
            seen[name] = seen.get(name, 0) + 1
            if seen[name] == 1 and is_safe(name) and name not in dialect.members:
                attributes.append(name)
                continue
            key = (name, seen[name])
            if key not in odd:
                odd[key] = identifier(name, taken)
                taken.add(odd[key])
            attributes.append(odd[key])
        pattern.attributes = tuple(
            name if part.reuses is None else attributes[part.reuses]
            for part, name in zip(pattern.parts, attributes, strict=True)
        )
    return {found: name for (name, _), found in odd.items()}


def name_classes(patterns: Sequence[Pattern], network: str, dialect: Dialect) -> None:
    """Give each class its name: the template's, told apart where several structures share it."""
    used = {*dialect.helper_texts, network}
    patterns[-1].name = network
    families: dict[str, list[Pattern]] = {}
    for pattern in patterns[:-1]:
        families.setdefault(_family(pattern), []).append(pattern)
    for family, members in families.items():
        for pattern, wish in _tell_apart(family, members):
            if wish in used:  # several structures differ from the template's in the same way
                wish = camel(*pattern.uses[0].group.path.split("."))
            pattern.name = identifier(wish, dialect.reserved | used)
            used.add(pattern.name)


def _family(pattern: Pattern) -> str:
    """The template's name, without what this block has not: ConvNormAct without act is ConvNorm."""
    names = [camel(part.name) for part in pattern.parts]
    if pattern.template:
        family = camel(pattern.template)
        for word in _PART_WORDS:
            shorter = family.replace(word, "")
            if word not in names and shorter:
                family = shorter
        return family
    if len(names) <= 4 and all(part.spelling is not None for part in pattern.parts):
        return camel(*names)
    return camel(split_number(pattern.uses[0].group.path.rpartition(".")[2])[0])


def _tell_apart(family: str, members: Sequence[Pattern]) -> Iterator[tuple[Pattern, str]]:
    # max takes the first of equals, which is the first met
    plain = max(members, key=lambda pattern: len(pattern.uses))
    for pattern in members:
        path = pattern.uses[0].group.path
        if pattern is plain:
            yield pattern, family
        elif len(pattern.uses) == 1 and path.count(".") <= 2:
            yield pattern, camel(*path.split("."))
        else:
            yield pattern, _with_difference(family, pattern, plain)


def _with_difference(family: str, pattern: Pattern, plain: Pattern) -> str:
    own, others = pattern.part_names(), plain.part_names()
    more = [camel(name) for name in own if name not in others]
    less = [camel(name) for name in others if name not in own]
    if 0 < len(more) <= 2:
        return f"{family}With{'And'.join(more)}"
    if 0 < len(less) <= 2 and not more:
        return f"{family}Without{'And'.join(less)}"
    return family

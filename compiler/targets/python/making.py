"""The expressions that make the cells of a class, in its __init__."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.compiler.targets.python.layout import Invocation, Piece, Prefixed, call, literal
from archspec.compiler.targets.python.patterns import Loop, Part, Use, Values


class Making:
    """Makes a pattern's parts in turn; each takes its own of the pattern's `words`."""

    def __init__(self, words: Iterator[str | None], sequential: str):
        self._words = words
        self._sequential = sequential

    def make(self, part: Part, values: Values) -> Piece:
        """The expression that makes a part's cell."""
        if isinstance(values, Loop):
            next(self._words)  # the loop's first number
            next(self._words)  # and its last
            assert part.unit is not None
            return self.make(part.unit, values.unit)
        if isinstance(values, Use):
            return self._made_of_class(values)
        if part.chain is not None:
            return call(self._sequential, self.make_ordered(part.chain, values))
        spelling = part.spelling
        assert spelling is not None
        if spelling.is_bare:
            return f"{next(self._words) or spelling.cell}()"
        pieces: list[Piece] = []
        for argument in spelling.arguments:
            word, value = next(self._words), argument.value
            if word is None and argument.default is not None and value == argument.default:
                continue
            text = literal(value) if word is None else word
            pieces.append(f"{argument.keyword}={text}" if argument.keyword else text)
        return call(spelling.cell, *pieces)

    def _made_of_class(self, use: Use) -> Piece:
        pieces: list[Piece] = []
        parameters = use.pattern.parameters
        for parameter, value in zip(parameters, use.arguments, strict=True):
            word = next(self._words)
            if word is None and parameter.default is not None and value == parameter.default:
                continue
            text = literal(value) if word is None else word
            is_plain = parameter.name in ("in_channels", "channels") or len(parameters) == 1
            pieces.append(text if is_plain else f"{parameter.name}={text}")
        return call(use.pattern.name, *pieces)

    def make_ordered(self, parts: Sequence[Part], values: Sequence[Values]) -> Invocation:
        """OrderedDict(first=..., **{f"block{i}": ... for i in range(2, depth + 1)})."""
        pieces: list[Piece] = []
        for part, value in zip(parts, values, strict=True):
            if isinstance(value, Loop):
                pieces.append(self._make_looped(part, value))
            else:
                pieces.append(Prefixed(f"{part.name}=", self.make(part, value)))
        return call("OrderedDict", *pieces)

    def _make_looped(self, part: Part, value: Loop) -> Piece:
        first, last = next(self._words), next(self._words)
        assert part.unit is not None
        made = self.make(part.unit, value.unit)
        if first is None and last is None and value.first == value.last:
            return Prefixed(f"{part.name}{value.first}=", made)
        if first is not None and first == last:
            return Invocation("**{", (Prefixed(f'f"{part.name}{{{first}}}": ', made),), "}")
        start = literal(value.first) if first is None else first
        stop = literal(value.last + 1) if last is None else f"{last} + 1"
        numbers = f"for i in range({start}, {stop})"
        return Invocation("**{", (Prefixed(f'f"{part.name}{{i}}": ', made), numbers), "}", "")

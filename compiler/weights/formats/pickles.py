"""Pickles read as data: a machine of its own that knows no class and calls nothing.

A pickle is a program, and Python's unpickler runs it. This one follows its steps with pickletools'
reading of them, keeps lists, dicts, texts and numbers, and gives everything else to whoever opened
the file by its name: a name is never looked up. What it holds is bounded: by the bytes it
may read, by its steps, and because a reference is never copied.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple, cast

MAX_BYTES = 1 << 26
"""Of the pickles of a file; those of 20,000 tensors take three million."""
MAX_STEPS = 4_000_000
MAX_LINE = 1 << 12


class Damage(Exception):
    """Why the bytes are not a pickle of data."""


class Refused(Exception):
    """What a pickle would call if it were run, and that is not data."""


class Name(NamedTuple):
    """What a pickle refers to by name."""

    text: str


@dataclass
class Thing:
    """An object of a class by its name: `state` and `items` are what the pickle puts into it."""

    kind: str
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


Call = Callable[[tuple[Any, ...]], Any]


class Bytes:
    """A file from which at most so many bytes are read, as pickletools reads it."""

    def __init__(self, file: IO[bytes], size: int):
        self._file = file
        self._left = min(size, MAX_BYTES)

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self._left:
            raise Damage("it ends too early, or claims more than it may have")
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline(min(MAX_LINE, self._left))
        self._left -= len(line)
        return line


def read_pickle(
    source: Bytes, calls: Mapping[str, Call], persistent: Callable[[Any], Any] | None = None
) -> Any:
    """What one pickle says. `calls` says by name what a call gives, `persistent` what a persistent
    ID is. Raises Damage for what is not a pickle, Refused for a call that `calls` does not have."""
    machine = _Machine(calls, persistent)
    steps = pickletools.genops(cast(IO[bytes], source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in damaged strings
            for count, (opcode, argument, _) in enumerate(steps):
                if count > MAX_STEPS:
                    raise Damage(f"it has more than {MAX_STEPS:,} steps")
                machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError):
        raise Damage("it is not a pickle of tensors, or its end is missing") from None
    if len(machine.stack) > 1:
        raise Damage("it leaves more than one value behind")
    return machine.stack[0] if machine.stack else None


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset(
    ("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
     "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
     "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
)  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KEYS = (str, int, float, bool, type(None))
"""Types of keys that are kept; no other is hashed, for that may take for ever."""


class _Machine:
    def __init__(self, calls: Mapping[str, Call], persistent: Callable[[Any], Any] | None):
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._calls = calls
        self._persistent = persistent

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("PROTO", "FRAME", "STOP"):
            pass
        elif name in _TUPLES:
            self.stack.append(tuple(self._pop(_TUPLES[name])))
        elif "PUT" in name or name == "MEMOIZE":
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self.stack[-1]
        elif "GET" in name:
            self.stack.append(self._memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            words = argument.split(" ") if name == "GLOBAL" else self._pop(2)
            self.stack.append(Name(".".join(words)))
        else:
            self._build(name)

    def _build(self, name: str) -> None:
        """The steps that make something of what lies on the stack."""
        if name == "MARK":
            self._marks.append(len(self.stack))
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_SET"):
            self.stack.append({"D": {}, "L": [], "T": ()}.get(name[6], Thing("set")))
        elif name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            found = self._pop_to_mark()
            made = {"TUPLE": tuple(found), "LIST": found}.get(name)
            self.stack.append(Thing("set") if made is None else made)
            if name == "DICT":
                self.stack[-1] = {}
                _set_items(self.stack[-1], found)
        elif name in ("SETITEM", "SETITEMS"):
            found = self._pop(2) if name == "SETITEM" else self._pop_to_mark()
            _set_items(self.stack[-1], found)
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            found = self._pop(1) if name == "APPEND" else self._pop_to_mark()
            if isinstance(self.stack[-1], list):
                self.stack[-1].extend(found)
        elif name in ("POP", "POP_MARK", "DUP"):
            if name == "DUP":
                self.stack.append(self.stack[-1])
            elif name == "POP":
                self.stack.pop()
            else:
                self._pop_to_mark()
        else:
            self._make(name)

    def _make(self, name: str) -> None:
        """The steps at which Python's unpickler would call something."""
        if name == "BINPERSID" and self._persistent is not None:
            self.stack.append(self._persistent(self.stack.pop()))
        elif name == "REDUCE":
            called, arguments = self._pop(2)
            self.stack.append(self._call(called, arguments))
        elif name in ("NEWOBJ", "NEWOBJ_EX"):
            called = self._pop(3 if name == "NEWOBJ_EX" else 2)[0]
            self.stack.append(Thing(called.text))
        elif name == "BUILD":
            state = self.stack.pop()
            if isinstance(self.stack[-1], Thing):
                self.stack[-1].state = state
        elif name in ("INST", "OBJ"):
            raise Refused("an object of Python 2")
        else:
            raise Damage(f"it has the step {name}, which no file of tensors has")

    def _call(self, called: Any, arguments: Any) -> Any:
        text = called.text if isinstance(called, Name) else "what is not a name"
        if text not in self._calls:
            raise Refused(text)
        return self._calls[text](tuple(arguments))

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) - (self._marks[-1] if self._marks else 0) < count:
            raise ValueError
        found = self.stack[-count:]
        del self.stack[-count:]
        return found

    def _pop_to_mark(self) -> list[Any]:
        place = self._marks.pop()
        found = self.stack[place:]
        del self.stack[place:]
        return found


def _set_items(target: Any, found: list[Any]) -> None:
    items = target.items if isinstance(target, Thing) else target
    for key, value in zip(found[::2], found[1::2], strict=True):
        if isinstance(key, _KEYS):
            items[key] = value

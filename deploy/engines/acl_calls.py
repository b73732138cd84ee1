"""Calls of pyACL with every return code checked, and what they open closed again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from functools import reduce
from importlib import import_module
from typing import Any

from archspec.deploy.cann import how_to_source
from archspec.deploy.engines.acl_codes import explain, is_of_the_file
from archspec.errors import LackingError, Problem, SpecError

LONGEST_SAYING = 300

_lock = threading.Lock()
_users: Counter[Hashable] = Counter()
"""How many of this process's models use what they share: acl itself, and each device."""


class Acl:
    """pyACL for one model's file. A call is named as below `acl`, such as "mdl.execute".

    A code that is not 0 raises SpecError where it tells of the file, else LackingError; both have
    the call, the code and what it means.
    """

    def __init__(self, path: str):
        self._path = path
        self._module = _acl()
        self._closings: list[Callable[[], None]] = []
        self.is_stand_in = bool(getattr(self._module, "ARCHSPEC_STAND_IN", False))

    def do(self, call: str, *arguments: Any) -> None:
        """A call that gives a code."""
        code = self.number(call, *arguments)
        if code != 0:
            raise self._error(call, code)

    def value(self, call: str, *arguments: Any) -> Any:
        """A call that gives a value and a code."""
        value, code = self.number(call, *arguments)
        if code != 0:
            raise self._error(call, code)
        return value

    def pointer(self, call: str, *arguments: Any) -> int:
        """A call that gives an address, 0 where it fails."""
        address = self.number(call, *arguments)
        if not address:
            raise LackingError(
                f"{self._path}: acl.{call} gave nothing{self._saying()}; use a device with room for"
                " the model"
            )
        return address

    def number(self, call: str, *arguments: Any) -> Any:
        """A call that gives a number, and no code."""
        try:
            function = reduce(getattr, call.split("."), self._module)
        except AttributeError:
            raise LackingError(f"this CANN's acl has no {call}; use a newer CANN") from None
        return function(*arguments)

    def later(self, call: str, *arguments: Any) -> None:
        """A call that gives a code, for `close`, before those told earlier."""
        self._closings.append(lambda: self.do(call, *arguments))

    def share(self, start: str, end: str, *arguments: Any) -> None:
        """`start` is called for the first of those that share it, and `end` for the last."""
        key = (self._module, start, arguments)

        def leave() -> None:
            with _lock:
                _users[key] -= 1
                if not _users[key]:
                    del _users[key]
                    self.do(end, *arguments)

        with _lock:
            if key not in _users:
                self.do(start, *arguments)
            _users[key] += 1
        self._closings.append(leave)

    def close(self) -> list[Exception]:
        """Do all that was told for later, the last first, whatever of it fails: its failures."""
        failures: list[Exception] = []
        while self._closings:
            try:
                self._closings.pop()()
            except Exception as failure:
                failures.append(failure)
        return failures

    @property
    def is_closed(self) -> bool:
        return not self._closings

    def _error(self, call: str, code: int) -> SpecError | LackingError:
        meaning, advice = explain(code)
        said = f"acl.{call} gave {code} ({meaning}){self._saying()}; {advice}"
        if is_of_the_file(code):
            return SpecError(Problem(said, self._path))
        return LackingError(f"{self._path}: {said}")

    def _saying(self) -> str:
        """CANN's own words on what went wrong last, where it has any."""
        words = str(getattr(self._module, "get_recent_err_msg", str)() or "").split()
        return f', saying "{" ".join(words)[:LONGEST_SAYING]}"' if words else ""


def _acl() -> Any:
    try:
        module: Any = import_module("acl")
    except ImportError as error:
        raise LackingError(
            f"the engine acl needs CANN and its Python module acl ({error}); use {how_to_source()}"
            " in this shell"
        ) from None
    if not hasattr(module, "mdl"):
        raise LackingError(
            f"the module acl is not CANN's but {getattr(module, '__file__', 'another')};"
            f" use {how_to_source()} in this shell"
        )
    return module

"""Trouble that may pass: a database that is restarted, a disk that is full. Who meets it waits,
ever longer, and can be stopped meanwhile; nothing is given up for lost that was only out of reach.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from archspec.errors import printable
from archspec.training.progress import clock
from archspec.training.run import RunError
from archspec.training.signals import Stop

Answer = TypeVar("Answer")
FIRST_PAUSE, LONGEST_PAUSE, GIVE_UP = 0.5, 30.0, 600.0
"""Seconds between two tries, and until there is no further one."""
LOOK_EVERY = 0.1
LONGEST = 300
TEMPORARY = (errno.ENOSPC, errno.EDQUOT, errno.ENFILE, errno.EMFILE, errno.ESTALE)
"""Errors of the machine, which another network would meet as well."""
FULL = os.strerror(errno.ENOSPC).lower()
LOST = ("OperationalError", "InterfaceError", "DisconnectionError", "TimeoutError")
"""SQLAlchemy's, of a connection."""
LASTING = re.compile(r"no such (table|column)|readonly|unable to open|does not exist|not permitted")
"""What they say of what waiting does not mend."""


class Interrupted(Exception):
    """Someone wishes to stop; what was done is saved."""


class Trouble(Exception):
    """Another process met trouble that may pass."""


def passing_trouble(error: BaseException) -> str | None:
    """What is the matter where that may pass; None for whatever else."""
    for one in chain(error):
        if isinstance(one, Trouble):
            return str(one)
        if isinstance(one, OSError) and one.errno in TEMPORARY:
            place = f"{one.filename}: " if one.filename else ""
            return f"{place}{(one.strerror or str(one)).lower()}"
        if FULL in _words(one).lower():  # as a library's own error
            return FULL
        if type(one).__module__.partition(".")[0] != "sqlalchemy":
            continue
        if type(one).__name__ in LOST or getattr(one, "connection_invalidated", False):
            text = str(getattr(one, "orig", None) or one)
            return None if LASTING.search(text) else text
    return None


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of somebody's code, whose words can be wrong as well
        return ""


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


class Patience:
    """Asks until there is an answer. `path` is the folder of the search, `hide` takes secrets out
    of what is told. `waited` counts how often it had to be waited."""

    def __init__(
        self,
        path: object,
        stop: Stop,
        say: Callable[[str], None] = lambda sentence: None,
        hide: Callable[[str], str] = str,
    ):
        self._path = path
        self._stop = stop
        self._say = say
        self._hide = hide
        self.waited = 0

    def __call__(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives, which is asked again while its trouble may pass. Raises Interrupted
        where someone wishes to stop meanwhile, RunError where it takes longer than GIVE_UP."""
        began: float | None = None
        pause = FIRST_PAUSE
        while True:
            try:
                answer = ask()
            except Exception as error:
                found = passing_trouble(error)
                if found is None:
                    raise
                trouble = printable(self._hide(" ".join(found.split()))[:LONGEST])
            else:
                if began is not None:
                    self._say(f"note: resumed after {clock(time.monotonic() - began)}")
                return answer
            if began is None:
                began = time.monotonic()
                self.waited += 1
                self._say(f"note: waiting for a problem that may pass ({trouble})")
            if time.monotonic() - began > GIVE_UP:
                raise RunError(
                    f"{self._path} gave up after {clock(GIVE_UP)} ({trouble}); what was tried is"
                    f" saved, so use archspec search --resume {self._path} when that is repaired"
                )
            self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._stop.number is not None:
                raise Interrupted
            time.sleep(LOOK_EVERY)

"""The process that expands specs: a request a line on standard input, answers on standard output.

Each line of an answer is "ID LAST JSON"; LAST is 1 at the end, where there may be no more to say
(null). Quick
questions (completions, what is under the cursor) are answered between the parts of a look, and a
look is dropped there when a newer one of the same page has come.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping

from archspec.errors import SpecError, UsageError
from archspec.processes import end_with_parent
from archspec.studio.questions import LOOK, SLOW, Answer, Part, Question


class Dropped(Exception):
    """A newer look of the same page has come."""


class Desk:
    """Answers requests in turn."""

    def __init__(self, answers: Mapping[str, Answer], send: Callable[[bytes], None]):
        self._answers = answers
        self._send = send
        self._waiting: deque[Question] = deque()
        self._has_work = threading.Condition()

    def take(self, request: Question) -> None:
        """Have a request answered; called by the thread that reads."""
        with self._has_work:
            self._waiting.append(request)
            self._has_work.notify()

    def run(self) -> None:
        while True:
            with self._has_work:
                while not self._waiting:
                    self._has_work.wait()
            self._answer(self._next(is_any=True))

    def _next(self, is_any: bool) -> Question | None:
        """The next quick request or, where it may be `is_any`, the next of all."""
        with self._has_work:
            for request in self._waiting:
                if request["kind"] not in SLOW:
                    self._waiting.remove(request)
                    return request
            return self._waiting.popleft() if is_any and self._waiting else None

    def _pause(self, request: Question) -> None:
        while (quick := self._next(is_any=False)) is not None:
            self._answer(quick)
        if self._is_old(request):
            raise Dropped

    def _is_old(self, request: Question) -> bool:
        if request["kind"] != LOOK:
            return False
        with self._has_work:
            return any(
                other["kind"] == LOOK and other["tab"] == request["tab"] for other in self._waiting
            )

    def _answer(self, request: Question | None) -> None:
        if request is None:
            return
        number = request["id"]
        try:
            if request["kind"] in SLOW:
                self._pause(request)
            parts = self._answers[request["kind"]](request, lambda: self._pause(request))
            for part in parts:
                self._say(number, part, is_last=False)
            self._say(number, None, is_last=True)
        except Dropped:
            self._say(number, {"dropped": True}, is_last=True)
        except (SpecError, UsageError, OSError) as error:
            self._say(number, {"failed": str(error)}, is_last=True)
        except MemoryError:
            self._say(number, {"failed": "this takes more memory than is left"}, is_last=True)
        except Exception as error:
            words = (
                f"archspec itself went wrong ({type(error).__name__}: {error}); please report it"
            )
            if os.environ.get("ARCHSPEC_TRACEBACK"):
                raise
            self._say(number, {"failed": words}, is_last=True)

    def _say(self, number: int, part: Part | None, is_last: bool) -> None:
        text = json.dumps(part, ensure_ascii=True, separators=(",", ":"), default=list)
        self._send(f"{number} {int(is_last)} {text}\n".encode())


def main() -> None:
    """Serve standard input until it ends."""
    from archspec.studio.answers import ANSWERS

    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends this one
    gc.set_threshold(100_000, 50, 1000)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not an answer

    def send(line: bytes) -> None:
        out.write(line)
        out.flush()

    desk = Desk(ANSWERS, send)

    def read() -> None:
        for line in sys.stdin.buffer:
            desk.take(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    desk.run()


if __name__ == "__main__":
    main()

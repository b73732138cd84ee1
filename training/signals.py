"""SIGINT and SIGTERM as a wish to stop, which the loop looks at between two steps.

Handlers would not do: MindSpore puts its own in their place, when it first reads data and when it
compiles, and they end the process with exit code 0. So both signals are blocked, in this thread and
in those it starts from then on, and another thread waits for them.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading

STOPPING = (signal.SIGINT, signal.SIGTERM)
WAKE = getattr(signal, "SIGURG", signal.SIGTERM)
"""What the waiting thread is sent once it is no longer wanted; elsewhere it means nothing."""


class Stop:
    """A context manager; `number` is the signal that asked to stop, once one has.

    Within it, but before `listen` is called, signals end the process as they always do, SIGINT by
    KeyboardInterrupt. After it the first is a wish, and the second ends the process at once. To be
    entered before numpy is imported, whose threads would take signals otherwise; outside of the
    main thread, or where signals cannot be blocked, it does nothing.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_listening = False
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._mask: set[int] = set()

    def listen(self) -> None:
        """From here on there is something to save."""
        self._is_listening = True

    def __enter__(self) -> Stop:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and hasattr(signal, "pthread_sigmask"):
            self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, (*STOPPING, WAKE)))
            self._thread = threading.Thread(target=self._wait, name="signals", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None or self._thread.ident is None:
            return
        self._is_over = True
        signal.pthread_kill(self._thread.ident, WAKE)
        self._thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _wait(self) -> None:
        while not self._is_over:
            number = signal.sigwait((*STOPPING, WAKE))
            if number != WAKE:
                self._take(number)

    def _take(self, number: int) -> None:
        if self._is_listening and self.number is None:
            self.number = number
            print("stopping after this step; once more ends it at once", file=sys.stderr)
        elif self._is_listening or number != signal.SIGINT:
            os._exit(128 + number)
        else:
            _thread.interrupt_main()

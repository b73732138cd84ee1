"""Children that are waited for."""

import subprocess
import sys
import time

from archspec.processes import wait_for_end


def child(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)


def test_an_end_is_noticed_at_once_and_a_process_that_goes_on_is_not_waited_for():
    with child("input()") as runs, child("") as ends:
        look(runs, ends)
        runs.stdin.write(b"\n")


def look(runs: subprocess.Popen, ends: subprocess.Popen) -> None:
    start = time.monotonic()
    wait_for_end([runs], 0.1)
    assert runs.poll() is None and time.monotonic() - start < 5
    while ends.poll() is None:
        wait_for_end([runs, ends], 60)
    assert time.monotonic() - start < 30
    wait_for_end([ends], 60)  # nobody left to wait for
    assert time.monotonic() - start < 30

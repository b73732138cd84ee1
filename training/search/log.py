"""trials.jsonl as a search reads it while it grows: each line once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.checksums import read_lines

Trial = Mapping[str, Any]


class Log:
    """The trials of a file, by study: `trials[is_baseline]` has them by number, in the order in
    which they ended. Damaged lines are left out.

    `objectives` are their names, and `required` says whether a line without a checksum is damaged.
    """

    def __init__(self, path: Path, objectives: Iterable[str], required: bool):
        self._path = path
        self._objectives = (*objectives,)
        self._required = required
        self._begin()

    def _begin(self) -> None:
        self.trials: dict[bool, dict[int, dict[str, Any]]] = {False: {}, True: {}}
        self._order: list[dict[str, Any]] = []
        self._end = 0
        self._last = b""

    def read(self) -> Sequence[dict[str, Any]]:
        """All trials, in the order in which they ended. What was read before is not read again,
        unless the last line of it does not stand where it stood: then it is another file."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._end - len(self._last))
                added = file.read()
                if not added.startswith(self._last):
                    self._begin()
                    file.seek(0)
                    added = file.read()
        except FileNotFoundError:
            self._begin()
            return self._order
        self._add(added[len(self._last) :])
        return self._order

    def _add(self, added: bytes) -> None:
        for trial in read_lines(added, self._required).records:
            if is_trial(trial, self._objectives):
                of_study = self.trials[bool(trial.get("baseline"))]
                # two workers may have heard of one from another machine
                if trial["number"] not in of_study:
                    of_study[trial["number"]] = trial
                    self._order.append(trial)
        # what follows the last line break may go on, or be cut off
        whole = added[: added.rfind(b"\n") + 1]
        if whole:
            self._end += len(whole)
            self._last = whole[whole.rfind(b"\n", 0, -1) + 1 :]


def is_trial(record: Mapping[str, Any], objectives: Sequence[str]) -> bool:
    """Whether a line says what a trial must, for these objectives."""
    number, state = record.get("number"), record.get("state")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        return False
    if state == "failed":
        return isinstance(record.get("error"), str)
    if state not in ("done", "duplicate"):
        return False
    values, row, assignment = (record.get(key) for key in ("objectives", "row", "assignment"))
    return (
        isinstance(values, dict)
        and all(type(values.get(name)) in (int, float) for name in objectives)
        and (isinstance(assignment, dict) or (assignment is None and isinstance(row, list)))
    )

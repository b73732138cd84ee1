"""What is wrong with a spec, said so that its author can mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    `message` is one sentence: what was met and what to use. `where` is "file:line:col" (or the
    file alone), `pointer` the JSON pointer into that file, `stack` the template calls that led
    there, innermost first.
    """

    message: str
    where: str = ""
    pointer: str | None = None
    stack: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = [printable(self.where)] if self.where else []
        if self.pointer is not None:
            place.append(f"at {printable(self.pointer) or '/'}")
        head = ": ".join([*place, printable(self.message)])
        return "\n".join([head, *(f"    {printable(call)}" for call in self.stack)])


LONGEST_LINE = 2000


def printable(text: str) -> str:
    """Text for a terminal, which a file must not steer: control characters as their escapes, and
    what would fill the screen cut short."""
    if len(text) > LONGEST_LINE:
        text = f"{text[:LONGEST_LINE]}..."
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


MAX_PROBLEMS = 50
"""Told at once: who mends fifty looks again, and a hostile file could hold a million."""


def first_problems(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, or the first of them and a word that there are more."""
    found = list(islice(problems, MAX_PROBLEMS + 1))
    if len(found) > MAX_PROBLEMS:
        found[-1] = Problem(f"there are more problems than these {MAX_PROBLEMS}")
    return found


class SpecError(Exception):
    """A spec, or another file handed to archspec, cannot be used; `problems` says all of why, the
    first MAX_PROBLEMS at least."""

    exit_code = 1

    def __init__(self, problems: Problem | str | Iterable[Problem]):
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(first_problems(problems))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def called_from(self, call: str) -> SpecError:
        """The same error with one more template call beneath each problem's stack."""
        return SpecError(
            replace(problem, stack=(*problem.stack, call)) for problem in self.problems
        )


class UsageError(Exception):
    """The command was called wrongly."""

    exit_code = 2


class LackingError(UsageError):
    """What was asked for is right, and this machine lacks something for it."""

    exit_code = 1


_MAX_CANDIDATES = 1000


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" when one of the known words is close, else an empty string."""
    close = find_close(word, known)
    return f"; did you mean {close!r}?" if close else ""


def find_close(word: object, known: Iterable[str]) -> str:
    """The known word that is closest to one that is not known, or an empty string."""
    from difflib import get_close_matches  # costs 5 ms, so only when something is wrong

    candidates = sorted(set(islice(known, _MAX_CANDIDATES)))
    lower = {candidate.lower(): candidate for candidate in reversed(candidates)}
    close = get_close_matches(str(word).lower()[:80], lower, n=1, cutoff=0.6)
    return lower[close[0]] if close else ""


def use(what: str) -> str:
    """ "; use X": how a sentence ends that knows what is right."""
    return f"; use {what}"


def find_slip(word: object, known: Iterable[str], most: int | None = None) -> str:
    """did_you_mean() for words that are near by accident: only what `most` slips of the pen make,
    by default one, or two in a word of eight letters."""
    met = str(word).lower()[:80]
    most = most or (2 if len(met) >= 8 else 1)
    found = [
        (distance, name)
        for name in sorted(set(islice(known, _MAX_CANDIDATES)))
        if (distance := _slips(met, name.lower(), most)) <= most
    ]
    return f"; did you mean {min(found)[1]!r}?" if found else ""


def _slips(left: str, right: str, most: int) -> int:
    """Letters to add, drop, change or swap with the next to make one word of another; more than
    `most` where they are that many."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def listed(words: Sequence[str], conjunction: str = "or", most: int = 12) -> str:
    """'a', 'b' or 'c': words as a sentence has them, the tail of a long list counted."""
    quoted = [repr(word) for word in words[:most]]
    if len(words) > most:
        return ", ".join(quoted) + f" {conjunction} {len(words) - most} more"
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {conjunction} {quoted[-1]}"

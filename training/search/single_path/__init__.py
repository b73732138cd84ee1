"""Single-Path NAS, arXiv 1904.02877: a supernet learns which of its parts are worth their time.

engine        read this first: the search from top to bottom
settings, plan, targets, found
              what is asked, what that means, what is possible, what is found
folder, resuming
              where it stands, and how it is taken up again
runtime       the time of each network, as a sum of terms; tables
shares        the same as tables, for gates that are data
thresholds    what opens gates, and how it learns
norms         what gates are measured by
split         train images in two
searcher      what a backend trains, and what is drawn for it
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.training.search.single_path.found import Found
from archspec.training.search.single_path.settings import SinglePathSettings

if TYPE_CHECKING:
    from archspec.space import Space
    from archspec.training.signals import Stop


def search_single_path(
    space: Space,
    settings: SinglePathSettings,
    run_folder: Path,
    stop: Stop,
    say: Callable[[str], None] = lambda sentence: None,
    ends: float | None = None,
    restarts: bool = False,
) -> list[Found]:
    """Make all searches that the settings ask for, or resume those in the folder.

    They stand in run_folder/single_path. A wish to stop is heard after a step and leaves a
    checkpoint, and so does time.monotonic() at `ends`; what is given then is what was found so far.
    `say` is told sentences for people. One that has lost all its checkpoints is begun again only
    where it `restarts`, and what it had learned is kept. Raises SpecError for a space that no
    supernet holds and for damaged settings, UsageError for settings or data that will not do,
    RunError where a loss is not finite or checkpoints are lost.
    """
    from archspec.training.search.single_path.engine import search

    return search(space, settings, run_folder, stop, say, ends, restarts)


__all__ = ["Found", "SinglePathSettings", "search_single_path"]

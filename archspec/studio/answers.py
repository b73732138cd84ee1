"""What can be asked of the process that expands: kinds of requests and who answers them."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.studio.looking import Looker
from archspec.studio.questions import Answer

ANSWERS: Mapping[str, Answer] = {
    "look": Looker().look,
}

"""What can be asked of the process that expands: kinds of questions and who answers them."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.studio import comparing, editing, gallery, importing, outputs, runs, spaces
from archspec.studio.looking import Looker
from archspec.studio.questions import IMPORT, Answer

ANSWERS: Mapping[str, Answer] = {
    "look": Looker().look,
    "complete": editing.complete,
    "hover": editing.hover,
    "define": editing.define,
    "locate": editing.locate,
    "hints": editing.tell_hints,
    "outline": editing.outline,
    "rename": editing.rename,
    "command": outputs.tell_command,
    "write": outputs.write_output,
    "cards": gallery.list_cards,
    "card": gallery.draw_card,
    "compare": comparing.compare,
    "run": runs.tell_run,
    "trial": runs.tell_trial,
    IMPORT: importing.import_file,
    "range": spaces.tell_range,
}

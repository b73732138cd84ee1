"""What editors, the studio and programs ask of a text while it is written: text and offset in,
values out. The text may be broken; what it refers to is looked for in its project.

    draft = read_draft(text, name="net.json", project=Folder("."))
    diagnose(draft), complete(draft, offset), hover(draft, offset)...

Offsets count characters; draft.lines knows them as lines and as UTF-16.
"""

from __future__ import annotations

from archspec.authoring.completing import complete
from archspec.authoring.diagnosis import diagnose
from archspec.authoring.draft import Draft, read_draft
from archspec.authoring.hints import find_hints
from archspec.authoring.hovering import hover
from archspec.authoring.lines import Lines
from archspec.authoring.linking import find_nodes, find_places
from archspec.authoring.navigation import find_definition, find_name, find_references, rename
from archspec.authoring.outlining import find_links, outline
from archspec.authoring.values import (
    Completion,
    Diagnostic,
    Edit,
    Fix,
    Hint,
    Hover,
    Link,
    Origin,
    Place,
    Symbol,
    apply_edits,
    plain_insert,
)

__all__ = [
    "Completion",
    "Diagnostic",
    "Draft",
    "Edit",
    "Fix",
    "Hint",
    "Hover",
    "Lines",
    "Link",
    "Origin",
    "Place",
    "Symbol",
    "apply_edits",
    "complete",
    "diagnose",
    "find_definition",
    "find_hints",
    "find_links",
    "find_name",
    "find_nodes",
    "find_places",
    "find_references",
    "hover",
    "outline",
    "plain_insert",
    "read_draft",
    "rename",
]

"""Names of nodes: the module that the exporter says, or the op."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from archspec.compiler.importing.onnx.drafts import Draft
from archspec.node import INPUT

FIRST = re.compile(r"[A-Za-z_]")


def name_drafts(drafts: Sequence[Draft]) -> dict[Draft, str]:
    """A name of its own for each. One with weights is called as its module, the others as what
    they do in it."""
    names: dict[Draft, str] = {}
    taken = {INPUT}
    counts: Counter[str] = Counter()
    weighted = Counter(draft.scope for draft in drafts if draft.weights and draft.scope)
    for draft in drafts:
        kind = str(getattr(draft.op, "function", draft.op.name))
        scope = draft.scope
        if scope and draft.weights and weighted[scope] == 1:
            name = scope
        else:
            name = f"{scope}.{kind}" if scope else kind
        if not FIRST.match(name):
            name = f"n{name}"
        wanted = name
        while name in taken:
            counts[wanted] += 1
            name = f"{wanted}{counts[wanted] + 1}"
        taken.add(name)
        names[draft] = name
    return names

"""Pages of ops and templates: one by its name, or all as docs/ops.md, docs/blocks.md and
docs/commands.md."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from itertools import groupby

from archspec.cli.command_pages import commands_page
from archspec.compiler.targets.telling import tell_targets
from archspec.errors import UsageError, did_you_mean, listed
from archspec.ops import FUNCTIONS, OPS
from archspec.ops.activation import Act
from archspec.pages import (
    as_lines,
    as_markdown,
    find_templates,
    op_entry,
    template_entry,
)
from archspec.sources import shipped_libraries, shipped_names
from archspec.words import suggest_call


def is_library(name: str) -> bool:
    """Whether this is a shipped library of templates, which has no nodes."""
    return name in shipped_libraries()


def lines_of_page(name: str, template: str | None) -> Iterator[str]:
    """The page of an op, of a template, or of a template in a library. Raises UsageError for any
    other name, and for one that several have."""
    if template is not None:
        return as_lines(template_entry(_find_one(template, name)))
    if name in shipped_names() or name.endswith(".json"):
        named = shlex.quote(name)
        raise UsageError(
            f"{name} is a spec, of which explain takes a node; use archspec explain {named} NODE"
            f" (archspec stats {named} lists them)"
        )
    if is_library(name):
        known = [shipped.name for shipped in find_templates(library=name)]
        raise UsageError(
            f"{name} is a library; use archspec explain {name} TEMPLATE, one of {listed(known)}"
        )
    if name in FUNCTIONS:
        name = Act.name  # "relu" alone is a node too
    if name in OPS:
        return as_lines(op_entry(name, tell_targets))
    return as_lines(template_entry(_find_one(name)))


def _find_one(name: str, library: str | None = None):
    found = find_templates(name, library)
    if len(found) == 1:
        return found[0]
    if found:
        ways = listed([f"archspec explain {shipped.full_name}" for shipped in found])
        raise UsageError(f"several libraries have a template {name}; use {ways}")
    known = [shipped.name for shipped in find_templates(library=library)]
    if library is not None:
        raise UsageError(f"{library} has no template {name!r}{did_you_mean(name, known)}")
    hint = suggest_call(name, [*OPS, *known, *shipped_names()])
    raise UsageError(
        f"there is no op, template or shipped spec {name!r}{hint} (docs/ops.md has all ops)"
    )


def write_page(name: str) -> str:
    """A page of docs/ as a whole."""
    return "\n".join(PAGES[name]()).rstrip("\n") + "\n"


_GENERATED = "`make pages` writes this page from the classes and texts themselves; tests hold it."


def _ops_page() -> Iterator[str]:
    yield from ("# Ops", "", "`archspec explain conv` prints one of these. " + _GENERATED, "")
    by_category = sorted(OPS.values(), key=lambda op: [*_categories()].index(op.category))
    for category, ops in groupby(by_category, key=lambda op: op.category):
        yield from (f"## {category}", "")
        for op in ops:
            yield from as_markdown(op_entry(op.name, tell_targets))


def _categories() -> dict[str, None]:
    """In the order of OPS."""
    return dict.fromkeys(op.category for op in OPS.values())


def _blocks_page() -> Iterator[str]:
    yield from ("# Templates", "")
    yield f"`archspec explain ConvNormAct` prints one of these. {_GENERATED}"
    yield from (
        "Each example is a call that a shipped network makes, on the shape it has there.",
        "",
    )
    for library in ("", *shipped_libraries()):
        yield from (f"## {library or 'Those of every spec'}", "")
        for shipped in find_templates(library=library):
            yield from as_markdown(template_entry(shipped))


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "ops": _ops_page,
    "blocks": _blocks_page,
    "commands": lambda: commands_page(_GENERATED),
}

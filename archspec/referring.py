"""Documents and those that they refer to: read, held to the schema, followed to their base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from archspec.check import check_document
from archspec.document import At, Document, parse_document, read_text
from archspec.errors import MAX_PROBLEMS, SpecError, did_you_mean
from archspec.project import Source
from archspec.reader import Reader
from archspec.sources import FILES, find_reference, real_path, shown_path, spec_path
from archspec.syntax import Parameter

DEEPEST_REFERENCES = 20
KEPT = 1 << 16
"""Characters of a text that is remembered once it is checked."""


def read_spec(name: str, shown: str | None = None) -> Document:
    """The document at a path, or the shipped one of that name, held to the schema; errors call it
    `shown`. Raises SpecError."""
    path = spec_path(name)
    if shown is None:
        shown = name if path == Path(name) else shown_path(path)
    return check_text(read_text(path, shown), shown, Source(FILES, real_path(path)))


def read_referenced(source: Source, at: At) -> Document:
    """The document that a place in another refers to. Raises SpecError, naming that place."""
    name = source.project.shown(source.name)
    try:
        text = source.project.read(source.name)
        is_kept = len(text) <= KEPT
        return (_check_once if is_kept else check_text)(text, name, source)
    except SpecError as error:
        raise error.called_from(f"referred to at {at.where}") from None


@lru_cache(maxsize=64)
def _check_once(text: str, shown: str, source: Source) -> Document:
    """Libraries are few and imported by many: what was held to the schema is not held again."""
    return check_text(text, shown, source)


def check_text(text: str, shown: str, source: Source) -> Document:
    """Parse a text and hold it to the schema. Raises SpecError."""
    document = parse_document(text, shown, source)
    problems = check_document(document)
    if problems:
        raise SpecError(problems)
    return document


def follow_extends(document: Document) -> tuple[Document, list[Document]]:
    """The spec at the bottom of a chain of extends, and the extensions, innermost first."""
    extensions: list[Document] = []
    seen = {document.source}
    while "extends" in document.data:
        extensions.insert(0, document)
        at = At(document) / "extends"
        source = find_reference(document.data["extends"], at)
        if source in seen:
            raise at.error(
                f"{document.data['extends']!r} extends itself in a circle; use a spec with a body"
                " at its end"
            )
        if len(seen) > DEEPEST_REFERENCES:
            raise at.error(f"extends are nested deeper than {DEEPEST_REFERENCES} files")
        seen.add(source)
        document = read_referenced(source, at)
        if "templates" in document.data and "body" not in document.data:
            raise at.error(
                f"{extensions[0].data['extends']!r} is a library of templates; a spec to extend"
                " has a body"
            )
    if "body" not in document.data:
        raise At(document).error(
            "this is a library of templates, not a network; use a spec with a body"
        )
    return document, extensions


def override_defaults(
    parameters: Mapping[str, Parameter], extension: Document, reader: Reader
) -> dict[str, Parameter]:
    result = dict(parameters)
    at = At(extension) / "args"
    for name, raw in extension.data.get("args", {}).items():
        if name not in result:
            if len(reader.problems) > MAX_PROBLEMS:
                break
            reader.problems.append(
                (at / name).problem(
                    f"the extended spec has no arg {name!r}{did_you_mean(name, result)}"
                )
            )
            continue
        value = reader.value(raw, at / name, "extends", name)
        result[name] = replace(result[name], default=value)
    return result

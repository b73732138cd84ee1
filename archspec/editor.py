"""Help for editors: the schema with the templates that one file can call."""

from __future__ import annotations

from typing import Any

from archspec.errors import SpecError
from archspec.library import read_checked, read_library
from archspec.schema import document_schema, writable
from archspec.sources import shown_path, spec_path
from archspec.syntax import Parameter


def schema_for(name: str) -> dict[str, Any]:
    """The schema with the arguments of every template the spec can call. Raises SpecError."""
    path = spec_path(name)
    library = read_library(read_checked(path, shown_path(path)))
    templates: dict[str, dict[str, Any]] = {}
    for template in dict.fromkeys(library.names()):
        definition = library.find(template)
        if definition is None:
            raise SpecError(library.unknown(template))
        templates[template] = {
            key: _fragment(parameter) for key, parameter in definition.template.parameters.items()
        }
    return document_schema(templates)


def _fragment(parameter: Parameter) -> dict[str, Any]:
    fragment = dict(writable(parameter.schema)) if parameter.schema else {}
    notes = [parameter.doc] if parameter.doc else []
    if parameter.default is None:
        notes.append("required")
    else:
        notes.append(f"default: {parameter.default.raw}")
    return {**fragment, "description": "; ".join(notes)}

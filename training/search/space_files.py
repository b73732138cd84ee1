"""A space with all that it refers to, as files of one folder that need nothing outside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.document import At, Document, parse_document
from archspec.project import Source
from archspec.referring import read_spec
from archspec.sources import find_reference
from archspec.writing import written_json


def gather(name: str, own_name: str = "space.json") -> dict[str, str]:
    """The texts of a spec and of those it extends or imports, by their new names, the spec's first.
    Raises SpecError where a file is not to be read."""
    texts: dict[str, str] = {}
    names: dict[Source, str] = {}
    _gather(read_spec(name, name), own_name, names, texts)
    return texts


def _gather(
    document: Document, own_name: str, names: dict[Source, str], texts: dict[str, str]
) -> None:
    names[document.source] = own_name
    texts[own_name] = ""  # its place, before those it refers to
    data: dict[str, Any] = {key: v for key, v in document.data.items() if key != "$schema"}
    at = At(document)

    def rename(reference: str, where: At, is_import: bool = False) -> str:
        source = find_reference(reference, where, is_import)
        if source not in names:
            own, other = Path(own_name).stem, Path(source.name).stem
            text = source.project.read(source.name)
            found = parse_document(text, source.project.shown(source.name), source)
            _gather(found, f"{own}_{len(names)}_{other}.json", names, texts)
        return names[source]

    if "extends" in data:
        data["extends"] = rename(data["extends"], at / "extends")
    if "import" in data:
        data["import"] = {
            key: rename(reference, at / "import" / key, is_import=True)
            for key, reference in data["import"].items()
        }
    texts[own_name] = written_json(data) + "\n"

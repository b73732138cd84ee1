"""A space with all that it refers to, as files of one folder that need nothing outside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.document import At, Document, read_document
from archspec.sources import referenced_path, spec_path
from archspec.writing import written_json


def gathered(name: str, own_name: str = "space.json") -> dict[str, str]:
    """The texts of a spec and of those it extends or imports, by their new names, the spec's first.
    Raises SpecError where a file is not to be read."""
    texts: dict[str, str] = {}
    names: dict[Path, str] = {}
    _gather(read_document(spec_path(name), name), own_name, names, texts)
    return texts


def _gather(
    document: Document, own_name: str, names: dict[Path, str], texts: dict[str, str]
) -> None:
    names[document.path.resolve()] = own_name
    texts[own_name] = ""  # its place, before those it refers to
    data: dict[str, Any] = {key: v for key, v in document.data.items() if key != "$schema"}
    at = At(document)

    def renamed(reference: str, where: At, is_import: bool = False) -> str:
        path = referenced_path(reference, where, is_import).resolve()
        if path not in names:
            stem = Path(own_name).stem
            _gather(read_document(path), f"{stem}_{len(names)}_{path.stem}.json", names, texts)
        return names[path]

    if "extends" in data:
        data["extends"] = renamed(data["extends"], at / "extends")
    if "import" in data:
        data["import"] = {
            key: renamed(reference, at / "import" / key, is_import=True)
            for key, reference in data["import"].items()
        }
    texts[own_name] = written_json(data) + "\n"

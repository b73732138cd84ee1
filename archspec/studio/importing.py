"""An ONNX file that was dropped on the page, as a spec below the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.errors import SpecError, UsageError
from archspec.extras import need
from archspec.studio.files import locate
from archspec.studio.questions import Part, Pause, Question
from archspec.tables import shown_amount
from archspec.writing import write_whole

if TYPE_CHECKING:
    from archspec.compiler.importing.onnx import Found

WEIGHTS = ".safetensors"


def import_file(question: Question, _pause: Pause) -> Iterator[Part]:
    """{name, report}: the ONNX in `file`, a path of the server's own, written as the spec `name`
    and, where `weights` says so, its weights beside it. Nothing is written over."""
    for package in ("numpy", "onnx", "onnxruntime"):
        need("importing ONNX", package)
    from archspec.compiler.importing.onnx import import_onnx, name_for
    from archspec.compiler.weights.loading import save_weights

    root, name, file = Path(question["root"]), question["name"], Path(question["file"])
    if not name.endswith(".json"):
        raise UsageError(f"{name}: a spec's name ends in .json; use {name}.json")
    spec = locate(root, name)
    of_weights = f"{name.removesuffix('.json')}{WEIGHTS}"
    paths = [spec, *([locate(root, of_weights)] if question.get("weights") is True else [])]
    for path in paths:
        if path.exists():
            raise UsageError(f"{path.relative_to(root)} exists already; use another name")
    try:
        found = import_onnx(file, name_for(spec))
    except SpecError as error:
        raise UsageError(str(error).replace(str(file), file.name)) from None
    spec.parent.mkdir(parents=True, exist_ok=True)
    for path in paths[1:]:
        save_weights(path, found.model.graph, found.model.weights or {})
    write_whole(spec, found.text, within=root)
    yield {"name": name, "report": [*_report(found), *(f"wrote {of_weights}" for _ in paths[1:])]}


def _report(found: Found) -> Iterator[str]:
    """What `archspec import` says of it."""
    graph = found.model.graph
    yield from found.tell()
    yield f"{graph.params:,} parameters, {shown_amount(graph.macs)} MACs"

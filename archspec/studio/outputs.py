"""What the page writes beside specs: pictures, ONNX, source, normal forms; and the command line
that writes the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from archspec.errors import SpecError, UsageError
from archspec.graph import Graph
from archspec.plot import save
from archspec.shapes import written
from archspec.studio.files import locate
from archspec.studio.opening import SHIPPED
from archspec.studio.questions import Part, Pause, Question
from archspec.studio.subject import Settings, Subject, read_settings, read_subject
from archspec.tables import shown_bytes
from archspec.writing import command_line, write_whole, written_normal_form


class Output(NamedTuple):
    """A kind of file: its ending, the words of the command that writes it, and who does here, which
    gives what else there is to say."""

    ending: str
    command: tuple[str, ...]
    write: Callable[[Graph, Path], str]


def _draw(graph: Graph, path: Path) -> str:
    save(graph, path)
    return ""


def _write_source(target: str) -> Callable[[Graph, Path], str]:
    def write(graph: Graph, path: Path) -> str:
        from archspec.compiler.model import Model
        from archspec.compiler.targets import find_target

        write_whole(path, find_target(target).load().source_of(Model(graph), ""))
        return ""

    return write


def _write_onnx(graph: Graph, path: Path) -> str:
    from archspec.compiler.model import Model
    from archspec.compiler.weights.initialize import initialize
    from archspec.deploy.export import Source, write_onnx
    from archspec.extras import need

    for package in ("numpy", "onnx"):
        need("writing ONNX", package)
    compared = write_onnx(Source(Model(graph, initialize(graph, "he", 0))), str(path))
    told = "" if compared is None else f"; checked: {compared}"
    return f"; its weights are random{told}"


def _write_normal_form(graph: Graph, path: Path) -> str:
    write_whole(path, written_normal_form(graph.normal_form()))
    return ""


OUTPUTS: Mapping[str, Output] = {
    "svg": Output(".svg", ("plot",), _draw),
    "png": Output(".png", ("plot",), _draw),
    "onnx": Output(".onnx", ("compile",), _write_onnx),
    "mindspore": Output(".py", ("compile", "--target", "mindspore"), _write_source("mindspore")),
    "torch": Output(".py", ("compile", "--target", "torch"), _write_source("torch")),
    "normal": Output(".normal.json", ("expand",), _write_normal_form),
}


def write_output(question: Question, _pause: Pause) -> Iterator[Part]:
    """{said}: write the network of a text, with the settings, into a file below the folder. A file
    that is there is written over only where `over` says so, else it is {exists: true}."""
    output = _output_of(question)
    name = str(question.get("file", ""))
    if not name.endswith(output.ending):
        raise UsageError(f"{name}: use a name that ends in {output.ending}")
    path = locate(Path(question["root"]), name)
    if path.exists() and question.get("over") is not True:
        yield {"exists": True}
        return
    subject = _subject(question)
    if subject.graph is None:
        problems = (*subject.verdict.problems, *subject.problems)
        raise SpecError(problems or "this text is not a network; there is nothing to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    said = output.write(subject.graph, path)
    yield {"said": f"wrote {name}, {shown_bytes(path.stat().st_size)}{said}"}


def tell_command(question: Question, _pause: Pause) -> Iterator[Part]:
    """{command}: the command line that writes the same from the file on disk."""
    output = _output_of(question)
    settings = read_settings(question.get("settings") or {})
    name = question["name"].removeprefix(SHIPPED)
    words = ["archspec", output.command[0], name, *output.command[1:], *_options(settings)]
    yield {"command": command_line(*words, "-o", str(question.get("file", "")))}


def _output_of(question: Question) -> Output:
    kind = str(question.get("output"))
    if kind not in OUTPUTS:
        raise UsageError(f"there is no output of this kind; use {', '.join(OUTPUTS)}")
    return OUTPUTS[kind]


def _subject(question: Question) -> Subject:
    settings = read_settings(question.get("settings") or {})
    root = Path(question["root"])
    return read_subject(root, question["name"], question["text"], settings, is_brief=True)


def _options(settings: Settings) -> Iterator[str]:
    for name, value in settings.args.items():
        yield "--set"
        yield f"{name}={_word(value)}"
    if settings.input is not None:
        yield "--input"
        yield written(settings.input)
    if isinstance(settings.decisions, str) and settings.decisions != "first":
        yield "--decisions"
        yield settings.decisions


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

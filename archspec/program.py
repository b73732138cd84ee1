"""A spec ready to expand: its text checked, extends and import followed, names resolved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archspec.document import At, Document
from archspec.errors import SpecError
from archspec.library import Definition, Library, read_library
from archspec.names import check_names
from archspec.project import ReferenceRefused, Source
from archspec.reader import Reader, lists_in
from archspec.referring import check_text, follow_extends, override_defaults, read_spec
from archspec.sources import ProjectLike, project_of
from archspec.syntax import INPUT, Arguments, Node, Parameter, Template, Value


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """One spec, read. `parameters` are its args with the defaults that `extends` gave them, `input`
    is its base's with what its extensions write in its place."""

    at: At
    name: str
    doc: str
    source: Mapping[str, Any]
    input: Mapping[str, Any]
    parameters: Mapping[str, Parameter]
    body: Node
    outputs: Mapping[str, tuple[Value, ...]]
    list_outputs: frozenset[str]
    defaults: Mapping[str, Arguments]
    expect: Mapping[str, Any]
    expect_at: At
    library: Library

    @cached_property
    def as_template(self) -> Template:
        """The network as a template with one input."""
        return Template(
            self.name, self.at, self.doc, self.parameters, (INPUT,), self.body, self.outputs,
            list_outputs=self.list_outputs,
        )  # fmt: skip

    @cached_property
    def has_choice(self) -> bool:
        """Whether this is a search space."""
        return Definition(self.as_template, self.library).has_choice


def read_program(name: str | os.PathLike[str], *, is_lenient: bool = False) -> Program:
    """Read the spec at a path, or the shipped one of that name. Raises SpecError with every
    problem of the first stage that has any: text, schema, names. Where it `is_lenient`, attributes
    that mean nothing are none."""
    return program_of(read_spec(os.fspath(name)), is_lenient=is_lenient)


def parse_program(
    text: str, *, name: str = "<text>", project: ProjectLike = None, is_lenient: bool = False
) -> Program:
    """The program of a spec's text, which errors call `name`, with what it refers to in `project`:
    a Project, a dict of texts, or a folder. `name` is also the text's own place in the project,
    from which relative references start. Raises SpecError as read_program."""
    return program_of(place_text(text, name, project), is_lenient=is_lenient)


def place_text(text: str, name: str = "<text>", project: ProjectLike = None) -> Document:
    """The document of a text in its project, held to the schema; arguments are as for
    parse_program. Raises SpecError."""
    home = project_of(project)
    try:
        place = home.resolve(name, "")
    except ReferenceRefused:
        place = name  # from outside the project, so that it refers to nothing in it
    return check_text(text, name, Source(home, place))


def program_of(document: Document, *, is_lenient: bool = False) -> Program:
    """The program of a checked document. Raises SpecError."""
    base, extensions = follow_extends(document)
    return _program(document, extensions, read_library(base), is_lenient)


def program_of_network(library: Library) -> Program:
    """The program of a network that is imported as a template, whole and by itself. Raises
    SpecError."""
    return _program((library.document, *library.extensions)[-1], library.extensions, library, False)


def _program(
    document: Document, extensions: Sequence[Document], library: Library, is_lenient: bool
) -> Program:
    base = library.document
    reader = Reader()
    at = At(base)
    parameters = reader.parameters(base.data.get("args", {}), at / "args")
    for extension in extensions:
        parameters = override_defaults(parameters, extension, reader)
    head = document.data
    documents = (base, *extensions)
    outer = At(document)
    program = Program(
        at=outer,
        name=head["name"],
        doc=head.get("doc", ""),
        source=head.get("source", {}),
        input=_merge_inputs(documents),
        parameters=parameters,
        body=reader.node(base.data["body"], at / "body"),
        outputs=reader.outputs(base.data.get("outputs", {}), at / "outputs"),
        list_outputs=lists_in(base.data.get("outputs", {})),
        defaults=reader.defaults(base.data.get("defaults", {}), at / "defaults"),
        expect=head.get("expect", {}),
        expect_at=outer / "expect",
        library=library,
    )
    problems = [
        *reader.problems,
        *_input_problems(program, documents),
        *check_names(
            program.body, program.parameters, program.defaults, library, at, is_lenient=is_lenient
        ),
    ]
    if problems:
        raise SpecError(problems)
    return program


def _merge_inputs(documents: Sequence[Document]) -> dict[str, Any]:
    """The input of a base with the keys that its extensions, the innermost first, write anew."""
    return {key: value for one in documents for key, value in one.data.get("input", {}).items()}


def _input_problems(program: Program, documents: Sequence[Document]) -> Iterator[Any]:
    channels = program.input["shape"][0]
    for key in ("mean", "std"):
        values = program.input.get(key)
        if values is not None and len(values) != channels:
            said = [one for one in documents if key in one.data.get("input", {})]
            yield (At(said[-1]) / "input" / key).problem(
                f"{key} has {len(values)} values and the input {channels} channels;"
                " use one for each"
            )

"""Templates by name: a file's own, those of files it imports, and the standard ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from archspec.check import check_document
from archspec.document import At, Document, parse_document, read_document, read_text
from archspec.errors import MAX_PROBLEMS, Problem, SpecError, did_you_mean, listed, use
from archspec.faults import suggest_call
from archspec.json_values import shown
from archspec.project import Source
from archspec.reader import Reader
from archspec.sources import (
    FILES,
    find_reference,
    real_path,
    shipped_libraries,
    shipped_name,
    shown_path,
    spec_path,
)
from archspec.syntax import Call, Template, holds_choice, values, walk

STANDARD = Path(__file__).parent / "templates" / "standard.json"
DEEPEST_REFERENCES = 20


@dataclass(frozen=True, eq=False, repr=False)
class Definition:
    """A template together with the library in which the names of its body are looked up."""

    template: Template
    library: Library

    @cached_property
    def has_choice(self) -> bool:
        """Whether expanding it settles a decision, in its own body or in a template it calls."""
        template = self.template
        if holds_choice(template.body) or any(
            parameter.default is not None and parameter.default.has_choice
            for parameter in template.parameters.values()
        ):
            return True
        return any(definition.has_choice for definition in self.callees())

    def callees(self) -> Iterator[Definition]:
        """The templates that its body calls, and those that it names to be called; names that lead
        nowhere are left out."""
        for node in walk(self.template.body):
            if isinstance(node, Call) and not node.is_op:
                definition = self.library.find(node.target) if node.computed is None else None
                if definition is not None:
                    yield definition
        yield from self.named

    @cached_property
    def named(self) -> tuple[Definition, ...]:
        """The templates whose names its values hold, which may be called where a name is
        computed."""
        found: dict[Definition, None] = {}
        for name in dict.fromkeys(filter(_is_capital, self.strings())):
            definition = self.library.find(name)
            if definition is not None:
                found[definition] = None
        return tuple(found)

    def strings(self) -> Iterator[str]:
        """All that its values and defaults hold and that could be a name."""
        for node in walk(self.template.body):
            for value in values(node):
                yield from _strings(value.raw)
        for parameter in self.template.parameters.values():
            if parameter.default is not None:
                yield from _strings(parameter.default.raw)

    def reach(self) -> dict[Definition, None]:
        """This template and every other that it comes to call."""
        found: dict[Definition, None] = {self: None}
        waiting: list[Definition] = [self]
        for definition in waiting:
            for callee in definition.callees():
                if callee not in found:
                    found[callee] = None
                    waiting.append(callee)
        return found


def _is_capital(name: str) -> bool:
    return name.rpartition(".")[2][:1].isupper()


def _strings(raw: Any) -> Iterator[str]:
    if isinstance(raw, str):
        yield raw
    elif isinstance(raw, (list, dict)):
        for item in raw.values() if isinstance(raw, dict) else raw:
            yield from _strings(item)


@dataclass(eq=False, repr=False)
class Library:
    """The templates one document can call."""

    document: Document
    imports: Mapping[str, Library] = field(default_factory=dict)
    _found: dict[str, Definition | None] = field(default_factory=dict)
    _wrong: dict[str, list[Problem]] = field(default_factory=dict)

    def find(self, name: str) -> Definition | None:
        """The template called `name` here, or None. Raises SpecError where its text is wrong."""
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def _look_up(self, name: str) -> Definition | None:
        namespace, _, own = name.rpartition(".")
        if namespace:
            library = self.imports.get(namespace)
            return None if library is None else library.own(own)
        if own in self._written:
            return self.own(own)
        standard = standard_library()
        return None if self is standard else standard.own(own)

    def own(self, name: str) -> Definition | None:
        """A template this very document defines."""
        if name in self._found:
            return self._found[name]
        if name not in self._written:
            return None
        if name in self._wrong:
            raise SpecError(self._wrong[name])
        reader = Reader()
        template = reader.template(
            name, self._written[name], At(self.document) / "templates" / name
        )
        if reader.problems:
            self._wrong[name] = reader.problems
            raise SpecError(reader.problems)
        self._found[name] = Definition(template, self)
        return self._found[name]

    @property
    def _written(self) -> Mapping[str, Any]:
        return self.document.data.get("templates", {})

    @property
    def own_names(self) -> tuple[str, ...]:
        return tuple(self._written)

    def names(self) -> list[str]:
        """Every name that find() finds."""
        standard = standard_library()
        result = [*self._written, *(() if self is standard else standard.own_names)]
        for namespace, library in self.imports.items():
            result += [f"{namespace}.{name}" for name in library.own_names]
        return result

    def unknown(self, name: str) -> str:
        """The sentence for a name that find() does not find."""
        namespace = name.rpartition(".")[0]
        if namespace and namespace not in self.imports:
            hint = did_you_mean(namespace, self.imports) or "; import a file under that name"
            return f"there is no import called {shown(namespace)}{hint}"
        hint = suggest_call(name, self.names()) or use(listed(self.names()))
        return f"there is no template {shown(name)}{hint}"


@cache
def standard_library() -> Library:
    """The templates every spec can call. Tests hold them to the schema, so loading does not."""
    return Library(read_document(STANDARD, f"archspec:{STANDARD.name}"))


def read_library(
    document: Document,
    open_texts: tuple[Source, ...] = (),
    known: dict[Source, Library] | None = None,
) -> Library:
    """A document's templates with those it imports, each text read once and checked. Raises
    SpecError."""
    open_texts = (*open_texts, document.source)
    known = {} if known is None else known
    at = At(document) / "import"
    imports: dict[str, Library] = {}
    problems: list[Problem] = []
    for namespace, reference in document.data.get("import", {}).items():
        try:
            imports[namespace] = _import(reference, at / namespace, open_texts, known)
        except SpecError as error:
            problems += error.problems
        if len(problems) > MAX_PROBLEMS:
            break
    if problems:
        raise SpecError(problems)
    return Library(document, imports)


def _import(
    reference: str, at: At, open_texts: tuple[Source, ...], known: dict[Source, Library]
) -> Library:
    source = find_reference(reference, at, is_import=True)
    if source in open_texts:
        raise at.error(f"{shown(reference)} imports itself in a circle; remove the import")
    if len(open_texts) > DEEPEST_REFERENCES:
        raise at.error(f"imports are nested deeper than {DEEPEST_REFERENCES} files")
    if source not in known:
        document = read_referenced(source, at)
        if "templates" not in document.data:
            raise at.error(
                f"{shown(reference)} holds no templates, which is all an import brings in"
                f"{_suggest_libraries(document)}"
            )
        known[source] = read_library(document, open_texts, known)
    return known[source]


def _suggest_libraries(network: Document) -> str:
    """The shipped libraries that a network without templates is built from."""
    names: list[str] = []
    for namespace, reference in network.data.get("import", {}).items():
        try:
            source = find_reference(reference, At(network, ("import", namespace)), is_import=True)
        except SpecError:
            continue
        name = shipped_name(source)
        names += [name] if name in shipped_libraries() else []
    return use(listed(names, "and")) if names else ""


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
        return check_text(source.project.read(source.name), name, source)
    except SpecError as error:
        raise error.called_from(f"referred to at {at.where}") from None


def check_text(text: str, shown: str, source: Source) -> Document:
    """Parse a text and hold it to the schema. Raises SpecError."""
    document = parse_document(text, shown, source)
    problems = check_document(document)
    if problems:
        raise SpecError(problems)
    return document

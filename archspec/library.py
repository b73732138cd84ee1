"""Templates by name: a file's own, those of files it imports, and the standard ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from archspec.check import check_document, shown, suggest_call
from archspec.document import At, Document, read_document
from archspec.errors import MOST_PROBLEMS, Problem, SpecError, did_you_mean, listed, use
from archspec.sources import referenced_path, shipped_folder, shipped_libraries, shown_path
from archspec.syntax import Call, Reader, Template, holds_choice, walk

STANDARD = Path(__file__).parent / "templates" / "standard.json"
DEEPEST_REFERENCES = 20


@dataclass(frozen=True, eq=False)
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
        """The templates that its body calls; names that lead nowhere are left out."""
        for node in walk(self.template.body):
            if isinstance(node, Call) and not node.is_op:
                definition = self.library.find(node.target)
                if definition is not None:
                    yield definition


@dataclass(eq=False)
class Library:
    """The templates one document can call."""

    document: Document
    imports: Mapping[str, Library] = field(default_factory=dict)
    _found: dict[str, Definition | None] = field(default_factory=dict, repr=False)
    _wrong: dict[str, list[Problem]] = field(default_factory=dict, repr=False)

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
            hint = did_you_mean(namespace, self.imports)
            return f"there is no import called {shown(namespace)}{hint or '; one would do'}"
        hint = suggest_call(name, self.names()) or f"; {listed(self.names())} would do"
        return f"there is no template {shown(name)}{hint}"


@cache
def standard_library() -> Library:
    """The templates every spec can call. Tests hold them to the schema, so loading does not."""
    return Library(read_document(STANDARD, f"archspec:{STANDARD.name}"))


def read_library(
    document: Document,
    open_files: tuple[Path, ...] = (),
    known: dict[Path, Library] | None = None,
) -> Library:
    """A document's templates with those it imports, each file read once and checked. Raises
    SpecError."""
    here = document.path.resolve()
    open_files = (*open_files, here)
    known = {} if known is None else known
    at = At(document) / "import"
    imports: dict[str, Library] = {}
    problems: list[Problem] = []
    for namespace, reference in document.data.get("import", {}).items():
        try:
            imports[namespace] = _imported(reference, at / namespace, open_files, known)
        except SpecError as error:
            problems += error.problems
        if len(problems) > MOST_PROBLEMS:
            break
    if problems:
        raise SpecError(problems)
    return Library(document, imports)


def _imported(
    reference: str, at: At, open_files: tuple[Path, ...], known: dict[Path, Library]
) -> Library:
    path = referenced_path(reference, at, is_import=True).resolve()
    if path in open_files:
        raise at.error(f"{shown(reference)} imports itself in a circle; no import of it would do")
    if len(open_files) > DEEPEST_REFERENCES:
        raise at.error(f"imports are nested deeper than {DEEPEST_REFERENCES} files")
    if path not in known:
        document = read_checked(path, shown_path(path), at)
        if "templates" not in document.data:
            raise at.error(
                f"{shown(reference)} holds no templates, which is all an import brings in"
                f"{_suggest_libraries(document)}"
            )
        known[path] = read_library(document, open_files, known)
    return known[path]


def _suggest_libraries(network: Document) -> str:
    """The shipped libraries that a network without templates is built from."""
    home = network.path.resolve().parent
    libraries = {
        (shipped_folder() / f"{name}.json").resolve(): name for name in shipped_libraries()
    }
    imported = (home / reference for reference in network.data.get("import", {}).values())
    names = [libraries[path.resolve()] for path in imported if path.resolve() in libraries]
    return use(listed(names, "and")) if names else ""


def read_checked(path: Path, name: str, referenced_at: At | None = None) -> Document:
    """Read a document and hold it to the schema. Raises SpecError, naming the reference to it."""
    try:
        document = read_document(path, name)
        problems = check_document(document)
        if problems:
            raise SpecError(problems)
    except SpecError as error:
        if referenced_at is None:
            raise
        raise error.called_from(f"referred to at {referenced_at.where}") from None
    return document

"""Templates by name: a file's own, those of files it imports, and the standard ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from archspec.document import At, Document, read_document
from archspec.errors import MAX_PROBLEMS, Problem, SpecError, did_you_mean, listed, use
from archspec.faults import suggest_call
from archspec.json_values import shown
from archspec.project import Source
from archspec.reader import Reader, lists_in
from archspec.referring import (
    DEEPEST_REFERENCES,
    follow_extends,
    override_defaults,
    read_referenced,
)
from archspec.sources import (
    find_reference,
)
from archspec.syntax import NETWORK, UNTIL, Call, Template, holds_choice, values, walk

STANDARD = Path(__file__).parent / "templates" / "standard.json"


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
        given = [value for node in walk(self.template.body) for value in values(node)]
        given += [p.default for p in self.template.parameters.values() if p.default is not None]
        for value in given:
            raw = value.raw
            if type(raw) is str:
                yield raw
            elif type(raw) is dict or type(raw) is list:
                yield from _strings(raw)

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
    return name[:1] != "=" and name.rpartition(".")[2][:1].isupper()


def _strings(raw: list[Any] | dict[str, Any]) -> Iterator[str]:
    for item in raw.values() if isinstance(raw, dict) else raw:
        if isinstance(item, str):
            yield item
        elif isinstance(item, (list, dict)):
            yield from _strings(item)


_CUT = {
    "type": ["string", "null"],
    "default": None,
    "doc": "the node after which the network is cut, whose result is then its own",
}


@dataclass(eq=False, repr=False)
class Library:
    """The templates one document can call."""

    document: Document
    imports: Mapping[str, Library] = field(default_factory=dict)
    extensions: Sequence[Document] = ()
    """Those that an imported network is extended by, innermost first."""
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
        is_network = name == NETWORK and name not in self._written and "body" in self.document.data
        if name not in self._written and not is_network:
            return None
        if name in self._wrong:
            raise SpecError(self._wrong[name])
        reader = Reader()
        if is_network:
            template = self._read_network(reader)
        else:
            at = At(self.document) / "templates" / name
            template = reader.template(name, self._written[name], at)
        if reader.problems:
            self._wrong[name] = reader.problems
            raise SpecError(reader.problems)
        self._found[name] = Definition(template, self)
        return self._found[name]

    def _read_network(self, reader: Reader) -> Template:
        """The network that the document is, as a template of one input."""
        at = At(self.document)
        data = self.document.data
        template = reader.template(NETWORK, {**self.written(NETWORK), "body": data["body"]}, at)
        parameters = dict(template.parameters)
        for extension in self.extensions:
            parameters = override_defaults(parameters, extension, reader)
        return replace(
            template,
            parameters=parameters,
            outputs=reader.outputs(data.get("outputs", {}), at / "outputs"),
            list_outputs=lists_in(data.get("outputs", {})),
            defaults=reader.defaults(data.get("defaults", {}), at / "defaults"),
        )

    def written(self, name: str) -> Mapping[str, Any]:
        """A template of this document as it is written; its network as one would write it."""
        if name in self._written:
            return self._written[name]
        data = self.document.data
        return {"doc": data.get("doc", ""), "args": {UNTIL: _CUT, **data.get("args", {})}}

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
            own = [NETWORK] if "body" in library.document.data else []
            result += [f"{namespace}.{name}" for name in dict.fromkeys([*library.own_names, *own])]
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
        base, extensions = read_referenced(source, at), []
        if "extends" in base.data:
            base, extensions = follow_extends(base)
        library = read_library(base, open_texts, known)
        known[source] = replace(library, extensions=tuple(extensions))
    return known[source]

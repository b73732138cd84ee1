"""What a text can call: ops, its own templates, imported ones and the standard ones; and what each
takes. It is found in texts that are not right yet, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, TypeGuard

from archspec import schema
from archspec.document import At, Document, parse_document
from archspec.editor.passing import Find
from archspec.editor.words import EXAMPLES, arguments_of
from archspec.errors import SpecError
from archspec.grammar import WORDS, Schema
from archspec.library import Library, read_library, standard_library
from archspec.ops import OPS
from archspec.project import Source
from archspec.referring import follow_extends
from archspec.shallow import shallow_declaration
from archspec.syntax import INPUT, LIST, NETWORK, is_declaration, is_op


@dataclass(frozen=True, eq=False)
class Callee:
    """A template as its text writes it, and where: in which document, or in the text at hand."""

    name: str
    written: Mapping[str, Any]
    library: Library | None
    """None for one of the text at hand."""

    @property
    def doc(self) -> str:
        doc = self.written.get("doc", "")
        return doc if isinstance(doc, str) else ""

    @property
    def args(self) -> Mapping[str, Any]:
        """Its arguments as written; a doc that is not a text is none."""
        args = self.written.get("args")
        return {name: _without_odd_doc(one) for name, one in args.items()} if _is_dict(args) else {}

    @property
    def template(self) -> Mapping[str, Any]:
        """It with no more of wrong declarations than their docs and defaults."""
        args = {name: _without_wrong_range(one) for name, one in self.args.items()}
        return {"args": args, "body": self.written.get("body")}

    @property
    def inputs(self) -> tuple[str, ...]:
        inputs = self.written.get("inputs")
        named = inputs if isinstance(inputs, list) else [INPUT]
        return tuple(str(name).removesuffix(LIST) for name in named)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its results, none where it has only one."""
        outputs = self.written.get("outputs")
        if self.library is not None and self.name.endswith(NETWORK):
            outputs = self.library.document.data.get("outputs")
        return tuple(n.removesuffix(LIST) for n in outputs) if _is_dict(outputs) else ()

    @property
    def own_name(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def at(self) -> At | None:
        """Where it is written, if in another document."""
        if self.library is None:
            return None
        at = At(self.library.document)
        own = self.library.document.data.get("templates", {})
        return at / "templates" / self.own_name if self.own_name in own else at


@dataclass(frozen=True, eq=False)
class Known:
    """The words that may be called in one text."""

    templates: Mapping[str, Callee]
    base_args: Mapping[str, Any] = field(default_factory=dict)
    """Those of the spec that an extension extends."""
    base: Document | None = None

    @property
    def words(self) -> dict[str, str]:
        """What a node can be as a word alone, with what it means."""
        return {**WORDS, **{name: callee.doc for name, callee in self.templates.items()}}

    @property
    def calls(self) -> dict[str, str]:
        """What an `op` can be."""
        docs = {name: callee.doc for name, callee in self.templates.items()}
        return {**{name: op.doc for name, op in OPS.items()}, **docs}

    def arguments(self, target: str | None) -> dict[str, Schema]:
        """What a call takes, as schema fragments; {} for what is not known."""
        if target is None:
            return {}
        if target in OPS:
            return schema.attribute_properties(OPS[target])
        callee = self.templates.get(target)
        if callee is None:
            return {}
        return arguments_of(callee.template, self._finder(callee))

    def _finder(self, callee: Callee) -> Find:
        """What names mean in the body of a template."""

        def find(target: str) -> tuple[Mapping[str, Any], Find] | None:
            inner = self._beside(callee, target)
            return None if inner is None else (inner.template, self._finder(inner))

        return find

    def _beside(self, callee: Callee, target: str) -> Callee | None:
        """What a name means there."""
        if callee.library is None:
            return self.templates.get(target)
        return _callee(callee.library, target)

    def needs(self, target: str) -> tuple[str, ...]:
        """The arguments that a call must give."""
        if target in OPS:
            attributes = OPS[target].attributes()
            return tuple(item.name for item in attributes if item.default is MISSING)
        callee = self.templates.get(target)
        args = {} if callee is None else callee.args
        return tuple(
            name for name, one in args.items() if is_declaration(one) and "default" not in one
        )

    def example(self, name: str) -> Any:
        """A value to start from."""
        return EXAMPLES.get(name, 1)


def _is_dict(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _without_odd_doc(written: Any) -> Any:
    if not _is_dict(written) or isinstance(written.get("doc", ""), str):
        return written
    return {key: value for key, value in written.items() if key != "doc"}


def _without_wrong_range(written: Any) -> Any:
    if not is_declaration(written) or shallow_declaration().is_valid(written):
        return written
    return {key: value for key, value in written.items() if key in ("doc", "default")}


def read_known(data: Any, source: Source, shown: str) -> Known:
    """What the text with this data can call, as far as it can be found out."""
    data = data if isinstance(data, dict) else {}
    standard = standard_library()
    found: dict[str, Callee] = {}
    templates = data.get("templates")
    for name, written in (templates if isinstance(templates, dict) else {}).items():
        if isinstance(written, dict) and not is_op(name):
            found[name] = Callee(name, written, None)
    for name in standard.own_names:
        found.setdefault(name, Callee(name, standard.written(name), standard))
    imports = data.get("import")
    for namespace, reference in (imports if isinstance(imports, dict) else {}).items():
        library = _import(namespace, reference, source, shown)
        if library is not None:
            own = [NETWORK] if "body" in library.document.data else []
            for name in dict.fromkeys([*library.own_names, *own]):
                full = f"{namespace}.{name}"
                found[full] = Callee(full, library.written(name), library)
    base = _base(data.get("extends"), source, shown)
    return Known(found, {} if base is None else base.data.get("args", {}), base)


def _import(namespace: str, reference: Any, source: Source, shown: str) -> Library | None:
    if not isinstance(reference, str):
        return None
    data = {"archspec": 1, "import": {namespace: reference}, "templates": {}}
    try:
        library = read_library(parse_document(json.dumps(data), shown, source))
        return library.imports.get(namespace)
    except SpecError:
        return None


def _base(reference: Any, source: Source, shown: str) -> Document | None:
    """The spec at the end of what an extension extends."""
    if not isinstance(reference, str):
        return None
    data = {"archspec": 1, "name": "draft", "extends": reference}
    try:
        return follow_extends(parse_document(json.dumps(data), shown, source))[0]
    except SpecError:
        return None


def _callee(library: Library, name: str) -> Callee | None:
    try:
        definition = library.find(name)
    except SpecError:
        return None
    if definition is None:
        return None
    own = name.rpartition(".")[2]
    return Callee(name, definition.library.written(own), definition.library)

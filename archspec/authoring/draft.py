"""A text while it is being written, with all that is known of it, found out once and when asked
for."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any

from archspec.authoring.known import Known, read_known
from archspec.authoring.lines import Lines
from archspec.authoring.naming import Body, read_bodies
from archspec.authoring.tree import Item, read_tree
from archspec.authoring.watching import Shapes, Watcher
from archspec.document import LARGEST_FILE
from archspec.errors import SpecError
from archspec.expand import Expander
from archspec.graph import Graph
from archspec.project import Project, ReferenceRefused, Source
from archspec.sources import Folder, ProjectLike, project_of
from archspec.verdict import Verdict, judge_text

KEPT = 32
"""Drafts that are remembered, each while what it refers to is as it was."""
MAX_TEXTS = 200
"""Of a project, that are looked at again; a name is a new one with each letter that is typed."""


class Draft:
    """One text: `name` is its place in its `project`, as for archspec.loads."""

    def __init__(self, text: str, name: str, project: Project):
        self.text = text
        self.name = name
        self.project = project

    def path_of(self, source: Source) -> str | None:
        """The file that a text is, or None where its project is none of files."""
        project = source.project
        while isinstance(project, _Reads):
            project = project.project
        return str(project.root / source.name) if isinstance(project, Folder) else None

    @property
    def plain(self) -> str:
        """The text as archspec reads it: a byte order mark is a space, so that offsets stay."""
        return f" {self.text[1:]}" if self.text.startswith("\ufeff") else self.text

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.text)

    @cached_property
    def tree(self) -> Item:
        """The text's values with their places, whatever is wrong with it; none of one that is
        longer than a file may be."""
        return read_tree(self.plain if len(self.text) <= LARGEST_FILE else "")

    @cached_property
    def source(self) -> Source:
        """The text's place in its project."""
        try:
            return Source(self.project, self.project.resolve(self.name, ""))
        except ReferenceRefused:
            return Source(self.project, self.name)

    @cached_property
    def known(self) -> Known:
        """What it can call."""
        return read_known(self.tree.plain(), self.source, self.name)

    @cached_property
    def bodies(self) -> list[Body]:
        """Its bodies, with the names of the nodes in them."""
        return read_bodies(self.tree, self.known)

    @cached_property
    def watcher(self) -> Watcher:
        """Who was told of its expansion."""
        return Watcher(self.name)

    @cached_property
    def verdict(self) -> Verdict:
        """All that is wrong with it."""
        return judge_text(self.plain, name=self.name, project=self.project, observer=self.watcher)

    @property
    def graph(self) -> Graph | None:
        """Its network; None where it is wrong, or a search space or a library."""
        return self.verdict.graph

    @property
    def shapes(self) -> Shapes:
        """The shapes that each node has, as far as the expansion came."""
        program = self.verdict.program
        if program is not None and program.has_choice and not self.watcher.shapes:
            with suppress(SpecError):
                Expander(program).fragment(decide=lambda _key, _made: 0, observer=self.watcher)
        return self.watcher.shapes

    def body_at(self, item: Item) -> Body | None:
        """The body that a value stands in, the innermost."""
        by_item = {id(body.item): body for body in self.bodies}
        return next((by_item[id(i)] for i in item.ancestors() if id(i) in by_item), None)


class _Reads(Project):
    """A project that remembers what was read of it: `version` counts the times when something
    turned out to say something else."""

    def __init__(self, project: Project):
        self.project = project
        self.version = 0
        self._texts: dict[str, str | None] = {}

    def read(self, name: str) -> str:
        """The text of this name. Raises SpecError."""
        self._texts[name] = None
        text = self._texts[name] = self.project.read(name)
        return text

    def names(self) -> Iterable[str]:
        return self.project.names()

    def resolve(self, reference: str, origin: str) -> str:
        return self.project.resolve(reference, origin)

    def shown(self, name: str) -> str:
        return self.project.shown(name)

    def look_again(self) -> int:
        """The version, after everything was read once more."""
        if len(self._texts) > MAX_TEXTS:
            self._texts.clear()
            self.version += 1
        before = dict(self._texts)
        for name in before:
            with suppress(SpecError):
                self.read(name)
        self.version += before != self._texts
        return self.version


_projects: OrderedDict[Any, tuple[ProjectLike, _Reads]] = OrderedDict()
_drafts: OrderedDict[tuple[str, str, _Reads], tuple[int, Draft]] = OrderedDict()


def read_draft(text: str, *, name: str = "<text>", project: ProjectLike = None) -> Draft:
    """The draft that a text is; `name` and `project` are as for archspec.loads. A text that was
    asked for before, in the same project, is not read again while what it refers to is as it was.
    Raises SpecError where the project is not a folder."""
    reads = _reads_of(project)
    key = text, name, reads
    version = reads.look_again()
    kept = _drafts.pop(key, None)
    if kept is None or kept[0] != version:
        kept = version, Draft(text, name, reads)
    _drafts[key] = kept
    _forget(_drafts)
    return kept[1]


def _reads_of(project: ProjectLike) -> _Reads:
    """One for each project: documents that were checked are known by it."""
    key = os.fspath(project) if isinstance(project, (str, os.PathLike)) else id(project)
    kept = _projects.pop(key, None)
    if kept is None or (kept[0] is not project and key == id(project)):
        kept = project, _Reads(project_of(project))
    _projects[key] = kept
    _forget(_projects)
    return kept[1]


def _forget(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)

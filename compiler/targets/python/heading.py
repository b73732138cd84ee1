"""What stands above the classes of a generated file: what network it is, and its imports."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence, Set

from archspec.compiler.model import Model
from archspec.compiler.targets.python.dialect import Dialect, UsageExample
from archspec.compiler.targets.python.layout import WIDEST
from archspec.compiler.targets.python.names import escape, identifier
from archspec.shapes import written


def heading(
    model: Model, dialect: Dialect, network: str, weights: str, about_weights: Sequence[str]
) -> str:
    """The docstring: what the network is, how it is used, and what is said of its weights."""
    graph = model.graph
    outputs = ", ".join(f"{key} {written(shape)}" for key, shape in graph.output_shapes.items())
    image = ", ".join(map(str, graph.input_shape))
    results = ", ".join(identifier(key, ()) for key in graph.outputs)
    if graph is model.spec_graph:
        what = f"The spec {graph.name}"
    else:
        what = f"The spec {graph.name}, rewritten by archspec's passes"
    framework = dialect.framework
    lines = [
        *fill_lines(f"{graph.name}: {graph.doc}" if graph.doc else graph.name),
        "",
        *fill_lines(
            f"{what}, as {framework} {dialect.cells}. Written by archspec; only {framework} is"
            " needed to run it."
        ),
        "",
        f"    input        image {written(graph.input_shape)}, float32, any number of them",
        *fill_lines(outputs, "    output       ", " " * 17),
        f"    parameters   {graph.params:,} trainable",
        f"    MACs         {graph.macs:,} an image",
        f"    fingerprint  {model.spec_graph.fingerprint}",
        "",
        *(f"    {line}" for line in dialect.usage(UsageExample(network, results, image, weights))),
        *about_weights,
        *dialect.advice,
    ]
    # every line is escaped here, so that none can be forgotten
    return '"""' + "\n".join(map(escape, lines)) + '\n"""\n'


MAX_RENAMED = 5
"""Names that are told one by one."""


def about_names(
    names: Mapping[str, str], dialect: Dialect, renamed: Mapping[str, str]
) -> Iterator[str]:
    """Lines on what weights are called. `names` are the framework's by weight path, `renamed` the
    spec's words for attributes that could not have them."""
    if not names:
        return
    yield ""
    text = f"Parameters have the spec's names, such as {next(iter(names.values()))}."
    if any(path.rpartition(".")[2] != name.rpartition(".")[2] for path, name in names.items()):
        text += f" Norms have {dialect.framework}'s words for theirs."
    used = {word for name in names.values() for word in name.split(".")}
    told = [f"{attribute} is {word}" for attribute, word in renamed.items() if attribute in used]
    if told and dialect.rename is None:
        more = f" and {len(told) - MAX_RENAMED} more" if len(told) > MAX_RENAMED else ""
        shown = ", ".join(told[:MAX_RENAMED])
        text += f" No attribute can be called as in the spec: {shown}{more}."
    yield from fill_lines(text)


def fill_lines(text: str, before: str = "", margin: str = "") -> list[str]:
    """Text from a spec as lines of a docstring, with room left for its quotes."""
    lines = textwrap.wrap(
        " ".join(text.split()),
        WIDEST - 6,
        initial_indent=before,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [before]


def import_lines(names: Set[str], imports: Mapping[str, str]) -> str:
    """Those imports that bring one of the names; several from one module are one line."""
    lines: dict[str, str] = {}
    for name, line in imports.items():
        if name in names:
            start = line.removesuffix(f" {name}") if line.startswith("from ") else line
            lines[start] = f"{lines[start]}, {name}" if start in lines else line
    blocks: tuple[list[str], list[str]] = ([], [])
    for line in lines.values():
        blocks[line.split()[1].partition(".")[0] not in sys.stdlib_module_names].append(line)
    return "".join("\n" + "\n".join(block) + "\n" for block in blocks if block)

"""What stands above the classes of a generated file: what network it is, and its imports."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Set

from archspec.compiler.model import Model, weights_of
from archspec.compiler.targets.python.dialect import Dialect, UsageExample
from archspec.compiler.targets.python.layout import WIDEST
from archspec.compiler.targets.python.names import escaped, identifier
from archspec.shapes import written


def heading(
    model: Model, network: str, dialect: Dialect, weights: str, renamed: Mapping[str, str]
) -> str:
    """The docstring. `renamed` are the spec's names for attributes that could not have them."""
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
        *filled(f"{graph.name}: {graph.doc}" if graph.doc else graph.name),
        "",
        *filled(
            f"{what}, as {framework} {dialect.cells}. Written by archspec; only {framework} is"
            " needed to run it."
        ),
        "",
        f"    input        image {written(graph.input_shape)}, float32, any number of them",
        *filled(outputs, "    output       ", " " * 17),
        f"    parameters   {graph.params:,} trainable",
        f"    MACs         {graph.macs:,} an image",
        f"    fingerprint  {model.spec_graph.fingerprint}",
        "",
        *(f"    {line}" for line in dialect.usage(UsageExample(network, results, image, weights))),
        *_about_names(model, dialect, renamed),
        *dialect.advice,
    ]
    # every line is escaped here, so that none can be forgotten
    return '"""' + "\n".join(map(escaped, lines)) + '\n"""\n'


def _about_names(model: Model, dialect: Dialect, renamed: Mapping[str, str]) -> Iterator[str]:
    example = next(iter(weights_of(model.graph)), None)
    if example is not None:
        yield ""
        yield from filled(f"Parameters have the spec's names, such as {example}.")


def filled(text: str, before: str = "", margin: str = "") -> list[str]:
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

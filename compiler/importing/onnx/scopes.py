"""Which module of the network an exporter says that a node came from."""

from __future__ import annotations

import ast
import re
from collections.abc import Container

import onnx

NAME_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where torch's newer exporter keeps the modules, outermost first."""
_WEIGHT = re.compile(r"(.+)\.(weight|bias|gamma|beta|running_mean|running_var)")


def scope_of(node: onnx.NodeProto, constants: Container[str], is_ours: bool) -> str:
    """A dotted path, "layer1.0.conv1", or nothing. In a file of our own the part of a node's name
    before a slash is the node of the spec."""
    for entry in node.metadata_props:
        if entry.key == NAME_SCOPES:
            return _last(entry.value)
    for name in node.input:
        if name in constants and (found := _WEIGHT.fullmatch(name)):
            return _clean(found[1])
    if node.name.startswith("/"):
        return _clean(_join(node.name.strip("/").split("/")[:-1]))
    return _clean(node.name.partition("/")[0]) if is_ours else ""


def _last(text: str) -> str:
    """The innermost module of a list as Python writes it: a literal, which is not evaluated."""
    try:
        scopes = ast.literal_eval(text[:10_000])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list):
        return ""
    modules = [scope for scope in scopes[:-1] if isinstance(scope, str) and scope]
    return _clean(modules[-1]) if modules else ""


def _join(parts: list[str]) -> str:
    """ "layer1/layer1.0/conv1" as "layer1.0.conv1": a module of a list says the list's name too."""
    path: list[str] = []
    for part in parts:
        if path and part.startswith(path[-1] + "."):
            path[-1] = part
        else:
            path.append(part)
    return ".".join(path)


def _clean(path: str) -> str:
    segments = [re.sub(r"[^A-Za-z0-9_]", "_", segment) for segment in path.split(".")]
    return ".".join(segment for segment in segments if segment)[:200]

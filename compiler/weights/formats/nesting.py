"""State dicts inside what a file holds: training checkpoints, averages of weights, modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archspec.compiler.weights.formats.pickles import Damage, Thing

WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params",
    "module", "ema", "state_dict_ema", "ema_state_dict", "model_ema",
)  # fmt: skip
"""Keys of a training checkpoint that the weights of a network lie under, the likeliest first."""
OTHERS = ("optimizer", "optimizer_states", "scheduler", "lr_schedulers", "scaler", "callbacks")
"""Keys that hold tensors which are not weights."""
MAX_VISITS = 100_000
MAX_DEPTH = 32


def state_dicts(content: Any, kind: type) -> dict[str, dict[str, Any]]:
    """The tensors by name of each part of a file, by its key ("" where all of it is one part): a
    part is a dict with tensors, all below it counted, or a module. Raises Damage where a file
    refers to itself without end."""
    top = _children(content)
    direct = {name: value for name, value in top.items() if isinstance(value, kind)}
    if direct:
        # a state dict as it is; what else there is may be nested below it, as in JAX's trees
        return {"": dict(_walk(content, kind))}
    found: dict[str, dict[str, Any]] = {}
    for key, value in top.items():
        tensors = dict(_walk(value, kind))
        if tensors:
            found[key] = tensors
    return found


def flatten(
    found: Mapping[str, dict[str, Any]], is_whole: bool = False
) -> tuple[dict[str, Any], dict[str, int]]:
    """The tensors of the likeliest part by their names, those of the others not at all: their keys
    with how many they are. Where no part is called as weights are, or all of it `is_whole`ly
    wanted, they are by key and name."""
    if is_whole:
        return _by_key(found), {}
    if len(found) == 1 and next(iter(found)) not in OTHERS:
        return dict(next(iter(found.values()))), {}
    for key in WRAPPERS:
        if key in found:
            others = {other: len(tensors) for other, tensors in found.items() if other != key}
            return dict(found[key]), others
    return _by_key(found), {}


def _by_key(found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        ".".join(filter(None, (key, name))): value
        for key, tensors in found.items()
        for name, value in tensors.items()
    }


def _children(value: Any) -> dict[str, Any]:
    """What a dict or an object has, by name. A module has its parameters, buffers and modules."""
    if isinstance(value, dict):
        return {str(key): inner for key, inner in value.items()}
    if isinstance(value, Thing):
        state = value.state if isinstance(value.state, dict) else {}
        parts = [state.get(key) for key in ("_parameters", "_buffers", "_modules")]
        if all(isinstance(part, dict) for part in parts):
            return {name: inner for part in parts for name, inner in _children(part).items()}
        return {str(key): inner for key, inner in {**state, **value.items}.items()}
    if isinstance(value, (list, tuple)):
        return {str(index): inner for index, inner in enumerate(value)}
    return {}


def _walk(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """Every tensor below a value by its dotted name."""
    pending: list[tuple[str, Any, int]] = [("", value, 0)]
    visits = 0
    while pending:
        name, current, depth = pending.pop()
        visits += 1
        if visits > MAX_VISITS or depth > MAX_DEPTH:
            raise Damage("what it holds is nested without end")
        if isinstance(current, kind):
            yield name, current
            continue
        children = _children(current)
        pending += [
            (f"{name}.{key}" if name else key, inner, depth + 1)
            for key, inner in reversed(children.items())
        ]

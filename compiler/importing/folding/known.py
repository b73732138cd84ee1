"""Templates that every spec can call, known by what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.compiler.importing.folding.elements import CALL, USUAL, Element


def name_templates(body: list[Element]) -> list[Element]:
    """A body with calls of SqueezeExcite, Bottleneck, BasicBlock and Classifier in place of what
    they expand to."""
    result: list[Element] = []
    index = 0
    while index < len(body):
        for find in (_squeeze_excite, _classifier, _residual_block):
            found = find(body[index : index + 3])
            if found:
                element, taken = found
                result.append(element)
                index += taken
                break
        else:
            result.append(body[index])
            index += 1
    return result


def _plain(element: Element, **wanted: Any) -> bool:
    """Whether a ConvNormAct has these arguments, and of the others what is usual."""
    own = {**element.node}
    if element.op != CALL or "from" in own:
        return False
    expected = {**USUAL, "bias": own["bias"], "norm": own["norm"], **wanted}
    skipped = ("op", "name", "channels", *[k for k, v in wanted.items() if v is None])
    return all(own[key] == expected[key] for key in own if key not in skipped)


def _leaves(elements: list[Element]) -> list[str]:
    return [name for element in elements for name in element.flat_names()]


def _squeeze_excite(body: list[Element]) -> tuple[Element, int] | None:
    node = body[0].node
    inner = node.get("residual")
    if not inner or node.get("join") != "mul" or "shortcut" in node or len(inner) != 3:
        return None
    pool, reduce, expand = inner
    one = {"kernel": 1, "norm": "none", "bias": True, "act": None}
    if pool.op != "global_avg_pool" or not (_plain(reduce, **one) and _plain(expand, **one)):
        return None
    if "none" in (reduce.node["act"], expand.node["act"]):
        return None
    if expand.node["channels"] != body[0].channels:
        return None
    call = {
        "op": "SqueezeExcite", "name": _common(inner) or "squeeze_excite",
        "channels": reduce.node["channels"], "act": reduce.node["act"], "gate": expand.node["act"],
    }  # fmt: skip
    return Element(call, _leaves(body[:1]), body[0].channels), 1


def _common(body: list[Element]) -> str:
    first = [element.name.partition("_")[0] for element in body]
    return first[0] if len(set(first)) == 1 else ""


def _classifier(body: list[Element]) -> tuple[Element, int] | None:
    if [element.op for element in body] != ["global_avg_pool", "flatten", "dense"]:
        return None
    if any("from" in element.node for element in body) or not body[2].node["bias"]:
        return None
    call = {"op": "Classifier", "name": body[2].name, "classes": body[2].node["channels"]}
    return Element(call, _leaves(body), body[0].channels), 3


def _residual_block(body: list[Element]) -> tuple[Element, int] | None:
    """BasicBlock or Bottleneck, and the activation behind it."""
    if len(body) < 2 or body[1].op != "act" or "from" in body[1].node:
        return None
    node, act = body[0].node, body[1].node
    inner, side = node.get("residual"), node.get("shortcut", [])
    if not inner or node.get("join") != "add" or len(side) > 1 or act["alpha"] is not None:
        return None
    if act["approximate"] or len({(e.node.get("norm"), e.node.get("bias")) for e in inner}) > 1:
        return None
    own = act["function"]
    found = _bottleneck(inner, own) if len(inner) == 3 else _basic(inner, own)
    if found is None:
        return None
    call, stride, channels = found
    needs = stride != 1 or body[0].channels != channels
    if needs != bool(side) or (side and side[0].node.get("channels") != channels):
        return None
    if side and not _plain(side[0], kernel=1, stride=stride, act="none"):
        return None
    if side and (side[0].node["norm"], side[0].node["bias"]) != (
        inner[0].node["norm"], inner[0].node["bias"],
    ):  # fmt: skip
        return None
    call = {
        **call,
        "stride": stride,
        "act": own,
        "norm": inner[0].node["norm"],
        "bias": inner[0].node["bias"],
    }
    return Element(call, _leaves(body[:2]), body[0].channels), 2


def _bottleneck(inner: list[Element], act: str) -> tuple[dict[str, Any], int, int] | None:
    reduce, spatial, expand = inner
    if not (
        _plain(reduce, kernel=1, act=act)
        and _plain(spatial, stride=None, groups=None, act=act)
        and _plain(expand, kernel=1, act="none")
    ):
        return None
    width, rest = divmod(expand.node["channels"], 4)
    groups, middle = spatial.node["groups"], reduce.node["channels"]
    if rest or spatial.node["channels"] != middle or not isinstance(spatial.node["stride"], int):
        return None
    call = {"op": "Bottleneck", "name": "block", "width": width, "groups": groups}
    if middle != width * groups:
        call["middle"] = middle
    return call, spatial.node["stride"], 4 * width


def _basic(inner: list[Element], act: str) -> tuple[dict[str, Any], int, int] | None:
    if len(inner) != 2 or inner[0].op != CALL or not isinstance(inner[0].node.get("stride"), int):
        return None
    if not (_plain(inner[0], stride=None, act=act) and _plain(inner[1], act="none")):
        return None
    width = inner[1].node["channels"]
    if inner[0].node["channels"] != width:
        return None
    return {"op": "BasicBlock", "name": "block", "width": width}, inner[0].node["stride"], width


DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "SqueezeExcite": {"act": "relu", "gate": "sigmoid"},
    "Bottleneck": {"groups": 1, "stride": 1, "act": "relu"},
    "BasicBlock": {"stride": 1, "act": "relu"},
    "Classifier": {},
    CALL: USUAL,
}
"""What a call need not write."""

"""Spaces with choices in `op`, in `from`, by name, in arguments and between nodes, drawn at random:
what is said of them is what their networks, written by hand and counted here, turn out to be."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from test_random import check, examples, graph_of

from archspec.document import parse_document
from archspec.space import Space
from archspec.space_summary import summarize

SHAPE = (4, 6, 6)
PIXELS = 36
MAX_ASSIGNMENTS = 72


class Block(NamedTuple):
    """An op or template that keeps the shape: its nodes by hand, parameters and weights that
    multiply each pixel."""

    nodes: Sequence[Mapping[str, Any]]
    params: int
    weights: int


CONV = {"op": "conv", "channels": 4}
BLOCKS = {
    "zero": Block([{"op": "zero"}], 0, 0),
    "identity": Block([{"op": "identity"}], 0, 0),
    "none": Block([], 0, 0),
    "silu": Block([{"op": "act", "function": "silu"}], 0, 0),
    "batch_norm": Block([{"op": "batch_norm"}], 8, 0),
    "Point": Block([{**CONV, "kernel": 1}], 16, 16),
    "Depthwise": Block([{**CONV, "kernel": 3, "groups": 4}, {"op": "batch_norm"}], 44, 36),
    "Full": Block([{**CONV, "kernel": 3, "bias": True}], 148, 144),
}
TEMPLATES = {
    **{name: {"body": list(one.nodes)} for name, one in BLOCKS.items() if name[0].isupper()},
    "Placed": {"args": {"block": {"type": "op"}}, "body": {"op": "=block", "name": "placed"}},
}


class Step(NamedTuple):
    """A node of the space: as it is written; of each copy, which decision says what block it is;
    and which decision says what it takes, or what is written there."""

    name: str
    written: Mapping[str, Any]
    blocks: Sequence[str]
    source: str


class Drawn(NamedTuple):
    body: list[Any]
    args: dict[str, Any]
    steps: list[Step]
    decisions: dict[str, tuple[Any, ...]]


@st.composite
def spaces(draw) -> Drawn:
    edges = draw(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=2, max_size=3, unique=True))
    drawn = Drawn([], {"edges": edges}, [], {})
    for name in "abcde"[: draw(st.integers(2, 5))]:
        step, decisions = _draw_step(draw, name, edges, ["in", *(s.name for s in drawn.steps)])
        together = {**drawn.decisions, **decisions}
        if math.prod(map(len, together.values())) > MAX_ASSIGNMENTS:
            continue
        drawn.steps.append(step)
        drawn.body.append(step.written)
        drawn.decisions.update(decisions)
    return drawn


def _draw_step(draw, name, edges, before):
    decisions: dict[str, tuple[Any, ...]] = {}
    written: dict[str, Any] = {"name": name}
    kind = draw(st.sampled_from(("op", "named list", "shared", "argument", "nodes", "plain")))
    options = draw(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=2, max_size=3, unique=True))
    copies = draw(st.sampled_from((0, 0, 2))) if kind in ("op", "shared") else 0
    places = [f"{name}{number + 1}" for number in range(copies)] or [name]
    if kind == "op":
        written["op"] = {"choice": options}
        keys = [f"{place}.op" for place in places]
    elif kind == "named list":
        written["op"], options = {"choice": "=edges"}, edges
        keys = [f"{name}.op"]
    elif kind == "shared":
        written["op"], options = {"choice": "=edges", "name": "shared"}, edges
        keys = ["shared"] * len(places)
    elif kind == "argument":
        written |= {"op": "Placed", "block": {"choice": options}}
        keys = [f"{name}.block"]
    elif kind == "nodes":
        written["choice"] = [[] if option == "none" else {"op": option} for option in options]
        written["choice"] = ["silu" if o == {"op": "silu"} else o for o in written["choice"]]
        keys = [name]
    else:
        written["op"] = options[0] = "Point"
        keys = ["Point"]
    if copies:
        written["repeat"] = copies
    if kind != "plain":
        names = [f"option{place + 1}" for place in range(len(options))] if kind == "nodes" else []
        decisions.update(dict.fromkeys(keys, tuple(names or options)))
    sources = [before[-1]]
    if draw(st.booleans()):
        sources = draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True))
        written["from"] = sources[0] if len(sources) == 1 else {"choice": sources}
    key = sources[0]
    if len(sources) > 1:
        key = f"{name}.from"
        decisions[key] = tuple(sources)
    blocks = [*keys]
    if kind == "nodes":
        blocks = [":".join((name, *options))]
    return Step(name, written, blocks, key), decisions


def spec_of(drawn):
    return {
        "archspec": 1, "name": "s", "input": {"shape": list(SHAPE)}, "args": drawn.args,
        "templates": TEMPLATES, "body": [*drawn.body, END],
    }  # fmt: skip


END = {"op": "identity", "name": "end"}


def write_by_hand(drawn, assignment):
    """The nodes of a network, one after another, and what they cost."""
    body, params, macs = [], 0, 0
    result = {"in": "in"}
    for step in drawn.steps:
        source = step.source
        taken = result[assignment[source] if source.endswith(".from") else source]
        for block in step.blocks:
            decision, *options = block.split(":")
            option = assignment.get(decision, decision)
            name = options[int(option.removeprefix("option")) - 1] if options else option
            for node in BLOCKS[name].nodes:
                body.append({**node, "name": f"n{len(body)}", "from": taken})
                taken = body[-1]["name"]
            params += BLOCKS[name].params
            macs += BLOCKS[name].weights * PIXELS
        result[step.name] = taken
        last = taken
    body.append({"op": "identity", "name": "last", "from": last if drawn.steps else "in"})
    spec = {"archspec": 1, "name": "hand", "input": {"shape": list(SHAPE)}, "body": body}
    return spec, (params, macs)


@examples(40)
@given(spaces(), st.integers(0, 2**20))
def test_a_space_is_what_its_networks_are(drawn, seed):
    text = json.dumps(spec_of(drawn))
    space = Space(check(parse_document(text, "s.json")))
    keys = [*drawn.decisions]
    every = [
        dict(zip(keys, options, strict=True))
        for options in itertools.product(*drawn.decisions.values())
    ]
    wanted = [write_by_hand(drawn, assignment)[1] for assignment in every]
    listed = [*space.enumerate()]
    assert sorted(map(key_of, listed)) == sorted(map(key_of, every))
    assert [tuple(space.cost(assignment)) for assignment in every] == wanted

    found = summarize(space)
    assert found.why_drawn == ""
    assert found.assignments == len(every)
    for place, metric in enumerate(("params", "macs")):
        column = [cost[place] for cost in wanted]
        (said,) = (one for one in found.ranges if one.metric == metric)
        assert (said.least, said.most) == (min(column), max(column))

    some = random.Random(seed).sample(every, min(8, len(every)))
    for assignment in [space.sample(random.Random(seed)), *some]:
        graph = space.assign(assignment)
        spec, cost = write_by_hand(drawn, assignment)
        assert (graph.params, graph.macs) == cost
        assert graph.fingerprint == graph_of(spec).fingerprint
        assert graph_of(graph.normal_form()).fingerprint == graph.fingerprint
    if len(every) <= 24:
        different = len({space.assign(assignment).fingerprint for assignment in every})
        assert found.networks in (different, None)
        assert found.most_networks is None or found.most_networks >= different


def key_of(assignment):
    return sorted((key, str(option)) for key, option in assignment.items())


def test_what_is_drawn_is_of_every_kind():
    """Else the law above could hold of nothing."""
    met: set[str] = set()

    @examples(60, is_divided=False)
    @given(spaces())
    def look(drawn):
        text = json.dumps(drawn.body)
        for kind, sign in (
            ("op", '"op": {"choice": ['), ("list", '"op": {"choice": "=edges"'),
            ("from", '"from": {"choice": ['), ("shared", '"name": "shared"'),
            ("argument", '"block": {"choice": ['), ("copies", '"repeat": 2'), ("zero", '"zero"'),
            ("nodes", ', "choice": ['), ("none", '"none"'),
        ):  # fmt: skip
            if sign in text:
                met.add(kind)

    look()
    assert len(met) == 9

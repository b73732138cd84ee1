"""A network as a template of another: cut at a node, its results by name, its own defaults."""

import json

import pytest

import archspec

INPUT = {"shape": [3, 64, 64]}


def spec(body, **keys):
    return {"archspec": 1, "name": "net", "input": INPUT, "body": body, **keys}


def load(body, imports, texts=None, **keys):
    texts = {name: json.dumps(text) for name, text in (texts or {}).items()}
    return archspec.loads(
        json.dumps(spec(body, **{"import": imports}, **keys)), name="net.json", project=texts
    )


def nodes_below(graph, prefix):
    return {
        name.removeprefix(prefix): node
        for name, node in graph.nodes.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize("name", ["resnet18", "isynet_n1", "efficientnet_b0", "isynet_n1_s2"])
def test_a_shipped_network_is_node_for_node_the_same(name):
    """isynet_n1_s2 extends another; the others have defaults, imports and args of their own."""
    alone = archspec.load(name, input_shape=(3, 64, 64))
    graph = load({"op": "given.Network", "name": "back"}, {"given": name})
    inside = nodes_below(graph, "back.")
    assert list(inside) == list(alone.nodes)
    assert [n.layer.meaning for n in inside.values()] == [
        n.layer.meaning for n in alone.nodes.values()
    ]
    assert graph.params == alone.params


def test_what_is_behind_the_cut_is_not_built():
    body = [{"op": "resnet.Network", "name": "back", "until": "stage3"}, "relu"]
    graph = load(body, {"resnet": "resnet18"})
    alone = archspec.load("resnet18", input_shape=(3, 64, 64))
    kept = [name for name in alone.nodes if not name.startswith(("stage4", "classifier"))]
    assert list(graph.nodes) == [*(f"back.{name}" for name in kept), "act"]
    assert graph.output_shapes == {"logits": (256, 4, 4)}


def test_its_nodes_are_results_by_name():
    body = [
        {"op": "resnet.Network", "name": "back", "until": "stage4"},
        {"op": "add", "from": ["back.stage2", "back.stage2"]},
        {"op": "global_avg_pool", "name": "top", "from": "back"},
    ]
    graph = load(body, {"resnet": "resnet18"}, outputs={"low": "add", "high": "top"})
    assert graph.output_shapes == {"low": (128, 8, 8), "high": (512, 1, 1)}
    (source,) = {tensor.node for tensor in graph.nodes["add"].inputs}
    assert source.startswith("back.stage2")


STEM = {"op": "conv", "name": "stem", "kernel": 3, "channels": "=width"}
BASE = spec(
    [STEM, {"op": "Own", "name": "own"}],
    args={"width": 4},
    defaults={"conv": {"bias": True}},
    templates={"Own": {"body": "relu"}},
)


def test_defaults_hold_where_they_are_written():
    """A network's own inside it and no others; the spec's outside."""
    body = [{"op": "b.Network"}, {"op": "conv", "kernel": 1, "channels": 2}]
    graph = load(body, {"b": "base.json"}, {"base.json": BASE}, defaults={"conv": {"stride": 2}})
    stem, conv = graph.nodes["network.stem"].op, graph.nodes["conv"].op
    assert (stem.bias, stem.stride) == (True, (1, 1))
    assert (conv.bias, conv.stride) == (False, (2, 2))


def test_its_args_are_arguments_and_its_templates_stay_templates():
    body = [{"op": "b.Network", "width": 7}, "b.Own"]
    graph = load(body, {"b": "base.json"}, {"base.json": BASE})
    assert graph.output_shapes == {"logits": (7, 64, 64)}
    assert list(graph.nodes) == ["network.stem", "network.own.act", "own.act"]


def test_an_extension_has_its_own_args():
    wide = {"archspec": 1, "name": "wide", "extends": "base.json", "args": {"width": 9}}
    texts = {"base.json": BASE, "wide.json": wide}
    body = {"branches": ["b.Network", "w.Network"], "join": "concat"}
    graph = load(body, {"b": "base.json", "w": "wide.json"}, texts)
    assert graph.output_shapes == {"logits": (13, 64, 64)}


def test_several_results_of_a_network():
    both = [{**STEM, "name": "a", "channels": 2}, {**STEM, "name": "b"}]
    two = spec(both, args={"width": 3}, outputs={"low": "a", "high": "b"})
    body = [{"op": "t.Network", "name": "two"}, {"op": "concat", "from": ["two.low", "two.high"]}]
    graph = load(body, {"t": "two.json"}, {"two.json": two})
    assert graph.output_shapes == {"logits": (5, 64, 64)}


def test_copies_of_a_network_feed_each_other():
    same = spec({"op": "conv", "name": "c", "kernel": 3, "channels": "=in_channels"})
    graph = load([{"op": "s.Network", "name": "s", "repeat": 3}], {"s": "same.json"},
                 {"same.json": same})  # fmt: skip
    assert [node.inputs[0].node for node in graph.nodes.values()] == ["in", "s1.c", "s2.c"]


REFUSALS = {
    "no such node": ({"op": "b.Network", "until": "stom"}, "did you mean 'stem'"),
    "no such argument": ({"op": "b.Network", "depth": 3}, "has no argument 'depth'"),
    "no such result": ([{"op": "b.Network", "name": "n"}, {"op": "relu6", "from": "n.stam"}], None),
    "not a network": ({"op": "blocks.Network"}, "no template 'blocks.Network'"),
}


@pytest.mark.parametrize("body, sentence", REFUSALS.values(), ids=REFUSALS)
def test_refusals(body, sentence):
    with pytest.raises(archspec.SpecError) as error:
        load(body, {"b": "base.json", "blocks": "blocks/isynet"}, {"base.json": BASE})
    if sentence is not None:
        assert sentence in str(error.value)


def test_a_network_that_imports_itself_is_refused():
    one = {**BASE, "import": {"two": "two.json"}, "body": "two.Network"}
    two = {**BASE, "import": {"one": "one.json"}, "body": "one.Network"}
    texts = {"one.json": json.dumps(one), "two.json": json.dumps(two)}
    with pytest.raises(archspec.SpecError, match="imports itself in a circle"):
        archspec.loads(texts["one.json"], name="one.json", project=texts)

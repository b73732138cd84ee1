"""The modules that take masks, in the place of each framework's own dropout."""

from __future__ import annotations

import pytest
from oracles import runs

np = pytest.importorskip("numpy")

import archspec  # noqa: E402 (needs numpy)
from archspec import compiler  # noqa: E402
from archspec.training.noise import draw_masks, places_of  # noqa: E402


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v2", "densenet121"])
def test_every_noise_cell_of_mindspore_is_taken_over(name):
    ms = pytest.importorskip("mindspore")
    from archspec.training.backends.mindspore import noise

    graph = archspec.load(name, **({} if name == "efficientnet_b0" else {"dropout": 0.2}))
    network = compiler.build(graph)
    cells = noise.take_over(network, graph, 2)
    wanted = [n for n in graph.nodes.values() if n.op.name in ("dropout", "drop_path")]
    assert {p.name: p.rate for p in places_of(graph, 2)} == {n.name: n.op.rate for n in wanted}
    assert cells.keys() == {n.name for n in wanted}
    assert not [cell for _, cell in network.cells_and_names() if isinstance(cell, ms.nn.Dropout)]
    masks = {p.name for p in network.get_parameters() if p.name.startswith(noise.PREFIX)}
    assert masks == {f"noise.{node.name}" for node in wanted}
    assert not {p.name for p in network.trainable_params()} & masks


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v2", "densenet121"])
def test_every_noise_module_of_torch_is_taken_over(name):
    torch = pytest.importorskip("torch")
    from archspec.training.backends.torch import noise

    graph = archspec.load(name, **({} if name == "efficientnet_b0" else {"dropout": 0.2}))
    network = compiler.build(graph, "torch")
    before = network.state_dict().keys()
    modules = noise.take_over(network, graph, 2, "peer1.")
    wanted = [n for n in graph.nodes.values() if n.op.name in ("dropout", "drop_path")]
    assert modules.keys() == {f"peer1.{node.name}" for node in wanted}
    kinds = [type(module).__name__ for module in network.modules()]
    assert kinds.count("HostNoise") == len(wanted)
    assert not {"Dropout", "DropPath"} & {*kinds}
    assert network.state_dict().keys() == before
    assert torch.equal(next(iter(modules.values())).mask, torch.ones(2, 1, 1, 1)) or name != (
        "efficientnet_b0"
    )


@pytest.fixture
def graph(tmp_path):
    runs.write_inputs(tmp_path)
    return archspec.load(tmp_path / "noisy.json")


IMAGES = np.random.default_rng(0).standard_normal((4, 3, 12, 12), np.float32)


def masks_of(graph):
    masks = draw_masks(places_of(graph, 4), 1, 0)
    masks["classifier.dropout"] *= 0
    return masks


def test_masks_are_what_a_cell_multiplies_by(graph):
    ms = pytest.importorskip("mindspore")
    from archspec.training.backends.mindspore import noise

    network = compiler.build(graph)
    network.set_train(False)
    served = network(ms.Tensor(IMAGES)).asnumpy()
    cells = noise.take_over(network, graph, 4)
    network.set_train(False)
    assert np.array_equal(network(ms.Tensor(IMAGES)).asnumpy(), served)
    network.set_train(True)
    noise.set_masks(cells, masks_of(graph))
    bias = network.classifier.dense.bias.asnumpy()
    assert np.allclose(network(ms.Tensor(IMAGES)).asnumpy(), bias)


def test_masks_are_what_a_module_multiplies_by(graph):
    torch = pytest.importorskip("torch")
    from archspec.training.backends.torch import noise

    network = compiler.build(graph, "torch").eval()
    images = torch.from_numpy(IMAGES)
    served = network(images)
    modules = noise.take_over(network, graph, 4)
    assert torch.equal(network(images), served)
    network.train()
    noise.set_masks(modules, masks_of(graph))
    assert torch.allclose(network(images), network.classifier.dense.bias)

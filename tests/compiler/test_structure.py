"""Own networks in PyTorch, by names that no table has, placed by structure: the same logits."""

import json

import pytest

import archspec

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

# These need numpy, so they come after the lines that skip where it is missing.
from archspec.compiler.targets.reference import run  # noqa: E402
from archspec.compiler.weights.arrays import Entry  # noqa: E402
from archspec.compiler.weights.files import write_tensors  # noqa: E402
from archspec.compiler.weights.importing import import_weights  # noqa: E402
from archspec.compiler.weights.structure import match_structure  # noqa: E402

nn = torch.nn


def network(*body, **others):
    document = {"archspec": 1, "name": "mine", "input": {"shape": [3, 16, 16]}, "body": [*body]}
    return archspec.loads(json.dumps(document | others))


def conv(name, channels, kernel, **others):
    return {"op": "conv", "name": name, "channels": channels, "kernel": kernel, **others}


def unit(name, norm, channels, **others):
    """A convolution, a norm and a ReLU."""
    return {"name": name, "body": [conv("conv", channels, 3, **others), norm, "relu"]}


class ChannelNorm(nn.LayerNorm):
    def forward(self, maps):
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mixer(nn.Module):
    """A block of ConvNeXt, its matrices as dense layers and its scale a bare tensor."""

    def __init__(self, channels):
        super().__init__()
        self.scale_of_branch = nn.Parameter(torch.ones(channels, 1, 1))
        self.look = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.even = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 4 * channels)
        self.narrow = nn.Linear(4 * channels, channels)

    def forward(self, maps):
        inner = self.even(self.look(maps).permute(0, 2, 3, 1))
        inner = self.narrow(nn.functional.gelu(self.widen(inner)))
        return maps + self.scale_of_branch * inner.permute(0, 3, 1, 2)


def scaled():
    def block(name, channels):
        return {"name": name, "body": {"residual": [
            conv("depthwise", channels, 7, groups=channels, bias=True), "layer_norm",
            conv("expand", 4 * channels, 1, bias=True), "gelu",
            conv("project", channels, 1, bias=True),
            {"op": "layer_scale", "initial": 1}]}}  # fmt: skip

    wide = {"kernel": 2, "stride": 2, "padding": "valid", "bias": True}
    graph = network(
        conv("stem", 8, 4, stride=4, padding="valid", bias=True), block("one", 8), block("two", 8),
        "layer_norm", {"op": "conv", "name": "down", "channels": 16, **wide},
        block("three", 16), block("four", 16),
        "global_avg_pool", "flatten", {"op": "dense", "name": "classes", "channels": 5},
    )  # fmt: skip
    return graph, nn.Sequential(
        nn.Conv2d(3, 8, 4, 4), Mixer(8), Mixer(8), ChannelNorm(8), nn.Conv2d(8, 16, 2, 2),
        Mixer(16), Mixer(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


class Hourglass(nn.Module):
    """Down and up again by transposed convolutions, past two skips."""

    def __init__(self, norm):
        super().__init__()
        self.w1, self.w2 = self.unit(3, 8, norm), self.unit(8, 16, norm, 2)
        self.w3 = self.unit(16, 32, norm, 2)
        self.u1 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.w4 = self.unit(32, 16, norm)
        self.u2 = nn.ConvTranspose2d(16, 8, 2, 2)
        self.w5 = self.unit(16, 8, norm)
        self.z = nn.Conv2d(8, 2, 1)

    @staticmethod
    def unit(inputs, outputs, norm, stride=1):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm(outputs), nn.ReLU()
        )

    def forward(self, image):
        one = self.w1(image)
        two = self.w2(one)
        up = self.w4(torch.cat([two, self.u1(self.w3(two))], 1))
        return self.z(self.w5(torch.cat([one, self.u2(up)], 1)))


def hourglass(ours, theirs):
    def up(name, channels):
        return {"op": "conv_transpose", "name": name, "channels": channels, "kernel": 2,
                "stride": 2, "bias": True}  # fmt: skip

    graph = network(
        unit("a", ours, 8), unit("b", ours, 16, stride=2), unit("c", ours, 32, stride=2),
        up("rise", 16), {"op": "concat", "from": ["b", "rise"]}, unit("d", ours, 16),
        up("lift", 8), {"op": "concat", "from": ["a", "lift"]}, unit("e", ours, 8),
        conv("classes", 2, 1, bias=True),
    )  # fmt: skip
    return graph, Hourglass(theirs)


CASES = {
    "layer_scale": scaled,
    "group_norm": lambda: hourglass(
        {"op": "group_norm", "groups": 4}, lambda channels: nn.GroupNorm(4, channels)
    ),
    "instance_norm": lambda: hourglass(
        "instance_norm", lambda channels: nn.InstanceNorm2d(channels, affine=True)
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_own_networks_in_any_order_of_the_file(case, tmp_path):
    graph, module = CASES[case]()
    random = np.random.default_rng(0)
    for tensor in module.parameters():
        drawn = 0.3 * random.standard_normal(tensor.shape)
        tensor.data = torch.from_numpy(drawn.astype(np.float32))
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    image = random.standard_normal((2, 3, 16, 16)).astype(np.float32)
    with torch.no_grad():
        theirs = module.eval()(torch.from_numpy(image)).numpy()
    sources = []
    for order in (list(state), sorted(state), random.permutation([*state]).tolist()):
        match = match_structure(graph, {n: Entry(state[n].shape, "float32") for n in order})
        assert match.sources is not None, match.why
        sources.append({path: source.names for path, source in match.sources.items()})
    assert sources[0] == sources[1] == sources[2]
    write_tensors(tmp_path / "w.npz", {name: state[name] for name in order}, {})
    (ours,) = run(graph, import_weights(tmp_path / "w.npz", graph).weights, image).values()
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()

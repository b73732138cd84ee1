"""The space of NAS-Bench-201, arXiv 2001.00326: every network counted by arithmetic over the costs
of its edges, some by PyTorch modules written from the paper."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
from PIL import Image

from archspec.space import Space
from archspec.space_cost import cost_tree

NAME = "spaces/nas_bench_201"
EDGES = ("edge01", "edge02", "edge12", "edge03", "edge13", "edge23")
OPTIONS = ("zero", "identity", "Conv1", "Conv3", "Pool")
STAGES = ((16, 32), (32, 16), (64, 8))
"""Channels, and height and width of the maps."""
CELLS = 5


def conv_costs(taken, given, kernel, size):
    """Parameters with those of a batch norm, and MACs."""
    weights = taken * given * kernel * kernel
    return weights + 2 * given, weights * size * size


def edge_costs(option):
    """What an edge costs in all 15 cells."""
    kernel = {"Conv1": 1, "Conv3": 3}.get(option)
    stages = [conv_costs(width, width, kernel, size) for width, size in STAGES] if kernel else []
    return tuple(CELLS * sum(column) for column in zip(*stages, strict=True)) or (0, 0)


def other_costs():
    """What all networks have: a stem, two residual blocks that halve the maps, a head."""
    parts = [conv_costs(3, 16, 3, 32), (2 * 64, 0), (64 * 10 + 10, 64 * 10)]
    for (taken, _), (given, size) in itertools.pairwise(STAGES):
        parts += [conv_costs(taken, given, 3, size), conv_costs(given, given, 3, size)]
        parts.append((taken * given, taken * given * size * size))  # the shortcut has no norm
    return tuple(map(sum, zip(*parts, strict=True)))


def costs_by_hand(options):
    columns = zip(other_costs(), *map(edge_costs, options), strict=True)
    return tuple(map(sum, columns))


def test_every_network_costs_what_its_edges_do():
    tree = cost_tree(Space(NAME))
    assert set(tree.decisions) == set(EDGES)
    assert all(options == OPTIONS for options in tree.decisions.values())
    every = list(itertools.product(OPTIONS, repeat=6))
    wanted = [costs_by_hand(options) for options in every]
    found = [tree.cost(dict(zip(EDGES, options, strict=True)))[:2] for options in every]
    assert len(every) == tree.assignments == 15_625
    assert found == wanted
    for place, metric in enumerate(("params", "macs")):
        column = [cost[place] for cost in wanted]
        assert tree.bounds(metric) == (min(column), max(column))
    assert tree.bounds("params") == (73_306, 1_531_546)
    assert tree.bounds("macs") == (7_783_040, 220_119_680)


def bench_network(torch, kinds):
    """The network of six edges by the paper's text and figure 1; `kinds` by (from, to)."""
    nn = torch.nn

    def relu_conv_norm(taken, given, kernel, stride=1):
        conv = nn.Conv2d(taken, given, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(given))

    class Nothing(nn.Module):
        def forward(self, x):
            return x * 0

    makers = {
        "zero": lambda _: Nothing(),
        "identity": lambda _: nn.Identity(),
        "Conv1": lambda width: relu_conv_norm(width, width, 1),
        "Conv3": lambda width: relu_conv_norm(width, width, 3),
        "Pool": lambda _: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    }

    class Cell(nn.Module):
        def __init__(self, width):
            super().__init__()
            # in the order in which they run
            self.edges = nn.ModuleDict(
                {f"{a}{b}": makers[kinds[a, b]](width) for b in (1, 2, 3) for a in range(b)}
            )

        def forward(self, x):
            nodes = [x]
            for b in (1, 2, 3):
                nodes.append(sum(self.edges[f"{a}{b}"](nodes[a]) for a in range(b)))
            return nodes[3]

    class Reduction(nn.Module):
        def __init__(self, taken, given):
            super().__init__()
            self.body = nn.Sequential(
                relu_conv_norm(taken, given, 3, 2), relu_conv_norm(given, given, 3)
            )
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(2, 2), nn.Conv2d(taken, given, 1, bias=False)
            )

        def forward(self, x):
            return self.body(x) + self.shortcut(x)

    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)]
    for stage, (width, _) in enumerate(STAGES):
        layers += [Reduction(width // 2, width)] if stage else []
        layers += [Cell(width) for _ in range(CELLS)]
    head = [nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers, *head)


def count_macs(torch, network, image):
    total = 0

    def add(module, _, result):
        nonlocal total
        inputs = module.weight[0].numel()
        total += result[0].numel() * inputs

    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(add)
    with torch.no_grad():
        network(image)
    return total


@pytest.mark.thorough
def test_modules_by_the_paper_cost_and_compute_the_same():
    torch = pytest.importorskip("torch")
    np = pytest.importorskip("numpy")
    from oracles import published

    from archspec.compiler.targets import reference
    from archspec.compiler.weights.initialize import initialize

    one = Space(NAME)
    image = torch.from_numpy(published.draw_images(5, 32)[:1].copy())
    some = [("Conv1", "Pool", "zero", "identity", "Pool", "Conv3")]
    some += [tuple(random.Random(seed).choices(OPTIONS, k=6)) for seed in (3, 4)]
    for options in some:
        assignment = dict(zip(EDGES, options, strict=True))
        kinds = {(int(edge[-2]), int(edge[-1])): kind for edge, kind in assignment.items()}
        network = bench_network(torch, kinds).eval()
        graph = one.assign(assignment)
        params = sum(parameter.numel() for parameter in network.parameters())
        assert (graph.params, graph.macs) == (params, count_macs(torch, network, image))
        # both in the order in which they run
        state = {n: t for n, t in network.state_dict().items() if "num_batches" not in n}
        drawn = published.draw({n: tuple(t.shape) for n, t in state.items()}, 2)
        network.load_state_dict({n: torch.from_numpy(a) for n, a in drawn.items()}, strict=False)
        names = published.by_order(graph, {n: a.shape for n, a in drawn.items()})
        weights = {path: drawn[names[path]] for path in initialize(graph)}
        with torch.no_grad():
            wanted = network(image).numpy()
        found = reference.run(graph, weights, image.numpy())["logits"]
        assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.fixture
def images(tmp_path):
    """Two images of each of ten classes."""
    for split, label, number in itertools.product(("train", "val"), range(10), range(2)):
        path = tmp_path / "images" / split / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (25 * label, 40 * number, 9)).save(path)
    return tmp_path / "images"


@pytest.mark.slow
def test_a_smaller_one_is_searched_with_training(told, images, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    small = {"archspec": 1, "extends": NAME, "name": "small", "args": {"depth": 1, "width": 4}}
    Path("small.json").write_text(json.dumps(small))
    told(
        "search", "small.json", "--objective", "max:accuracy", "--objective", "min:macs",
        "--recipe", "tiny", "--set", "epochs=1", "--set", "batch=10", "--data", images,
        "--backend", "torch", "--trials", 2, "--baseline", 0, "--out", "found",
    )  # fmt: skip
    trials = [json.loads(line) for line in Path("found/trials.jsonl").read_text().splitlines()]
    assert [trial["state"] for trial in trials] == ["done", "done"]
    one = Space("small.json")
    for trial in trials:
        assert trial["objectives"]["macs"] == one.cost(trial["assignment"]).macs
        assert 0 <= trial["objectives"]["accuracy"] <= 1


@pytest.mark.thorough
def test_the_front_that_is_searched_is_that_of_all(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told(
        "search", NAME, "--objective", "min:macs", "--objective", "max:params",
        "--trials", 400, "--out", "found",
    )  # fmt: skip
    every = {costs_by_hand(options) for options in itertools.product(OPTIONS, repeat=6)}
    front = {
        (params, macs)
        for params, macs in every
        if not any(p >= params and m <= macs and (p, m) != (params, macs) for p, m in every)
    }
    lines = Path("found/pareto.csv").read_text().splitlines()
    columns = lines[0].split(",")
    places = columns.index("params"), columns.index("macs")
    found = {tuple(int(float(line.split(",")[place])) for place in places) for line in lines[1:]}
    assert found <= every
    assert len(found & front) > len(front) / 2

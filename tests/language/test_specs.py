"""The shipped specs against published counts, each other, and what they claim of themselves."""

from __future__ import annotations

import json
import random

import pytest
from oracles.covering import COVERING, features_of

import archspec
from archspec.document import read_document
from archspec.library import read_library
from archspec.sources import shipped_folder, shipped_names

NETWORKS = [name for name in shipped_names() if not name.startswith("spaces/")]
SPACES = [name for name in shipped_names() if name.startswith("spaces/")]
BLOCKS = sorted((shipped_folder() / "blocks").glob("*.json"))


def read(name):
    return json.loads((shipped_folder() / f"{name}.json").read_text())


def buffers(graph):
    return sum(node.layer.buffers for node in graph.nodes.values())


def tensors(graph):
    """How many weights are trained, and how many there are."""
    weights = [weight for node in graph.nodes.values() for weight in node.layer.weights]
    return sum(weight.trainable for weight in weights), len(weights)


def elements(graph, *ops):
    """Elements that the nodes of these ops give."""
    return sum(
        node.layer.output_shapes[0][0]
        * node.layer.output_shapes[0][-2]
        * node.layer.output_shapes[0][-1]
        for node in graph.nodes.values()
        if node.op.name in ops
    )


def test_every_kind_of_spec_is_shipped():
    assert len(NETWORKS) >= 30
    assert {"spaces/isynet", "spaces/single_path_nas", "spaces/tiny"} <= set(SPACES)


def test_networks_that_are_tried_at_length_have_what_all_have():
    assert set(shipped_names()) >= COVERING
    of_each = {name: features_of(archspec.load(name)) for name in NETWORKS}
    covered = set().union(*(of_each[name] for name in COVERING if name in of_each))
    missing = {name: found - covered for name, found in of_each.items() if found - covered}
    assert not missing, "add networks to COVERING in tests/oracles/covering.py"


@pytest.mark.parametrize("name", NETWORKS)
def test_network_meets_its_own_claims(name):
    graph = archspec.load(name)
    assert graph.name == name.replace("/", "_")
    assert graph.doc
    assert set(read(name)["expect"]) == {"params", "macs", "output", "source"}


@pytest.mark.parametrize("name", SPACES)
def test_every_assignment_of_a_space_is_a_network(name):
    space = archspec.Space(name)
    generator = random.Random(0)
    for _ in range(50):
        assignment = space.sample(generator)
        graph = space.assign(assignment)
        assert (graph.params, graph.macs) == space.cost(assignment)
        assert graph.output_shapes["logits"] == (graph.arguments["classes"],)


@pytest.mark.parametrize("name", ["tiny/isynet", "tiny/cspdarknet", "tiny/resnext", "tiny/spnas"])
def test_tiny_networks_are_tiny(name):
    graph = archspec.load(name)
    assert graph.params < 200_000
    assert max(graph.input_shape[1:]) <= 32


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_every_shared_template_is_used(path):
    used = {
        name
        for other in shipped_folder().rglob("*.json")
        for alias, reference in json.loads(other.read_text()).get("import", {}).items()
        if (other.parent / reference).resolve() == path
        for name in _find_called(json.loads(other.read_text()), f"{alias}.")
    }
    own = json.loads(path.read_text())
    used |= _find_called(own, "")
    assert set(read_library(read_document(path, path.name)).own_names) <= used


def _find_called(value, prefix):
    """The templates called anywhere in a JSON value under a prefix, which is left out."""
    if isinstance(value, list):
        return set().union(*(_find_called(item, prefix) for item in value))
    if not isinstance(value, dict):
        return set()
    inner = set().union(*(_find_called(item, prefix) for item in value.values()))
    op = value.get("op")
    if isinstance(op, str) and op.startswith(prefix):
        inner.add(op.removeprefix(prefix))
    return inner


# For each head of HEADS the trainable weights, and those with running statistics; then the tensors
# trained and all of the first head. Counted on the original MindSpore models.
ISYNET = {
    "isynet_n0": (
        9_596_555, 9_613_693, 9_594_553, 9_609_689,
        9_595_272, 9_612_408, 9_593_272, 9_608_408,
        136, 226,
    ),
    "isynet_n1": (
        7_427_851, 7_444_989, 7_425_849, 7_440_985,
        7_426_568, 7_443_704, 7_424_568, 7_439_704,
        122, 202,
    ),
    "isynet_n1_s1": (
        7_824_139, 7_844_349, 7_822_137, 7_840_345,
        7_822_856, 7_843_064, 7_820_856, 7_839_064,
        140, 232,
    ),
    "isynet_n1_s2": (
        8_861_707, 8_887_293, 8_859_705, 8_883_289,
        8_860_424, 8_886_008, 8_858_424, 8_882_008,
        176, 292,
    ),
    "isynet_n1_s3": (
        10_816_267, 10_846_717, 10_814_265, 10_842_713,
        10_814_984, 10_845_432, 10_812_984, 10_841_432,
        212, 352,
    ),
    "isynet_n2": (
        19_429_003, 19_465_341, 19_427_001, 19_461_337,
        19_427_720, 19_464_056, 19_425_720, 19_460_056,
        187, 311,
    ),
    "isynet_n3": (
        20_471_707, 20_506_861, 20_469_705, 20_502_857,
        20_470_424, 20_505_576, 20_468_424, 20_501_576,
        221, 357,
    ),
    "isynet_n3_s2": (
        28_472_987, 28_522_221, 28_470_985, 28_518_217,
        28_471_704, 28_520_936, 28_469_704, 28_516_936,
        305, 493,
    ),
}  # fmt: skip
HEADS = [(1001, True), (1001, False), (1000, True), (1000, False)]


@pytest.mark.parametrize("head", range(4), ids=[f"{c} classes, {n}" for c, n in HEADS])
@pytest.mark.parametrize("name", ISYNET)
def test_isynet_with_each_published_head(name, head):
    classes, last_norm = HEADS[head]
    graph = archspec.load(name, classes=classes, last_norm=last_norm)
    assert (graph.params, graph.params + buffers(graph)) == ISYNET[name][2 * head : 2 * head + 2]
    assert graph.macs == archspec.load(name).macs + 1280 * (classes - 1000)
    if head == 0:
        assert tensors(graph) == ISYNET[name][8:]


@pytest.mark.parametrize(
    "name, params, with_statistics, trained, all_tensors",
    [
        ("cspdarknet53", 27_642_184, 27_677_512, 218, 362),
        ("resnext152_64x4d", 114_971_944, 115_266_984, 467, 777),
        ("spnasnet", 4_421_616, 4_461_120, 194, 322),
    ],
)
def test_other_seeds_as_counted_on_the_originals(
    name, params, with_statistics, trained, all_tensors
):
    graph = archspec.load(name)
    assert graph.params == params
    assert graph.params + buffers(graph) == with_statistics
    assert tensors(graph) == (trained, all_tensors)


@pytest.mark.parametrize(
    "name, norm, activation",
    [
        ("isynet_n0", 1_793_792, 1_743_616),
        ("isynet_n1", 2_659_328, 2_659_328),
        ("isynet_n1_s1", 2_734_592, 2_734_592),
        ("isynet_n1_s2", 3_148_544, 3_148_544),
        ("isynet_n1_s3", 3_738_112, 3_738_112),
        ("isynet_n2", 4_578_560, 4_277_504),
        ("isynet_n3", 6_184_192, 5_531_904),
        ("isynet_n3_s2", 8_391_936, 7_589_120),
        ("cspdarknet53", 12_870_144, 12_870_144),
        ("resnext152_64x4d", 43_853_824, None),
        ("spnasnet", 6_030_528, 5_287_296),
    ],
)
def test_norms_and_activations_see_as_many_elements_as_in_the_originals(name, norm, activation):
    graph = archspec.load(name)
    assert elements(graph, "batch_norm") == norm
    assert activation in (None, elements(graph, "act"))


@pytest.mark.parametrize(
    "name, published",
    [
        ("isynet_n0", 1.13),
        ("isynet_n1", 2.85),
        ("isynet_n1_s1", 2.88),
        ("isynet_n1_s2", 3.34),
        ("isynet_n1_s3", 4.12),
        ("isynet_n2", 4.93),
        ("isynet_n3", 7.32),
        ("resnet18", 2.28),
        ("resnet34", 4.63),
        ("resnet50", 5.19),
    ],
)
def test_the_isynet_readme_counts_at_244_pixels_with_norms_activations_and_pooling(name, published):
    graph = archspec.load(name, input_shape=(3, 244, 244))
    merges = sum(
        node.layer.elementwise for node in graph.nodes.values() if node.op.category == "merge"
    )
    elementwise = sum(node.layer.elementwise for node in graph.nodes.values())
    assert round((graph.macs + elementwise - merges) / 1e9, 2) == published


def test_a_detector_is_its_classifier_without_the_head():
    detector, classifier = archspec.load("cspdarknet53_detector"), archspec.load("cspdarknet53")
    assert list(detector.nodes) == [
        name for name in classifier.nodes if not name.startswith("classifier")
    ]


@pytest.mark.parametrize(
    "name, width, params",
    [
        ("mobilenet_v2", 0.5, 1_968_680),
        ("mobilenet_v2", 1.4, 6_108_776),
        ("mobilenet_v3_large", 0.75, 3_377_576),
    ],
)
def test_width_scales_mobilenets_as_torchvision_0_29_does(name, width, params):
    assert archspec.load(name, width=width).params == params


def test_a_unet_has_the_weights_a_hand_counts():
    def double(inputs, channels):
        return 9 * (inputs + channels) * channels + 2 * channels

    widths = [64, 128, 256, 512, 1024]
    down = sum(double(a, b) for a, b in zip([1, *widths], widths, strict=False))
    up = sum(4 * 2 * c * c + c + double(2 * c, c) for c in widths[:-1])
    assert archspec.load("unet").params == down + up + 2 * 64 + 2


class TestSinglePathNas:
    SPACE = "spaces/single_path_nas"
    # Kernel and expansion of each layer of the network found; 0 leaves a layer out.
    FOUND = (
        "33 33 33 30",
        "56 33 33 33",
        "56 33 33 33",
        "56 53 53 53",
        "56 56 56 56",
    )

    def assignment(self, stages):
        return {
            f"stage{i}.layer{j}.{key}": int(value)
            for i, stage in enumerate(stages, 1)
            for j, layer in enumerate(stage.split(), 1)
            for key, value in zip(("kernel", "expand"), layer, strict=True)
        }

    def test_it_holds_the_network_that_was_found(self):
        found = archspec.Space(self.SPACE).assign(self.assignment(self.FOUND))
        assert found.fingerprint == archspec.load("spnasnet").fingerprint

    @pytest.mark.parametrize(
        "stage, params, macs",
        [("56 56 56 56", 4_833_768, 525.3), ("33 30 30 30", 2_457_384, 117.2)],
        ids=["largest", "smallest"],
    )
    def test_its_largest_and_smallest_networks(self, stage, params, macs):
        cost = archspec.Space(self.SPACE).cost(self.assignment([stage] * 5))
        assert cost.params == params
        assert round(cost.macs / 1e6, 1) == macs


def test_the_tiny_space_holds_400_networks():
    space = archspec.Space("spaces/tiny")
    assert len({space.assign(assignment).fingerprint for assignment in space.enumerate()}) == 400


class TestIsynetSpace:
    # As the original files have them: operations, widening (2 ** cIncrease), expansion, skip, last
    # activation and blocks of each stage; s3 is 3x1 then 1x3, - is identity.
    NETWORKS = {
        "isynet_n0": (
            ("5,-,-,-", 1, 1, "none", "relu", 1),
            ("3,-,3,-", 1, 1, "add", "relu", 2),
            ("3,3,3,1", 1, 1, "add", "relu", 4),
            ("1,-,-,3", 1, 1, "add", "none", 2),
            ("3,3,1,-", 1, 1, "add", "relu", 6),
        ),
        "isynet_n1": (
            ("7,-,-,-", 1, 1, "add", "relu", 1),
            ("s5,1,3,5", 1, 1, "add", "relu", 1),
            ("3,3,3,-", 2, 1, "add", "relu", 4),
            ("3,1,3,-", 1, 2, "add", "relu", 6),
            ("1,1,-,1", 1, 1, "add", "relu", 1),
        ),
        "isynet_n2": (
            ("3,7,-,7", 1, 1, "add", "relu", 1),
            ("5,-,3,3", 1, 2, "none", "none", 3),
            ("3,3,-,-", 1, 1, "add", "relu", 4),
            ("3,-,1,-", 2, 1, "add", "none", 17),
            ("1,-,1,1", 4, 1, "add", "relu", 2),
        ),
        "isynet_n3": (
            ("5,-,-,7", 2, 1, "none", "relu", 1),
            ("3,-,3,-", 2, 1, "add", "none", 5),
            ("3,s3,3,3", 2, 1, "add", "relu", 3),
            ("s3,1,-,3", 2, 1, "add", "none", 13),
            ("1,1,-,1", 4, 1, "none", "relu", 1),
        ),
    }

    @pytest.mark.parametrize("name", NETWORKS)
    def test_it_holds_the_published_networks(self, name):
        assignment = {}
        for number, stage in enumerate(self.NETWORKS[name], 1):
            operations, *rest = stage
            values = dict(zip(("widen", "expand", "skip", "act", "depth"), rest, strict=True))
            for index, word in enumerate(operations.split(",")):
                kernel = 0 if word == "-" else int(word[-1])
                values[f"operations.{index}"] = [kernel, word.startswith("s")]
            assignment |= {f"stage{number}.{key}": value for key, value in values.items()}
        graph = archspec.Space("spaces/isynet").assign(assignment)
        assert graph.fingerprint == archspec.load(name).fingerprint

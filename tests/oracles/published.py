"""The names and shapes of published checkpoints, and where each tensor belongs, worked out by other
means than name maps.

tests/data/published_names.json.xz holds {"publisher/network": [[name, shape], ...]} in the order of
the files: the model zoo's as Cell.get_parameters() gave them under MindSpore 2.10 and
MindCV 0.3.0's alike, torchvision 0.29 and timm 1.0.31 as state_dict() did.
"""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path

import numpy as np

from archspec.compiler.model import weights_of
from archspec.graph import Graph

LISTS = Path(__file__).parents[1] / "data" / "published_names.json.xz"

TIMM = {
    "vit_tiny_patch16_224": 224, "swin_tiny_patch4_window7_224": 224, "levit_128s": 224,
    "efficientformer_l1": 224, "hrnet_w18": 64, "poolformer_s12": 70, "starnet_s1": 64,
    "convnextv2_atto": 70, "repvit_m1": 70, "efficientvit_b0": 70, "fastvit_sa12": 70,
    "mobileone_s0": 70,
}  # fmt: skip
"""Networks of timm whose logits with drawn weights are in tests/data/timm_logits.json, with the
height and width of the images: small where no weight belongs to a place on the map."""

MINDCV = {
    "resnet50": 64, "mobilenet_v2_100": 64, "mobilenet_v3_large_100": 64, "efficientnet_b0": 64,
    "densenet121": 64, "repvgg_a0": 64, "inception_v3": 107, "convnextv2_atto": 64,
    "swin_tiny": 224, "vit_tiny": 224, "hrnet_w32": 64,
}  # fmt: skip
"""Networks of MindCV whose logits with drawn weights are in tests/data/mindcv_logits.json, with the
height and width of the images."""

NETWORKS = {
    **{
        f"modelzoo/isynet_{variant}": (f"isynet_{variant.lower().replace('-', '_')}", "modelzoo")
        for variant in ("N0", "N1", "N1-S1", "N1-S2", "N1-S3", "N2", "N3", "N3-S2")
    },
    "modelzoo/csp": ("cspdarknet53", "modelzoo"),
    "modelzoo/resnext_GPU": ("resnext152_64x4d", "modelzoo"),
    "modelzoo/resnext_Ascend": ("resnext152_64x4d", "modelzoo"),
    "modelzoo/spnas": ("spnasnet", "modelzoo"),
    "modelzoo/spnas_train_prefixed": ("spnasnet", "modelzoo"),
    **{
        f"torchvision/{name}": (name, "torch")
        for name in (
            "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "resnext101_64x4d",
            "mobilenet_v2", "efficientnet_b0", "densenet121", "mobilenet_v3_large",
            "inception_v3", "shufflenet_v2_x1_0",
        )
    },
    "timm/mobilenetv2_100": ("mobilenet_v2", "timm"),
    "timm/efficientnet_b0": ("efficientnet_b0", "timm"),
    "timm/tf_efficientnet_lite0": ("efficientnet_lite0", "timm"),
    "timm/spnasnet_100": ("spnasnet", "timm"),
    "timm/repvgg_a0": ("repvgg_a0", "timm"),
    "timm/mobilenetv3_large_100": ("mobilenet_v3_large", "timm"),
    "timm/inception_v3": ("inception_v3", "timm"),
    "timm/cspdarknet53": ("cspdarknet53", "timm"),
    **{f"timm/{name}": (name, "timm") for name in TIMM},
    **{
        f"mindcv/{name}": (name, "mindcv")
        for name in (
            "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "efficientnet_b0",
            "densenet121", "inception_v3", "repvgg_a0", "convnextv2_atto", "hrnet_w32",
        )
    },
    "mindcv/resnet101": ("resnet50", "mindcv"),
    "mindcv/resnet152": ("resnet50", "mindcv"),
    "mindcv/mobilenet_v2_100": ("mobilenet_v2", "mindcv"),
    "mindcv/mobilenet_v3_large_100": ("mobilenet_v3_large", "mindcv"),
    "mindcv/swin_tiny": ("swin_tiny_patch4_window7_224", "mindcv"),
    "mindcv/vit_tiny": ("vit_tiny_patch16_224", "mindcv"),
}  # fmt: skip
"""Each list's spec and publisher."""

ARGS = {
    **{
        f"modelzoo/isynet_{variant}": {"classes": 1001, "last_norm": True}
        for variant in ("N0", "N1", "N1-S1", "N1-S2", "N1-S3", "N2", "N3", "N3-S2")
    },
    "mindcv/resnet101": {"depths": [3, 4, 23, 3]},
    "mindcv/resnet152": {"depths": [3, 8, 36, 3]},
    "mindcv/hrnet_w32": {"head_bias": False},
}
"""What a list's spec is called with, where it is not its defaults."""

KINDS = {
    "gamma": "gamma", "beta": "beta",
    "moving_mean": "mean", "moving_variance": "variance",
    "running_mean": "mean", "running_var": "variance",
}  # fmt: skip


@cache
def load_published(network: str) -> dict[str, tuple[int, ...]]:
    """Shapes by name, in the file's order."""
    lists = json.loads(lzma.decompress(LISTS.read_bytes()))
    return {name: tuple(shape) for name, shape in lists[network]}


def fill(shapes: dict[str, tuple[int, ...]], dtype: type = np.float32) -> dict[str, np.ndarray]:
    """Arrays no two of which are alike, exact in half precision too."""
    return {
        name: (np.arange(np.prod(shape, dtype=int)) % 61 + index % 1000)
        .astype(dtype)
        .reshape(shape)
        for index, (name, shape) in enumerate(shapes.items())
    }


def draw(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Weights of a PyTorch module or a MindSpore cell by its names, with which signals stay near 1
    and every tensor shows; counters are 0. What follows from sizes alone stays as it is."""
    random = np.random.default_rng(seed)
    fixed = ("attn_mask", "relative_bias.index")
    drawn = {name: shape for name, shape in shapes.items() if not name.endswith(fixed)}
    return {name: _draw(random, name, shape) for name, shape in drawn.items()}


def _draw(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    kind = name.rpartition(".")[2]
    if kind in ("num_batches_tracked", "attention_bias_idxs"):
        return np.zeros(shape, np.int64)
    values = random.standard_normal(shape)
    if kind in ("running_var", "moving_variance"):
        values = 0.5 + np.abs(values)
    elif len(shape) == 1:
        values = 0.2 * values + (kind in ("weight", "gamma"))
    elif kind == "weight":
        values /= np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32)


def draw_images(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, 3, size, size)).astype(np.float32)


def by_order(graph: Graph, shapes: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """Their name of each of our weights where a file lists the layers as they run: the k-th kernel
    is the k-th, the k-th gamma the k-th, and so on."""
    theirs: dict[str, list[str]] = {}
    for name in shapes:
        theirs.setdefault(_their_kind(name, shapes), []).append(name)
    ours: dict[str, list[str]] = {}
    for path, weight in weights_of(graph).items():
        kind = KINDS.get(weight.name, f"{weight.name} of a layer")
        ours.setdefault(kind, []).append(path)
    return {
        path: name
        for kind, paths in ours.items()
        for path, name in zip(paths, theirs[kind], strict=True)
    }


def _their_kind(name: str, shapes: dict[str, tuple[int, ...]]) -> str:
    module, _, weight = name.rpartition(".")
    if weight in KINDS:
        return KINDS[weight]
    if f"{module}.running_mean" in shapes:
        return {"weight": "gamma", "bias": "beta"}.get(weight, weight)
    return f"{weight} of a layer"


# Files that list their layers otherwise, in the words of docs and papers.

CSP_MODEL_ZOO = {"stem": "conv0"} | {
    # stage 1 has one block among the numbered convolutions
    f"stage1.{ours}": f"conv{number}"
    for number, ours in enumerate(
        ("down", "main.enter", "main.block1.reduce", "main.block1.expand", "main.leave",
         "cross.enter", "merge"), start=1,
    )
}  # fmt: skip
for _stage, (_first, _depth) in {2: (8, 2), 3: (13, 8), 4: (18, 8), 5: (23, 4)}.items():
    for _offset, _ours in enumerate(("down", "main.enter", "main.leave", "cross.enter", "merge")):
        CSP_MODEL_ZOO[f"stage{_stage}.{_ours}"] = f"conv{_first + _offset}"
    for _block in range(_depth):
        for _place, _ours in ((1, "reduce"), (2, "expand")):
            CSP_MODEL_ZOO[f"stage{_stage}.main.block{_block + 1}.{_ours}"] = (
                f"layer{_stage}.{_block}.conv{_place}"
            )


def csp_model_zoo(path: str) -> str:
    """Their name of a weight of CSPDarkNet53."""
    if path.startswith("classifier"):
        return path.replace("classifier.dense", "head.fc")
    module, op, weight = path.rsplit(".", 2)
    return f"backbone.{CSP_MODEL_ZOO[module]}.{0 if op == 'conv' else 1}.{weight}"


TORCH_WEIGHTS = {
    "gamma": "weight", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip


def mindcv_repvgg(path: str) -> str:
    """MindCV's name of a weight of RepVGG-A0, whose stem is its stage 0."""
    if path.startswith("classifier"):
        return path.replace("classifier.dense", "linear")
    places = {"conv3": "rbr_dense", "conv1": "rbr_1x1", "conv": "0", "norm": "1"}
    *block, weight = path.removeprefix("stem.").split(".")
    stage = "0" if path.startswith("stem") else f"{block.pop(0)[5:]}.{int(block.pop(0)[5:]) - 1}"
    rest = ["rbr_identity"] if block == ["norm"] else [places[part] for part in block]
    return ".".join((f"stage{stage}", *rest, weight))


def repvgg(path: str) -> str:
    """timm's name of a weight of RepVGG-A0."""
    if path.startswith("classifier"):
        return path.replace("classifier.dense", "head.fc")
    *block, weight = path.split(".")
    if block[0] == "stem":
        place = "stem"
        rest = block[1:]
    else:
        place = f"stages.{int(block[0][5:]) - 1}.{int(block[1][5:]) - 1}"
        rest = block[2:]
    branch = {"conv3": "conv_kxk", "conv1": "conv_1x1", "norm": "identity"}[rest[0]]
    op = {("conv",): ".conv", ("norm",): ".bn", (): ""}[tuple(rest[1:])]
    return f"{place}.{branch}{op}.{TORCH_WEIGHTS.get(weight, weight)}"

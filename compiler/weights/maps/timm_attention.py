"""How timm 1.0 names the weights of networks with attention."""

from __future__ import annotations

from archspec.compiler.weights.families import (
    TORCH_COUNTERS,
    TORCH_WRAPPED,
    Family,
    Rule,
    conv_norm,
)
from archspec.compiler.weights.layouts import TORCH
from archspec.compiler.weights.maps.timm_convolutional import mobileone_rules

_LAYOUT = {
    **TORCH,
    "layer_scale": {"gamma": "gamma"},
    "param": {"value": ""},
    "attention": {"bias": ""},
}
"""A learnt tensor is not a module of theirs: rules have its whole name."""
_CONSTANTS = r".*(?P<kind>relative_position_index|attn_mask|attention_bias_idxs)"
"""What follows from the size of a window, which older files hold all the same."""


def _family(name: str, rules: tuple[Rule, ...]) -> Family:
    return Family(
        name=f"{name} of timm",
        publishers=("timm",),
        layout=_LAYOUT,
        rules=rules,
        rewrites=TORCH_WRAPPED,
        ignored=(*TORCH_COUNTERS, _CONSTANTS),
    )


def _block(ours: str, theirs: str) -> tuple[Rule, ...]:
    """A TransformerBlock."""
    return (
        Rule(f"{ours}.norm1", f"{theirs}.norm1"),
        Rule(f"{ours}.attention.qkv", f"{theirs}.attn.qkv", linear=True),
        Rule(f"{ours}.attention.project", f"{theirs}.attn.proj", linear=True),
        Rule(f"{ours}.norm2", f"{theirs}.norm2"),
        Rule(f"{ours}.mlp.expand", f"{theirs}.mlp.fc1", linear=True),
        Rule(f"{ours}.mlp.project", f"{theirs}.mlp.fc2", linear=True),
    )


VIT = _family(
    "Vision transformers",
    (
        Rule("patch", "patch_embed.proj"),
        Rule("class_token", "cls_token", turned=True),
        Rule("position", "pos_embed", turned=True),
        *_block("block{b}", "blocks.{b-1}"),
        Rule("norm", "norm"),
        Rule("classifier", "head"),
    ),
)

_LAYER = "layers.{s-1}"
SWIN = _family(
    "Swin transformers",
    (
        Rule("patch", "patch_embed.proj"),
        Rule("patch_norm", "patch_embed.norm"),
        Rule("stage{s}.merge.norm", f"{_LAYER}.downsample.norm"),
        Rule("stage{s}.merge.reduce", f"{_LAYER}.downsample.reduction", linear=True),
        *_block("stage{s}.block{b}", f"{_LAYER}.blocks.{{b-1}}"),
        Rule(
            "stage{s}.block{b}.attention.attention",
            f"{_LAYER}.blocks.{{b-1}}.attn.relative_position_bias_table",
        ),
        Rule("norm", "norm"),
        Rule("classifier.dense", "head.fc"),
    ),
)


def _linear_norm(
    ours: str, theirs: str, share: tuple[int, int, int] | None = None, heads: str = ""
) -> tuple[Rule, Rule]:
    """LeViT's linear layer on tokens and its norm."""
    return (
        Rule(f"{ours}.conv", f"{theirs}.linear", share=share, heads=heads, linear=True),
        Rule(f"{ours}.norm", f"{theirs}.bn", share=share, heads=heads),
    )


def _norm_linear(ours: str, theirs: str) -> tuple[Rule, Rule]:
    """One of LeViT's classifiers."""
    return (Rule(f"{ours}.norm", f"{theirs}.bn"), Rule(f"{ours}.dense", f"{theirs}.linear"))


_LEVIT_STAGE = "stages.{s-1}"
_LEVIT_BLOCK = f"{_LEVIT_STAGE}.blocks.{{b-1}}"
_LEVIT_DOWN = f"{_LEVIT_STAGE}.downsample"
_OUR_BLOCK = "stage{s}.block{b}"
_OUR_ATTENTION = f"{_OUR_BLOCK}.attention"
_OUR_DOWN = "stage{s}.down.attention"
_HEADS = f"{_OUR_ATTENTION}.attention"
_DOWN_HEADS = f"{_OUR_DOWN}.attention"
LEVIT = _family(
    "LeViT",
    (
        Rule("stem{i}.conv", "stem.conv{i}.linear"),
        Rule("stem{i}.norm", "stem.conv{i}.bn"),
        # each head has its q, k and v side by side, as wide as one, one and two keys
        *_linear_norm(f"{_OUR_ATTENTION}.q", f"{_LEVIT_BLOCK}.attn.qkv", (0, 1, 4), _HEADS),
        *_linear_norm(f"{_OUR_ATTENTION}.k", f"{_LEVIT_BLOCK}.attn.qkv", (1, 2, 4), _HEADS),
        *_linear_norm(f"{_OUR_ATTENTION}.v", f"{_LEVIT_BLOCK}.attn.qkv", (2, 4, 4), _HEADS),
        Rule(_HEADS, f"{_LEVIT_BLOCK}.attn.attention_biases"),
        *_linear_norm(f"{_OUR_ATTENTION}.project", f"{_LEVIT_BLOCK}.attn.proj.ln"),
        *_linear_norm(f"{_OUR_BLOCK}.mlp.expand", f"{_LEVIT_BLOCK}.mlp.ln1"),
        *_linear_norm(f"{_OUR_BLOCK}.mlp.project", f"{_LEVIT_BLOCK}.mlp.ln2"),
        *_linear_norm(
            f"{_OUR_DOWN}.k", f"{_LEVIT_DOWN}.attn_downsample.kv", (0, 1, 5), _DOWN_HEADS
        ),
        *_linear_norm(
            f"{_OUR_DOWN}.v", f"{_LEVIT_DOWN}.attn_downsample.kv", (1, 5, 5), _DOWN_HEADS
        ),
        *_linear_norm(f"{_OUR_DOWN}.q", f"{_LEVIT_DOWN}.attn_downsample.q.ln"),
        Rule(_DOWN_HEADS, f"{_LEVIT_DOWN}.attn_downsample.attention_biases"),
        *_linear_norm(f"{_OUR_DOWN}.project", f"{_LEVIT_DOWN}.attn_downsample.proj.ln"),
        *_linear_norm("stage{s}.down.mlp.expand", f"{_LEVIT_DOWN}.mlp.ln1"),
        *_linear_norm("stage{s}.down.mlp.project", f"{_LEVIT_DOWN}.mlp.ln2"),
        *_norm_linear("head1", "head"),
        *_norm_linear("head2", "head_dist"),
    ),
)

_BLOCK = "stages.{s-1}.blocks.{b-1}"
_LAST = "stages.3.blocks.4"
"""Number 3 of them makes tokens of pixels and has no weights."""
EFFICIENTFORMER = _family(
    "EfficientFormer-L1",
    (
        Rule("stem{i}.conv", "stem.conv{i}"),
        Rule("stem{i}.norm", "stem.norm{i}"),
        Rule("stage{s}.down.conv", "stages.{s-1}.downsample.conv"),
        Rule("stage{s}.down.norm", "stages.{s-1}.downsample.norm"),
        Rule("stage{s}.block{b}.scale1", f"{_BLOCK}.ls1"),
        Rule("stage{s}.block{b}.expand.conv", f"{_BLOCK}.mlp.fc1"),
        Rule("stage{s}.block{b}.expand.norm", f"{_BLOCK}.mlp.norm1"),
        Rule("stage{s}.block{b}.project.conv", f"{_BLOCK}.mlp.fc2"),
        Rule("stage{s}.block{b}.project.norm", f"{_BLOCK}.mlp.norm2"),
        Rule("stage{s}.block{b}.scale2", f"{_BLOCK}.ls2"),
        Rule("norm1", f"{_LAST}.norm1"),
        # each head has its q, k and v side by side, as wide as one, one and four keys
        *(
            Rule(
                f"attention.{part}",
                f"{_LAST}.token_mixer.qkv",
                share=share,
                heads="attention.attention",
                linear=True,
            )
            for part, share in (("q", (0, 1, 6)), ("k", (1, 2, 6)), ("v", (2, 6, 6)))
        ),
        Rule("attention.attention", f"{_LAST}.token_mixer.attention_biases"),
        Rule("attention.project", f"{_LAST}.token_mixer.proj", linear=True),
        Rule("scale1", f"{_LAST}.ls1"),
        Rule("norm2", f"{_LAST}.norm2"),
        Rule("mlp.expand", f"{_LAST}.mlp.fc1", linear=True),
        Rule("mlp.project", f"{_LAST}.mlp.fc2", linear=True),
        Rule("scale2", f"{_LAST}.ls2"),
        Rule("norm", "norm"),
        Rule("head1", "head"),
        Rule("head2", "head_dist"),
    ),
)


def _conv_norm(ours: str, theirs: str, given: str = "", unless: str = "") -> tuple[Rule, Rule]:
    """A ConvNormAct that has their names too."""
    return conv_norm(ours, f"{theirs}.conv", f"{theirs}.norm", unless, given)


def _inverted_rules(ours: str, theirs: str, given: str = "", unless: str = "") -> tuple[Rule, ...]:
    """EfficientViT's convolutions that widen, mix pixels and narrow."""
    return (
        *_conv_norm(f"{ours}.expand", f"{theirs}.main.inverted_conv", given, unless),
        *_conv_norm(f"{ours}.depthwise", f"{theirs}.main.depth_conv", given, unless),
        *_conv_norm(f"{ours}.project", f"{theirs}.main.point_conv", given, unless),
    )


_QKV = f"{_OUR_ATTENTION}.qkv"
_LATER = "stages.{s-1}.blocks.{b}"
"""Number 0 of a stage halves the resolution."""
_CONTEXT = f"{_LATER}.context_module.main"
EFFICIENTVIT = _family(
    "EfficientViT of MIT",
    (
        *_conv_norm("stem", "stem.in_conv"),
        *_inverted_rules("stem_block", "stem.res0"),
        *_inverted_rules("stage{s}.down", "stages.{s-1}.blocks.0"),
        *_inverted_rules(f"{_OUR_BLOCK}.local", _LATER, unless=_QKV),
        *_inverted_rules(f"{_OUR_BLOCK}.local", f"{_LATER}.local_module", given=_QKV),
        Rule(_QKV, f"{_CONTEXT}.qkv.conv"),
        Rule(f"{_OUR_ATTENTION}.near.depthwise", f"{_CONTEXT}.aggreg.0.0"),
        Rule(f"{_OUR_ATTENTION}.near.mix", f"{_CONTEXT}.aggreg.0.1"),
        *_conv_norm(f"{_OUR_ATTENTION}.project", f"{_CONTEXT}.proj"),
        *_conv_norm("head", "head.in_conv"),
        Rule("features", "head.classifier.0", linear=True),
        Rule("norm", "head.classifier.1"),
        Rule("classifier", "head.classifier.4"),
    ),
)

_LARGE = "stages.{s-1}.downsample.proj"
FASTVIT = _family(
    "FastViT",
    (
        *(
            rule
            for number in range(3)
            for rule in mobileone_rules(f"stem{number + 1}", f"stem.{number}")
        ),
        Rule("stage{s}.down.halve1.conv", f"{_LARGE}.0.large_conv.conv"),
        Rule("stage{s}.down.halve1.norm", f"{_LARGE}.0.large_conv.bn"),
        Rule("stage{s}.down.halve2.conv", f"{_LARGE}.0.small_conv.conv"),
        Rule("stage{s}.down.halve2.norm", f"{_LARGE}.0.small_conv.bn"),
        *mobileone_rules("stage{s}.down.point", f"{_LARGE}.1"),
        Rule("stage{s}.position", "stages.{s-1}.pos_emb.pos_enc"),
        *mobileone_rules(f"{_OUR_BLOCK}.mixer.mix", f"{_BLOCK}.token_mixer.mixer"),
        Rule(f"{_OUR_BLOCK}.mixer.shortcut.norm", f"{_BLOCK}.token_mixer.norm.identity"),
        Rule(f"{_OUR_BLOCK}.mixer.norm", f"{_BLOCK}.norm"),
        Rule(f"{_OUR_BLOCK}.mixer.qkv", f"{_BLOCK}.token_mixer.qkv", linear=True),
        Rule(f"{_OUR_BLOCK}.mixer.project", f"{_BLOCK}.token_mixer.proj", linear=True),
        Rule(
            f"{_OUR_BLOCK}.scale1",
            f"{_BLOCK}.layer_scale_1",
            given=f"{_OUR_BLOCK}.mixer.qkv",
            spread=True,
        ),
        Rule(f"{_OUR_BLOCK}.scale1", f"{_BLOCK}.token_mixer.layer_scale", spread=True),
        Rule(f"{_OUR_BLOCK}.near.conv", f"{_BLOCK}.mlp.conv.conv"),
        Rule(f"{_OUR_BLOCK}.near.norm", f"{_BLOCK}.mlp.conv.bn"),
        Rule(f"{_OUR_BLOCK}.expand", f"{_BLOCK}.mlp.fc1"),
        Rule(f"{_OUR_BLOCK}.project", f"{_BLOCK}.mlp.fc2"),
        Rule(
            f"{_OUR_BLOCK}.scale2",
            f"{_BLOCK}.layer_scale_2",
            given=f"{_OUR_BLOCK}.mixer.qkv",
            spread=True,
        ),
        Rule(f"{_OUR_BLOCK}.scale2", f"{_BLOCK}.layer_scale", spread=True),
        *mobileone_rules("final", "final_conv"),
        Rule("classifier.dense", "head.fc"),
    ),
)

FAMILIES = (VIT, SWIN, LEVIT, EFFICIENTFORMER, EFFICIENTVIT, FASTVIT)

"""Recipes: how a network is trained, as values that are checked like a spec.

    recipe = read_recipe("single_path_nas", ["optimizer.lr=0.1"])
    recipe.optimizer.lr, recipe.schedule, recipe.loss.smoothing ...

What a value means stands here, beside it; how its formula reads, in training.schedules and in
losses and optimizers of each backend. Their YAML is read in training.recipe_files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from archspec.document_schema import SPEC_NAME
from archspec.schema import TEXT, Schema, closed_object
from archspec.training.augmentations import fill_augmentations
from archspec.training.recipe_schema import (
    AT_LEAST_ZERO,
    FLAG,
    NULL,
    OVER_ZERO,
    PATTERN,
    POSITIVE,
    PROBABILITY,
    SEED,
    UNDER_ONE,
    Named,
    Section,
    make_section,
    one_of,
    or_null,
    plain,
    section,
    sections,
    setting,
    several,
)

VERSION = 1
BALANCED = "balanced"
"""Class weights that are taken of the images there are, see training.plan."""

SCHEMES = (
    "he", "he_zero", "xavier", "by_fan_in", "isynet", "cspdarknet", "resnext", "spnasnet",
)  # fmt: skip
"""Names of compiler.weights.initialize.SCHEMES, which a recipe's reader must know without numpy."""


@dataclass(frozen=True)
class Source(Section):
    """Where the recipe is from."""

    paper: str = setting(TEXT, "the paper", "")
    code: str = setting(TEXT, "the code it was read from", "")
    result: str = setting(TEXT, "what was published of a training by it", "")
    note: str = setting(TEXT, "where it differs from its source, and why", "")


@dataclass(frozen=True)
class Network(Section):
    """The network that the recipe is for. Its args are set unless the user sets them."""

    name: str = setting(TEXT, "a spec: a shipped name or a path")
    args: Mapping[str, Any] = setting({"type": "object"}, "values for the spec's args", {})  # type: ignore[assignment]


@dataclass(frozen=True)
class Init(Section):
    """How weights start."""

    scheme: str = setting({"enum": list(SCHEMES)}, "see compiler.weights.initialize", "he")


@dataclass(frozen=True)
class Data(Section):
    """How images are read."""

    workers: int = setting(POSITIVE, "threads that decode images, at most the CPUs there are", 8)
    shuffle: bool = setting(FLAG, "a new order each epoch", True)
    balanced: bool = setting(
        FLAG, "as many images of each class in an epoch, of few of them some again", False
    )


@dataclass(frozen=True)
class Mix(Section):
    """Images of a batch mixed with each other, and their labels with them. Where both are given,
    each batch takes one or the other, evenly."""

    mixup: float = setting(AT_LEAST_ZERO, "alpha of MixUp, arXiv 1710.09412; 0 for none", 0.0)
    cutmix: float = setting(AT_LEAST_ZERO, "alpha of CutMix, arXiv 1905.04899; 0 for none", 0.0)
    probability: float = setting(PROBABILITY, "of a batch being mixed", 1.0)


@dataclass(frozen=True)
class Mutual(Section):
    """Deep mutual learning, arXiv 1706.00384: other networks learn beside the first, and each from
    the others' probabilities."""

    specs: tuple[str, ...] = setting(several(TEXT, 1, 7), "the other networks, with the same args")
    weight: float = setting(OVER_ZERO, "of the Kullback-Leibler terms", 1.0)


@dataclass(frozen=True)
class Distill(Section):
    """Knowledge distillation, arXiv 1503.02531: a trained network's probabilities as labels."""

    spec: str = setting(TEXT, "the teacher")
    weights: str = setting(TEXT, "file of the teacher's weights")
    temperature: float = setting(OVER_ZERO, "divides the logits of both", 4.0)
    weight: float = setting(PROBABILITY, "of the teacher; the labels have the rest", 0.9)


CLASS_WEIGHTS: Schema = {
    "anyOf": [NULL, {"enum": [BALANCED]}, several(OVER_ZERO, 1, 1_000_000)],
}


@dataclass(frozen=True)
class Loss(Section):
    """Cross entropy, and what is added to it."""

    smoothing: float = setting(UNDER_ONE, "share of a label that goes to the other classes", 0.0)
    class_weights: str | tuple[float, ...] | None = setting(
        CLASS_WEIGHTS,
        "factors on the loss of each class, or balanced: images / (classes x images of the class)",
        None,
        convert=lambda value: value if isinstance(value, str) else tuple(map(float, value)),
    )
    mutual: Mutual | None = section(Mutual, "learn beside other networks", None)
    distill: Distill | None = section(Distill, "learn from a trained network", None)


BETAS: Schema = several({**UNDER_ONE}, 2, 2)
ENDINGS: Schema = several({"type": "string", "pattern": "^[a-z_]+$"})
NO_DECAY = ("bias", "beta", "gamma")


@dataclass(frozen=True)
class Optimizer(Named):
    """What all optimizers have."""

    lr: float = setting(OVER_ZERO, "the schedule's highest learning rate")
    weight_decay: float = setting(AT_LEAST_ZERO, "lambda", 0.0)
    no_decay: tuple[str, ...] = setting(ENDINGS, "weights that do not decay, by name", NO_DECAY)
    clip_norm: float | None = setting(or_null(OVER_ZERO), "the gradients' largest L2 norm", None)
    accumulate: int = setting(POSITIVE, "batches whose gradients are averaged for a step", 1)

    def decays(self, path: str) -> bool:
        """Whether a weight decays: "stage1.conv.weight" does unless "weight" is in `no_decay`."""
        return self.weight_decay > 0 and path.rpartition(".")[2] not in self.no_decay


@dataclass(frozen=True)
class Sgd(Optimizer):
    name: ClassVar[str] = "sgd"
    doc: ClassVar[str] = "stochastic gradient descent with momentum; decay is added to gradients"

    momentum: float = setting(UNDER_ONE, "0 for none", 0.9)
    nesterov: bool = setting(FLAG, "look ahead by the momentum", False)


@dataclass(frozen=True)
class Adam(Optimizer):
    name: ClassVar[str] = "adam"
    doc: ClassVar[str] = "Adam, arXiv 1412.6980; decay is added to gradients"

    betas: tuple[float, float] = setting(BETAS, "decay of the two moments", (0.9, 0.999))
    epsilon: float = setting(OVER_ZERO, "added to the root of the second moment", 1e-8)


@dataclass(frozen=True)
class RmsProp(Optimizer):
    name: ClassVar[str] = "rmsprop"
    doc: ClassVar[str] = "gradients over the root of their mean square; decay is added to them"

    alpha: float = setting(UNDER_ONE, "decay of the mean square", 0.99)
    epsilon: float = setting(OVER_ZERO, "added to the root of the mean square", 1e-8)
    momentum: float = setting(UNDER_ONE, "0 for none", 0.0)


@dataclass(frozen=True)
class AdamW(Optimizer):
    name: ClassVar[str] = "adamw"
    doc: ClassVar[str] = "Adam, bias-corrected, with decoupled weight decay, arXiv 1711.05101"

    betas: tuple[float, float] = setting(BETAS, "decay of the two moments", (0.9, 0.999))
    epsilon: float = setting(OVER_ZERO, "added to the root of the second moment", 1e-8)


@dataclass(frozen=True)
class Lamb(Optimizer):
    name: ClassVar[str] = "lamb"
    doc: ClassVar[str] = "Adam with a trust ratio for each decayed weight, arXiv 1904.00962"

    betas: tuple[float, float] = setting(BETAS, "decay of the two moments", (0.9, 0.999))
    epsilon: float = setting(OVER_ZERO, "added to the root of the second moment", 1e-6)


@dataclass(frozen=True)
class Lars(Optimizer):
    name: ClassVar[str] = "lars"
    doc: ClassVar[str] = "momentum with a trust ratio for each decayed weight, arXiv 1708.03888"

    momentum: float = setting(UNDER_ONE, "0 for none", 0.9)
    trust: float = setting(OVER_ZERO, "the trust ratio's factor, eta", 0.001)


OPTIMIZERS = {kind.name: kind for kind in (Sgd, Adam, AdamW, RmsProp, Lamb, Lars)}


@dataclass(frozen=True)
class Group(Section):
    """Weights that learn at another rate, or decay otherwise, than the others."""

    match: str = setting(PATTERN, "a pattern of names of nodes: 'classifier.*'")
    lr: float = setting(OVER_ZERO, "factor on their learning rate", 1.0)
    weight_decay: float = setting(AT_LEAST_ZERO, "factor on their weight decay", 1.0)


@dataclass(frozen=True)
class Schedule(Named):
    """What all schedules have: a linear warm-up."""

    warmup_epochs: float = setting(AT_LEAST_ZERO, "epochs until the learning rate is reached", 0.0)
    warmup_from: float = setting(AT_LEAST_ZERO, "the rate that the warm-up starts above", 0.0)


@dataclass(frozen=True)
class Constant(Schedule):
    name: ClassVar[str] = "constant"
    doc: ClassVar[str] = "the learning rate after the warm-up"


@dataclass(frozen=True)
class Cosine(Schedule):
    name: ClassVar[str] = "cosine"
    doc: ClassVar[str] = "half a cosine down to `final`, arXiv 1608.03983"

    final: float = setting(AT_LEAST_ZERO, "the rate it ends at", 0.0)
    every: str = setting({"enum": ["step", "epoch"]}, "how often the rate changes", "step")
    is_shifted: bool = setting(
        FLAG, "whether the cosine starts after the warm-up, else it runs beneath it", True
    )


@dataclass(frozen=True)
class LinearCosine(Schedule):
    name: ClassVar[str] = "linear_cosine"
    doc: ClassVar[str] = "a line times a cosine, plus a floor (linear cosine decay, 1709.07417)"

    periods: float = setting(OVER_ZERO, "of the cosine over the training less its warm-up", 0.5)
    floor: float = setting(AT_LEAST_ZERO, "added at every step, as a share of the rate", 0.001)


@dataclass(frozen=True)
class Step(Schedule):
    name: ClassVar[str] = "step"
    doc: ClassVar[str] = "times gamma at each milestone"

    milestones: tuple[int, ...] = setting(several(POSITIVE, 1), "epochs, from the start on")
    gamma: float = setting(OVER_ZERO, "factor", 0.1)


@dataclass(frozen=True)
class Exponential(Schedule):
    name: ClassVar[str] = "exponential"
    doc: ClassVar[str] = "times gamma every so many epochs, from the start on"

    gamma: float = setting(OVER_ZERO, "factor", 0.97)
    every_epochs: float = setting(OVER_ZERO, "epochs from one fall to the next", 1.0)


SCHEDULES = {kind.name: kind for kind in (Constant, Cosine, LinearCosine, Step, Exponential)}


@dataclass(frozen=True)
class LossScale(Section):
    """A factor on the loss that keeps half-precision gradients from vanishing."""

    initial: float = setting(OVER_ZERO, "the factor, or the first of them", 1.0)
    factor: int = setting(POSITIVE, "by which it falls and rises", 2)
    window: int = setting(POSITIVE, "steps without overflow until it rises", 2000)
    is_dynamic: bool = setting(
        FLAG, "smaller where gradients overflow, and the step left out", False
    )


DYNAMIC = LossScale(initial=65536.0, is_dynamic=True)
LOSS_SCALE: Schema = {
    "anyOf": [
        OVER_ZERO,
        {"enum": ["dynamic"]},
        closed_object({"initial": OVER_ZERO, "factor": POSITIVE, "window": POSITIVE}),
    ]
}


def _loss_scale(value: Any) -> LossScale:
    if value == "dynamic":
        return DYNAMIC
    if isinstance(value, Mapping):
        return make_section(LossScale, {**plain(DYNAMIC), **value})
    return LossScale(initial=float(value))


def _written_loss_scale(scale: LossScale) -> Any:
    if not scale.is_dynamic:
        return scale.initial
    return {"initial": scale.initial, "factor": scale.factor, "window": scale.window}


@dataclass(frozen=True)
class Precision(Section):
    """Mixed precision by MindSpore's levels: O0 float32, O1 half precision where it is safe, O2
    half precision but for batch norms, O3 half precision. PyTorch's autocast is O1, and all levels
    over O0 are that to it. CPUs train in float32 whatever stands here."""

    level: str = setting({"enum": ["O0", "O1", "O2", "O3"]}, "how much is in half precision", "O0")
    dtype: str = setting({"enum": ["float16", "bfloat16"]}, "what half precision is", "float16")
    tf32: bool = setting(FLAG, "float32 products of a GPU in TF32 (torch)", False)
    loss_scale: LossScale = setting(
        LOSS_SCALE,
        "a number, dynamic, or {initial, factor, window}",
        LossScale(),
        convert=_loss_scale,
        write=_written_loss_scale,
    )


@dataclass(frozen=True)
class Ema(Section):
    """An exponential moving average of the weights, which is evaluated in their place."""

    decay: float = setting(UNDER_ONE, "share of the average that stays at a step", 0.9999)
    warmup: bool = setting(
        FLAG, "whether the decay of step t, from 0, is at most (1 + t) / (10 + t)", True
    )


@dataclass(frozen=True)
class EarlyStop(Section):
    """An end before the last epoch, once the validation images gain no more."""

    patience: int = setting(POSITIVE, "epochs without a gain after which it ends", 10)
    watch: str = setting({"enum": ["top1", "val_loss"]}, "what of them is to gain", "top1")
    min_gain: float = setting(AT_LEAST_ZERO, "what more than this counts as a gain", 0.0)


@dataclass(frozen=True)
class Checkpoint(Section):
    """What is kept of a run beside its best and its last state."""

    every_epochs: int = setting(POSITIVE, "epochs from one to the next", 1)
    keep: int = setting(POSITIVE, "how many of them", 5)


@dataclass(frozen=True)
class Recipe(Section):
    """How a network is trained. The mappings in it are as plain JSON, and not to be changed."""

    name: str = setting(SPEC_NAME, "the recipe's name")
    doc: str = setting(TEXT, "a sentence about it", "")
    source: Source = section(Source, "where it is from", Source())
    spec: Network | None = section(Network, "the network it is for", None)
    epochs: int = setting(POSITIVE, "times that every image is seen")
    batch: int = setting(POSITIVE, "images per device and step")
    devices: int = setting(POSITIVE, "devices that the figures are for", 1)
    seed: int = setting(SEED, "of all that is random", 1)
    init: Init = section(Init, "how weights start", Init())
    data: Data = section(Data, "how images are read", Data())
    augment: tuple[Mapping[str, Any], ...] = setting(
        several({"type": "object"}),
        "what happens to an image, in this order",
        (),
        convert=fill_augmentations,
    )
    mix: Mix | None = section(Mix, "images of a batch mixed", None)
    loss: Loss = section(Loss, "what is minimised", Loss())
    optimizer: Optimizer = one_of(OPTIMIZERS, "what moves the weights")
    schedule: Schedule = one_of(SCHEDULES, "the learning rate over time", Constant())
    freeze: tuple[str, ...] = setting(
        several(PATTERN), "patterns of names of nodes that do not learn: 'stage[12].*'", ()
    )
    groups: tuple[Group, ...] = sections(
        Group, "weights that learn otherwise than the rest; the first that matches counts"
    )
    precision: Precision = section(Precision, "of the arithmetic", Precision())
    ema: Ema | None = section(Ema, "a moving average of the weights", None)
    early_stop: EarlyStop | None = section(EarlyStop, "an end once nothing is gained", None)
    quantize: str | None = setting(or_null({"enum": ["int8"]}), "learn for int8 (torch)", None)
    checkpoint: Checkpoint = section(Checkpoint, "what is kept", Checkpoint())


KEYS = {"recipe": {"const": VERSION}, "extends": TEXT}
"""Keys of a file that are not settings: the format's version, and the recipe it starts from."""

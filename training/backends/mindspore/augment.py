"""A recipe's `augment` as segments: images get their size from Pillow, and what else is done with
them is done by operations of mindspore.dataset, which run in its C++ threads.

What is set of each, and what is not, stands in training.augmentations.AUGMENTATIONS. Here each is a
function of the settings and the preprocessing. `random_erasing` is drawn in training.mixing, since
MindSpore's own erases in Python; so are mixup and cutmix, which need a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mindspore.dataset import vision
from mindspore.dataset.vision import AutoAugmentPolicy, ConvertMode

from archspec.compiler.images.steps import Preprocessing
from archspec.training.augmenting import entries_of
from archspec.training.sizing import SIZINGS, Sizing, sizings_before

Operation = Any
"""One of mindspore.dataset.vision's, which have no type of their own in common."""

POLICIES = {
    "imagenet": AutoAugmentPolicy.IMAGENET,
    "cifar10": AutoAugmentPolicy.CIFAR10,
    "svhn": AutoAugmentPolicy.SVHN,
}


@dataclass
class Segment:
    """Pillow's `sizings`, then MindSpore's operations, in stages of which each has one operation at
    most that draws at random."""

    sizings: list[Sizing] = field(default_factory=list)
    stages: list[list[Operation]] = field(default_factory=lambda: [[]])


def segments(augment: Sequence[Mapping[str, Any]], preprocessing: Preprocessing) -> list[Segment]:
    """What becomes of a decoded image (uint8, RGB) until it is what the network takes (float32,
    CHW).

    `augment` are the entries of a recipe, {name: settings}. Where none of them gives an image its
    size, it is resized and cut as for evaluation first. Raises UsageError for a name that is not
    known.
    """
    entries = entries_of(augment)
    result = [Segment(sizings_before([name for name, _ in entries], preprocessing))]
    draws = False
    for name, settings in entries:
        if name in SIZINGS:
            if result[-1].stages != [[]]:
                result.append(Segment())
                draws = False
            result[-1].sizings.append(SIZINGS[name](settings, preprocessing))
        elif name in AUGMENTATIONS:
            operation = AUGMENTATIONS[name](settings, preprocessing)
            if draws:
                result[-1].stages.append([])
            result[-1].stages[-1].append(operation)
            draws = True
    result[-1].stages[-1] += _as_tensor(preprocessing)
    return result


def _random_crop(settings: Any, to: Preprocessing) -> Operation:
    size = (to.height, to.width)
    return vision.RandomCrop(size, settings["padding"] or None)


def _horizontal_flip(probability: Any, _: Preprocessing) -> Operation:
    return vision.RandomHorizontalFlip(probability)


def _vertical_flip(probability: Any, _: Preprocessing) -> Operation:
    return vision.RandomVerticalFlip(probability)


def _color_jitter(settings: Any, _: Preprocessing) -> Operation:
    return vision.RandomColorAdjust(**settings)


def _rand_augment(settings: Any, _: Preprocessing) -> Operation:
    return vision.RandAugment(settings["ops"], settings["magnitude"], settings["bins"])


def _auto_augment(policy: Any, _: Preprocessing) -> Operation:
    return vision.AutoAugment(POLICIES[policy])


def _trivial_augment(bins: Any, _: Preprocessing) -> Operation:
    return vision.TrivialAugmentWide(bins)


AUGMENTATIONS: Mapping[str, Callable[[Any, Preprocessing], Operation]] = {
    "random_crop": _random_crop,
    "horizontal_flip": _horizontal_flip,
    "vertical_flip": _vertical_flip,
    "color_jitter": _color_jitter,
    "rand_augment": _rand_augment,
    "auto_augment": _auto_augment,
    "trivial_augment": _trivial_augment,
}


def _as_tensor(to: Preprocessing) -> list[Operation]:
    """The last of the steps: Normalize. An image of grey has come as three equal channels."""
    mean, std = list(to.normalize.mean), list(to.normalize.std)
    # of three channels these two give what ToTensor gives, to the bit, in two thirds of its time
    planes = [vision.HWC2CHW(), vision.Rescale(1 / 255, 0.0)]
    if to.channels == 1:
        planes = [vision.ConvertColor(ConvertMode.COLOR_RGB2GRAY), vision.ToTensor()]
    return [*planes, vision.Normalize(mean, std, is_hwc=False)]

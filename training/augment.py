"""A recipe's `augment` as operations of mindspore.dataset, which run in its C++ threads.

What is set of each, and what is not, stands in training.recipe.AUGMENTATIONS. Here each is a
function of the settings and the preprocessing. `random_erasing` is drawn in training.mixing, since
MindSpore's own erases in Python; so are mixup and cutmix, which need a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mindspore.dataset import vision
from mindspore.dataset.vision import AutoAugmentPolicy, ConvertMode, Inter

from archspec.compiler.images.preprocess import Preprocessing
from archspec.errors import UsageError, did_you_mean

Operation = Any
"""One of mindspore.dataset.vision's, which have no type of their own in common."""

INTERPOLATION = {
    "nearest": Inter.NEAREST,
    "bilinear": Inter.BILINEAR,
    "bicubic": Inter.PILCUBIC,  # Pillow's; Inter.BICUBIC skips pixels where it shrinks
}
POLICIES = {
    "imagenet": AutoAugmentPolicy.IMAGENET,
    "cifar10": AutoAugmentPolicy.CIFAR10,
    "svhn": AutoAugmentPolicy.SVHN,
}
SIZING = ("random_resized_crop", "resize")
ON_BATCHES = ("random_erasing",)


def stages(
    augment: Sequence[Mapping[str, Any]], preprocessing: Preprocessing
) -> list[list[Operation]]:
    """The operations from an encoded image (uint8) to what the network takes (float32, CHW), in
    stages of which each has one operation at most that draws at random.

    `augment` are the entries of a recipe, {name: settings}. Where none of them gives an image its
    size, it is resized and cut as for evaluation first, so that a random crop shifts it by no more
    than its padding. Raises UsageError for a name that is not known.
    """
    entries = [next(iter(entry.items())) for entry in augment]
    names = [name for name, _ in entries]
    known = [*AUGMENTATIONS, *ON_BATCHES]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no augmentation {name!r}{did_you_mean(name, known)}")
    entries = [(name, settings) for name, settings in entries if name not in ON_BATCHES]
    if names[:1] == ["random_resized_crop"]:
        # decodes only what is cut out, which is half the work of decoding
        first = [_cropped(vision.RandomCropDecodeResize, entries.pop(0)[1], preprocessing)]
        draws = True
    else:
        first = [vision.Decode()]
        draws = False
        if not set(names) & set(SIZING):
            first += _as_for_evaluation(preprocessing)
    result: list[list[Operation]] = [first]
    for name, settings in entries:
        operation = AUGMENTATIONS[name](settings, preprocessing)
        if name == "resize":
            result[-1].append(operation)
        elif draws:
            result.append([operation])
        else:
            result[-1].append(operation)
            draws = True
    result[-1] += _as_tensor(preprocessing)
    return result


def _cropped(kind: Callable[..., Operation], settings: Any, to: Preprocessing) -> Operation:
    return kind(
        (to.height, to.width),
        tuple(settings["scale"]),
        tuple(settings["ratio"]),
        INTERPOLATION[settings["interpolation"]],
    )


def _random_resized_crop(settings: Any, to: Preprocessing) -> Operation:
    return _cropped(vision.RandomResizedCrop, settings, to)


def _random_crop(settings: Any, to: Preprocessing) -> Operation:
    size = (to.height, to.width)
    return vision.RandomCrop(size, settings["padding"] or None)


def _resize(size: Any, to: Preprocessing) -> Operation:
    """Pixels for the short side, or [height, width]."""
    size = size if isinstance(size, int) else tuple(size)
    return vision.Resize(size, INTERPOLATION[to.interpolation])


def _horizontal_flip(probability: Any, _: Preprocessing) -> Operation:
    return vision.RandomHorizontalFlip(probability)


def _color_jitter(settings: Any, _: Preprocessing) -> Operation:
    return vision.RandomColorAdjust(**settings)


def _rand_augment(settings: Any, _: Preprocessing) -> Operation:
    return vision.RandAugment(settings["ops"], settings["magnitude"], settings["bins"])


def _auto_augment(policy: Any, _: Preprocessing) -> Operation:
    return vision.AutoAugment(POLICIES[policy])


def _trivial_augment(bins: Any, _: Preprocessing) -> Operation:
    return vision.TrivialAugmentWide(bins)


AUGMENTATIONS: Mapping[str, Callable[[Any, Preprocessing], Operation]] = {
    "random_resized_crop": _random_resized_crop,
    "random_crop": _random_crop,
    "resize": _resize,
    "horizontal_flip": _horizontal_flip,
    "color_jitter": _color_jitter,
    "rand_augment": _rand_augment,
    "auto_augment": _auto_augment,
    "trivial_augment": _trivial_augment,
}


def _as_for_evaluation(to: Preprocessing) -> list[Operation]:
    resized = vision.Resize(to.resize, INTERPOLATION[to.interpolation])
    return [resized, vision.CenterCrop((to.height, to.width))]


def _as_tensor(to: Preprocessing) -> list[Operation]:
    grey = [vision.ConvertColor(ConvertMode.COLOR_RGB2GRAY)] if to.channels == 1 else []
    return [*grey, vision.ToTensor(), vision.Normalize(list(to.mean), list(to.std), is_hwc=False)]

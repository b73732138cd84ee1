"""Recipes: how a network is trained, as YAML that is checked like a spec.

    recipe = read_recipe("single_path_nas", ["optimizer.lr=0.1"])
    recipe.optimizer.lr, recipe.schedule, recipe.loss.smoothing ...

A recipe can start from another: `extends: NAME` takes all of that recipe's values and puts its own
over them, objects key by key and everything else whole. What a value means stands here, beside it;
how its formula reads, in training.schedules and in losses and optimizers of each backend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from archspec.check_values import check_object
from archspec.document import At
from archspec.errors import Problem, SpecError, UsageError, did_you_mean, first_problems, listed
from archspec.json_values import shown
from archspec.schema import FILTERS, SPEC_NAME, TEXT, Schema, closed_object, described
from archspec.sources import project_folder
from archspec.training.recipe_schema import (
    AT_LEAST_ZERO,
    FLAG,
    NATURAL,
    OVER_ZERO,
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
    problems_of,
    section,
    setting,
    settings_of,
    several,
)
from archspec.training.yaml_document import YamlDocument, parse_value, read_yaml, written_yaml

VERSION = 1
MAX_EXTENSIONS = 10
FOLDER = Path(__file__).parent / "recipes"

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


@dataclass(frozen=True)
class Loss(Section):
    """Cross entropy, and what is added to it."""

    smoothing: float = setting(UNDER_ONE, "share of a label that goes to the other classes", 0.0)
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


OPTIMIZERS = {kind.name: kind for kind in (Sgd, AdamW, Lamb, Lars)}


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
    """Mixed precision by MindSpore's levels: O0 float32, O1 float16 where it is safe, O2 float16
    but for batch norms, O3 float16. CPUs train in float32 whatever stands here."""

    level: str = setting({"enum": ["O0", "O1", "O2", "O3"]}, "how much is float16", "O0")
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
class Checkpoint(Section):
    """What is kept of a run beside its best and its last state."""

    every_epochs: int = setting(POSITIVE, "epochs from one to the next", 1)
    keep: int = setting(POSITIVE, "how many of them", 5)


INTERPOLATION: Schema = {"enum": [*FILTERS]}
RANGE: Schema = several(OVER_ZERO, 2, 2)
STRENGTH: Schema = AT_LEAST_ZERO

AUGMENTATIONS: Mapping[str, tuple[Schema, Mapping[str, Any]]] = {
    "random_resized_crop": (
        described(
            closed_object({"scale": RANGE, "ratio": RANGE, "interpolation": INTERPOLATION}),
            "cut out a part, as a share of the area and width over height, and resize it",
        ),
        {"scale": [0.08, 1.0], "ratio": [0.75, 4 / 3], "interpolation": "bilinear"},
    ),
    "random_crop": (
        described(
            closed_object({"padding": NATURAL}), "pad with black and cut the input's size out"
        ),
        {"padding": 4},
    ),
    "resize": (
        described(
            {"anyOf": [POSITIVE, several(POSITIVE, 2, 2)]},
            "resize to a short side, or to [height, width]",
        ),
        {},
    ),
    "horizontal_flip": (described(PROBABILITY, "mirror with this probability"), {}),
    "color_jitter": (
        described(
            closed_object(
                {
                    "brightness": STRENGTH,
                    "contrast": STRENGTH,
                    "saturation": STRENGTH,
                    "hue": {"type": "number", "minimum": 0, "maximum": 0.5},
                }
            ),
            "strengths as torchvision's: brightness 0.4 is a factor from 0.6 to 1.4",
        ),
        {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
    ),
    "rand_augment": (
        described(
            closed_object({"ops": POSITIVE, "magnitude": NATURAL, "bins": POSITIVE}),
            "RandAugment, arXiv 1909.13719; magnitude counts from 0 to bins - 1",
        ),
        {"ops": 2, "magnitude": 9, "bins": 31},
    ),
    "auto_augment": (
        described({"enum": ["imagenet", "cifar10", "svhn"]}, "AutoAugment, arXiv 1805.09501"),
        {},
    ),
    "trivial_augment": (
        described(POSITIVE, "TrivialAugment, arXiv 2103.10158; the number of bins"),
        {},
    ),
    "random_erasing": (
        described(PROBABILITY, "Random Erasing, arXiv 1708.04896, with this probability"),
        {},
    ),
}
"""Augmentations by name: the schema of what is set of them, and what is not set of them. Strengths
of color_jitter are those of torchvision: brightness 0.4 is a factor from 0.6 to 1.4. `magnitude` is
of `bins` - 1: timm's m9 is 9 of 11 bins, torchvision's default 9 of 31; trivial_augment has the
number of bins alone. resize is to a short side, or to [height, width]."""


def _augment(entries: list[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The entries with their defaults filled in; each is an object of one key, name: settings."""
    result: list[Mapping[str, Any]] = []
    for entry in entries:
        ((name, value),) = entry.items()
        if isinstance(value, dict):
            value = {**AUGMENTATIONS[name][1], **value}
        result.append({name: value})
    return tuple(result)


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
        several({"type": "object"}), "what happens to an image, in this order", (), convert=_augment
    )
    mix: Mix | None = section(Mix, "images of a batch mixed", None)
    loss: Loss = section(Loss, "what is minimised", Loss())
    optimizer: Optimizer = one_of(OPTIMIZERS, "what moves the weights")
    schedule: Schedule = one_of(SCHEDULES, "the learning rate over time", Constant())
    precision: Precision = section(Precision, "of the arithmetic", Precision())
    ema: Ema | None = section(Ema, "a moving average of the weights", None)
    checkpoint: Checkpoint = section(Checkpoint, "what is kept", Checkpoint())


KEYS = {"recipe": {"const": VERSION}, "extends": TEXT}
"""Keys of a file that are no settings: the version of the format, and the recipe it starts from."""


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with archspec."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def read_recipe(name: str, settings: Iterable[str] = (), notes: list[str] | None = None) -> Recipe:
    """The recipe of a path, or a shipped one by its name, with settings such as "optimizer.lr=0.1"
    in place of its own.

    Where `settings` leave fewer epochs than the recipe warms up for, the warm-up keeps its share
    of the epochs; a sentence about it is added to `notes`. Raises SpecError with all that is wrong,
    UsageError for a setting without a value.
    """
    settings = list(settings)
    base = _resolve(_path(name), name, ())
    document = base
    for text in settings:
        document = _set(document, text)
    shorter = _shorter_warmup(base, document, settings)
    if shorter is not None:
        document, note = shorter
        if notes is not None:
            notes.append(note)
    problems = first_problems(_problems(document))
    if problems:
        raise SpecError(problems)
    return make_section(Recipe, document.data)


def recipe_of(data: Mapping[str, Any], shown: str) -> Recipe:
    """The recipe that plain data means, which an error calls `shown`. Raises SpecError."""
    document = YamlDocument(shown, data, {(): shown})
    problems = first_problems(_problems(document))
    if problems:
        raise SpecError(problems)
    return make_section(Recipe, data)


def as_yaml(recipe: Recipe) -> str:
    """The recipe as YAML with every setting in it; reading that gives the same recipe again."""
    return written_yaml(as_data(recipe))


def as_data(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON, with every setting in it."""
    return {"recipe": VERSION, **plain(recipe)}


def _path(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or Path(name).exists():
        return Path(name)
    if name not in recipe_names():
        hint = did_you_mean(name, recipe_names())
        raise SpecError(
            Problem(
                f"there is no file and no shipped recipe of this name{hint}"
                " (`archspec recipes` lists the shipped ones)",
                name[:200],
            )
        )
    return FOLDER / f"{name}.yaml"


def _resolve(path: Path, name: str, seen: tuple[Path, ...]) -> YamlDocument:
    """A recipe's file over the one it extends, over the one that extends, and so on."""
    document = read_yaml(path, name)
    at = At(document)  # type: ignore[arg-type]
    data = document.data
    if not isinstance(data, dict):
        raise at.error(f"a recipe is an object and this is {shown(data)}")
    if "extends" not in data:
        return document
    reference, at = data["extends"], at / "extends"
    if not isinstance(reference, str):
        raise at.error(f"extends is {shown(reference)}; use the name or path of a recipe")
    seen = (*seen, path.resolve())
    base = _base(reference, path, at)
    if base.resolve() in seen or len(seen) > MAX_EXTENSIONS:
        raise at.error(f"{reference!r} extends this recipe in turn; use another one")
    if "name" not in data:
        raise At(document).error("a recipe lacks 'name'")  # type: ignore[arg-type]
    return document.without("extends").over(_resolve(base, reference, seen))


def _base(reference: str, path: Path, at: At) -> Path:
    """The file that an `extends` means: a shipped recipe, or a relative path in the project."""
    if not reference.endswith((".yaml", ".yml")):
        if reference not in recipe_names():
            raise at.error(
                f"{reference[:200]!r} is neither the name of a shipped recipe nor a relative path"
                f" ending in .yaml{did_you_mean(reference, recipe_names())}"
            )
        return FOLDER / f"{reference}.yaml"
    home = path.resolve().parent
    project = project_folder(home)
    base = (home / reference).resolve()
    if not reference.isprintable() or not base.is_relative_to(project):
        raise at.error(
            f"{reference[:200]!r} leads outside the project {project}; use a path relative to this"
            " file and inside it"
        )
    return base


def _set(document: YamlDocument, text: str) -> YamlDocument:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text} lacks its value; use --set {text}=VALUE")
    first, _, rest = key.partition(".")
    inside = [] if rest or first in {**settings_of(Recipe), **KEYS} else _sections_with(first)
    if inside:
        raise SpecError(
            Problem(
                f"a recipe has no {first!r} of its own; did you mean"
                f" {listed([f'{name}.{first}' for name in inside])}?",
                f"--set {text}",
            )
        )
    return document.with_value(tuple(key.split(".")), parse_value(value), f"--set {text}")


WARMUP = ("schedule", "warmup_epochs")


def _shorter_warmup(
    base: YamlDocument, document: YamlDocument, settings: Iterable[str]
) -> tuple[YamlDocument, str] | None:
    """The document with a warm-up that is shorter by as much as its epochs are than the base's,
    where fewer epochs were set and nothing of the schedule."""
    keys = {text.partition("=")[0] for text in settings}
    if "epochs" not in keys or any(key.partition(".")[0] == "schedule" for key in keys):
        return None
    schedule = document.data.get("schedule")
    warmup = schedule.get("warmup_epochs") if isinstance(schedule, dict) else None
    before, epochs = base.data.get("epochs"), document.data.get("epochs")
    values = (warmup, before, epochs)
    if (
        not all(type(value) in (int, float) for value in values)
        or not 0 < epochs <= warmup < before
    ):
        return None
    shorter = warmup * epochs / before
    note = (
        f"the recipe warms up for {warmup:g} of {before} epochs; of {epochs} it is {shorter:.3g}"
        f" (--set {'.'.join(WARMUP)}=N sets another)"
    )
    return document.with_value(WARMUP, shorter, document.where(WARMUP)), note


def _problems(document: YamlDocument) -> Iterator[Problem]:
    at = At(document)  # type: ignore[arg-type]
    data = document.data
    form = list(_problems_of_form(at))
    yield from form
    if not form:
        yield from _problems_of_sense(at, make_section(Recipe, data))


def _sections_with(name: str) -> list[str]:
    """Paths of the sections of a recipe that have a setting of this name."""

    def inside(kind: type[Section], path: str) -> Iterator[str]:
        for key, metadata in settings_of(kind).items():
            kinds = [metadata["section"]] if "section" in metadata else metadata.get("kinds", {})
            for inner in kinds.values() if isinstance(kinds, Mapping) else kinds:
                if name in settings_of(inner):
                    yield f"{path}{key}"
                yield from inside(inner, f"{path}{key}.")

    return list(dict.fromkeys(inside(Recipe, "")))


def _problems_of_form(at: At) -> Iterator[Problem]:
    data = at.document.data
    if "recipe" not in data:
        yield at.problem(f"a recipe lacks 'recipe', its version; use recipe: {VERSION}")
    yield from problems_of(Recipe, at, "a recipe", KEYS)
    entries = data.get("augment")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield from _problems_of_entry(at / "augment" / number, entry)


def _problems_of_entry(at: At, entry: Mapping[str, Any]) -> Iterator[Problem]:
    if len(entry) != 1:
        met = listed(list(entry), "and") or "none"
        yield at.problem(f"an augmentation is one key with its settings and this has {met}")
        return
    yield from check_object(_entry_schema(), at, "an augmentation")


@cache
def _entry_schema() -> Schema:
    return closed_object({name: fragment for name, (fragment, _) in AUGMENTATIONS.items()})


def _problems_of_sense(at: At, recipe: Recipe) -> Iterator[Problem]:
    """What is wrong between values that are right each by itself."""
    schedule, optimizer, loss = recipe.schedule, recipe.optimizer, recipe.loss
    if schedule.warmup_epochs >= recipe.epochs:
        yield (at / "schedule" / "warmup_epochs").problem(
            f"warmup_epochs is {schedule.warmup_epochs:g} and epochs is {recipe.epochs};"
            " use fewer than there are epochs"
        )
    if schedule.warmup_from > optimizer.lr:
        yield (at / "schedule" / "warmup_from").problem(
            f"warmup_from is {schedule.warmup_from:g} and the learning rate {optimizer.lr:g};"
            " use a lower one"
        )
    if isinstance(schedule, Cosine) and schedule.final > optimizer.lr:
        yield (at / "schedule" / "final").problem(
            f"final is {schedule.final:g} and the learning rate {optimizer.lr:g}; use a lower one"
        )
    if isinstance(schedule, Step) and list(schedule.milestones) != sorted(set(schedule.milestones)):
        yield (at / "schedule" / "milestones").problem(
            f"milestones are {list(schedule.milestones)}; use each later than the one before"
        )
    if isinstance(optimizer, Sgd) and optimizer.nesterov and not optimizer.momentum:
        yield (at / "optimizer" / "nesterov").problem(
            "nesterov looks ahead by the momentum, which is 0; use more than 0"
        )
    if loss.mutual and loss.distill:
        yield (at / "loss" / "distill").problem("distill stands beside mutual; use one of the two")
    if recipe.mix and not (recipe.mix.mixup or recipe.mix.cutmix):
        yield (at / "mix").problem("mix has neither mixup nor cutmix; use an alpha for one")
    for number, entry in enumerate(recipe.augment):
        yield from _problems_of_ranges(at / "augment" / number, entry)


def _problems_of_ranges(at: At, entry: Mapping[str, Any]) -> Iterator[Problem]:
    ((name, value),) = entry.items()
    if name == "random_resized_crop":
        for key in ("scale", "ratio"):
            if value[key][0] > value[key][1]:
                yield (at / name / key).problem(
                    f"{key} is {shown(value[key])}; use the smaller first"
                )
        if value["scale"][1] > 1:
            yield (at / name / "scale").problem(
                f"scale is {shown(value['scale'])}; use shares of the image's area, at most 1"
            )
    if name == "rand_augment" and value["magnitude"] >= value["bins"]:
        yield (at / name / "magnitude").problem(
            f"magnitude is {value['magnitude']} of {value['bins']} bins, which count from 0;"
            f" use at most {value['bins'] - 1}"
        )

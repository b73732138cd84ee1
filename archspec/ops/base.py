"""What every primitive op says of itself: attributes, arity, shapes, weights and work.

An op is a frozen dataclass; its fields are its attributes, and each field carries the fragment of
JSON Schema its value must meet, range included, so the spec schema, the checker, the defaults and
the docs come from one place. An op is in one form the moment it is made, however its attributes
were written: equal ops do the same, and `resolve` says what is the same on given shapes alone.
Nothing here knows a framework: how a target spells an op stands in that target.

What a class must say has no default: its shapes, what initial weights are scaled by, what kind of
work it is and whether a scale behind it can be folded into it. A class that leaves one out cannot
be made into an op.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from archspec.ops.page import Page
from archspec.ops.window import Window
from archspec.shapes import Shape, ShapeError, Shapes, elements, written

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Weight:
    """One array an op owns: its name within the op, its shape, what it starts from, and whether
    training moves it.

    A convolution's kernel is (channels out, channels in / groups, height, width), a dense layer's
    (features out, features in). `start` is one number for all elements, or None where they are
    drawn at random by the op's fans. `trainable` is False for running statistics.
    """

    name: str
    shape: Shape
    start: float | None
    trainable: bool = True

    @property
    def size(self) -> int:
        return elements(self.shape)


class Fans(NamedTuple):
    """By how many inputs a result is made of, and how many results an input goes into, as far as
    a filter reaches: what random weights are scaled by."""

    inputs: int
    outputs: int


class Work(NamedTuple):
    """What an op does with numbers, for models of time.

    "convolve": sums of products with weights under a window of `taps`, in `groups` of channels
    "multiply": a product with one matrix of weights
    "contract": products of its inputs with each other
    "window": each result from the `taps` numbers of a window of its own channel
    "scale": in inference one factor, and perhaps one constant, for each channel
    "function": one function of each number alone
    "sum": of its inputs
    "part": gives a part of its input, and reads no more than that
    "shuffle": channels change places
    "stream": anything else that reads its inputs once and writes its results once
    """

    kind: Literal[
        "convolve",
        "multiply",
        "contract",
        "window",
        "scale",
        "function",
        "sum",
        "part",
        "shuffle",
        "stream",
    ]
    taps: int = 1
    groups: int = 1

    @property
    def multiplies(self) -> bool:
        """Whether it is multiply-accumulates."""
        return self.kind in ("convolve", "multiply", "contract")

    @property
    def has_filters(self) -> bool:
        """Whether it is multiply-accumulates with weights."""
        return self.kind in ("convolve", "multiply")


Folding: TypeAlias = Literal["nothing", "scale", "affine"]
"""What of y = scale * x + shift, one pair per channel, behind an op its own weights can take in:
"scale" where its trained weights of a channel times a factor give the channel times that factor,
"affine" where its attribute `bias` adds a constant as well."""


def attribute(
    schema: Schema,
    doc: str,
    default: Any = MISSING,
    convert: Callable[[Any], Any] | None = None,
    only_for: Mapping[str, tuple[str, ...]] | None = None,
) -> Any:
    """A dataclass field that is an op's attribute.

    `schema` is the JSON Schema fragment a literal value meets, range included; `convert` brings the
    ways of writing one value (3 and [3, 3]) to one form, and a real number becomes a float without.
    `only_for` names the one attribute, declared before this one, on which it hangs whether this one
    means anything, and that one's values for which it does: {"function": ("elu",)}.
    """
    if convert is None and schema.get("type") == "number":
        convert = as_real
    metadata = {"schema": schema, "doc": doc, "convert": convert, "only_for": only_for or {}}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Op(ABC):
    """Base of all ops. Subclasses name themselves and say what is abstract here; the rest has
    defaults that are true of an op without weights and without arithmetic."""

    name: ClassVar[str]
    doc: ClassVar[str]
    category: ClassVar[str]
    """conv, dense, param, norm, act, pool, merge, reshape or regularize."""
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    """Fewest and most inputs; None means no limit, and (0, 0) a node that takes nothing."""
    page: ClassVar[Page]
    input_names: ClassVar[tuple[str, ...]] = ()
    """What several inputs of different meaning are called, in their order."""
    is_view: ClassVar[bool] = False
    """True where inference gives the input's own bytes back, so no new activation is stored."""
    is_noise: ClassVar[bool] = False
    """True where training draws again at each use, and inference gives the input back."""

    def __post_init__(self) -> None:
        for item in _attributes_of(type(self)):
            value = getattr(self, item.name)
            if item.convert is not None:
                value = item.convert(value)
            if item.only_for and not item.applies(vars(self)):
                value = item.default
            object.__setattr__(self, item.name, value)
        for name, value in self.simplify().items():
            object.__setattr__(self, name, value)

    @classmethod
    def attributes(cls) -> tuple[Field[Any], ...]:
        return fields(cls)

    def simplify(self) -> Mapping[str, Any]:
        """The attributes of which another value does the same on all shapes, with that value: of
        several ways to say one thing there is one."""
        return {}

    def resolve(self, inputs: Shapes) -> Op:
        """The op that stands for all that do the same on these inputs, for which it
        must be fit: a padding named "same" is then as good as the numbers that it comes to."""
        return self

    @property
    def outputs(self) -> int:
        """How many results the op gives."""
        return 1

    @abstractmethod
    def infer(self, inputs: Shapes) -> Shapes:
        """Output shapes from input shapes, per sample. Raises ShapeError."""

    @abstractmethod
    def fans(self, inputs: Shapes) -> Fans | None:
        """What the weights that are drawn at random are scaled by; None where all of the op's
        weights have a start."""

    @abstractmethod
    def work(self) -> Work:
        """What the op does with numbers."""

    @abstractmethod
    def folding(self) -> Folding:
        """What of a scale and a shift behind the op its weights can take in."""

    def gives_its_input(self, inputs: Shapes) -> bool:
        """Whether the one result is the one input, value for value and in the same shape, in
        training too."""
        return False

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        """The arrays the op owns, given its input shapes."""
        return ()

    def macs(self, inputs: Shapes, outputs: Shapes) -> int:
        """Multiply-accumulates for one sample; only products have any."""
        return 0

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        """Scalar operations for one sample outside multiply-accumulates: normalisation 2 per output
        (scale and shift), an activation 1 per output, pooling 1 per input, a
        merge one per output and further input, attention's softmax 1 per pair and head."""
        return 0

    def sees(self, inputs: Shapes) -> Window:
        """How one output element sees the input, as to height and width."""
        return Window()

    def written_attributes(self) -> dict[str, Any]:
        """The attributes that differ from their defaults, as JSON values, in one canonical form."""
        result: dict[str, Any] = {}
        for item in _attributes_of(type(self)):
            value = getattr(self, item.name)
            if item.default is MISSING or value != item.default:
                result[item.name] = list(value) if item.is_list and value else as_json(value)
        return result


@dataclass(frozen=True)
class Weightless(Op):
    """Base of the ops that own no weights: nothing is drawn, and nothing can be folded in."""

    def fans(self, inputs: Shapes) -> Fans | None:
        return None

    def folding(self) -> Folding:
        return "nothing"


class _Attribute(NamedTuple):
    """What of a field is looked at for each op that is made, which are many; `default` is in the
    form that an op holds."""

    name: str
    convert: Callable[[Any], Any] | None
    only_for: Mapping[str, tuple[Any, ...]]
    default: Any
    is_list: bool
    """Whether it is always written as a list, as what is neither a pair nor sides is."""

    def applies(self, values: Mapping[str, Any]) -> bool:
        return all(values.get(name) in known for name, known in self.only_for.items())


@cache
def _attributes_of(kind: type[Op]) -> tuple[_Attribute, ...]:
    return tuple(
        _Attribute(
            item.name,
            item.metadata["convert"],
            item.metadata["only_for"],
            default_of(item),
            _takes_lists_alone(item.metadata["schema"]),
        )
        for item in fields(kind)
    )


def _takes_lists_alone(schema: Schema) -> bool:
    ways = schema.get("anyOf", (schema,))
    return all(way.get("type") in ("array", "null") for way in ways)


def applies(item: Field[Any], values: Mapping[str, Any]) -> bool:
    """Whether an attribute means anything beside these values of the others."""
    return all(values.get(name) in known for name, known in item.metadata["only_for"].items())


def default_of(item: Field[Any]) -> Any:
    """An attribute's default in the form that an op holds; MISSING where it has none."""
    return item.default if item.default is MISSING else convert(item, item.default)


def convert(item: Field[Any], value: Any) -> Any:
    convert = item.metadata["convert"]
    return value if convert is None else convert(value)


def as_json(value: Any) -> Any:
    """An attribute as a spec writes it, in the shortest form."""
    if not isinstance(value, tuple):
        return value
    if len(set(value)) == 1:
        return value[0]
    if len(value) == 4 and value[0] == value[1] and value[2] == value[3]:
        return [value[0], value[2]]
    return list(value)


# JSON Schema fragments that several ops share.

POSITIVE: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
NATURAL: Schema = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
LARGEST_FACTOR = 1000
"""Of a slope, a scale or a value that factors start from: float32 has seven digits."""
FACTOR: Schema = {"type": "number", "minimum": -LARGEST_FACTOR, "maximum": LARGEST_FACTOR}
FLOAT32: Schema = {"type": "number", "minimum": -3.4e38, "maximum": 3.4e38}
"""Any number that a float32 holds."""
PROBABILITY: Schema = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
EPSILON: Schema = {"type": "number", "minimum": 1e-30, "maximum": 1}
"""Smaller ones vanish beside any variance that a float32 holds."""
LONGEST_WINDOW = 10_000
"""Of a window, its steps and what it is padded by, in pixels."""
STEP: Schema = {"type": "integer", "minimum": 1, "maximum": LONGEST_WINDOW}
SIDE: Schema = {"type": "integer", "minimum": 0, "maximum": LONGEST_WINDOW}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [*schema.get("anyOf", (schema,)), {"type": "null"}]}


def several(item: Schema, count: int) -> Schema:
    return {"type": "array", "items": item, "minItems": count, "maxItems": count}


OFFSET: Schema = {"type": "integer", "minimum": -LONGEST_WINDOW, "maximum": LONGEST_WINDOW}
OFFSETS: Schema = {"anyOf": [OFFSET, several(OFFSET, 2)]}
PAIR: Schema = {"anyOf": [STEP, several(STEP, 2)]}
SIDES: Schema = {"anyOf": [SIDE, several(SIDE, 2), several(SIDE, 4)]}
PADDING: Schema = {"anyOf": [{"enum": ["half", "same", "valid"]}, *SIDES["anyOf"]]}

PAIR_DOC = "one number or [height, width]"
PADDING_DOC = (
    '"half" (kernel // 2 each side), "same" (TensorFlow\'s rule: ceil(extent / stride) outputs, the'
    ' odd zero after), "valid" (none), one number, [rows, columns] or [top, bottom, left, right]'
)


def as_real(value: Any) -> Any:
    """1 and 1.0 are both 1.0, and so are 0 and -0.0 both 0.0; null stays null."""
    return None if value is None else float(value) + 0.0


def as_pair(value: Any) -> Any:
    """3 and [3, 3] are both (3, 3); null stays null."""
    if value is None:
        return None
    return (value, value) if isinstance(value, int) else tuple(value)


def as_numbers(value: Any) -> Any:
    """A list as a tuple; null stays null."""
    return None if value is None else tuple(value)


def as_sides(value: Any) -> Any:
    """1, [1, 1] and [1, 1, 1, 1] are all (1, 1, 1, 1); a named padding stays its name."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return (value,) * 4
    sides = tuple(value)
    return (sides[0], sides[0], sides[1], sides[1]) if len(sides) == 2 else sides


# Axes, by the words that a spec has for them.

AXES = {"channels": 0, "height": 1, "width": 2}
AXIS: Schema = {"enum": list(AXES)}


# Guards that several ops share.


def image(shape: Shape, what: str) -> tuple[int, int, int]:
    """The shape as (channels, height, width), or ShapeError."""
    if len(shape) != 3:
        raise ShapeError(
            f"{what} works on images of channels x height x width, not {written(shape)};"
            " place it before the flatten"
        )
    return (shape[0], shape[1], shape[2])


def place_of(axis: str, shape: Shape, what: str) -> int:
    """Which number of the shape is the axis's, or ShapeError: a vector has channels alone."""
    if axis != "channels":
        image(shape, f"{what} along the {axis}")
    return AXES[axis]


def divides(divisor: int, number: int, what: str) -> None:
    """Raise ShapeError unless `number` is a multiple of `divisor`."""
    if number % divisor:
        raise ShapeError(f"{what} {number} cannot be split into {divisor} equal parts")

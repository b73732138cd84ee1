"""Devices whose time is estimated: what their data sheets say and what was fitted to measurements.

`devices.json` holds those that come with archspec; a file of the same form, such as
`archspec latency calibrate -o` writes, describes another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from archspec.check_values import check_object
from archspec.compiler.latency.work import MACS_PER_CYCLE
from archspec.document import At, read_document
from archspec.errors import SpecError, UsageError, did_you_mean, listed
from archspec.schema import Schema, closed_object

FILE = Path(__file__).with_name("devices.json")


@dataclass(frozen=True, eq=False)
class Calibration:
    """The measurements that a device's two constants were fitted to, and how well they fit.

    `input_sides` are the least and the most pixels a side, `kinds` the layers that the networks
    had (see validity.kind_of). Errors are shares of the measured time; those left out are of
    networks that the fit had not seen, None where there were too few for that.
    """

    source: str
    networks: int
    batches: tuple[int, ...]
    input_sides: tuple[int, int]
    kinds: tuple[str, ...]
    mean_error: float
    left_out_mean_error: float | None
    left_out_max_error: float | None


@dataclass(frozen=True, eq=False)
class Device:
    """Devices are told apart by identity: two files can give one name different numbers.

    `efficiency` is the share of the cube's rate that is reached, `launch_us` what each kernel costs
    beside its work; where `calibration` is None both are another device's. `int8_tops` are 1e12
    integer operations a second, two a product; None where int8 is not known to be multiplied.
    """

    name: str
    title: str
    cores: int
    vector_cores: int
    megahertz: float
    gigabytes_per_second: float
    efficiency: float
    launch_us: float
    provenance: Mapping[str, str]
    calibration: Calibration | None
    int8_tops: float | None = None

    @property
    def cube_cycles_per_second(self) -> float:
        """Of all cores together."""
        return self.cores * self.megahertz * 1e6

    @property
    def macs_per_second(self) -> float:
        """The cubes' peak, in half precision."""
        return self.cube_cycles_per_second * MACS_PER_CYCLE

    @property
    def int8_rate(self) -> float:
        """Products of integers for each in half precision. Raises SpecError where there is none."""
        if self.int8_tops is None:
            raise SpecError(
                f"{self.name} has no int8 path that is known (int8_tops is null or missing), so its"
                " time in int8 cannot be estimated; use another --device, or fp16"
            )
        return self.int8_tops * 1e12 / 2 / self.macs_per_second

    @property
    def vector_steps_per_second(self) -> float:
        return self.vector_cores * self.megahertz * 1e6

    @property
    def bytes_per_second(self) -> float:
        return self.gigabytes_per_second * 1e9

    def cube_use(self, macs: int, ms: float, int8_macs: int = 0) -> float:
        """The share of what the cubes could multiply in some milliseconds; `int8_macs` of the
        products are of integers."""
        if not ms:
            return 0.0
        slow = macs - int8_macs + (int8_macs / self.int8_rate if int8_macs else 0)
        return slow / (self.macs_per_second * ms * 1e-3)

    def as_json(self) -> dict[str, Any]:
        """The device as find_device reads it."""
        calibration = self.calibration
        written = (
            None if calibration is None else {k: _plain(v) for k, v in vars(calibration).items()}
        )
        return {**vars(self), "provenance": dict(self.provenance), "calibration": written}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(least: float, most: float) -> Schema:
    return {"type": "number", "minimum": least, "maximum": most}


def _list_of(items: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 500}
_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
_ERROR: Schema = {"anyOf": [_number(0, 1e6), {"type": "null"}]}

CALIBRATION = closed_object(
    {
        "source": _TEXT,
        "networks": _COUNT,
        "batches": _list_of(_COUNT, 1, 1000),
        "input_sides": _list_of(_COUNT, 2, 2),
        "kinds": _list_of(_TEXT, 1, 100),
        "mean_error": _number(0, 1e6),
        "left_out_mean_error": _ERROR,
        "left_out_max_error": _ERROR,
    },
    ("source", "networks", "batches", "input_sides", "kinds", "mean_error"),
)
SCHEMA = closed_object(
    {
        "name": _TEXT,
        "title": _TEXT,
        "cores": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "vector_cores": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "megahertz": _number(1, 100_000),
        "gigabytes_per_second": _number(0.01, 1_000_000),
        "efficiency": _number(0.001, 1),
        "launch_us": _number(0, 1_000_000),
        "int8_tops": {"anyOf": [_number(0.001, 1_000_000), {"type": "null"}]},
        "provenance": {"type": "object", "additionalProperties": _TEXT},
        "calibration": {"anyOf": [{"type": "object"}, {"type": "null"}]},
    },
    (
        "name",
        "title",
        "cores",
        "vector_cores",
        "megahertz",
        "gigabytes_per_second",
        "efficiency",
        "launch_us",
        "provenance",
        "calibration",
    ),
)
"""A device as JSON, in devices.json and in files of one device."""


@cache
def devices() -> Mapping[str, Device]:
    """The devices that come with archspec, by name."""
    at = At(read_document(FILE, FILE.name))
    made = (_device(at / index) for index in range(len(at.document.data)))
    return {device.name: device for device in made}


def find_device(name: str) -> Device:
    """A shipped device by name, or the device a JSON file describes.

    Raises UsageError where there is neither, SpecError where the file is wrong.
    """
    if name in devices():
        return devices()[name]
    if not name.endswith(".json"):
        raise UsageError(
            f"there is no device {name!r}{did_you_mean(name, devices())} (it is"
            f" {listed([*devices()])}, or a .json file that `archspec latency calibrate` wrote)"
        )
    if not Path(name).exists():
        raise UsageError(
            f"{name} does not exist; use a file that `archspec latency calibrate` wrote"
            f" or {listed([*devices()])}"
        )
    return _device(At(read_document(name)))


def _device(at: At) -> Device:
    _check(SCHEMA, at, "a device")
    data: Any = at.document.data
    for step in at.pointer:
        data = data[step]
    calibration = data["calibration"]
    if calibration is not None:
        _check(CALIBRATION, at / "calibration", "a calibration")
        calibration = Calibration(
            **{
                "left_out_mean_error": None,
                "left_out_max_error": None,
                **{k: tuple(v) if isinstance(v, list) else v for k, v in calibration.items()},
            }
        )
    return Device(**{**data, "calibration": calibration})


def _check(schema: Schema, at: At, what: str) -> None:
    problems = check_object(schema, at, what)
    if problems:
        raise SpecError(problems)

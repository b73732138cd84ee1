"""What atc's error codes mean for somebody who exports a spec, and what to use.

Codes and their texts differ between releases; these are of CANN 5 to 9. atc prints a code at the
start of a line ("E10016: ..."), the cause first and what came of it after.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from archspec.errors import printable


class Advice(NamedTuple):
    meaning: str
    remedy: str


_PACKAGES = (
    "the Python that atc finds lacks packages of its op compiler; run pip install numpy decorator"
    " sympy attrs cffi psutil scipy protobuf, for a Python from 3.7 to 3.11"
)
_NOT_PARSED = Advice(
    "this CANN has no parser for an operator at this opset",
    "use --opset 11, which CANN 5 to 9 read, or a newer CANN",
)
_NO_KERNEL = Advice(
    "the chip has no kernel for an operator",
    "use the ops or kernels package of this very chip beside the toolkit, or another op in"
    " the spec",
)
_COMPILER = Advice("the op compiler failed", _PACKAGES)
_INPUT_SHAPE = Advice(
    "--input_shape does not fit the ONNX",
    "archspec wrote both, so report it with the log",
)
_GEARS = Advice(
    "the batch sizes do not suit",
    "use 2 to 100 different ones from 1 to 2048 in --dynamic-batch",
)
_PATH = Advice(
    "a file could not be found, read or written",
    "make room in the folder for temporary files (TMPDIR), and in your home folder for atc's own",
)

_WRONG_KERNELS = Advice(
    "the chip has no kernel for an operator of this shape",
    "use the ops or kernels package of the very chip that --soc names, and one batch size (--batch"
    " N)"
    " on a chip that takes no dynamic shape, as the 310",
)
_OLD_PYTHON = Advice(
    "CANN's op compiler does not work under this Python",
    "use Python 3.9 to 3.11 for atc, in a virtual environment: what the message names came with"
    " 3.13",
)
_OLD_NUMPY = Advice(
    "CANN's op compiler needs numpy 1",
    "run pip install 'numpy<2' for the Python that atc finds",
)
_ON_BOARD = Advice(
    "compiling took more memory than this board has",
    "use export TE_PARALLEL_COMPILER=1 and some swap, or convert on an x86 machine: archspec export"
    " leaves a folder with a convert.sh for it, and the OM is the same",
)

_OTHER_CANN = (
    "use one of CANN 5.0 to 9.1, and where it is one already, a report to archspec with the log"
)
_AGAIN = "export it again"

CODES: Mapping[str, Advice] = {
    "E10001": Advice(
        "an option has a value that this CANN does not take",
        "if it is --soc_version, use a CANN that still knows the chip (for Ascend310 5.0 to 8.2),"
        " with the chip's own ops or kernels package",
    ),
    "E10002": _INPUT_SHAPE,
    "E10004": Advice("an option is empty", _OTHER_CANN),
    "E10007": Advice("an option is missing", _OTHER_CANN),
    "E10009": _GEARS,
    "E10011": _INPUT_SHAPE,
    "E10012": _INPUT_SHAPE,
    "E10014": _INPUT_SHAPE,
    "E10016": Advice(
        "the ONNX has no input of the name that --input_shape gives",
        "use an ONNX that archspec wrote, whose input is called image",
    ),
    "E10018": _GEARS,
    "E10031": _INPUT_SHAPE,
    "E10032": Advice("a JSON file of CANN's is damaged", "reinstall CANN"),
    **dict.fromkeys(("E10035", "E10036", "E10037", "E10038", "E10039"), _GEARS),
    "E10040": _INPUT_SHAPE,
    "E10041": Advice("the model file cannot be loaded", _AGAIN),
    "E10047": Advice("two options exclude each other", _OTHER_CANN),
    "E10052": Advice("the AIPP file does not suit", "use --no-aipp, with float input"),
    "E10054": Advice("a required option is empty", _OTHER_CANN),
    "E10056": Advice("two options exclude each other", _OTHER_CANN),
    "E10057": Advice("an option lacks its partner", _OTHER_CANN),
    "E10501": Advice(
        "an operator is not registered",
        "source CANN's set_env.sh, which sets ASCEND_OPP_PATH",
    ),
    **dict.fromkeys(("E13000", "E13001", "E13003", "E13004"), _PATH),
    "E13005": Advice("a file cannot be parsed", _AGAIN),
    "E13010": _NOT_PARSED,
    "E13018": Advice("the AIPP file cannot be parsed", "use --no-aipp, with float input"),
    "E13023": Advice("the OM is too large", "use a smaller network, or fewer batch sizes"),
    "E14001": Advice(
        "an op of this chip does not take its arguments",
        "use another batch size, or another op in the spec",
    ),
    **dict.fromkeys(("E16001", "E16004", "E16005"), Advice("the ONNX is damaged", _AGAIN)),
    "E16002": _NOT_PARSED,
    "E18888": Advice("CANN itself went wrong", "ask Huawei's support, with the log"),
    "E19010": _NOT_PARSED,
    "E19999": Advice("CANN itself went wrong", f"often {_PACKAGES}"),
    "E20001": Advice(
        "an operator could not be compiled, often for a dimension that is not fixed",
        "use --batch N in place of --dynamic-batch, and where it is fixed already, the chip's own"
        " ops"
        " or kernels package",
    ),
    "E76002": _NOT_PARSED,
    "E89999": Advice(
        "an operator got integers that its kernel does not take, often INT64 in place of INT32",
        "use an ONNX that archspec wrote, which has none; the log names the operator",
    ),
    "EC0010": _COMPILER,
    "EZ3002": _WRONG_KERNELS,
    "EZ3003": _WRONG_KERNELS,
    "EZ9010": _NOT_PARSED,
    "EZ9999": Advice("the op compiler went wrong", f"often {_PACKAGES}"),
}

FAMILIES: Mapping[str, Advice] = {
    "E10": Advice("an option does not suit this CANN", _OTHER_CANN),
    "E13": _PATH,
    "E2": _NO_KERNEL,
    "E4": _COMPILER,
    "EC": _COMPILER,
    "EZ": _NO_KERNEL,
}
"""For codes not listed above, by how they begin."""

SYMPTOMS: tuple[tuple[str, Advice], ...] = (
    (
        "libascend_hal.so",
        Advice(
            "the driver's library is missing, as on a machine without an NPU",
            "use CANN's devlib folder in LD_LIBRARY_PATH",
        ),
    ),
    (
        "error while loading shared libraries",
        Advice("a library of CANN is not found", "source CANN's set_env.sh first"),
    ),
    ("FrameLocalsProxy", _OLD_PYTHON),
    ("np.float_", _OLD_NUMPY),
    ("module 'numpy' has no attribute 'float_'", _OLD_NUMPY),
    ("MemoryError", _ON_BOARD),
    ("std::bad_alloc", _ON_BOARD),
    ("Cannot allocate memory", _ON_BOARD),
    ("ModuleNotFoundError", _COMPILER),
    (
        "unknown command line flag",
        Advice("this atc does not know an option", _OTHER_CANN),
    ),
)
"""Words in atc's output that say what is wrong where it gives no code, or one that does not."""

_CODE = re.compile(r"^\W*(E[0-9A-Z]\d{4})\b", re.MULTILINE)
_VAGUE = ("E19999", "EZ9999", "E18888")
LONGEST = 300


class Finding(NamedTuple):
    """What atc's output tells of its failure; `code` is empty where it gave none."""

    code: str
    line: str
    advice: Advice | None

    def __str__(self) -> str:
        said = f"it says {self.line!r}" if self.line else "it says nothing"
        if not self.advice:
            return said
        named = f"{self.code}, " if self.code else ""
        return f"{named}{self.advice.meaning}; {self.advice.remedy}; {said}"


def finding(output: str) -> Finding:
    """The first code of an output that says something, else a symptom, else its last line."""
    codes = [*_CODE.finditer(output)]
    telling = [met for met in codes if met[1] not in _VAGUE]
    if telling:
        met = telling[0]
        return Finding(met[1], _line(output, met.start(1)), advice_on(met[1]))
    for words, advice in SYMPTOMS:
        place = output.find(words)
        if place >= 0:
            return Finding(codes[0][1] if codes else "", _line(output, place), advice)
    if codes:
        met = codes[0]
        return Finding(met[1], _line(output, met.start(1)), advice_on(met[1]))
    lines = [line for line in output.splitlines() if line.strip(" .")]
    return Finding("", _shown(lines[-1]) if lines else "", None)


def advice_on(code: str) -> Advice | None:
    """What is known of a code, or of its like."""
    if code in CODES:
        return CODES[code]
    return next((advice for start, advice in FAMILIES.items() if code.startswith(start)), None)


def _line(output: str, place: int) -> str:
    start = output.rfind("\n", 0, place) + 1
    return _shown(output[start:].partition("\n")[0])


def _shown(line: str) -> str:
    return printable(line.strip())[:LONGEST]

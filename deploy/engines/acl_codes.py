"""What the return codes of Ascend's acl mean and what helps, from its manual (aclError)."""

from __future__ import annotations

from archspec.deploy.cann import how_to_source

DAMAGED = "the file is damaged or cut short; export it again"
OTHER_RELEASE = (
    "it may be of another chip or of a newer CANN than this one (`archspec om inspect` says which);"
    " convert it with this CANN's atc"
)
MEMORY = "use a smaller batch, or end what else runs on the device (`npu-smi info`)"
SEEN_DEVICE = "use a device that `npu-smi info` lists"
LOGS = "the logs in ~/ascend/log say more"
FAULT = "this is a fault of archspec; please report it"
NOT_SAID = "no meaning is known here"

CODES: dict[int, tuple[str, str]] = {
    100000: ("an argument is invalid", FAULT),
    100001: ("acl is not started", FAULT),
    100002: (
        "acl is started already, or the model loaded",
        "something else in this process uses the device; use a process of its own",
    ),
    100003: ("the file is invalid", DAMAGED),
    100005: ("the file's size is invalid", DAMAGED),
    100006: ("the file cannot be parsed", DAMAGED),
    100011: ("there is no such model", FAULT),
    100012: ("the model cannot be deserialised", OTHER_RELEASE),
    100013: ("the model cannot be parsed", OTHER_RELEASE),
    100014: ("the model's file cannot be read", "use a file that this user may read"),
    100015: ("the model's size is invalid", DAMAGED),
    100016: ("the model lacks an attribute", OTHER_RELEASE),
    100017: ("the inputs are not the model's", FAULT),
    100018: ("the outputs are not the model's", FAULT),
    100019: ("the model is not dynamic", FAULT),
    100026: ("a data type is not supported", OTHER_RELEASE),
    100037: ("acl is ended already", FAULT),
    100039: (
        "the libraries found are only to compile against",
        "use LD_LIBRARY_PATH without devlib and stub folders",
    ),
    107000: ("an argument is invalid", FAULT),
    107001: ("there is no device of this number", SEEN_DEVICE),
    107002: ("there is no context", FAULT),
    145000: ("an argument is invalid", FAULT),
    145001: ("acl is not started", FAULT),
    145002: ("the model's path is invalid", "use a path made of letters, digits, _, - and . alone"),
    145003: ("there is no such model", FAULT),
    145006: ("the model's size is invalid", DAMAGED),
    145007: ("the model's address is invalid", FAULT),
    145009: ("the model is loaded already", FAULT),
    145011: ("the address of the dynamic batch is invalid", FAULT),
    145012: ("the length of the dynamic batch is invalid", FAULT),
    145013: ("the model has no such batch", FAULT),
    145014: ("AIPP has no batch", OTHER_RELEASE),
    145015: ("there is no AIPP", OTHER_RELEASE),
    145016: ("the mode of AIPP is invalid", OTHER_RELEASE),
    145017: ("a task's type is invalid", OTHER_RELEASE),
    145018: ("a kernel's type is invalid", OTHER_RELEASE),
    145019: ("a library is invalid", f"use {how_to_source()} in a new shell"),
    145020: ("a layout is invalid", OTHER_RELEASE),
    145021: ("a shape is invalid", OTHER_RELEASE),
    145022: ("a data type is invalid", OTHER_RELEASE),
    148049: ("ASCEND_OPP_PATH is not set right", f"use {how_to_source()}"),
    200000: ("memory cannot be allocated", MEMORY),
    200001: ("this CANN has no such call", "use a newer CANN"),
    200002: ("there is no such device", SEEN_DEVICE),
    200006: ("the device cannot do this", LOGS),
    207000: ("the device cannot do this", LOGS),
    207001: ("memory cannot be allocated", MEMORY),
    207004: ("no device can be used", SEEN_DEVICE),
    207005: ("the device is short of resources", MEMORY),
    207006: (
        "this user may not use the device",
        "use a user of the driver's group (HwHiAiUser)",
    ),
    207010: ("the device is short of room for models", MEMORY),
    207018: ("the device's memory is used up", MEMORY),
    245000: ("memory cannot be allocated", MEMORY),
    245001: ("memory cannot be copied", MEMORY),
    245002: ("memory of the device cannot be allocated", MEMORY),
    500000: ("an unknown error inside acl", LOGS),
    500001: ("an error inside acl", LOGS),
    500002: ("an error inside the graph engine", LOGS),
    500003: ("an error inside the runtime", LOGS),
    500004: ("an error inside the driver", LOGS),
    507000: ("an error inside the runtime", LOGS),
    507010: ("the device's heartbeat is lost", "resetting it with npu-smi may help"),
    507011: ("the model failed on the device", LOGS),
    507013: ("copying to or from the device failed", LOGS),
    507014: ("an AI core took too long", LOGS),
    507015: ("an AI core failed", LOGS),
    507016: ("an AI core trapped", LOGS),
    507017: ("the AI CPU took too long", LOGS),
    507018: ("the AI CPU failed", LOGS),
    507033: (
        "the device cannot be set up",
        "use a device that `npu-smi info` shows healthy and free, and a driver of this"
        " CANN's release",
    ),
    507053: ("the device's memory has an error", LOGS),
    507899: ("an error inside the driver", "use a driver of this CANN's release"),
    545000: ("an unknown error inside the graph engine", LOGS),
    545001: ("the model cannot be loaded", OTHER_RELEASE),
    545002: ("the model's definition cannot be loaded", OTHER_RELEASE),
    545003: ("the model's weights cannot be loaded", OTHER_RELEASE),
    545004: ("the model's tasks cannot be loaded", OTHER_RELEASE),
    545005: ("the model's kernels cannot be loaded", OTHER_RELEASE),
    545601: ("the model took too long", LOGS),
}  # fmt: skip
"""Code: what it means, and what to do. Only those that the calls of the engine can give."""

FAMILIES = {
    1: ("the call or the environment is wrong", LOGS),
    2: ("the device is short of something, or cannot do this", LOGS),
    3: ("a service is not ready", LOGS),
    5: ("an error inside CANN or the device", LOGS),
}
"""What a code of six digits means by its first one."""


def explain(code: int) -> tuple[str, str]:
    """What a code means, and what to do."""
    return CODES.get(code) or FAMILIES.get(code // 100_000, (NOT_SAID, LOGS))


def is_of_the_file(code: int) -> bool:
    """Whether the file is at fault, not this machine or its use."""
    return explain(code)[1] in (DAMAGED, OTHER_RELEASE)

"""Whether an ONNX file has its numbers in other files. archspec writes none such: of these files no
checksum holds, and a stranger's model may name any file of the machine."""

from __future__ import annotations

import mmap
import os

from archspec.deploy.om.wire import BYTES, Damage, fields
from archspec.errors import UsageError
from archspec.reading import open_regular

PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
"""Which fields of a message are which messages, as far as they lead to tensors (onnx.proto)."""


def check_self_contained(path: str | os.PathLike[str]) -> None:
    """Raises UsageError where a tensor's numbers are in another file, OSError where the file cannot
    be read; nothing of one that is not an ONNX."""
    with open_regular(path) as file:
        if not os.fstat(file.fileno()).st_size:
            return
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    waiting = [("model", content)]
    while waiting:
        kind, message = waiting.pop()
        if kind == "external":
            raise UsageError(
                f"{path} keeps its numbers in other files, which are not read; use a model in one"
                " file, as archspec export writes it"
            )
        try:
            for field in fields(message):
                if field.kind == BYTES and field.number in PARTS[kind]:
                    waiting.append((PARTS[kind][field.number], field.content))
        except Damage:
            continue  # whoever runs it says why it is none

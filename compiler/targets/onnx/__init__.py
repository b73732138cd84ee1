"""ONNX, written straight from the graph, for onnxruntime and for Ascend's parser (atc).

    model = for_deployment(Model(graph, weights))
    write_onnx(model, "net.onnx")              # opset 11, one image a batch
    to_onnx(model, opset=17, batch=None)       # an onnx.ModelProto, any batch

Importing this raises UsageError where the onnx package is missing.
"""

from archspec.errors import LackingError
from archspec.extras import lacking

try:
    import onnx as _onnx  # noqa: F401  (only whether it is there)
except ImportError as error:
    raise LackingError(lacking("ONNX", "onnx", error)) from error

from archspec.compiler.targets.onnx.model import to_onnx, write_onnx

__all__ = ["to_onnx", "write_onnx"]

"""A stand-in for MindSpore Lite's Python package: no device, but strict about how it is used.

    monkeypatch.setitem(sys.modules, "mindspore_lite", fake_lite())

Names and types are those of the manual: Context.target, Context.ascend.device_id, ModelType, Model,
Tensor. Its models are a line and an ONNX (`write_model`), which onnxruntime runs. It proves the
calls and the plumbing, and nothing about a device.
"""

from __future__ import annotations

import enum
import types
from pathlib import Path

import numpy as np
import onnxruntime

HEAD = b"ARCHSPEC-STANDIN-LITE\n"


class DataType(enum.Enum):
    FLOAT32 = 43
    FLOAT16 = 42
    UINT8 = 37
    INT64 = 35


class ModelType(enum.Enum):
    MINDIR = 0
    MINDIR_LITE = 4


class Context:
    def __init__(self):
        self.target = ["cpu"]
        self.ascend = types.SimpleNamespace(device_id=0, precision_mode="enforce_fp16")


class Tensor:
    def __init__(self, name, dtype, shape, data=None):
        self.name, self.dtype, self.shape, self._data = name, dtype, list(shape), data

    def set_data_from_numpy(self, array):
        if array.dtype.name != self.dtype.name.lower() or list(array.shape) != self.shape:
            raise RuntimeError(f"data size of {self.name} is not equal to the tensor's")
        if not array.flags.c_contiguous:
            raise RuntimeError("data must be contiguous")
        self._data = array

    def get_data_to_numpy(self):
        return self._data


class Model:
    def build_from_file(self, model_path, model_type, context=None):
        if not isinstance(model_path, str):
            raise TypeError("model_path must be str")
        if model_type is not ModelType.MINDIR or context.target != ["ascend"]:
            raise RuntimeError("this stand-in takes a MindIR for ascend")
        content = Path(model_path).read_bytes()
        if not content.startswith(HEAD):
            raise RuntimeError("build_from_file failed! Error is Common error code.\nmore")
        self._session = onnxruntime.InferenceSession(content[len(HEAD) :])

    def get_inputs(self):
        return [Tensor(one.name, DataType.FLOAT32, one.shape) for one in self._session.get_inputs()]

    def predict(self, inputs, outputs=None):
        given = {tensor.name: tensor.get_data_to_numpy() for tensor in inputs}
        if any(array is None for array in given.values()):
            raise RuntimeError("an input has no data")
        names = [one.name for one in self._session.get_outputs()]
        found = self._session.run(names, given)
        return [
            Tensor(name, DataType.FLOAT32, array.shape, np.asarray(array))
            for name, array in zip(names, found, strict=True)
        ]


def fake_lite():
    module = types.ModuleType("mindspore_lite")
    module.ARCHSPEC_STAND_IN = True
    module.Context, module.Model, module.ModelType = Context, Model, ModelType
    module.DataType, module.Tensor = DataType, Tensor
    return module


def write_model(path, onnx):
    path.write_bytes(HEAD + onnx.read_bytes())

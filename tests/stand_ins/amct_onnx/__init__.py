"""A stand-in for Huawei's AMCT for ONNX, for tests. It converts nothing into what atc takes.

`convert_qat_model` takes the arguments of the manual (CANN 8.0 to 9.1), refuses what the manual
says is not adapted, and leaves the two files that it names: SAVE_PATH_deploy_model.onnx, whose
bytes begin ARCHSPEC-STANDIN-NOT-A-MODEL, and SAVE_PATH_fake_quant_model.onnx, a copy.
STANDIN_AMCT_JOURNAL=FILE: each call is noted there, a line of JSON; STANDIN_AMCT_FAULT=no_file:
nothing is left.
"""

import json
import os
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
PER_CHANNEL = ("Conv", "ConvTranspose")
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def convert_qat_model(model_file, save_path, record_file=None):
    for value in (model_file, save_path):
        if not isinstance(value, str):
            raise TypeError("a string is wanted")
    model = onnx.load(model_file)
    found = adapted(model)
    journal = os.environ.get("STANDIN_AMCT_JOURNAL")
    if journal:
        with open(journal, "a") as file:
            line = {"model_file": model_file, "save_path": save_path, "record_file": record_file,
                    "cwd": str(Path.cwd()), "layers": found}  # fmt: skip
            file.write(json.dumps(line) + "\n")
    if os.environ.get("STANDIN_AMCT_FAULT") == "no_file":
        return
    folder = Path(save_path).parent
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    content = Path(model_file).read_bytes()
    Path(f"{save_path}_deploy_model.onnx").write_bytes(b"ARCHSPEC-STANDIN-NOT-A-MODEL" + content)
    Path(f"{save_path}_fake_quant_model.onnx").write_bytes(content)


def adapted(model):
    """The names of the layers that AMCT would make int8, all its limits checked."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def factors(node):
        scale, offset = (constants[name] for name in node.input[1:3])
        assert scale.dtype == np.float32 and (scale > 0).all()
        assert offset.dtype == np.int8, "activations and weights are int8"
        return scale, offset

    def pair(name):
        """The QuantizeLinear of the pair that a value comes from, or None."""
        last = made_by.get(name)
        if last is None or last.op_type != DEQUANTIZE:
            return None
        first = made_by.get(last.input[0])
        assert first is not None and first.op_type == QUANTIZE, "a lone DequantizeLinear"
        for one, other in zip(factors(first), factors(last), strict=True):
            assert np.array_equal(one, other), "the factors of a pair differ"
        axes = [[a.i for a in n.attribute if a.name == "axis"] for n in (first, last)]
        assert axes[0] == axes[1]
        return first

    found = []
    for node in graph.node:
        pairs = [pair(name) for name in node.input]
        if node.op_type == DEQUANTIZE:
            for reader in readers.get(node.output[0], ()):
                assert reader.op_type in (*LAYERS, "Add"), f"{reader.op_type} is not adapted"
        if not any(pairs):
            continue
        assert all(np.ndim(factors(p)[0]) == 0 for p in pairs[:1] if p), "per-channel activation"
        if node.op_type == "Add":
            assert all(pairs), "one input of an Add alone"
            assert all(np.ndim(factors(p)[0]) == 0 for p in pairs)
            continue
        assert pairs[0] and pairs[1], "an input or a weight alone"
        weight = constants[pairs[1].input[0]]
        assert weight.dtype == np.float32
        scale, offset = factors(pairs[1])
        assert not offset.any(), "a weight with an offset"
        if scale.ndim:
            assert node.op_type in PER_CHANNEL, "a matrix per channel"
            axis = 0 if node.op_type == "Conv" else 1
            assert scale.shape == (weight.shape[axis],)
        dilations = [list(a.ints) for a in node.attribute if a.name == "dilations"]
        assert node.op_type != "ConvTranspose" or dilations in ([], [[1, 1]])
        assert len(node.input) < 3 or constants[node.input[2]].dtype == np.float32
        found.append(node.name)
    return found

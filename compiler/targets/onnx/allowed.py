"""The ONNX operators and versions that Ascend's parser takes, and so the only ones written.

The parser knows an operator as "ai.onnx::<opset of the model>::<operator>" and refuses a model for
one it has not registered (E16002, E19010).
"""

from __future__ import annotations

IR_VERSIONS = {11: 6, 13: 7, 17: 8}
"""The opsets written, each with the IR version of its time. CANN 5 to 9 take opset 11, IR <= 7."""

DOCUMENTED = frozenset({
    "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv", "Flatten", "Gemm",
    "GlobalAveragePool", "HardSigmoid", "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul",
    "PRelu", "Pad", "ReduceMean", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax",
    "Softplus", "Split", "Tanh", "Transpose",
})  # fmt: skip
"""Of CANN's operator lists from 5.0.4 on."""

REGISTERED = frozenset({"ConvTranspose", "Div", "Elu", "Erf", "Identity", "Pow", "Sqrt", "Sub"})
"""Registered for ai.onnx::11 in Huawei's public parser plugin (similar_opp_plugins.cc, and
conv2d_transpose_plugin.cc, which of 2020 took no groups and no dilation of ConvTranspose)."""

QUANTIZED = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""In quantised models alone, which AMCT takes and atc does not: amct_onnx.convert_qat_model makes
AscendQuant and AscendDequant of them first."""

ALLOWED = DOCUMENTED | REGISTERED
"""Never written though ONNX has them: HardSwish (opset 14 on), Mish (opset 18 on), MaxPool with
ceil_mode or dilations, Softmax of another axis than the last, Resize but for nearest asymmetric."""

"""Huawei's AMCT, which makes of a QDQ model what atc takes: what a script calls of it, which chips
it is for, and its record file.

atc refuses QuantizeLinear. `amct_onnx.convert_qat_model(model_file, save_path)` puts AscendQuant
and AscendDequant in place of the pairs and writes SAVE_PATH_deploy_model.onnx for atc, beside
SAVE_PATH_fake_quant_model.onnx for onnxruntime; both names, and what it takes, as its manuals for
CANN 8.0 to 9.1 have them. It has not been tried with the real AMCT, which cannot be had here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.compiler.quantize.quantization import Quantization
from archspec.errors import SpecError

RECORD = "record.txt"
CHIPS = re.compile(r"Ascend(310P\d|310B\d|910\w*|950\w*)")
"""Chips of the products that the page of convert_qat_model lists, from CANN 8.1 to 9.1: Atlas
inference (310P), Atlas 200I/500 A2 (310B), training (910), A2, A3 and 950."""
NOT_LISTED = "Ascend310"


def deploy_model(stem: str) -> str:
    """The file that AMCT leaves for atc."""
    return f"amct/{stem}_deploy_model.onnx"


def script_lines(stem: str) -> str:
    """What convert.sh does before it calls atc."""
    return f"""\
python="${{PYTHON:-python3}}"
if ! "$python" -c "import amct_onnx" 2> /dev/null; then
  echo "amct_onnx is not installed for $python; install your CANN's AMCT, or set PYTHON" >&2
  exit 1
fi
rm -rf amct
mkdir amct
"$python" -c 'import amct_onnx
amct_onnx.convert_qat_model("{stem}.onnx", "amct/{stem}")'
if [ ! -f {deploy_model(stem)} ]; then
  echo "amct_onnx left no {deploy_model(stem)}" >&2
  exit 1
fi

"""


def check_chip(soc: str) -> None:
    """Raises SpecError for a chip for which AMCT's manual has no way to int8."""
    if soc != NOT_LISTED and not CHIPS.fullmatch(soc):
        raise SpecError(
            f"{soc} has no int8 path that is known: AMCT's manual lists the 310P, 310B, 910 and 950"
            " families; use archspec export for fp16"
        )


def cautions(soc: str) -> list[str]:
    """What is not certain of int8 on a chip, in words."""
    if soc != NOT_LISTED:
        return []
    return [
        "the Ascend 310 multiplies int8, but AMCT's pages for CANN 8.1 and later do not list it for"
        " convert_qat_model, and for CANN 8.0 and older nothing is certain; use such an AMCT"
    ]


def record_of(quantization: Quantization) -> str:
    """The factors as AMCT's record file, text protobuf (ScaleOffsetRecord): one record a layer, by
    its name in the ONNX, for who quantises the float ONNX by AMCT's own tools. Sums are not in it,
    for the manual does not say what their records are called."""
    return "".join(_records(quantization))


def _records(quantization: Quantization) -> Iterator[str]:
    for name in quantization.layers:
        factors = quantization.weights.get(name)
        if factors is None:
            continue
        node = quantization.model.graph.nodes[name]
        activation = quantization.activations[node.inputs[0]]
        scales = [factors.scale] if factors.axis is None else factors.scale
        lines = [
            f"scale_d: {float(activation.scale)!r}",
            f"offset_d: {activation.offset}",
            *(f"scale_w: {float(scale)!r}" for scale in scales),
            *("offset_w: 0" for _ in scales),
            "skip_fusion: true",
        ]
        inner = "".join(f"    {line}\n" for line in lines)
        key = name.encode("unicode_escape").decode().replace('"', '\\"')
        yield f'record {{\n  key: "{key}"\n  value {{\n{inner}  }}\n}}\n'

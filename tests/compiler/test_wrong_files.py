"""A file of one kind where another is wanted: the sentence says what it is and what to use."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from archspec.compiler.weights.files import READERS, open_tensors, write_tensors
from archspec.document import read_document
from archspec.errors import SpecError

WEIGHTS = (".safetensors", ".npz", ".ckpt")


def refusal(read, path):
    with pytest.raises(SpecError) as error:
        read(path)
    return str(error.value).removeprefix(f"{path}")


def damage(path):
    """As a copy with a byte changed in its index, and one that broke off."""
    content = bytearray(path.read_bytes())
    content[12] ^= 0x80
    return bytes(content), path.read_bytes()[: len(content) // 2]


@pytest.mark.parametrize("ending", WEIGHTS)
def test_weights_where_text_is_wanted(tmp_path, ending):
    path = tmp_path / f"w{ending}"
    write_tensors(path, {"a": np.arange(3, dtype=np.float32)}, {})
    whole = path.read_bytes()
    for content in (whole, *damage(path)):
        path.write_bytes(content)
        message = refusal(read_document, path)
        assert "weights" in message
        assert message.endswith("; use a JSON file")
        assert "not JSON" not in message
    other = tmp_path / "w.json"
    if ending != ".ckpt":  # which begins with the length of its first tensor
        other.write_bytes(whole)
        assert "weights" in refusal(read_document, other)


def test_models_and_images_where_text_is_wanted(tmp_path):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [])
    path = tmp_path / "m.json"
    path.write_bytes(onnx.helper.make_model(graph, producer_name="p").SerializeToString())
    assert refusal(read_document, path) == ": this is an ONNX model; use a JSON file"
    for format, kind in (("PNG", "a PNG image"), ("JPEG", "a JPEG image"), ("GIF", "a GIF image")):
        Image.new("RGB", (4, 4)).save(path, format)
        assert refusal(read_document, path) == f": this is {kind}; use a JSON file"


@pytest.mark.parametrize("ending", READERS)
def test_what_is_not_weights(tmp_path, ending):
    path = tmp_path / f"w{ending}"
    path.write_text("")
    assert refusal(open_tensors, path) == ": the file is damaged (it is empty); use a fresh copy"
    for text in (json.dumps({"archspec": 1}), '\n {\n "archspec": 1}'):
        path.write_text(text)
        assert refusal(open_tensors, path) == (
            ": this is text, as a spec is, not what its ending says; use a file of weights"
        )
    Image.new("RGB", (4, 4)).save(path, "PNG")
    assert refusal(open_tensors, path) == (
        ": this is a PNG image, not what its ending says; use a file of weights"
    )
    path.unlink()
    path.mkdir()
    assert refusal(open_tensors, path) == ": this is a folder; use a file of weights"


def test_any_length_of_an_index_is_read(tmp_path):
    """A safetensors file begins with a length, which may look like a brace or a blank."""
    path = tmp_path / "w.safetensors"
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    for blanks in range(256):
        text = (header + " " * blanks).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
        with open_tensors(path) as file:
            assert [*file.entries] == ["a"]

"""Files that claim more than they hold: refused in a sentence before memory is taken."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from archspec.compiler.weights.files import open_tensors
from archspec.compiler.weights.formats.ckpt import write_ckpt
from archspec.errors import SpecError

MEMORY = 1 << 30
TIMEOUT = 60


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments):
    """The command in a process that may have a gigabyte of memory."""
    done = subprocess.run(
        [sys.executable, "-m", "archspec.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert "Traceback" not in done.stderr and "went wrong" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def varint(number):
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def resize(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name, shape, content):
    """One of a checkpoint of MindSpore, written out here by its description."""
    extents = b"".join(b"\x08" + varint(extent) for extent in shape)
    inner = extents + resize(2, b"Float32") + resize(3, content)
    return resize(1, resize(1, name.encode()) + resize(2, inner))


def safetensors(shapes):
    index = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes
    }
    text = json.dumps(index).encode()
    return len(text).to_bytes(8, "little") + text


NO_WEIGHT = "has a shape that no weight has"
NOT_ITS_BYTES = "does not have the bytes that its shape takes"
MANY = "it has more than 20,000 tensors, of which at most as many are read"
CLAIMS = {
    "empty.ckpt": (lambda: tensor("a", (0, 1 << 63), b""), NO_WEIGHT),
    "product.ckpt": (lambda: tensor("a", (0, 1 << 40, 1 << 40), b""), NO_WEIGHT),
    "large.ckpt": (lambda: tensor("a", (1 << 40,), bytes(4)), NOT_ITS_BYTES),
    "beyond.ckpt": (lambda: tensor("a", (1 << 69,), bytes(4)), NOT_ITS_BYTES),
    "many.ckpt": (lambda: b"".join(tensor(f"a{i}", (1,), bytes(4)) for i in range(200_000)), MANY),
    "pieces.ckpt": (lambda: tensor("a", (200_000,), bytes(4)) * 200_000, MANY),
    "empty.safetensors": (lambda: safetensors([("a", [0, 1 << 61])]), NO_WEIGHT),
    "deep.safetensors": (lambda: safetensors([("a", [0] * 33)]), NO_WEIGHT),
    "many.safetensors": (lambda: safetensors([(f"a{i}", [0]) for i in range(20_001)]), MANY),
}
"""Files by name: what writes their content, which is large, and why they are refused."""


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_of_weights(name, there):
    content, why = CLAIMS[name]
    (there / name).write_bytes(content())
    for arguments in (["inspect", name], ["convert", name, "-o", "out.npz"]):
        code, out, err = command("weights", *arguments)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {name}: the file is damaged (") and why in err
        assert err.count("\n") == 1
    assert [path.name for path in there.iterdir()] == [name]


def test_as_many_tensors_as_are_read(there):
    with open("full.ckpt", "wb") as file:
        write_ckpt(file, {f"a{i}": np.zeros(1, np.float32) for i in range(20_000)}, {})
    with open_tensors("full.ckpt") as opened:
        assert len(opened.entries) == 20_000


# PyTorch's zips.


def test_a_compressed_bomb_is_refused_before_torch_is_asked(there):
    with zipfile.ZipFile("bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        with archive.open("archive/data/0", "w") as entry:
            for _ in range(300):
                entry.write(bytes(1 << 20))
    assert Path("bomb.pth").stat().st_size < 1 << 20
    check_refused("bomb.pth", "would unpack to 314,572,806, and torch.save compresses nothing")


def test_entries_that_overlap_are_refused(there):
    """One megabyte, listed a thousand times."""
    with zipfile.ZipFile("overlap.pth", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 20))
        (info,) = archive.infolist()
        archive.filelist.extend([info] * 999)
    assert Path("overlap.pth").stat().st_size < 2 << 20
    check_refused("overlap.pth", "would unpack to 1,048,576,000, and torch.save")


def test_a_zip_of_too_many_entries(there):
    with zipfile.ZipFile("many.pt", "w") as archive:
        for number in range(20_001):
            archive.writestr(f"archive/data/{number}", b"")
    check_refused("many.pt", MANY)


def test_a_zip_without_its_end(there):
    Path("cut.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    check_refused("cut.pth", "it is not a zip, or its end is missing")


def check_refused(name, why):
    code, out, err = command("weights", "inspect", name)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {name}: the file is damaged (") and why in err
    assert err.count("\n") == 1


def test_a_view_without_end_is_refused(there):
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(1).expand(1 << 40)}, "view.pth")
    with pytest.raises(SpecError, match="'a' has more numbers than the file"):
        open_tensors("view.pth")
    torch.save({"a": torch.arange(6.0).reshape(2, 3)}, "good.pth")
    with open_tensors("good.pth") as opened:
        assert opened.read("a").tolist() == [[0, 1, 2], [3, 4, 5]]


# Numbers in other files.


def external(location, offset="0"):
    """An ONNX that adds four numbers of another file to its input."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 4])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", "16")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    node = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return onnx, model


@pytest.mark.parametrize(
    ("location", "offset"),
    [("beside.bin", "0"), ("../out.bin", "0"), ("/dev/zero", "0"), ("beside.bin", str(1 << 62))],
)
@pytest.mark.parametrize("nested", [False, True])
def test_numbers_in_other_files(location, offset, nested, there):
    pytest.importorskip("onnxruntime")
    from archspec.deploy.engines import open_engine
    from archspec.errors import UsageError

    Path("beside.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    onnx, model = external(location, offset)
    if nested:
        # in a branch of an If, as an attribute's graph
        inner = onnx.GraphProto()
        inner.CopyFrom(model.graph)
        del inner.input[:]
        branches = {"then_branch": inner, "else_branch": inner}
        choice = onnx.helper.make_node("If", ["c"], ["z"], **branches)
        del model.graph.initializer[:], model.graph.node[:]
        model.graph.node.append(choice)
    Path("net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UsageError) as error:
        open_engine("onnxruntime", "net.onnx")
    assert str(error.value) == (
        "net.onnx keeps its numbers in other files, which are not read; use a model in one file, as"
        " archspec export writes it"
    )


def test_numbers_in_the_file_itself_are_read(there):
    pytest.importorskip("onnxruntime")
    from archspec.deploy.engines import open_engine

    onnx, model = external("none")
    (weight,) = model.graph.initializer
    weight.CopyFrom(onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32)[None], "w"))
    Path("net.onnx").write_bytes(model.SerializeToString())
    engine = open_engine("onnxruntime", "net.onnx")
    assert engine.run({"x": np.ones((1, 4), np.float32)})["y"].tolist() == [[1, 2, 3, 4]]
    engine.close()

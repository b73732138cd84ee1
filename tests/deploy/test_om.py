"""Offline models, read back from files that Google's protobuf and a few C structs were packed into.

No real OM can be had here: what these hold is the format as its public headers have it. Files are
damaged in every way; whatever comes, there are sentences, and what can still be read is shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.cli import main
from archspec.deploy import om as offline
from archspec.deploy.om import messages, model, read_container, read_om, wire
from archspec.deploy.om.container import NotAnOm
from archspec.errors import SpecError, UsageError
from archspec.reading import sha256_of

pytest.importorskip("google.protobuf")

from google.protobuf.message import DecodeError
from oracles import om_files

ATTRIBUTES = {
    "soc_version": "Ascend310",
    "arch_type": 0,
    "opp_version": "1.80.25",
    "host_env_os": "linux",
    "host_env_cpu": "x86_64",
    "memory_size": 12_345_678,
    "weight_size": 1000,
    "stream_num": 1,
    "atc_cmdline": "atc.bin --model=net.onnx --framework=5 --output=net --soc_version=Ascend310"
    " --output_type=FP32 --insert_op_conf=aipp.cfg",
    "om_info_list": [1, -2, 1 << 40],
    "ratios": [0.5, -1.25],
    "flags": [True, False],
    "words": ["a", "ä"],
    "ratio": 0.25,
    "flag": True,
    "bytes": b"\x00\xff",
}
INPUT = ("image", "uint8", [16, 256, 256, 3], "NHWC")
OUTPUTS = [
    ("Gemm_98:0:logits", "float32", [16, 1000], "ND"),
    ("Relu_3:0:features", "float16", [16, 64, 7, 7], "NCHW"),
]
OPERATORS = [(f"Conv_{place}", "Conv2D") for place in range(3)] + [("aipp", "Aipp")]
LAYOUTS = pytest.mark.parametrize("is_wide", [True, False], ids=["64-bit", "32-bit"])


def definition(**settings):
    return om_files.definition([INPUT], OUTPUTS, OPERATORS, attributes=ATTRIBUTES, **settings)


def parts_of(message, weights=1000):
    content = message.SerializeToString(deterministic=True)
    return [(0, content), (1, bytes(weights)), (2, b"tasks"), (3, b"kernels")]


def write(folder, raw, name="net.om"):
    path = folder / name
    path.write_bytes(raw)
    return path


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(["om", "inspect", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def tensors_of(descriptors):
    names = {number: name for name, number in om_files.DTYPES.items()}
    return [(names[one.dtype], tuple(one.shape.dim), one.layout, one.size) for one in descriptors]


def ours(tensors):
    return [(one.dtype, one.shape, one.layout, one.size) for one in tensors]


# Whole files.


@LAYOUTS
def test_what_was_written_is_read(tmp_path, is_wide):
    message = definition(name="sixteen")
    parts = parts_of(message)
    raw = om_files.container(parts, has_wide_table=is_wide)
    found = read_om(write(tmp_path, raw))
    assert found.problems == ()
    header = found.container.header
    assert (header.size, header.version, header.kind, header.models) == (256, 0x20000000, 0, 1)
    assert (header.name, header.platform_version) == ("stand-in", "1.0")
    assert (header.has_wide_table, header.body_length) == (is_wide, len(raw) - 256)
    assert [(part.type, part.name, part.size) for part in found.container.partitions] == [
        (0, "MODEL_DEF", len(parts[0][1])), (1, "WEIGHTS_DATA", 1000), (2, "TASK_INFO", 5),
        (3, "TBE_KERNELS", 7),
    ]  # fmt: skip
    for part, (_, content) in zip(found.container.partitions, parts, strict=True):
        assert raw[part.offset :][: part.size] == content
    assert [*found.models] == [0]
    read = found.models[0]
    assert read.name == "sixteen"
    assert [tensor.name for tensor in read.inputs] == ["image"]
    assert [tensor.name for tensor in read.outputs] == [name for name, *_ in OUTPUTS]
    ops = message.graph[0].op
    assert ours(read.inputs) == tensors_of(ops[0].input_desc)
    assert ours(read.outputs) == tensors_of(ops[-1].input_desc)
    assert [(op.name, op.type) for op in read.operators] == [(op.name, op.type) for op in ops]
    assert ours([read.operators[1].output]) == tensors_of(ops[1].output_desc)
    assert read.operators[-1].output is None
    assert read.batches == ()
    assert read.attributes == {
        **ATTRIBUTES,
        "bytes": "(2 bytes)",
        "attr_model_out_nodes_name": [name for name, *_ in OUTPUTS],
    }


@LAYOUTS
def test_several_models(tmp_path, is_wide):
    models = [parts_of(definition(name=f"model{number}"), 10 * number) for number in range(3)]
    raw = om_files.container(*models, has_wide_table=is_wide)
    found = read_om(write(tmp_path, raw))
    assert found.problems == ()
    assert {number: one.name for number, one in found.models.items()} == {
        0: "model0", 1: "model1", 2: "model2",
    }  # fmt: skip
    expected = [(number, kind, raw) for number, parts in enumerate(models) for kind, raw in parts]
    assert [
        (part.model, part.type, raw[part.offset :][: part.size])
        for part in found.container.partitions
    ] == expected


def test_shortened_attributes(tmp_path):
    plain, short = definition(batches=(1, 8, 16)), definition(batches=(1, 8, 16))
    for message in (plain, short):
        for place in range(200):  # so that numbers of two digits are used
            om_files.set_attribute(message.graph[0].op[0].attr, f"attribute{place}", "text")
    om_files.shorten(short)
    assert not {"index", "mbatch_dynamic_type"} & {
        key for op in short.graph[0].op for key in op.attr
    }
    files = [
        write(tmp_path, om_files.container(parts_of(message)), f"{name}.om")
        for name, message in (("plain", plain), ("short", short))
    ]
    one, other = (read_om(path) for path in files)
    assert one.problems == other.problems == ()
    assert other.models[0].attributes.pop("om_compress_version") == 1
    assert other.models[0] == one.models[0]
    assert one.models[0].batches == (1, 8, 16)
    assert [tensor.shape for tensor in one.models[0].inputs] == [(-1, 256, 256, 3), (1,)]


def test_a_shortened_attribute_beyond_its_list_is_told(tmp_path):
    message = definition()
    om_files.shorten(message)
    names = message.attr["attr_name_enum"].list.s
    del names[1:]
    om_files.set_attribute(message.graph[0].op[0].attr, "\0" + "\x7f" * 300, 1)
    found = read_om(write(tmp_path, om_files.container(parts_of(message))))
    assert len(found.problems) == 1
    assert found.problems[0].startswith("MODEL_DEF of model 0: an attribute's name is number ")
    assert found.models[0].inputs[0].shape == (16, 256, 256, 3)


@pytest.mark.parametrize(
    "names, shown",
    [
        (["Gemm_98:0:logits", "Relu_3:0:features"], ["Gemm_98:0:logits", "Relu_3:0:features"]),
        (["Gemm_98", "Relu_3:1"], ["Gemm_98:0", "Relu_3:1"]),
        (["one"], ["output_0_Gemm_98_0", "output_1_Relu_3_0"]),
        (None, ["output_0_Gemm_98_0", "output_1_Relu_3_0"]),
    ],
)
def test_outputs_are_named_as_a_device_names_them(tmp_path, names, shown):
    message = definition()
    del message.attr["attr_model_out_nodes_name"]
    if names is not None:
        om_files.set_attribute(message.attr, "attr_model_out_nodes_name", names)
    found = read_om(write(tmp_path, om_files.container(parts_of(message))))
    assert [tensor.name for tensor in found.models[0].outputs] == shown


def test_inputs_stand_in_the_order_of_their_numbers(tmp_path):
    inputs = [(name, "float32", [1, 3], "ND") for name in ("a", "b", "c")]
    message = om_files.definition(inputs, OUTPUTS)
    for place, op in zip((2, 0, 1), message.graph[0].op, strict=False):
        op.attr["index"].i = place
    found = read_om(write(tmp_path, om_files.container(parts_of(message))))
    assert [tensor.name for tensor in found.models[0].inputs] == ["b", "c", "a"]


def test_inner_graphs_have_operators_and_no_ends(tmp_path):
    message = definition()
    inner = message.graph.add(name="inner")
    inner.op.add(name="inner_data", type="Data")
    inner.op.add(name="inner_conv", type="Conv2D")
    found = read_om(write(tmp_path, om_files.container(parts_of(message)))).models[0]
    assert [tensor.name for tensor in found.inputs] == ["image"]
    assert [op.name for op in found.operators][-2:] == ["inner_data", "inner_conv"]


@pytest.mark.parametrize(
    "kind, name",
    [
        (2, "tiny model"),
        (3, "flow model"),
        (4, "lite model"),
        (5, "bundle of models"),
        (9, "model of unknown kind 9"),
    ],
)
def test_other_kinds_are_named_and_not_guessed(tmp_path, run, kind, name):
    raw = om_files.container([(0, b"\xff" * 9), (6, b"flow"), (99, b"?")], kind=kind)
    path = write(tmp_path, raw)
    code, out, err = run(path)
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: {name}, {len(raw)} B\n")
    assert "of a kind that is named here and not read" in out
    assert out.endswith(
        "partition   at byte  bytes\n----------  -------  -----\nMODEL_DEF       336    9 B\n"
        "FLOW_MODEL      345    4 B\ntype 99         349    1 B\n"
    )


@pytest.mark.parametrize("kind", [4, 5, 200])
def test_tables_of_other_kinds_are_no_damage_where_they_are_of_another_form(tmp_path, run, kind):
    raw = bytearray(om_files.container(kind=kind) + b"\xff" * 50)
    raw[184] = 50
    path = write(tmp_path, raw)
    code, out, err = run(path)
    assert (code, err) == (0, "")
    assert out.endswith(", of a kind that is named here and not read\n")
    path.write_bytes(raw[:-1])
    words = "it is cut short: 50 bytes should follow its header, 49 do"
    assert run(path)[2] == f"error: {path}: {words}\n"


def test_a_flow_model_has_a_wide_table_even_without_a_wide_length(tmp_path):
    raw = bytearray(om_files.container([(6, b"flow")], kind=3))
    raw[76:80] = raw[184:188]
    raw[184:192] = bytes(8)
    found = read_container(write(tmp_path, raw))
    assert found.problems == ()
    assert [(part.name, part.offset) for part in found.partitions] == [("FLOW_MODEL", 288)]


def test_files_older_than_several_models(tmp_path):
    raw = bytearray(
        om_files.container(parts_of(definition()), has_wide_table=False, version=0x10000000)
    )
    raw[156:176] = b"1.71.T5.0".ljust(20, b"\0")  # where newer files count models
    found = read_om(write(tmp_path, raw))
    assert found.problems == ()
    assert (found.container.header.models, found.container.header.platform_version) == (1, "")
    assert found.models[0].name == "net"


def test_an_encrypted_file_is_named(tmp_path, run):
    raw = bytearray(om_files.container(parts_of(definition())))
    raw[80] = 1
    code, out, err = run(write(tmp_path, raw))
    assert (code, err) == (0, "")
    assert "encrypted, so that no more of it can be read" in out
    assert "MODEL_DEF" not in out


# The command.


def test_the_table(tmp_path, run):
    path = write(tmp_path, om_files.container(parts_of(definition())))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    code, out, err = run(path)
    assert (code, err) == (0, "")
    size = path.stat().st_size
    assert out == (
        f"{path}: IR model, {size / 1024:.1f} KiB\n"
        f"sha256       {sha256}\n"
        "header       version 0x20000000, 64-bit partition table, name stand-in, platform version"
        " 1.0\n"
        "\n"
        "name               what    dtype    shape         layout    bytes\n"
        "-----------------  ------  -------  ------------  ------  -------\n"
        "image              input   uint8    16x256x256x3  NHWC    3.0 MiB\n"
        "Gemm_98:0:logits   output  float32  16x1000       ND\n"
        "Relu_3:0:features  output  float16  16x64x7x7     NCHW\n"
        "\n"
        "soc_version  Ascend310\n"
        "arch_type    0\n"
        "opp_version  1.80.25\n"
        "host_env_os  linux\n"
        "host_env_cpu x86_64\n"
        "memory_size  12,345,678 bytes\n"
        "weight_size  1,000 bytes\n"
        "stream_num   1\n"
        "atc_cmdline  atc.bin --model=net.onnx --framework=5 --output=net --soc_version=Ascend310\n"
        "             --output_type=FP32 --insert_op_conf=aipp.cfg\n"
        "model        net\n"
        "\n"
        "operators  count\n"
        "---------  -----\n"
        "Conv2D         3\n"
        "Data           1\n"
        "Aipp           1\n"
        "NetOutput      1\n"
        "\n"
        "partition     at byte    bytes\n"
        "------------  -------  -------\n"
        f"MODEL_DEF         360  {(size - 360 - 1012) / 1024:.1f} KiB\n"
        f"WEIGHTS_DATA    {size - 1012:,}   1000 B\n"
        f"TASK_INFO       {size - 12:,}      5 B\n"
        f"TBE_KERNELS     {size - 7:,}      7 B\n"
    )


def test_each_operator(tmp_path, run):
    code, out, _ = run(write(tmp_path, om_files.container(parts_of(definition()))), "--ops")
    assert code == 0
    assert (
        "name         what       dtype    shape         layout     bytes\n"
        "-----------  ---------  -------  ------------  -------  -------\n"
        "image        Data       uint8    16x256x256x3  NHWC     3.0 MiB\n"
        "Conv_0       Conv2D     float16  1x16x4x4      NC1HWC0\n"
    ) in out
    assert "Node_Output  NetOutput\n" in out
    assert "operators  count" not in out


def test_several_models_and_batches_in_the_table(tmp_path, run):
    parts = parts_of(definition(batches=(1, 16)))
    code, out, _ = run(write(tmp_path, om_files.container(parts, parts)))
    assert code == 0
    assert "\nmodel 0, of 2\n" in out
    assert "\nmodel 1, of 2\n" in out
    assert out.count("batches      1, 16\n") == 2
    assert out.count("image                     input   uint8    -1x256x256x3  NHWC") == 2


def test_the_json(tmp_path, run):
    raw = om_files.container(parts_of(definition()), parts_of(definition(name="second"), 7))
    path = write(tmp_path, raw)
    code, out, err = run(path, "--format", "json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [*found] == ["file", "bytes", "sha256", "kind", "header", "models", "problems"]
    assert (found["bytes"], found["kind"], found["problems"]) == (len(raw), "IR model", [])
    assert found["sha256"] == hashlib.sha256(raw).hexdigest()
    first, second = found["models"]
    assert (first["name"], second["name"]) == ("net", "second")
    assert (first["weights_bytes"], second["weights_bytes"]) == (1000, 7)
    assert first["inputs"] == [
        {
            "name": "image", "dtype": "uint8", "shape": [16, 256, 256, 3], "layout": "NHWC",
            "size": 16 * 256 * 256 * 3,
        }
    ]  # fmt: skip
    assert first["operator_counts"] == {"Conv2D": 3, "Data": 1, "Aipp": 1, "NetOutput": 1}
    assert first["attributes"]["atc_cmdline"] == ATTRIBUTES["atc_cmdline"]
    assert "operators" not in first
    _, out, _ = run(path, "--format", "json", "--ops")
    operators = json.loads(out)["models"][0]["operators"]
    assert [one["type"] for one in operators][:3] == ["Data", "Conv2D", "Conv2D"]


def test_numbers_that_json_has_not(tmp_path, run):
    message = definition()
    om_files.set_attribute(message.attr, "odd", [float("nan"), float("-inf"), 1.5])
    om_files.set_attribute(message.attr, "one", float("inf"))
    code, out, _ = run(write(tmp_path, om_files.container(parts_of(message))), "--format", "json")
    attributes = json.loads(out, parse_constant=pytest.fail)["models"][0]["attributes"]
    assert code == 0
    assert (attributes["odd"], attributes["one"]) == (["nan", "-inf", 1.5], "inf")


def test_it_needs_neither_protobuf_nor_numpy(tmp_path):
    path = write(tmp_path, om_files.container(parts_of(definition())))
    code = (
        "import sys; from archspec.cli import main; main(['om', 'inspect', sys.argv[1]]);"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "Gemm_98:0:logits" in done.stdout
    assert not set(done.stderr.split()) & {"google", "numpy", "onnx"}


def test_names_do_not_steer_the_terminal(tmp_path, run):
    bad = "\x1b[31m\x9b\u202e\r\b"
    message = om_files.definition(
        [(bad, "uint8", [1], bad)], [(bad, "float32", [1], bad)], [(bad, bad)],
        name=bad, attributes={"soc_version": bad},
    )  # fmt: skip
    raw = om_files.container(parts_of(message), name=bad.encode())
    for options in ((), ("--ops",)):
        code, out, _ = run(write(tmp_path, raw), *options)
        assert code == 0
        assert all(character == "\n" or character.isprintable() for character in out)


# Weights are not loaded.


def test_a_large_file_is_read_in_its_small_parts(tmp_path):
    """Four gigabytes of weights, most of them a hole in the file."""
    message = definition().SerializeToString()
    size = 4 << 30
    table = struct.pack("<II", 2, 0) + struct.pack("<IIQQ", 0, 0, 0, len(message))
    table += struct.pack("<IIQQ", 1, 0, len(message), size)
    raw = bytearray(om_files.container(parts_of(definition()))[:256])
    struct.pack_into("<Q", raw, 184, len(table) + len(message) + size)
    path = write(tmp_path, bytes(raw) + table + message)
    os.truncate(path, path.stat().st_size + size)
    tracemalloc.start()
    try:
        found = read_om(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.problems == ()
    assert found.container.partitions[1].size == size
    assert peak < 1 << 20


def test_sha256_is_that_of_the_file(tmp_path):
    raw = os.urandom((1 << 20) + 17)
    assert sha256_of(write(tmp_path, raw)) == hashlib.sha256(raw).hexdigest()


# What is none.


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"", "it is empty"),
        (b"I", "no offline model: it begins with b'I', not b'IMOD'"),
        (b"\x08\x07\x12\x04onnx" * 99, r"no offline model: it begins with b'\x08\x07\x12\x04',"
         " not b'IMOD'"),
        (b"IMOD", "cut short: it ends after 4 of the 256 bytes of its header"),
        (b"IMOD" + bytes(251), "cut short: it ends after 255 of the 256 bytes of its header"),
        (b'ARCHSPEC-STANDIN-NOT-AN-OM\n{"options": {}}', "a stand-in of archspec's tests, which no"
         " device can run; use what CANN's own atc writes"),
    ],
)  # fmt: skip
def test_what_is_no_om_is_refused(tmp_path, run, raw, words):
    path = write(tmp_path, raw)
    with pytest.raises(NotAnOm) as caught:
        read_om(path)
    assert str(caught.value) == f"{path}: {words}"
    assert run(path) == (1, "", f"error: {path}: {words}\n")


def test_what_is_no_file_is_refused(tmp_path, run):
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("nothing.om", ": no such file or directory; use a file that atc wrote"),
        (".", " is a folder; use a file that atc wrote"),
        ("pipe", " is not a regular file; use a file that atc wrote"),
    ):
        path = tmp_path / name
        assert run(path) == (2, "", f"error: {path}{words}\n")


# Damage.


def damage(folder, change, **settings):
    raw = bytearray(om_files.container(parts_of(definition()), **settings))
    changed = change(raw)
    return write(folder, raw if changed is None else changed)


@pytest.mark.thorough
@LAYOUTS
def test_any_missing_tail_is_told(tmp_path, is_wide):
    raw = om_files.container(parts_of(definition()), has_wide_table=is_wide)
    path = tmp_path / "net.om"
    whole = [op.name for op in definition().graph[0].op]
    for length in range(256, len(raw)):
        path.write_bytes(raw[:length])
        found = read_om(path)
        assert found.problems[0] == (
            f"it is cut short: {len(raw) - 256:,} bytes should follow its header, {length - 256:,}"
            " do"
        )
        names = [op.name for one in found.models.values() for op in one.operators]
        # the last may be cut in its midst
        assert names[:-1] == whole[: len(names)][:-1]
        assert not names or whole[len(names) - 1].startswith(names[-1])
    assert names == whole


def test_half_a_file_shows_its_first_half(tmp_path, run):
    path = damage(tmp_path, lambda raw: raw[:620])
    code, out, err = run(path)
    assert code == 1
    assert "image  input  uint8  16x256x256x3  NHWC" in out
    assert "Conv2D" in out
    assert err.startswith(f"error: {path}: it is cut short: ")
    assert f"\n{path}: MODEL_DEF of model 0 should lie in bytes 360 to " in err
    code, out, same = run(path, "--format", "json")
    assert (code, same) == (1, err)
    assert [f"{path}: {problem}" for problem in json.loads(out)["problems"]] == err[7:].splitlines()


CASES = {
    "longer": (
        lambda raw: raw + b"more",
        ["its lengths disagree: {body:,} bytes should follow its header, {more:,} do"],
    ),
    "another head": (
        lambda raw: struct.pack_into("<I", raw, 4, 300),
        ["its header says that it is 300 bytes long; it must be 256"],
    ),
    "no table": (
        lambda raw: raw[:258],
        ["it is cut short: {body:,} bytes should follow its header, 2 do",
         "it ends before the partition table of model 0",
         "it has no model definition that could be read"],
    ),
    "huge count": (
        lambda raw: struct.pack_into("<I", raw, 256, 0xFFFFFFFF),
        ["the partition table of model 0 says that it has 4,294,967,295 entries; there is room for"
         " {room:,}",
         "it has no model definition that could be read"],
    ),
    "no entry": (
        lambda raw: struct.pack_into("<I", raw, 256, 0),
        ["the partition table of model 0 says that it has 0 entries; there is room for {room:,}",
         "it has no model definition that could be read"],
    ),
    "more models": (
        lambda raw: struct.pack_into("<I", raw, 156, 4_000_000_000),
        ["it ends before the partition table of model 1"],
    ),
    "an offset elsewhere": (
        lambda raw: struct.pack_into("<Q", raw, 296, 1 << 63),
        ["WEIGHTS_DATA of model 0 is said to begin 9,223,372,036,854,775,808 bytes into the model's"
         " data; what is before it ends at {definition:,}"],
    ),
    "a size beyond the end": (
        lambda raw: struct.pack_into("<Q", raw, 352, 1 << 62),
        ["TBE_KERNELS of model 0 should lie in bytes {kernels:,} to {far:,} of a file of {size:,}"],
    ),
    "another type": (
        lambda raw: struct.pack_into("<I", raw, 264, 1),
        ["it has no model definition that could be read"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_lengths_that_lie(tmp_path, case):
    change, sentences = CASES[case]
    whole = om_files.container(parts_of(definition()))
    path = damage(tmp_path, change)
    body = len(whole) - 256
    words = {
        "body": body,
        "more": body + 4,
        "room": (body - 8) // 24,
        "definition": len(parts_of(definition())[0][1]),
        "size": len(whole),
        "kernels": len(whole) - 7,
        "far": len(whole) - 7 + (1 << 62),
    }
    found = read_om(path)
    assert list(found.problems) == [sentence.format(**words) for sentence in sentences]
    if 0 in found.models:
        assert len(found.models[0].operators) == 6


def test_a_table_of_many_partitions(tmp_path):
    raw = om_files.container([(9, b"")] * 5000)
    found = read_container(write(tmp_path, raw))
    assert found.problems == ("it has more than 4,096 partitions; no more are read",)
    raw = om_files.container(*[[(9, b"")]] * 5000)
    found = read_container(write(tmp_path, raw))
    assert found.problems == ("it has more than 4,096 partitions; no more are read",)
    assert len(found.partitions) == 4096


def text_field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


GRAPH = text_field(6, text_field(1, b"conv") + text_field(2, b"Conv2D"))
LEAD = len(text_field(7, GRAPH))
MESSAGES = {
    "a number that does not end": (
        b"\x80" * 30,
        [f"it has a number that does not end at byte {LEAD + 10} of {LEAD + 30}"],
    ),
    "a number cut off": (b"\x10\x80", [f"it ends inside a number, at byte {LEAD + 2}"]),
    "a field of number 0": (b"\x00\x01", [f"it is not protobuf at byte {LEAD} of {LEAD + 2}"]),
    "a kind that there is not": (b"\x0f", [f"it is not protobuf at byte {LEAD} of {LEAD + 1}"]),
    "groups without end": (
        b"\x63" * 10_000,
        [f"it has groups nested too deep at byte {LEAD + 100} of {LEAD + 10_000:,}"],
    ),
    "a group cut off": (b"\x63", ["it ends inside a group"]),
    "a group that ends as another": (
        b"\x63\x6c",
        [f"it ends a group that it does not begin at byte {LEAD + 1} of {LEAD + 2}"],
    ),
    "a text that is none": (text_field(1, b"\xff\xfe"), ["the model's name is not UTF-8"]),
    "an inner length that lies": (
        text_field(7, b"\x32\x7f\x0a"),
        [
            "operator 1 of graph 1 ends inside a number, at byte 1",
            "graph 1 is cut short: 127 bytes should follow byte 2, 1 do",
        ],
    ),
    "a length of 64 bits": (
        b"\x3a" + b"\xff" * 9 + b"\x01" + b"\x30",
        [
            "it is cut short: 18,446,744,073,709,551,615 bytes should follow byte"
            f" {LEAD + 11}, 1 do",
            "graph 1 ends inside a number, at byte 1",
        ],
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages_that_lie(tmp_path, case):
    tail, sentences = MESSAGES[case]
    message = text_field(7, GRAPH) + tail
    found = read_om(write(tmp_path, om_files.container([(0, message)])))
    assert sorted(found.problems) == sorted(f"MODEL_DEF of model 0: {one}" for one in sentences)
    first = found.models[0].operators[0]
    assert (first.name, first.type) == ("conv", "Conv2D")


def test_a_group_is_passed_over(tmp_path):
    """Nothing has written any for long, and Google's protobuf passes over them too."""
    message = text_field(1, b"name") + b"\x63" + text_field(1, b"another") + b"\x6b\x6c\x64"
    assert om_files.message_classes()["ModelDef"].FromString(message).name == "name"
    found = read_om(write(tmp_path, om_files.container([(0, message)])))
    assert (found.problems, found.models[0].name) == ((), "name")


def test_a_number_of_more_than_64_bits_loses_them():
    """As Google's protobuf has it."""
    message = b"\x50" + b"\xff" * 9 + b"\x7f"
    assert om_files.message_classes()["TensorDescriptor"].FromString(message).size == -1
    (field,) = wire.fields(memoryview(message))
    assert (field.number, wire.as_signed(field.value)) == (10, -1)


def test_limits_keep_hostile_files_short(tmp_path, monkeypatch):
    path = write(tmp_path, om_files.container(parts_of(definition())))
    for room, name, limit, words in (
        (messages, "MAX_FIELDS", 20, "no more than 20 fields of a file are read"),
        (model, "MAX_OPERATORS", 2, "it has more than 2 operators; no more are read"),
        (model, "MAX_GRAPHS", 0, "it has 1 graphs; 0 are read"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(room, name, limit)
            assert read_om(path).problems == (f"MODEL_DEF of model 0: {words}",)
    monkeypatch.setattr(offline, "LARGEST_DEFINITION", 300)
    found = read_om(path)
    assert found.problems[0].startswith("MODEL_DEF of model 0 has ")
    assert found.problems[0].endswith(" bytes; 300 are read")
    assert found.models[0].inputs[0].name == "image"


def test_a_million_problems_are_not_all_told(tmp_path, run):
    message = text_field(7, text_field(6, text_field(1, b"\xff"))) * 1000
    path = write(tmp_path, om_files.container([(0, message)]))
    assert len(read_om(path).problems) == 51
    code, _, err = run(path)
    assert code == 1
    assert len(err.splitlines()) == 51
    assert err.endswith("there are more problems than these 50\n")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "message",
    [
        b"\x3a\x02\x32\x00" * 100_000,
        b"\x3a\x04\x32\x02\x0a\x00" * 50_000,
        b"\x80" * 1_000_000,
        b"\x63" * 1_000_000,
    ],
    ids=["graphs", "operators", "number", "groups"],
)
def test_hostile_megabytes_take_little_memory(tmp_path, message):
    path = write(tmp_path, om_files.container([(0, message)]))
    tracemalloc.start()
    try:
        assert read_om(path).problems
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 << 20


WHOLE = om_files.container(parts_of(definition(batches=(1, 4)), 50), parts_of(definition(), 20))
OLD = om_files.container(parts_of(definition(), 50), has_wide_table=False)


@st.composite
def damages(draw, raw):
    """A file with bytes flipped, cut out, put in, or its end gone; often where lengths are."""
    changed = bytearray(raw)
    places = st.one_of(st.integers(0, 400), st.integers(0, len(raw) - 1))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(places) % max(1, len(changed))
        match draw(st.sampled_from(["flip", "set", "cut", "insert", "truncate"])):
            case "flip":
                changed[place : place + 1] = bytes([changed[place] ^ 1 << draw(st.integers(0, 7))])
            case "set":
                changed[place : place + 8] = draw(
                    st.sampled_from([bytes(8), b"\xff" * 8, b"\x80" * 8, b"\x7f\0\0\0\0\0\0\0"])
                )
            case "cut":
                del changed[place : place + draw(st.integers(1, 40))]
            case "insert":
                changed[place:place] = draw(st.binary(min_size=1, max_size=40))
            case _:
                del changed[max(1, place) :]
        if not changed:
            break
    return bytes(changed)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "net.om"


@pytest.mark.parametrize("raw", [WHOLE, OLD], ids=["64-bit", "32-bit"])
@given(data=st.data())
def test_whatever_the_damage_there_are_sentences(scratch, raw, data):
    scratch.write_bytes(data.draw(damages(raw)))
    try:
        found = read_om(scratch)
    except (SpecError, UsageError) as error:
        assert str(error).startswith(str(scratch))
        return
    size = scratch.stat().st_size
    for part in found.container.partitions:
        assert 256 <= part.offset <= part.offset + part.size <= size
    assert all(isinstance(problem, str) for problem in found.problems)


@given(raw=damages(WHOLE))
def test_whatever_the_damage_the_command_prints_it(scratch, raw):
    scratch.write_bytes(raw)
    for options in ([], ["--ops"], ["--format", "json"]):
        assert main(["om", "inspect", str(scratch), *options]) in (0, 1)


@given(data=st.data())
def test_what_google_s_protobuf_reads_of_a_damaged_message_is_read_so(scratch, data):
    whole = definition(batches=(1, 4)).SerializeToString(deterministic=True)
    message = data.draw(damages(whole))
    try:
        theirs = om_files.message_classes()["ModelDef"].FromString(message)
    except (DecodeError, UnicodeDecodeError):  # its form in Python looks at texts at once
        theirs = None
    problems = []
    found = model.read_definition(memoryview(message), "it", problems, messages.Allowance())
    if theirs is None:
        return
    assert [one for one in problems if "attribute" not in one] == []
    with suppress(UnicodeDecodeError):  # its form in C looks at a text when it is asked for
        assert_same(found, theirs)


def assert_same(found, theirs):
    assert found.name == theirs.name
    ops = [op for graph in theirs.graph for op in graph.op]
    assert [(op.name, op.type) for op in found.operators] == [(op.name, op.type) for op in ops]
    for op, their in zip(found.operators, ops, strict=True):
        assert (op.output is None) == (not their.output_desc)
        if op.output:
            tensor = their.output_desc[0]
            assert op.output.shape == tuple(tensor.shape.dim)[: model.MAX_EXTENTS]
            assert (op.output.name, op.output.layout) == (tensor.name, tensor.layout)
            assert op.output.size == tensor.size


NAMES = st.text(max_size=20)
EXTENTS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6)


@given(
    inputs=st.lists(st.tuples(NAMES, st.sampled_from(["float32", "uint8"]), EXTENTS, NAMES)),
    outputs=st.lists(st.tuples(NAMES, st.sampled_from(["float16", "int64"]), EXTENTS, NAMES)),
    operators=st.lists(st.tuples(NAMES, NAMES)),
    values=st.dictionaries(
        st.text().map(lambda text: f"attribute {text}"),
        st.one_of(
            st.integers(-(2**63), 2**63 - 1),
            st.text(),
            st.booleans(),
            st.floats(width=32, allow_nan=False, allow_infinity=False),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
            st.lists(st.text(), min_size=1),
            st.lists(st.booleans(), min_size=1),
        ),
    ),
)
def test_whatever_google_s_protobuf_writes_is_read(scratch, inputs, outputs, operators, values):
    operators = [(name, f"op {kind}") for name, kind in operators]
    message = om_files.message_classes()["ModelDef"](name="net")
    graph = message.graph.add()
    for place, (name, dtype, shape, layout) in enumerate(inputs):
        op = graph.op.add(name=name, type="Data")
        om_files.set_tensor(op.input_desc.add(), dtype, shape, layout, name, place)
        om_files.set_attribute(op.attr, "index", place)
    for name, kind in operators:
        graph.op.add(name=name, type=kind)
    end = graph.op.add(name="end", type="NetOutput")
    for name, dtype, shape, layout in outputs:
        om_files.set_tensor(end.input_desc.add(), dtype, shape, layout, name)
    for key, value in values.items():
        om_files.set_attribute(message.attr, key, value)
    problems = []
    raw = memoryview(message.SerializeToString())
    found = model.read_definition(raw, "it", problems, messages.Allowance())
    assert problems == []
    assert found.attributes == values
    assert [tensor.name for tensor in found.inputs] == [name for name, *_ in inputs]
    tensors = [*found.inputs, *found.outputs]
    assert [(one.dtype, one.shape, one.layout) for one in tensors] == [
        (dtype, tuple(shape), layout) for _, dtype, shape, layout in (*inputs, *outputs)
    ]
    assert [(op.name, op.type) for op in found.operators] == [
        *((name, "Data") for name, *_ in inputs), *operators, ("end", "NetOutput"),
    ]  # fmt: skip


def test_the_wire_s_kinds_are_all_read():
    raw = b"\x08\x96\x01" + b"\x11" + struct.pack("<d", 1.5) + b"\x1a\x02ab" + b"\x25\x01\0\0\0"
    found = [tuple(field) for field in wire.fields(memoryview(raw))]
    bits = int.from_bytes(struct.pack("<d", 1.5), "little")
    assert found == [(1, 0, 150, b""), (2, 1, bits, b""), (3, 2, 0, b"ab"), (4, 5, 1, b"")]

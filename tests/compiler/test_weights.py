"""Weights in files and from publishers: what is read is what was written, or nothing is."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from oracles import published as lists
from oracles.rule_b import draw, image

import archspec
from archspec.cli import main
from archspec.compiler.model import weights_of
from archspec.compiler.targets.reference import run as run_graph
from archspec.compiler.weights.arrays import Entry, TensorFile
from archspec.compiler.weights.check import differences
from archspec.compiler.weights.families import sources
from archspec.compiler.weights.files import READERS, WRITERS, open_tensors, write_tensors
from archspec.compiler.weights.fitting import fits
from archspec.compiler.weights.importing import ImportOptions, import_weights
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import load_weights, save_weights
from archspec.compiler.weights.maps import FAMILIES, PUBLISHERS
from archspec.compiler.weights.plans import plan_import
from archspec.compiler.weights.structure import match_structure
from archspec.errors import SpecError, UsageError
from archspec.extras import PACKAGE, lacking, version_of
from archspec.identity import fingerprint_without_input
from archspec.sources import shipped_folder

SMALL = "tiny/isynet"


@pytest.fixture(scope="session")
def graph():
    return archspec.load(SMALL)


@pytest.fixture(scope="session")
def weights(graph):
    random = np.random.default_rng(0)
    return {
        name: random.standard_normal(weight.shape, np.float32)
        for name, weight in weights_of(graph).items()
    }


@pytest.fixture(scope="session")
def mindspore():
    return pytest.importorskip("mindspore")


@pytest.fixture(params=list(WRITERS))
def path(request, tmp_path):
    return tmp_path / f"weights{request.param}"


def same(one, other):
    return list(one) == list(other) and all(
        one[name].dtype == np.float32 and np.array_equal(one[name], other[name]) for name in one
    )


# Files of our own.


def test_what_is_written_is_read(path, graph, weights):
    save_weights(path, graph, weights, {"source": "here"})
    assert same(load_weights(path, graph), weights)
    with open_tensors(path) as file:
        metadata = dict(file.metadata)
    metadata.pop("crc32", None)
    assert metadata == {
        "spec": graph.name, "fingerprint": graph.fingerprint,
        "archspec": version_of(PACKAGE), "source": "here",
        "structure": fingerprint_without_input(graph),
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_same_weights_are_the_same_bytes(path, graph, weights):
    save_weights(path, graph, weights)
    first = path.read_bytes()
    save_weights(path, graph, dict(reversed(weights.items())))
    assert path.read_bytes() == first


def test_others_read_our_files(tmp_path, graph, weights):
    save_weights(tmp_path / "w.safetensors", graph, weights)
    theirs = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    assert theirs.keys() == weights.keys()
    assert all(np.array_equal(theirs[name], weights[name]) for name in weights)
    save_weights(tmp_path / "w.npz", graph, weights)
    with np.load(tmp_path / "w.npz", allow_pickle=False) as archive:
        assert all(np.array_equal(archive[name], weights[name]) for name in weights)
        assert json.loads(str(archive["__metadata__"]))["spec"] == graph.name


def test_mindspore_reads_our_checkpoints(tmp_path, graph, weights, mindspore):
    save_weights(tmp_path / "w.ckpt", graph, weights)
    theirs = mindspore.load_checkpoint(str(tmp_path / "w.ckpt"), crc_check=True)
    assert theirs.pop("fingerprint") == graph.fingerprint
    assert theirs.pop("spec") == graph.name
    assert theirs.pop("structure") == fingerprint_without_input(graph)
    theirs.pop("archspec")
    assert list(theirs) == list(weights)
    assert all(np.array_equal(theirs[name].asnumpy(), weights[name]) for name in weights)


@pytest.mark.parametrize("crc_check", [False, True])
def test_we_read_mindspores_checkpoints(tmp_path, mindspore, crc_check):
    arrays = {
        "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "b": np.arange(5, dtype=np.float16),
        "c": np.arange(3, dtype=np.float64) / 3,
        "step": np.array([7], np.int32),
        "big": np.arange(1 << 10, dtype=np.float32),
    }
    items = [{"name": name, "data": mindspore.Tensor(array)} for name, array in arrays.items()]
    half = mindspore.Tensor(np.array([1.5, -2.0], np.float32)).astype(mindspore.bfloat16)
    mindspore.save_checkpoint(
        [*items, {"name": "half", "data": half}],
        str(tmp_path / "m.ckpt"),
        append_dict={"epoch_num": 3, "said": "words"},
        crc_check=crc_check,
    )
    with open_tensors(tmp_path / "m.ckpt") as file:
        assert file.metadata == {"said": "words"}
        assert file.entries["half"] == Entry((2,), "bfloat16")
        assert file.entries["epoch_num"].shape == ()
        assert file.read("half").tolist() == [1.5, -2.0]
        for name, array in arrays.items():
            assert file.entries[name] == Entry(array.shape, array.dtype.name)
            assert np.array_equal(file.read(name), array)


def test_large_tensors_in_slices(tmp_path, mindspore, monkeypatch):
    array = np.arange(6000, dtype=np.float32).reshape(60, 100)
    monkeypatch.setattr("mindspore.train.serialization.SLICE_SIZE", 2)
    mindspore.save_checkpoint(
        [{"name": "w", "data": mindspore.Tensor(array)}], f"{tmp_path}/s.ckpt"
    )
    assert (tmp_path / "s.ckpt").read_bytes().count(b"Float32") > 5
    with open_tensors(tmp_path / "s.ckpt") as file:
        assert np.array_equal(file.read("w"), array)


def test_half_precision_is_widened_and_double_rounded(tmp_path, graph, weights):
    for dtype in (np.float16, np.float64):
        cast = {name: array.astype(dtype) for name, array in weights.items()}
        np.savez_compressed(tmp_path / "w.npz", **cast)
        loaded = load_weights(tmp_path / "w.npz", graph)
        assert same(loaded, {name: array.astype(np.float32) for name, array in cast.items()})
    with open(tmp_path / "b.safetensors", "wb") as file:
        index = {"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
        text = json.dumps(index).encode()
        file.write(struct.pack("<Q", len(text)) + text + bytes.fromhex("803f 00c0"))
    with open_tensors(tmp_path / "b.safetensors") as file:
        assert file.read("x").tolist() == [1.0, -2.0]


def test_arrays_in_fortran_order(tmp_path):
    array = np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    np.savez(tmp_path / "f.npz", w=array)
    with open_tensors(tmp_path / "f.npz") as file:
        assert np.array_equal(file.read("w"), array)


# Differences, all of them, before anything is loaded.


def test_every_kind_of_difference():
    wanted = {"a.weight": (2, 3), "b.gamma": (4,), "c.bias": (5,), "d.beta": (6,)}
    found = {
        "a.weigth": Entry((2, 3), "float32"),
        "b.gamma": Entry((3,), "float32"),
        "c.bias": Entry((5,), "int32"),
        "d.beta": Entry((6,), "bfloat16"),
        "e": Entry((), "float32"),
    }
    assert [(d.kind, d.name + d.said) for d in differences(wanted, found)] == [
        ("missing", "a.weight 2x3"),
        ("unexpected", "a.weigth 2x3"),
        ("unexpected", "e a single number"),
        ("shape", "b.gamma is 3 in the file and 4 in the network"),
        ("type", "c.bias is int32"),
    ]


def test_differences_are_told_by_kind(path, graph, weights):
    changed = dict(weights)
    changed["head.convolution.weight"] = changed.pop("head.conv.weight")
    changed["classifier.dense.bias"] = np.zeros(7, np.float32)
    write_tensors(path, changed, {"fingerprint": "0" * 64, "spec": "other"})
    wide, bias = weights["head.conv.weight"].shape, weights["classifier.dense.bias"].shape[0]
    size = "x".join(map(str, wide))
    with pytest.raises(SpecError) as error:
        load_weights(path, graph)
    assert str(error.value).splitlines() == [
        f"{path}: the weights do not fit {graph.name}: 1 missing from the file, 1 not of this"
        " network, 1 of another shape",
        f"  missing     head.conv.weight {size}; did you mean 'head.convolution.weight'?",
        f"  unexpected  head.convolution.weight {size}",
        f"  shape       classifier.dense.bias is 7 in the file and {bias} in the network",
        "  they were made for other (000000000000)",
    ]


def test_long_lists_are_counted(tmp_path, graph):
    write_tensors(tmp_path / "w.npz", {f"x{k}": np.zeros(1) for k in range(20)}, {})
    with pytest.raises(SpecError) as error:
        load_weights(tmp_path / "w.npz", graph)
    lines = str(error.value).splitlines()
    count = len(weights_of(graph))
    assert lines[0].endswith(f": {count} missing from the file, 20 not of this network")
    assert f"  missing     ... and {count - 8} more" in lines
    assert "  unexpected  ... and 12 more" in lines
    assert lines[-1].startswith("  archspec weights import ")
    assert len(lines) == 20


def test_weights_of_another_network(path, graph, weights):
    save_weights(path, graph, weights)
    other = archspec.load(SMALL, dropout=0.5)
    assert other.fingerprint != graph.fingerprint
    with pytest.raises(SpecError) as error:
        load_weights(path, other)
    assert str(error.value) == (
        f"{path}: the weights were made for {graph.name} ({graph.fingerprint[:12]}), not for"
        f" {other.name} ({other.fingerprint[:12]}); all {len(weights)} tensors agree in name and"
        " shape, so the networks differ in attributes or wiring (archspec diff shows what)"
    )
    assert same(load_weights(path, other, of_any_network=True), weights)


def test_weights_are_for_images_of_any_size(path, graph, weights):
    """An older file, which says the fingerprint with input alone, is known by the spec's own."""
    larger = archspec.load(SMALL, input_shape=(1, 16, 16))
    assert larger.fingerprint != graph.fingerprint
    save_weights(path, graph, weights)
    assert same(load_weights(path, larger), weights)
    save_weights(path, larger, weights)
    assert same(load_weights(path, archspec.load(SMALL, input_shape=(1, 24, 12))), weights)
    older = {"spec": graph.name, "fingerprint": graph.fingerprint}
    write_tensors(path, weights, older)
    assert same(load_weights(path, larger), weights)
    write_tensors(path, weights, {**older, "fingerprint": "0" * 64})
    with pytest.raises(SpecError, match="the weights were made for tiny_isynet"):
        load_weights(path, larger)


def test_nodes_that_start_anew_have_no_weights(path, graph, weights):
    save_weights(path, graph, weights)
    fewer = archspec.load(SMALL, classes=3)
    with pytest.raises(SpecError) as error:
        load_weights(path, fewer)
    assert str(error.value).splitlines() == [
        f"{path}: the weights do not fit tiny_isynet: 2 of another shape",
        "  shape       classifier.dense.weight is 10x128 in the file and 3x128 in the network",
        "  shape       classifier.dense.bias is 10 in the file and 3 in the network",
        "  archspec train --reset 'classifier.*' starts what is of another size anew",
        f"  they were made for tiny_isynet ({graph.fingerprint[:12]})",
    ]
    rest = {name: array for name, array in weights.items() if "classifier" not in name}
    assert same(load_weights(path, fewer, but=["classifier.*"]), rest)
    assert not load_weights(path, fewer, but=["*"])
    with pytest.raises(SpecError, match=r"2 of another shape"):
        load_weights(path, fewer, but=["head.*"])
    # of a part that starts anew the file may have anything, of the others nothing else
    more = {**rest, "classifier.hidden.weight": weights["head.conv.weight"]}
    write_tensors(path, more, {})
    assert same(load_weights(path, fewer, but=["classifier.*"]), rest)
    write_tensors(path, {**more, "odd.weight": weights["head.conv.weight"]}, {})
    with pytest.raises(SpecError, match="1 not of this network"):
        load_weights(path, fewer, but=["classifier.*"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_none(tmp_path, graph, weights, bad):
    changed = {name: array.astype(np.float64) for name, array in weights.items()}
    changed["head.conv.weight"].reshape(-1)[3] = bad
    np.savez(tmp_path / "w.npz", **changed)
    with pytest.raises(
        SpecError, match=r"head\.conv\.weight holds 1 of .* numbers that are infinite"
    ):
        load_weights(tmp_path / "w.npz", graph)
    with pytest.raises(SpecError, match=r"head\.conv\.weight holds 1 of"):
        save_weights(tmp_path / "out.npz", graph, changed)
    assert not (tmp_path / "out.npz").exists()


def test_only_whole_networks_are_written(path, graph, weights):
    path.write_text("precious")
    with pytest.raises(SpecError, match="the weights to write are not"):
        save_weights(path, graph, dict(list(weights.items())[1:]))
    assert path.read_text() == "precious"


# Damage.


def is_refused(path, graph, weights):
    """Whether a file is refused in one sentence; what is not refused must hold the weights."""
    try:
        loaded = load_weights(path, graph)
    except SpecError as error:
        assert "Traceback" not in str(error) and str(path) in str(error)
        return True
    assert same(loaded, weights)
    return False


def test_cut_short_anywhere(path, graph, weights):
    save_weights(path, graph, weights)
    content = path.read_bytes()
    for share in (0, 1, 7, 8, 9, 100, *(len(content) * k // 20 for k in range(1, 20)), -1):
        path.write_bytes(content[:share])
        assert is_refused(path, graph, weights), share


@pytest.mark.thorough
def test_any_byte_flipped(path, graph, weights):
    save_weights(path, graph, weights)
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(1)
    places = [*range(0, 400, 7), *random.integers(0, len(content), 150).tolist()]
    caught = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        caught += is_refused(path, graph, weights)
    assert caught > 0.9 * len(places)  # what is left is in words about the file, dates and the like


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 64, b"\xff" * 64, b"{" * 500])
def test_what_is_no_file_of_weights(path, graph, weights, content):
    path.write_bytes(content)
    assert is_refused(path, graph, weights)
    assert main(["weights", "inspect", str(path)]) == 1


@pytest.mark.parametrize("actual", list(WRITERS))
def test_first_bytes_count_for_more_than_the_ending(path, graph, weights, actual, tmp_path):
    save_weights(tmp_path / f"other{actual}", graph, weights)
    for name in (path, tmp_path / "w.bin", tmp_path / "weights"):
        (tmp_path / f"other{actual}").rename(name)
        assert same(load_weights(name, graph), weights)
        name.rename(tmp_path / f"other{actual}")


def test_pickles_are_not_read(tmp_path, graph):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    np.savez(tmp_path / "p.npz", x=np.array([Evil()], object))
    with pytest.raises(SpecError) as error:
        load_weights(tmp_path / "p.npz", graph)
    assert str(error.value) == (
        f"{tmp_path / 'p.npz'}: 'x' is a pickled array, which could run code when read; use arrays"
        " of numbers"
    )
    assert not (tmp_path / "ran").exists()


def test_a_zip_bomb_costs_no_memory(tmp_path, graph):
    header = io.BytesIO()
    shape = (1 << 13, 1 << 13)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with (
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("head.conv.weight.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(header.getvalue())
        for _ in range(1 << 8):
            entry.write(bytes(1 << 20))
    assert (tmp_path / "b.npz").stat().st_size < 2 << 20
    tracemalloc.start()
    with pytest.raises(SpecError, match="is 8192x8192 in the file"):
        load_weights(tmp_path / "b.npz", graph)
    with open_tensors(tmp_path / "b.npz") as file:
        assert file.entries["head.conv.weight"].shape == shape
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def index(**entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "content, why",
    [
        (struct.pack("<Q", 1 << 40) + b"{}", "it ends before its index does"),
        (struct.pack("<Q", 1 << 26) + bytes(1 << 26), "its index claims 67,108,864 bytes"),
        (struct.pack("<Q", 90000) + b"[" * 90000, "its index is nested too deeply"),
        (struct.pack("<Q", 2) + b"[]", "its index is not an object"),
        (struct.pack("<Q", 3) + b"{x}", "its index is not JSON"),
        (struct.pack("<Q", 15) + b'{"a":1,"a":[1]}', "a name appears twice in its index"),
        (index(a=5), "its index says too little of 'a'"),
        (index(a={**ONE, "shape": [-1]}), "its index has no sizes for 'a'"),
        (index(a={**ONE, "shape": [True]}) + bytes(4), "its index has no sizes for 'a'"),
        (
            index(a={**ONE, "shape": [2]}) + bytes(4),
            "'a' does not have the bytes that its shape takes",
        ),
        (index(a=ONE, b=ONE) + bytes(4), "its tensors overlap or leave holes"),
        (index(a=ONE) + bytes(8), "its index describes 4 bytes of numbers and there are 8"),
        (index(__metadata__={"a": 1}), "its metadata is not words by name"),
    ],
)
def test_hostile_safetensors(tmp_path, content, why):
    path = tmp_path / "h.safetensors"
    path.write_bytes(content)
    with pytest.raises(SpecError) as error:
        open_tensors(path)
    assert str(error.value) == f"{path}: the file is damaged ({why}); use a fresh copy"


def ckpt_value(*fields):
    value = b"".join(fields)
    return b"\x0a" + bytes([len(value)]) + value


NAME, TYPE, FOUR = b"\x0a\x01a", b"\x12\x07Float32", b"\x1a\x04" + bytes(4)


def ckpt_tensor(*fields):
    tensor = b"".join(fields)
    return b"\x12" + bytes([len(tensor)]) + tensor


ONE_TENSOR = ckpt_value(NAME, ckpt_tensor(TYPE, FOUR))
NO_CKPT = "it is not a MindSpore checkpoint, or an encrypted one"


@pytest.mark.parametrize(
    "content, why",
    [
        (b"\x0a\x80", "it ends too early, or it is not a MindSpore checkpoint"),
        (b"\x0a\x7f", "it ends too early, or it is not a MindSpore checkpoint"),
        (b"\x08\x01", NO_CKPT),
        (b"\x0f", NO_CKPT),
        (ckpt_value(NAME), NO_CKPT),
        (ckpt_value(ckpt_tensor(TYPE, FOUR)), NO_CKPT),
        (ckpt_value(NAME, ckpt_tensor(TYPE)), "'a' has no numbers"),
        (ckpt_value(NAME, ckpt_tensor(b"\x12\x03Odd", FOUR)), "'a' is of the unknown type 'Odd'"),
        (ckpt_value(NAME, ckpt_tensor(b"\x08\x02", TYPE, FOUR)),
         "'a' does not have the bytes that its shape takes"),
        (ckpt_value(NAME, ckpt_tensor(*[b"\x20\x01"] * 60)) * 2, "'a' has no numbers"),
        (ckpt_value(*[b"\x20\x01"] * 60), NO_CKPT),
        (ONE_TENSOR + ckpt_value(b"\x0a\x01b", ckpt_tensor(TYPE, FOUR)) + ONE_TENSOR,
         "'a' appears twice in it"),
        (b"crc_num" + bytes(9) + b"\x01", "it does not meet its checksum"),
    ],
)  # fmt: skip
def test_hostile_checkpoints(tmp_path, content, why):
    path = tmp_path / "h.ckpt"
    path.write_bytes(content)
    with pytest.raises(SpecError) as error:
        open_tensors(path)
    assert str(error.value) == f"{path}: the file is damaged ({why}); use a fresh copy"


def test_hash_maps_of_mindspore(tmp_path):
    path = tmp_path / "m.ckpt"
    path.write_bytes(ckpt_value(NAME, b"\x1a\x00"))
    with pytest.raises(SpecError) as error:
        open_tensors(path)
    assert str(error.value) == (
        f"{path}: 'a' is a hash map of MindSpore, which no network here has"
    )


def test_names_steer_no_terminal(run, tmp_path):
    write_tensors(tmp_path / "n.npz", {"\x1b[2Ja": np.zeros(1)}, {"note": "\x1b[31mred"})
    code, out, _ = run("inspect", tmp_path / "n.npz")
    assert code == 0
    assert "\x1b" not in out and "\\x1b[2Ja" in out and "\\x1b[31mred" in out


def test_unknown_types_are_seen_and_not_loaded(tmp_path):
    path = tmp_path / "f8.safetensors"
    path.write_bytes(index(a={"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}) + bytes(4))
    with open_tensors(path) as file:
        assert file.entries == {"a": Entry((4,), "f8_e4m3")}
        (difference,) = differences({"a": (4,)}, file.entries)
    assert difference.said == " is f8_e4m3"


def test_endings(tmp_path):
    with pytest.raises(UsageError, match=r"w\.h5: weights are in files ending in '\.safetensors'"):
        open_tensors("w.h5")
    with pytest.raises(UsageError, match="weights are written to files ending in"):
        write_tensors(tmp_path / "w.pth", {}, {})
    with pytest.raises(SpecError, match="no such file"):
        open_tensors(tmp_path / "none.npz")
    with pytest.raises(UsageError, match="cannot be written"):
        write_tensors(tmp_path / "no" / "w.npz", {"a": np.zeros(1)}, {})


# Publishers' names. The expectations come from the order in which layers run, or from explicit
# tables in oracles.published, never from the maps.


AUXILIARY = ("AuxLogits.", "aux.")
"""The head of Inception-v3 that only training uses."""


def load_for(network, spec):
    return archspec.load(spec, **lists.ARGS.get(network, {}))


def expected_names(network, graph, shapes):
    if network == "modelzoo/csp":
        return {path: lists.csp_model_zoo(path) for path in weights_of(graph)}
    if network == "timm/repvgg_a0":
        return {path: lists.repvgg(path) for path in weights_of(graph)}
    if network == "mindcv/repvgg_a0":
        return {path: lists.mindcv_repvgg(path) for path in weights_of(graph)}
    return lists.by_order(graph, shapes)


IN_ONE_PIECE = [
    n
    for n, (spec, _) in lists.NETWORKS.items()
    if n not in ("modelzoo/resnext_Ascend", "timm/cspdarknet53", "mindcv/hrnet_w32")
    and spec not in lists.TIMM
]


def entries_of(shapes):
    return {name: Entry(shape, "float32") for name, shape in shapes.items()}


def plan_files(shapes, graph, publisher=None, part=None):
    file = TensorFile("a file", entries_of(shapes), {}, lambda name: None, lambda: None)
    return plan_import(file, graph, publisher, part)


@pytest.mark.parametrize("network", IN_ONE_PIECE)
def test_every_published_name_has_its_place(network):
    spec, publisher = lists.NETWORKS[network]
    graph, shapes = load_for(network, spec), lists.load_published(network)
    counted = {n: s for n, s in shapes.items() if s != () and not n.startswith(AUXILIARY)}
    expected = expected_names(network, graph, counted)
    assert sorted(expected.values()) == sorted(counted)
    for asked in (publisher, None):
        plan = plan_files(shapes, graph, asked)
        actual = {path: plan.file_names[source.names[0]] for path, source in plan.sources.items()}
        assert actual == expected
        assert all(len(source.names) == 1 for source in plan.sources.values())
        assert set(plan.ignored) == shapes.keys() - counted.keys()


ZOO_FILES = {
    "modelzoo/isynet_N0": {},
    "modelzoo/isynet_N1": {},
    "modelzoo/isynet_N3-S2": {},
    "modelzoo/csp": {},
    "modelzoo/spnas_train_prefixed": {},
}


def save_by_mindspore(mindspore, path, arrays):
    """As the zoo's training does: with slots and counters of the optimizer."""
    slots = {f"moments.{name}": array for name, array in list(arrays.items())[:5]}
    extra = {"global_step": np.array([9], np.int32), "learning_rate": np.float32(0.1)}
    items = {**arrays, **slots, **extra}
    mindspore.save_checkpoint(
        [{"name": name, "data": mindspore.Tensor(array)} for name, array in items.items()],
        str(path),
    )
    path.chmod(0o600)


@pytest.mark.parametrize("network", ZOO_FILES)
def test_model_zoo_checkpoints(network, tmp_path, mindspore):
    spec, _ = lists.NETWORKS[network]
    graph, shapes = load_for(network, spec), lists.load_published(network)
    arrays = lists.fill(shapes)
    save_by_mindspore(mindspore, tmp_path / "zoo.ckpt", arrays)
    imported = import_weights(tmp_path / "zoo.ckpt", graph, ImportOptions("modelzoo"))
    expected = {p: arrays[n] for p, n in expected_names(network, graph, shapes).items()}
    assert same({p: imported.weights[p] for p in expected}, expected)
    assert imported.ignored == {"moments": 5, "global_step": 1, "learning_rate": 1}
    assert sum(rule.tensors for rule in imported.rules) == len(shapes)
    assert sum(rule.numbers for rule in imported.rules) == sum(a.size for a in arrays.values())


def shallow(shapes):
    """One block a stage of a ResNeXt's list."""
    return {n: s for n, s in shapes.items() if ".layer" not in n or n.split(".")[2] == "0"}


def test_grouped_convolutions_in_64_pieces(tmp_path, mindspore):
    """Both layouts of ResNeXt hold one network: 64 kernels stacked are the grouped one."""
    graph = archspec.load("resnext152_64x4d", depths=[1, 1, 1, 1])
    whole = lists.fill(shallow(lists.load_published("modelzoo/resnext_GPU")), np.float16)
    pieces = {}
    for name in shallow(lists.load_published("modelzoo/resnext_Ascend")):
        stem, is_split, rest = name.partition(".convs.")
        if not is_split:
            pieces[name] = whole[name]
            continue
        kernel = whole[f"{stem}.weight"]
        group, rows = int(rest.partition(".")[0]), kernel.shape[0] // 64
        pieces[name] = kernel[group * rows : (group + 1) * rows]
    results = []
    for arrays in (whole, pieces):
        save_by_mindspore(mindspore, tmp_path / "x.ckpt", arrays)
        results.append(import_weights(tmp_path / "x.ckpt", graph))
    gpu, ascend = results
    assert gpu.method == "by name: ResNeXt of the model zoo, GPU layout"
    assert ascend.method == "by name: ResNeXt of the model zoo, Ascend layout"
    assert same(gpu.weights, ascend.weights)
    expected = lists.by_order(graph, {n: a.shape for n, a in whole.items()})
    assert all(np.array_equal(gpu.weights[p], whole[n]) for p, n in expected.items())
    assert gpu.dtypes == {"float16": len(whole)}


def test_the_whole_ascend_list():
    graph = archspec.load("resnext152_64x4d")
    plan = plan_files(lists.load_published("modelzoo/resnext_Ascend"), graph, "modelzoo")
    assert plan.sources["stage3.block36.spatial.conv.weight"].names == tuple(
        f"backbone.layer3.35.conv2.convs.{group}.weight" for group in range(64)
    )
    assert len([n for source in plan.sources.values() for n in source.names]) == 3927


def test_timms_cspdarknet_is_split_and_turned(tmp_path):
    shapes = lists.load_published("timm/cspdarknet53")
    arrays = lists.fill({n: s for n, s in shapes.items() if s != ()})
    safetensors.numpy.save_file(arrays, tmp_path / "t.safetensors")
    imported = import_weights(
        tmp_path / "t.safetensors", archspec.load("cspdarknet53"), ImportOptions("timm")
    )
    both = arrays["stages.2.conv_exp.conv.weight"]
    assert np.array_equal(imported.weights["stage3.cross.enter.conv.weight"], both[:128])
    assert np.array_equal(imported.weights["stage3.main.enter.conv.weight"], both[128:])
    variance = arrays["stages.2.conv_exp.bn.running_var"]
    assert np.array_equal(
        imported.weights["stage3.main.enter.norm.moving_variance"], variance[128:]
    )
    joined = arrays["stages.2.conv_transition.conv.weight"]
    turned = np.concatenate([joined[:, 128:], joined[:, :128]], axis=1)
    assert np.array_equal(imported.weights["stage3.merge.conv.weight"], turned)
    assert sum(rule.numbers for rule in imported.rules) == sum(a.size for a in arrays.values())
    assert "leaky_relu" in imported.notes[0]


@pytest.mark.parametrize("network", ["torchvision/mobilenet_v2", "timm/mobilenetv3_large_100"])
def test_torch_state_dicts(network, tmp_path):
    spec, publisher = lists.NETWORKS[network]
    graph = archspec.load(spec)
    arrays = lists.fill(lists.load_published(network))
    safetensors.numpy.save_file(arrays, tmp_path / "t.safetensors")
    imported = import_weights(tmp_path / "t.safetensors", graph, ImportOptions(publisher))
    counted = {n: a.shape for n, a in arrays.items() if a.shape != ()}
    for path, name in lists.by_order(graph, counted).items():
        ours = imported.weights[path]
        assert np.array_equal(ours, arrays[name].reshape(ours.shape))
    assert list(imported.ignored) == ["num_batches_tracked"]


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: f"module.{name}",
        lambda name: name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."),
    ],
)
def test_older_and_wrapped_names_of_densenet(renamed):
    shapes = {renamed(n): s for n, s in lists.load_published("torchvision/densenet121").items()}
    plan = plan_files(shapes, archspec.load("densenet121"))
    assert plan.family.name == "DenseNet of torchvision and timm"


def test_a_backbone_needs_no_classifier():
    plan = plan_files(lists.load_published("modelzoo/csp"), archspec.load("cspdarknet53_detector"))
    assert list(plan.ignored) == ["head.fc.weight", "head.fc.bias"]


def test_one_name_for_two_tensors_is_no_match():
    shapes = dict(lists.load_published("torchvision/resnet18"))
    shapes["module.fc.bias"] = (1000,)
    with pytest.raises(SpecError, match=r"unexpected  module\.fc\.bias 1000"):
        plan_files(shapes, archspec.load("resnet18"))


@pytest.mark.thorough
@pytest.mark.parametrize("network", lists.NETWORKS)
def test_any_tensor_lost_or_changed_is_told(network):
    spec, publisher = lists.NETWORKS[network]
    graph, shapes = load_for(network, spec), lists.load_published(network)
    names = [n for n, s in shapes.items() if s != () and not n.startswith(AUXILIARY)]
    for name in names[3 :: len(names) // 5]:
        without = {n: s for n, s in shapes.items() if n != name}
        with pytest.raises(SpecError, match=r"[12] missing from the file"):
            plan_files(without, graph, publisher)
        changed = {**shapes, name: (*shapes[name][:-1], shapes[name][-1] + 1)}
        with pytest.raises(SpecError, match=r"\d of another shape"):
            plan_files(changed, graph, publisher)
        with pytest.raises(SpecError, match=r"1 not of this network"):
            plan_files({**shapes, f"{name}.further": (3,)}, graph, publisher)


def test_every_family_covers_a_shipped_spec():
    covered = set()
    for name in archspec_specs():
        graph = archspec.load(name)
        covered |= {family.name for family in FAMILIES if sources(family, graph) is not None}
    assert covered == {family.name for family in FAMILIES}
    assert {publisher for family in FAMILIES for publisher in family.publishers} == set(PUBLISHERS)


def archspec_specs():
    from archspec.sources import shipped_names

    return [name for name in shipped_names() if not name.startswith("spaces/")]


# Two networks in a file.

DML = "modelzoo/isynet_dml_N0_N3-S2"


def test_networks_of_mutual_learning():
    shapes = lists.load_published(DML)
    one = archspec.load("isynet_n0", classes=1001, last_norm=True)
    two = archspec.load("isynet_n3_s2", classes=1001, last_norm=True)
    first, second = plan_files(shapes, one), plan_files(shapes, two, "modelzoo", 2)
    assert (first.part, second.part) == (1, 2)
    assert set(first.ignored.values()) == {"network 2 of the file"}
    assert len(first.ignored) == len(weights_of(two))
    for plan, graph, number in ((first, one, "1"), (second, two, "2")):
        part = {n: s for n, s in shapes.items() if n.split(".")[0].endswith(number)}
        expected = lists.by_order(graph, part)
        assert {p: plan.file_names[s.names[0]] for p, s in plan.sources.items()} == expected


def test_parts_that_are_not_there_or_not_clear():
    graph = archspec.load("isynet_n0", classes=1001, last_norm=True)
    shapes = lists.load_published("modelzoo/isynet_N0")
    twice = {**shapes, **{n.replace("1.", "2.", 1): s for n, s in shapes.items()}}
    with pytest.raises(
        SpecError, match="holds 2 networks that fit isynet_n0; use --part 1 or --part 2"
    ):
        plan_files(twice, graph)
    assert plan_files(twice, graph, part=2).part == 2
    with pytest.raises(
        UsageError, match=r"--part 3: the file holds networks 1 \(backbone1, head1\)"
    ):
        plan_files(twice, graph, part=3)
    with pytest.raises(UsageError, match="--part 2: the file holds one network"):
        plan_files(lists.load_published("modelzoo/csp"), archspec.load("cspdarknet53"), part=2)


# Reference logits, made by the published code and kept in the facts of the project.


@pytest.mark.parametrize(
    "network, args, first, norm, argmax",
    [
        ("modelzoo/isynet_N1", {"classes": 1001, "last_norm": True},
         [-0.187732, 0.168277, 0.395845, -0.0145538, 0.145608], 7.060581, 338),
        ("modelzoo/spnas", {}, [0.161565, -0.290371, 0.461792, -0.0276599, 0.57], 7.210812, 317),
        ("modelzoo/spnas_train_prefixed", {},
         [0.161565, -0.290371, 0.461792, -0.0276599, 0.57], 7.210812, 317),
    ],
)  # fmt: skip
def test_published_names_give_the_published_networks_logits(
    network, args, first, norm, argmax, tmp_path
):
    rng = np.random.RandomState(0)
    arrays = {
        name: draw(rng, name.rpartition(".")[2], shape).astype(np.float32)
        for name, shape in lists.load_published(network).items()
    }
    write_tensors(tmp_path / "zoo.ckpt", arrays, {})
    graph = archspec.load(lists.NETWORKS[network][0], **args)
    imported = import_weights(tmp_path / "zoo.ckpt", graph)
    (logits,) = run_graph(graph, imported.weights, image(graph.input_shape))["logits"]
    assert logits[:5] == pytest.approx(first, rel=1e-5)
    assert np.linalg.norm(logits) == pytest.approx(norm, rel=1e-5)
    assert logits.argmax() == argmax


# Structure.


@pytest.mark.parametrize(
    "network",
    ["torchvision/resnet50", "torchvision/mobilenet_v2", "timm/efficientnet_b0",
     "torchvision/mobilenet_v3_large", "timm/spnasnet_100", "torchvision/shufflenet_v2_x1_0",
     "modelzoo/isynet_N1", "modelzoo/spnas", "timm/tf_efficientnet_lite0",
     "timm/vit_tiny_patch16_224", "timm/swin_tiny_patch4_window7_224"],
)  # fmt: skip
def test_structure_finds_what_names_say_in_any_order(network):
    spec, publisher = lists.NETWORKS[network]
    graph, shapes = load_for(network, spec), lists.load_published(network)
    by_name = plan_files(shapes, graph, publisher)
    expected = {p: by_name.file_names[source.names[0]] for p, source in by_name.sources.items()}
    names = [name for name in shapes if name in expected.values()]
    for order in (names, sorted(names), names[::-1], np.random.default_rng(0).permutation(names)):
        match = match_structure(graph, entries_of({str(name): shapes[name] for name in order}))
        assert match.sources is not None, match.why
        assert {path: source.names[0] for path, source in match.sources.items()} == expected


@pytest.mark.thorough
@pytest.mark.parametrize("network", ["torchvision/inception_v3", "modelzoo/csp"])
def test_structure_places_nothing_where_branches_are_alike(network):
    graph, shapes = archspec.load(lists.NETWORKS[network][0]), lists.load_published(network)
    names = [name for name in shapes if shapes[name] != () and not name.startswith("Aux")]
    match = match_structure(graph, entries_of({name: shapes[name] for name in names}))
    assert match.sources is None
    assert match.why.startswith(
        ("there are too many ways", "backbone.conv5.0 and backbone.conv6.0")
    )


def alike(*names):
    """Two branches of one shape and what they are called."""
    branches = [{"op": "conv", "name": name, "channels": 3, "kernel": 3} for name in names]
    return archspec.loads(
        json.dumps(
            {
                "archspec": 1,
                "name": "net",
                "input": {"shape": [3, 8, 8]},
                "body": [
                    {"op": "conv", "name": "first", "channels": 3, "kernel": 1},
                    {"branches": branches, "join": "add"},
                ],
            }
        )
    )


def test_two_fitting_assignments_are_both_shown():
    shapes = {"b1.weight": (3, 3, 3, 3), "a.weight": (3, 3, 1, 1), "b2.weight": (3, 3, 3, 3)}
    with pytest.raises(SpecError) as error:
        plan_files(shapes, alike("left", "right"), "torch")
    assert str(error.value).endswith(
        "cannot be placed by structure: b1 and b2 could both be branch1.left (and so with 1"
        " more nodes),"
        " and neither names nor order say which; use --map FILE, which archspec weights map drafts"
    )
    # names that agree settle it, whatever the order
    shapes = {f"x.{name}.weight": (3, 3, 3, 3) for name in ("right", "left")}
    shapes["a.weight"] = (3, 3, 1, 1)
    plan = plan_files(shapes, alike("left", "right"), "torch")
    assert plan.sources["branch1.left.weight"].names == ("x.left.weight",)
    assert plan.sources["branch2.right.weight"].names == ("x.right.weight",)
    with pytest.raises(SpecError) as error:
        plan_files(shapes, alike("left", "right"), "modelzoo")
    assert "structure" not in str(error.value)


def test_structure_names_what_has_no_place():
    graph = archspec.load("mobilenet_v2")
    shapes = {n: s for n, s in lists.load_published("torchvision/mobilenet_v2").items() if s != ()}
    moved = {**{n: s for n, s in shapes.items() if ".0.1." not in n or n[9] != "2"}}
    assert match_structure(graph, entries_of(moved)).why == (
        "the file has 104 layers with weights and the network 105"
    )
    wider = {**shapes, "features.2.conv.0.0.weight": (96, 17, 1, 1), "pos_embed": (1, 196, 768)}
    assert match_structure(graph, entries_of(wider)).why == (
        "the file has 106 layers with weights and the network 105; no layer has the shapes of"
        " 'stage2.block1.expand.conv'; no node has those of 'features.2.conv.0.0' and 'pos_embed'"
    )


# What would fit.


@pytest.mark.thorough
def test_fits_are_found_with_their_args():
    file = TensorFile(
        "f", entries_of(lists.load_published(DML)), {}, lambda name: None, lambda: None
    )
    assert [str(fit) for fit in fits(file)] == [
        "isynet_n0 --set classes=1001 --set last_norm=true",
        "isynet_n3_s2 --set classes=1001 --set last_norm=true --part 2",
    ]
    shapes = {
        n: s for n, s in lists.load_published("torchvision/resnet18").items() if n[:2] != "fc"
    }
    shapes |= {"fc.weight": (7, 512), "fc.bias": (7,)}
    file = TensorFile("f", entries_of(shapes), {}, lambda name: None, lambda: None)
    assert [str(fit) for fit in fits(file)] == ["resnet18 --set classes=7"]


# The command.


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(["weights", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def zoo(tmp_path):
    path = tmp_path / "N1.ckpt"
    arrays = lists.fill(lists.load_published("modelzoo/isynet_N1"))
    write_tensors(path, {**arrays, "moments.head1._fc.bias": np.zeros(1001)}, {})
    return path


AS_PUBLISHED = ("--set", "classes=1001", "--set", "last_norm=true")


def test_import_reports_what_came_from_where(run, zoo, tmp_path):
    output = tmp_path / "n1.safetensors"
    code, out, err = run("import", zoo, "--for", "isynet_n1", *AS_PUBLISHED, "-o", output)
    assert (code, err) == (0, "")
    graph = archspec.load("isynet_n1", classes=1001, last_norm=True)
    assert len(load_weights(output, graph)) == 202
    lines = out.splitlines()
    assert lines[0].split() == ["node", "in", "the", "file", "tensors", "numbers"]
    assert any(line.startswith("classifier.dense    head._fc ") for line in lines)
    assert f"wrote       {output}: 202 weights of isynet_n1, 7,444,989 numbers" in " ".join(
        line.strip() for line in lines
    )
    assert "matched     by name: ISyNet of the model zoo, network 1 of the file" in lines
    assert "left out    1 moments" in lines
    with open_tensors(output) as file:
        assert file.metadata["source"].startswith("N1.ckpt sha256 ")


def test_import_says_which_args_would_fit(run, zoo, tmp_path):
    output = tmp_path / "n1.npz"
    output.write_text("precious")
    code, out, err = run("import", zoo, "--for", "isynet_n1", "-o", output)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"error: {zoo}: the tensors, by the names of ISyNet of the model zoo, do not fit isynet_n1:"
        " 4 not of this network, 2 of another shape",
        "  unexpected  head1._bn2.moving_mean 1001",
        "  unexpected  head1._bn2.moving_variance 1001",
        "  unexpected  head1._bn2.gamma 1001",
        "  unexpected  head1._bn2.beta 1001",
        "  shape       head1._fc.weight is 1001x1280 in the file and 1000x1280 in the network"
        " (classifier.dense.weight)",
        "  shape       head1._fc.bias is 1001 in the file and 1000 in the network"
        " (classifier.dense.bias)",
        "  --set classes=1001 --set last_norm=true would fit",
    ]
    code, _, err = run("import", zoo, "--for", "resnet18", "-o", output)
    assert code == 1
    assert "the file fits isynet_n1 --set classes=1001 --set last_norm=true" in err
    assert output.read_text() == "precious"


def test_import_of_our_own_files(run, path, graph, weights, tmp_path):
    save_weights(path, graph, weights)
    output = tmp_path / "again.npz"
    assert run("import", path, "--for", SMALL, "-o", output)[0] == 0
    assert same(load_weights(output, graph), weights)
    code, _, err = run("import", path, "--for", SMALL, "--set", "dropout=0.5", "-o", output)
    assert code == 1
    assert err.endswith("(archspec diff shows what); --any-network would take them all the same\n")
    options = ("--for", SMALL, "--set", "dropout=0.5", "--any-network", "-o", output)
    assert run("import", path, *options)[0] == 0


def test_training_checkpoints_of_our_own(path, graph, weights):
    slots = {f"moments.{name}": array for name, array in weights.items()}
    write_tensors(path, {**weights, **slots, "epoch": np.float32(3)}, {})
    imported = import_weights(path, graph)
    assert same(imported.weights, weights)
    assert imported.method == "by name: archspec's own names"
    assert imported.ignored == {"moments": len(weights), "epoch": 1}


def test_notes_are_of_the_network_at_hand(tmp_path):
    """What torch does otherwise is said where the spec does it, and by structure always."""
    arrays = {
        n: np.zeros(s) for n, s in lists.load_published("torchvision/resnet18").items() if s != ()
    }
    write_tensors(tmp_path / "r.npz", arrays, {})
    renamed = {n.replace("layer", "part"): a for n, a in arrays.items()}
    write_tensors(tmp_path / "x.npz", renamed, {})
    graph = archspec.load("resnet18")
    (note,) = import_weights(tmp_path / "r.npz", graph).notes
    assert "resnetblur18" in note
    assert import_weights(tmp_path / "x.npz", graph).notes[0].startswith("a file shows neither")
    torchvision = "ResNet and ResNeXt of torchvision and timm"
    resnet = next(family for family in FAMILIES if family.name == torchvision)
    assert resnet.notes[0].holds(archspec.load("resnext152_64x4d"))


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["import", "none.ckpt", "--for", "resnet18", "-o", "x.npz"], 1, "none.ckpt: no such file"),
        (["import", "none.ckpt", "--for", "resnet18", "-o", "x.h5"], 2, "x.h5: weights are"),
        (["import", "none.ckpt", "--for", "resnet19", "-o", "x.npz"], 1, "did you mean 'resnet18'"),
        (["import", "none.h5", "--for", "resnet18", "-o", "x.npz"], 2, "none.h5: weights are in"),
        (["inspect", "none.npz"], 1, "none.npz: no such file"),
        (["convert", "none.npz", "-o", "x.pt"], 2, "x.pt: weights are written to files"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(run, arguments, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    actual, _, err = run(*arguments)
    assert actual == code and err.startswith("error: ") and message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["inspect"], ["import", "x.ckpt"], ["export", "x"]])
def test_bad_usage_is_2(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2 and err.startswith("usage: archspec weights")


def test_inspect(run, zoo):
    code, out, err = run("inspect", zoo)
    assert (code, err) == (0, "")
    assert "head1._fc.weight" in out and "1001x1280" in out
    lines = out.splitlines()
    assert lines[-2].startswith(
        "total       203 tensors, 7,445,990 numbers (203 float32), 28.4 MiB"
    )
    assert lines[-1] == (
        "fits        isynet_n1 --set classes=1001 --set last_norm=true: ISyNet of the model zoo"
    )


@pytest.mark.thorough
def test_inspect_as_json(run, path, graph, weights):
    save_weights(path, graph, weights)
    result = json.loads(run("inspect", path, "--format", "json")[1])
    assert result["metadata"]["fingerprint"] == graph.fingerprint
    assert [tensor["name"] for tensor in result["tensors"]] == list(weights)
    assert result["numbers"] == sum(array.size for array in weights.values())
    assert result["bytes"] == path.stat().st_size


def test_inspect_finds_our_own_networks(run, tmp_path):
    graph = archspec.load("mobilenet_v2", classes=10)
    arrays = {name: np.zeros(w.shape, np.float32) for name, w in weights_of(graph).items()}
    save_weights(tmp_path / "m.safetensors", graph, arrays)
    result = json.loads(run("inspect", tmp_path / "m.safetensors", "--format", "json")[1])
    assert result["fits"] == [
        {"spec": "mobilenet_v2", "settings": {"classes": 10}, "family": "archspec's own names",
         "part": None, "is_same_network": True}
    ]  # fmt: skip


@pytest.mark.parametrize("ending", list(WRITERS))
def test_convert_keeps_all_of_it(run, path, graph, weights, tmp_path, ending):
    save_weights(path, graph, weights)
    output = tmp_path / f"converted{ending}"
    code, out, _ = run("convert", path, "-o", output)
    assert (code, out) == (0, f"wrote {output}: {len(weights)} tensors\n")
    assert same(load_weights(output, graph), weights)
    again = tmp_path / "again.ckpt"
    assert run("convert", output, "-o", again)[0] == 0
    save_weights(tmp_path / "direct.ckpt", graph, weights)
    assert load_weights(again, graph).keys() == weights.keys()


def test_without_numpy_the_command_says_what_to_install():
    code = (
        "import sys; sys.modules['numpy'] = None; from archspec.cli import main;"
        "sys.exit(main(['weights', 'inspect', 'x.npz']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (
        1,
        f"error: {lacking('archspec weights', 'numpy')}\n",
    )


def test_readers_cover_writers():
    assert set(WRITERS) < set(READERS)


def test_inspect_knows_a_tiny_network(tmp_path, capsys):
    graph = archspec.load("tiny/isynet")
    save_weights(tmp_path / "w.npz", graph, initialize(graph, seed=0))
    assert main(["weights", "inspect", str(tmp_path / "w.npz")]) == 0
    assert "tiny/isynet: archspec's own names, the same fingerprint" in capsys.readouterr().out


def file_of(published, folder, name, metadata=None):
    """A file with the tensors of a published network."""
    arrays = {
        n: np.zeros(s, np.float32) for n, s in lists.load_published(published).items() if s != ()
    }
    folder.mkdir(exist_ok=True)
    safetensors.numpy.save_file(arrays, folder / name, metadata)
    return folder / name


UNPROVEN = {
    "efficientnet_b0": (
        "timm/efficientnet_b0",
        [("tf_efficientnet of its size", "epsilon 0.001 in batch norm (here 1e-05), and padding"),
         ("efficientnet_blur_b0", "a pool or a blur in place of the stride")],
    ),
    "efficientnet_lite0": (
        "timm/tf_efficientnet_lite0",
        [("efficientnet_lite of its size", "epsilon 1e-05 in batch norm (here 0.001), and")],
    ),
    "mobilenet_v2": ("timm/mobilenetv2_100", []),
    "mobilenet_v3_large": (
        "timm/mobilenetv3_large_100",
        [("mobilenetv3_large_100", "epsilon 1e-05 in batch norm (here 0.001)"),
         ("tf_mobilenetv3_large_100", "padding 'same' where its convolutions stride")],
    ),
    "resnet18": ("torchvision/resnet18", [("resnetblur18", "a pool or a blur")]),
    "resnet50": ("torchvision/resnet50", [("resnetblur50", "a pool"), ("resnetaa50", "a pool")]),
    "cspdarknet53": ("timm/cspdarknet53", [("cspdarknet53", "padding 'half' where its conv")]),
}  # fmt: skip


@pytest.mark.parametrize("spec", UNPROVEN)
def test_what_names_do_not_prove_is_said_with_the_sibling(spec, tmp_path):
    """A file of no origin. The siblings are those of timm 1.0.31 with equal names and shapes."""
    published, siblings = UNPROVEN[spec]
    notes = import_weights(file_of(published, tmp_path, "t.safetensors"), archspec.load(spec)).notes
    assumed = [note for note in notes if note.startswith("assumed: the file is not of timm's")]
    assert len(assumed) == len(siblings)
    for note, (name, difference) in zip(assumed, siblings, strict=True):
        assert f"timm's {name}, whose tensors" in note
        assert f"that has {difference}" in note


@pytest.mark.parametrize(
    "name, place",
    [
        ("tf_efficientnet_b0_aa-827b6e33.safetensors", "its name"),
        ("model.safetensors", "config.json"),
        ("t.safetensors", "its metadata (architecture)"),
    ],
)
def test_a_file_that_says_it_is_of_a_sibling_is_refused(name, place, tmp_path):
    metadata = {"architecture": "tf_efficientnet_b0"} if "metadata" in place else None
    path = file_of("timm/efficientnet_b0", tmp_path / "there", name, metadata)
    config = tmp_path / "there" / "config.json"
    config.write_text('{"architecture": "tf_efficientnet_b0", "num_classes": 1000}')
    if "config" not in place:
        config.unlink()
    graph = archspec.load("efficientnet_b0")
    with pytest.raises(SpecError) as error:
        import_weights(path, graph)
    assert "the weights are of timm's tf_efficientnet_b0, as " in str(error.value)
    assert f"{place} says; it has the names and shapes of efficientnet_b0 and epsilon" in str(
        error.value
    )
    assert "--any-network takes them all the same" in str(error.value)
    assert import_weights(path, graph, ImportOptions(of_any_network=True)).weights
    # the spec that the sibling is
    data = json.loads((shipped_folder() / "efficientnet_b0.json").read_text())
    data.pop("expect", None)
    said = re.search(r'as by "defaults": (\{.*\}); --any-network', str(error.value))
    for name, attributes in json.loads(said[1]).items():
        data["defaults"][name] = {**data["defaults"].get(name, {}), **attributes}
    (tmp_path / "tf.json").write_text(json.dumps(data))
    sibling = archspec.load(tmp_path / "tf.json")
    assert import_weights(path, sibling).notes == []
    plain = file_of("timm/efficientnet_b0", tmp_path, "efficientnet_b0_ra-3dd342df.safetensors")
    assert import_weights(plain, graph).notes == []
    with pytest.raises(SpecError, match="of timm's efficientnet_b0, as its name says"):
        import_weights(plain, sibling)

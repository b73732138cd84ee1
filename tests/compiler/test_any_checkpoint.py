"""Checkpoints as others leave them: torch's own files, parts of them, names that need a map."""

import io
import json
import os
import pickle
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from oracles import published as lists
from oracles.damage import damage

import archspec
from archspec.cli import main
from archspec.compiler.targets.reference import run as run_graph
from archspec.compiler.weights import twins
from archspec.compiler.weights.exporting import name_for
from archspec.compiler.weights.files import open_tensors, write_tensors
from archspec.compiler.weights.importing import ImportOptions, import_weights
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import load_weights, save_weights
from archspec.errors import SpecError, UsageError
from archspec.program import read_program
from archspec.sources import shipped_folder

SMALL = "tiny/isynet"


@pytest.fixture
def told(capsys):
    """Run a command: its exit code and all that it prints."""

    def run(*arguments):
        code = main([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


# PyTorch's files, without PyTorch.


def state_of(torch):
    """Every way in which a tensor lies in its storage, and every type."""
    return {
        "turned.weight": torch.randn(4, 3).t(),
        "last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "slice": torch.randn(10)[3:7],
        "half": torch.ones(2, dtype=torch.float16),
        "bfloat": torch.full((2,), 1.5, dtype=torch.bfloat16),
        "double": torch.randn(3, dtype=torch.float64),
        "count": torch.tensor(3),
        "empty": torch.empty(0, 4),
        "parameter": torch.nn.Parameter(torch.randn(3)),
    }


@pytest.mark.thorough
@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_files_are_what_torch_reads(tmp_path, is_zip):
    torch = pytest.importorskip("torch")
    import argparse
    import pathlib

    state = state_of(torch)
    averaged = {name: tensor.detach() * 2 for name, tensor in state.items()}
    content = {
        "epoch": 3, "args": argparse.Namespace(lr=0.1), "loss": np.float32(2),
        "path": pathlib.Path("x"), "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}},
        "state_dict": state, "state_dict_ema": averaged,
    }  # fmt: skip
    path = tmp_path / "checkpoint.pth.tar"
    for saved in (state, content):
        torch.save(saved, path, _use_new_zipfile_serialization=is_zip)
        with open_tensors(path) as file:
            assert list(file.entries) == list(state)
            for name, tensor in state.items():
                assert file.entries[name].shape == tuple(tensor.shape)
                assert (file.read(name) == tensor.detach().double().numpy()).all(), name
    assert file.left_out == {"optimizer": 1, "state_dict_ema": len(state)}
    with open_tensors(path, "state_dict_ema") as file:
        assert (file.read("slice") == averaged["slice"].numpy()).all()
    with pytest.raises(UsageError, match=r"no tensor is below --key ema; use one of 'optimizer'"):
        open_tensors(path, "ema")


def test_a_whole_module_is_its_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save({"model": network}, tmp_path / "w.pt")
    with open_tensors(tmp_path / "w.pt") as file:
        assert sorted(file.entries) == sorted(network.state_dict())
        assert (file.read("0.weight") == network[0].weight.detach().numpy()).all()


class Evil:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (os.mkdir, (str(self.folder),))


def legacy(*pickles):
    return b"".join(pickle.dumps(one, protocol=2) for one in pickles)


def in_zip(content, name="archive/data.pkl", compression=zipfile.ZIP_STORED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        archive.writestr(name, content)
    return target.getvalue()


MAGIC = 0x1950A86A20F9469CFC6C


def test_pickles_with_code_are_refused_and_nothing_is_run(tmp_path, told):
    evil = Evil(tmp_path / "ran")
    for content in (
        in_zip(pickle.dumps({"a": evil})),
        in_zip(pickle.dumps({"a": evil}, protocol=4)),
        legacy(MAGIC, 1001, {}, {"a": evil}, []),
        legacy(evil),
        b"\x80\x02c__builtin__\neval\n(X\x01\x00\x00\x001tR.",
        pickle.dumps(evil, protocol=0),
    ):
        (tmp_path / "w.pth").write_bytes(content)
        code, said = told("weights", "inspect", tmp_path / "w.pth")
        assert (code, said.count("\n")) == (1, 1) and "Traceback" not in said
        assert not (tmp_path / "ran").exists()
    (tmp_path / "w.pth").write_bytes(in_zip(pickle.dumps({"a": evil})))
    with pytest.raises(SpecError) as error:
        open_tensors(tmp_path / "w.pth")
    assert str(error.value) == (
        f"{tmp_path}/w.pth: it holds 'posix.mkdir', which could run code if it were loaded by"
        " pickle, and nothing was run; use a file with a state dict of tensors alone"
    )


def nested(depth):
    """Dicts of two references to the dict before: 2 ** depth when they are copied."""
    value = {}
    for _ in range(depth):
        value = {"a": value, "b": value}
    return value


HUGE = {
    "a memo of 4 GB": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a text of 2 GB": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "bytes of 2 ** 62": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"abc.",
    "a number of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "lists in lists": b"\x80\x02" + b"]" * 5_000 + b"a" * 4_999 + b".",
    "tuples in tuples": b"\x80\x02)" + b"\x85" * 5_000 + b".",
    "dicts of dicts": pickle.dumps(nested(60), protocol=2),
    "a key that takes for ever to hash": b"\x80\x02}" + b")" + b"\x85" * 5_000 + b"Ns.",
    "no end": b"\x80\x02}",
    "an empty stack": b"\x80\x02.",
    "two values": b"\x80\x02}}.",
}


@pytest.mark.parametrize("name", HUGE)
def test_what_claims_to_be_huge_costs_no_memory(name, tmp_path):
    for content in (in_zip(HUGE[name]), legacy(MAGIC, 1001, {}) + HUGE[name], HUGE[name]):
        (tmp_path / "w.pth").write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(SpecError):
                open_tensors(tmp_path / "w.pth")
            assert tracemalloc.get_traced_memory()[1] < 60_000_000
        finally:
            tracemalloc.stop()


def test_views_that_reach_out_or_repeat_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(1).expand(1 << 40)}, tmp_path / "w.pth")
    with pytest.raises(SpecError, match="'a' has more numbers than the file"):
        open_tensors(tmp_path / "w.pth")
    state = {"a": torch.arange(8.0)[2:6]}
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "w.pth").read_bytes()
    start = content.index(b"_rebuild_tensor_v2")
    for place in range(start, start + 200):
        changed = bytearray(content)
        changed[place] ^= 0x40
        (tmp_path / "w.pth").write_bytes(changed)
        try:
            with open_tensors(tmp_path / "w.pth") as file:
                for tensor in file.entries:
                    file.read(tensor)
        except (SpecError, UsageError):
            pass


@pytest.mark.thorough
def test_damaged_torch_files_are_one_sentence(tmp_path):
    """With a seed; tests/fuzz.py goes on for an hour."""
    torch = pytest.importorskip("torch")
    state = {name: tensor for name, tensor in state_of(torch).items() if name != "last"}
    source = random.Random(14)
    for is_zip in (True, False):
        torch.save({"model": state}, tmp_path / "w.pth", _use_new_zipfile_serialization=is_zip)
        content = (tmp_path / "w.pth").read_bytes()
        for _ in range(150):
            changed = content
            for _ in range(source.choice((1, 3, 20))):
                _, changed = damage(changed, source)
            (tmp_path / "w.pth").write_bytes(changed)
            try:
                with open_tensors(tmp_path / "w.pth") as file:
                    for name in file.entries:
                        file.read(name)
            except (SpecError, UsageError) as error:
                assert str(error).startswith(str(tmp_path / "w.pth"))


# Names.


def arrays_of(network, prefix=""):
    shapes = lists.load_published(network)
    return {f"{prefix}{name}": array for name, array in lists.fill(shapes).items()}


def same(one, other):
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("prefix", ["model.", "module.model.net.", "_orig_mod.module."])
def test_whatever_stands_before_all_names(prefix, tmp_path):
    graph = archspec.load("resnet18")
    write_tensors(tmp_path / "bare.npz", arrays_of("torchvision/resnet18"), {})
    write_tensors(tmp_path / "w.npz", arrays_of("torchvision/resnet18", prefix), {})
    imported = import_weights(tmp_path / "w.npz", graph)
    assert imported.method == "by name: ResNet and ResNeXt of torchvision and timm"
    assert same(imported.weights, import_weights(tmp_path / "bare.npz", graph).weights)


def test_what_is_beside_the_network_is_named_and_a_key_leaves_it_out(tmp_path, told):
    arrays = {**arrays_of("torchvision/resnet18", "model."), "loss.weight": np.ones(5)}
    write_tensors(tmp_path / "w.npz", arrays, {})
    file, output = tmp_path / "w.npz", tmp_path / "o.npz"
    command = ["weights", "import", file, "--for", "resnet18", "-o", output]
    with pytest.raises(SpecError, match=r"1 not of this network\n.*loss\.weight"):
        import_weights(file, archspec.load("resnet18"))
    code, said = told(*command, "--key", "model")
    assert code == 0 and "1 of 'loss'" in said, said


def renamed_copy(folder, spec, **changes):
    """A spec's network whose nodes have other names."""
    text = (shipped_folder() / f"{spec}.json").read_text()
    for old, new in {f'"name": "{spec}"': '"name": "mine"', '"name": "stage"': '"name": "part"',
                     '"name": "block"': '"name": "unit"', '"name": "stem"': '"name": "begin"',
                     }.items():  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    data = json.loads(text)
    data.pop("expect")
    data["args"] |= changes
    (folder / "mine.json").write_text(json.dumps(data))
    return archspec.load(folder / "mine.json")


def test_a_renamed_copy_of_a_mapped_network_imports(tmp_path, monkeypatch):
    graph = renamed_copy(tmp_path, "mobilenet_v2")
    shipped = archspec.load("mobilenet_v2")
    assert graph.fingerprint == shipped.fingerprint and graph.nodes.keys() != shipped.nodes.keys()
    arrays = arrays_of("torchvision/mobilenet_v2")
    write_tensors(tmp_path / "w.npz", arrays, {})
    read = []
    monkeypatch.setattr(twins, "read_program", lambda name: read.append(name) or read_program(name))
    imported = import_weights(tmp_path / "w.npz", graph)
    assert read == ["mobilenet_v2"]  # and not all that is shipped
    expected = import_weights(tmp_path / "w.npz", shipped)
    assert imported.method == f"{expected.method}, as mobilenet_v2, of which mine is a copy"
    for mine, theirs in zip(imported.weights.values(), expected.weights.values(), strict=True):
        assert (mine == theirs).all()
    # with other classes too
    tail = {name: array[:7] for name, array in arrays.items() if name.startswith("classifier")}
    write_tensors(tmp_path / "w.npz", {**arrays, **tail}, {})
    assert (
        "is a copy"
        in import_weights(
            tmp_path / "w.npz", renamed_copy(tmp_path, "mobilenet_v2", classes=7)
        ).method
    )


LEFT, RIGHT = "branch1.left", "branch2.right"


def two_branches(folder):
    conv = {"op": "conv", "channels": 3, "kernel": 3}
    (folder / "net.json").write_text(
        json.dumps(
            {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": [
                {"op": "conv", "name": "first", "channels": 3, "kernel": 1},
                {"branches": [{**conv, "name": "left"}, [{**conv, "name": "right"}, "relu"]],
                 "join": "add"}]}
        )
    )  # fmt: skip
    return archspec.load(folder / "net.json")


def test_a_map_settles_what_names_and_shapes_do_not(tmp_path, told, monkeypatch):
    monkeypatch.chdir(tmp_path)
    two_branches(tmp_path)
    random_ = np.random.default_rng(0)
    arrays = {
        "a.weight": random_.normal(size=(3, 3, 1, 1)),
        "p.weight": random_.normal(size=(3, 3, 3, 3)),
        "q.weight": random_.normal(size=(3, 3, 3, 3)),
    }
    np.savez("w.npz", **arrays)
    command = ["weights", "import", "w.npz", "--for", "net.json", "-o", "o.npz"]
    with pytest.raises(SpecError, match=r"p and q could both be branch1\.left"):
        import_weights("w.npz", archspec.load("net.json"))
    code, said = told("weights", "map", "w.npz", "--for", "net.json", "-o", "map.json")
    assert code == 0 and said.startswith("wrote map.json: 1 nodes settled, 2 open; p and q could")
    draft = json.loads((tmp_path / "map.json").read_text())
    assert draft == {"first": "a", LEFT: ["p", "q"], RIGHT: ["q", "p"]}
    code, said = told(*command, "--map", "map.json")
    assert code == 1 and "map.json:3:18: at /branch1.left: branch1.left still has 2" in said
    (tmp_path / "map.json").write_text(json.dumps({**draft, LEFT: "q", RIGHT: "p"}))
    code, said = told(*command, "--map", "map.json")
    assert code == 0, said
    written = load_weights("o.npz", archspec.load("net.json"))
    assert np.allclose(written[f"{LEFT}.weight"], arrays["q.weight"])
    for content, words in (
        ({"first": "a", LEFT: "p"}, f"{RIGHT} has no name in the map"),
        ({"first": "a", LEFT: "p", RIGHT: "qq"}, f"{RIGHT} is qq and the file has none"),
        ({"first": "p", LEFT: "p", RIGHT: "q"}, "p (3x3x3x3) cannot be first"),
        ({"first": "a", LEFT: "p", RIGHT: "p"}, "1 not of this network"),
        ({"first": 3}, "what first is called in the file must be a string"),
        ([], "a map must be an object"),
    ):
        (tmp_path / "map.json").write_text(json.dumps(content))
        code, said = told(*command, "--map", "map.json")
        assert code == 1 and words in said, said


def test_logits_settle_what_names_cannot_prove(tmp_path, told, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = archspec.load(SMALL)
    weights = initialize(graph, "he", 3)
    save_weights("w.npz", graph, weights)
    image = np.random.default_rng(1).normal(size=(2, *graph.input_shape)).astype(np.float32)
    (logits,) = run_graph(graph, weights, image).values()
    command = ["weights", "import", "w.npz", "--for", SMALL, "-o", "o.npz", "--logits", "l.npz"]
    np.savez("l.npz", image=image, logits=logits)
    code, said = told(*command)
    assert code == 0 and "the logits are those of l.npz, within" in said
    for changes, words in (
        ({"logits": logits * 1.01}, "the logits differ by 0.99% of the largest"),
        ({"logits": logits[:1]}, "'logits' has 10 numbers and"),
        ({"image": image[:, :, :-1]}, "'image' is"),
        ({"other": image}, None),
    ):
        Path("o.npz").unlink(missing_ok=True)
        np.savez("l.npz", **{"image": image, "logits": logits, **changes})
        code, said = told(*command)
        assert (code == 0) == (words is None) and (words or "") in said
        assert Path("o.npz").exists() == (words is None)
    np.savez("l.npz", image=image)
    assert "and lacks 'logits'" in told(*command)[1]


# And out again.


@pytest.mark.parametrize(
    "network, target",
    [("torchvision/mobilenet_v2", "torchvision"),
     pytest.param("timm/cspdarknet53", "timm", marks=pytest.mark.thorough),
     ("timm/levit_128s", "timm"), ("timm/mobilenetv3_large_100", "timm"),
     *((f"mindcv/{name}", "mindcv") for name in
       ("resnet18", "mobilenet_v2_100", "mobilenet_v3_large_100", "efficientnet_b0",
        "convnextv2_atto", "swin_tiny", "vit_tiny"))],
)  # fmt: skip
def test_weights_go_back_under_a_publishers_names(network, target, tmp_path, told, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec, _ = lists.NETWORKS[network]
    ending = "ckpt" if target == "mindcv" else "safetensors"
    counted = {
        name: array
        for name, array in arrays_of(network).items()
        if array.shape != ()
        and not name.endswith(("attention_bias_idxs", "attn_mask", "relative_bias.index"))
    }
    write_tensors(f"w.{ending}", counted, {})
    assert told("weights", "import", f"w.{ending}", "--for", spec, "-o", "ours.npz")[0] == 0
    code, said = told(
        "weights", "export", "ours.npz", "--for", spec, "--to", target, "-o", f"back.{ending}"
    )
    assert code == 0, said
    with open_tensors(f"back.{ending}") as file:
        assert same({name: file.read(name) for name in file.entries}, counted)


@pytest.mark.parametrize("target", ["torchvision", "mindcv"])
def test_networks_of_the_same_blocks_have_no_names_of_others(target):
    """EfficientNet-Lite is of MobileNetV2's blocks, and neither publisher has it."""
    graph = archspec.load("efficientnet_lite0")
    with pytest.raises(UsageError, match=f"^{target} has no names .* efficientnet_lite0; use --to"):
        name_for({}, graph, target)


def test_what_mindcv_computes_otherwise_is_said_whatever_the_file_is_called(tmp_path):
    """timm's networks have names that MindCV's files have too, and strides that those have not."""
    expected = {
        "resnet18": "bottom and right alone", "mobilenet_v3_large_100": "epsilon 1e-5",
        "efficientnet_b0": "bottom and right alone", "mobilenet_v2_100": None,
    }  # fmt: skip
    for network, words in expected.items():
        spec, _ = lists.NETWORKS[f"mindcv/{network}"]
        write_tensors(tmp_path / f"{network}-1.ckpt", arrays_of(f"mindcv/{network}"), {})
        imported = import_weights(
            tmp_path / f"{network}-1.ckpt", archspec.load(spec), ImportOptions("mindcv")
        )
        assert imported.method.endswith(" of MindCV")
        assert len(imported.notes) == (words is not None)
        assert all(words in note for note in imported.notes)
    like_mindcv = archspec.loads(
        json.dumps(
            json.loads((shipped_folder() / "efficientnet_b0.json").read_text())
            | {"defaults": {
                "DepthwiseConvNormAct": {"padding": "same"},
                "ConvNormAct": {"padding": "same", "act": "silu"},
                "MBConv": {"act": "silu", "squeeze_act": "silu"}}}
        )
    )  # fmt: skip
    assert import_weights(tmp_path / "efficientnet_b0-1.ckpt", like_mindcv).notes == []


def test_a_name_of_timms_says_nothing_of_the_model_zoos_file(tmp_path):
    write_tensors(tmp_path / "cspdarknet53-140_2520.ckpt", arrays_of("modelzoo/csp"), {})
    graph = archspec.load("cspdarknet53")
    assert import_weights(tmp_path / "cspdarknet53-140_2520.ckpt", graph).notes == []


def test_a_target_without_names_is_one_sentence(tmp_path, told):
    graph = archspec.load(SMALL)
    save_weights(tmp_path / "w.npz", graph, initialize(graph, "he", 0))
    command = ["weights", "export", tmp_path / "w.npz", "--for", SMALL, "--to", "timm"]
    code, said = told(*command, "-o", tmp_path / "x.npz")
    assert (code, said) == (2, f"error: timm has no names that are known for {graph.name}\n")
    assert not (tmp_path / "x.npz").exists()

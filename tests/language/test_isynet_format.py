"""The published ISyNets, rebuilt from the original format, are the shipped specs."""

import json

import pytest

import archspec
from archspec.cli import main
from archspec.document import parse_document
from archspec.isynet_format import import_isynet

# One row a stage: operations (a number is a square kernel, s5 is conv_1x5_5x1, - is identity),
# expantionFactor, cIncrease, lastActivation, skipType, nBlocks. From networks.md, section 4.1.
NETWORKS = {
    "isynet_n0": [
        ("5 - - -", 1, 0, "Relu", "noSkip", 1),
        ("3 - 3 -", 1, 0, "Relu", "add", 2),
        ("3 3 3 1", 1, 0, "Relu", "add", 4),
        ("1 - - 3", 1, 0, "Linear", "add", 2),
        ("3 3 1 -", 1, 0, "Relu", "add", 6),
    ],
    "isynet_n1": [
        ("7 - - -", 1, 0, "Relu", "add", 1),
        ("s5 1 3 5", 1, 0, "Relu", "add", 1),
        ("3 3 3 -", 1, 1, "Relu", "add", 4),
        ("3 1 3 -", 2, 0, "Relu", "add", 6),
        ("1 1 - 1", 1, 0, "Relu", "add", 1),
    ],
    "isynet_n2": [
        ("3 7 - 7", 1, 0, "Relu", "add", 1),
        ("5 - 3 3", 2, 0, "Linear", "noSkip", 3),
        ("3 3 - -", 1, 0, "Relu", "add", 4),
        ("3 - 1 -", 1, 1, "Linear", "add", 17),
        ("1 - 1 1", 1, 2, "Relu", "add", 2),
    ],
    "isynet_n3": [
        ("5 - - 7", 1, 1, "Relu", "noSkip", 1),
        ("3 - 3 -", 1, 1, "Linear", "add", 5),
        ("3 s3 3 3", 1, 1, "Relu", "add", 3),
        ("s3 1 - 3", 1, 1, "Linear", "add", 13),
        ("1 1 - 1", 1, 2, "Relu", "noSkip", 1),
    ],
}


def original(rows):
    def operation(word):
        if word == "-":
            return "identity"
        k = word.removeprefix("s")
        return f"conv_1x{k}_{k}x1" if word.startswith("s") else f"conv_{k}x{k}"

    return {
        "nStages": len(rows),
        "nEdgesInBlock": 4,
        "Blocks": {
            str(stage): {
                "expantionFactor": expansion,
                "operations": [{"op": operation(word), "group": 1} for word in words.split()],
                "lastActivation": activation,
                "skipType": skip,
                "nBlocks": depth,
                "cIncrease": increase,
            }
            for stage, (words, expansion, increase, activation, skip, depth) in enumerate(rows)
        },
    }


def run_import(tmp_path, network):
    source, target = tmp_path / "original.json", tmp_path / "imported.json"
    source.write_text(json.dumps(network))
    return main(["import", "isynet", str(source), "-o", str(target)]), target


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks_are_the_shipped_specs(name, tmp_path, capsys):
    code, target = run_import(tmp_path, original(NETWORKS[name]))
    assert code == 0
    assert archspec.load(target).fingerprint == archspec.load(name).fingerprint


def test_quirks_are_listed(tmp_path, capsys):
    run_import(tmp_path, original(NETWORKS["isynet_n3"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "preserved:"
    assert lines[2] == (
        "- stage 1: lastActivation Linear has no effect, since the last edge is identity;"
        " every operation keeps its ReLU"
    )
    assert not any("stage 3" in line for line in lines)


def damage(**changes):
    network = original(NETWORKS["isynet_n0"])
    network["Blocks"]["1"].update(changes)
    return network


@pytest.mark.parametrize(
    "network, message",
    [
        ([], "an ISyNet network is an object with nStages, nEdgesInBlock and Blocks"),
        (
            damage(nBlocks=0),
            "nBlocks must be a whole number of at least 1 and at most 1,000, not 0",
        ),
        (damage(skipType="sum"), "skipType must be 'noSkip', 'add' or 'concat', not 'sum'"),
        (
            damage(operations=[{"op": "conv_9x9"}] * 4),
            "op must be 'conv_1x1', 'conv_3x3', 'conv_5x5', 'conv_7x7', 'conv_1x3_3x1',"
            " 'conv_1x5_5x1', 'conv_1x7_7x1' or 'identity', not 'conv_9x9'",
        ),
        (
            damage(operations=[{"op": "identity"}] * 4),
            "the first operation is identity, so nothing would halve the resolution; the original"
            " cannot build it either",
        ),
        (
            damage(operations=[{"op": "conv_3x3"}] * 3),
            "there are 3 operations and nEdgesInBlock is 4; they must be as many",
        ),
        (
            damage(cIncrease=-8),
            "the channels round down to 0; use a larger cIncrease or expantionFactor",
        ),
    ],
)
def test_what_is_not_the_format_is_refused(network, message, tmp_path, capsys):
    code, target = run_import(tmp_path, network)
    assert code == 1
    assert message in capsys.readouterr().err
    assert not target.exists()


def test_widths_are_rounded_down_to_sixteens():
    rows = [("3 3 - -", 1.7, 0.5, "Relu", "add", 1)]
    imported = import_isynet(parse_document(json.dumps(original(rows))), "odd")
    row = imported.spec["body"][0]["each"][0]
    assert (row["channels"], row["middle"]) == (16, 32)  # 22.6 and 38.5
    assert any("rounded down" in quirk for quirk in imported.quirks)

"""The command as a user types it: what it prints, writes and exits with."""

import contextlib
import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from oracles.covering import each_network

import archspec
from archspec.cli import COMMANDS, main
from archspec.cli.commands import GROUPS
from archspec.cli.completion_command import SHELLS
from archspec.cli.parsing import called_by, parser_of, parsers_below
from archspec.sources import shipped_names, spec_path

STATS_KEYS = {
    "name", "fingerprint", "input", "output", "params", "macs", "activation_bytes",
    "peak_activation_bytes", "layers",
}  # fmt: skip


@pytest.fixture
def n1_s1(tmp_path):
    path = tmp_path / "deeper.json"
    spec = {
        "archspec": 1,
        "extends": "isynet_n1",
        "name": "deeper",
        "args": {"depths": [1, 1, 4, 6, 3]},
    }
    path.write_text(json.dumps(spec))
    return str(path)


def test_the_issue_s_json(run):
    code, out, err = run("stats", "isynet_n1", "isynet_n0", "--format", "json")
    first, second = json.loads(out)
    assert (code, err) == (0, "")
    assert set(first) >= STATS_KEYS
    assert (first["name"], first["params"], first["macs"]) == ("isynet_n1", 7424568, 2270640128)
    assert (first["input"], first["output"]) == ([3, 224, 224], [1000])
    for network in (first, second):
        for key in ("params", "macs", "activation_bytes"):
            assert sum(layer[key] for layer in network["layers"]) == network[key]


@pytest.mark.parametrize("by", ["node", "block", "op"])
@pytest.mark.parametrize("name", ["isynet_n1", "efficientnet_b0", "inception_v3", "resnet50_bifpn"])
def test_tables_fit_100_columns_and_add_up(run, name, by):
    code, out, _ = run("stats", name, "--by", by)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    rows = list(csv.DictReader(io.StringIO(run("stats", name, "--by", by, "--format", "csv")[1])))
    graph = archspec.load(name)
    assert sum(int(row["params"]) for row in rows) == graph.params
    assert sum(int(row["macs"]) for row in rows) == graph.macs


def test_list_and_comparison_fit_100_columns(run):
    for command in (["list"], ["stats", "resnet50", "resnext152_64x4d", "isynet_n3"]):
        code, out, _ = run(*command)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 100


def test_list_names_every_shipped_spec(run):
    rows = json.loads(run("list", "--format", "json")[1])
    assert [row["name"] for row in rows] == list(shipped_names())


def test_comparison_shows_published_figures(run):
    out = run("stats", "isynet_n0", "isynet_n1", "--format", "markdown")[1]
    assert "| isynet_n1 | 3x224x224 | 7,424,568 | 7.42 M | 2.27 G | 2.85 G |" in out


def test_overrides(run):
    settings = ("--set", "classes=10", "--input", "3x256x320", "--batch", "4", "--format", "json")
    (network,) = json.loads(run("stats", "isynet_n1", *settings)[1])
    plain = archspec.load("isynet_n1", input_shape=(3, 256, 320), classes=10)
    assert network["output"] == [10]
    assert network["macs"] == 4 * plain.macs
    assert network["params"] == 7424568 - 990 * 1281


def test_diff_in_words(run, n1_s1):
    code, out, _ = run("diff", "isynet_n1", n1_s1)
    assert code == 0
    assert out.splitlines() == [
        "stage5: depth 1 -> 3, +396,288 parameters, +19.3 M MACs",
        "",
        "isynet_n1 -> deeper: 7,424,568 -> 7,820,856 parameters (+396,288),"
        " 2.27 G -> 2.29 G MACs (+19.3 M)",
    ]
    assert (
        run("diff", "isynet_n1", "isynet_n1")[1] == "isynet_n1 and isynet_n1 are one architecture\n"
    )


def test_diff_adds_up(run):
    result = json.loads(run("diff", "resnet50", "resnext50_32x4d", "--format", "json")[1])
    assert sum(change["params"] for change in result["changes"]) == result["params"] != 0
    assert sum(change["macs"] for change in result["changes"]) == result["macs"]


def test_expand_is_a_spec_of_the_same_network(run, tmp_path):
    path = tmp_path / "flat.json"
    assert run("expand", "spnasnet", "-o", str(path))[0] == 0
    assert path.read_text() == run("expand", "spnasnet")[1]
    assert archspec.load(path).fingerprint == archspec.load("spnasnet").fingerprint


def test_hash(run):
    fingerprint = archspec.load("resnet18").fingerprint
    assert run("hash", "resnet18")[1] == f"{fingerprint}  resnet18\n"


def test_explain_follows_an_attribute_to_its_source(run):
    out = run("explain", "isynet_n1", "stage2.block1.operation4.conv")[1].splitlines()
    assert "  weight      stage2.block1.operation4.conv.weight 32x32x5x5 (25,600)" in out
    place = next(i for i, line in enumerate(out) if line.startswith("    kernel = 5x5"))
    assert '"=kernel", as written at ' in out[place]
    assert "kernel = 5: row 4 of each" in out[place + 1]
    assert out[-1].startswith("  in Stage, called at ") and out[-1].endswith(" as stage2")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", each_network(n for n in shipped_names() if not n.startswith("spaces/"))
)
def test_explain_says_something_of_every_node(run, name):
    graph = archspec.load(name)
    for node in [*list(graph.nodes)[::20], *list(graph.calls)[::20]]:
        code, out, err = run("explain", name, node)
        assert (code, err) == (0, "")
        assert out.startswith(f"{node}: ")


def test_explain_unknown_node(run):
    code, _, err = run("explain", "resnet18", "stage1.block1.conv")
    assert code == 1
    assert err.startswith(
        "error: resnet18 has no node 'stage1.block1.conv'; did you mean 'stage1.block1"
    )
    assert err.endswith(" (archspec stats resnet18 lists its nodes)\n")


def test_explain_unknown_node_names_the_file_that_stats_takes(run, tmp_path):
    """The spec's own name is not that of its file, and a file's may need quotes."""
    path = tmp_path / "my nets.json"
    spec = {"archspec": 1, "name": "t", "input": {"shape": [3, 8, 8]}, "body": ["relu"]}
    path.write_text(json.dumps(spec))
    code, _, err = run("explain", str(path), "nope")
    assert code == 1
    hint = re.fullmatch(r"error: t has no node 'nope' \(archspec (.*) lists its nodes\)\n", err)
    assert hint
    assert run(*shlex.split(hint[1]))[0] == 0


@pytest.mark.thorough
@pytest.mark.parametrize("like", [None, *shipped_names()])
def test_new_specs_are_valid(run, like, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("new", "mine", *([] if like is None else ["--like", like]))
    assert code == 0 and out.startswith("wrote mine.json;")
    assert run("validate", "mine.json")[0] == 0
    if like is not None:
        ours, theirs = archspec.Space("mine.json"), archspec.Space(like)
        first = theirs.first()
        assert ours.assign(first).fingerprint == theirs.assign(first).fingerprint
        assert ours.program.expect == theirs.program.expect
        file = spec_path(like)
        if "extends" not in json.loads(file.read_text()):
            # the author's own layout: nothing differs but the name and where schema and blocks are
            new, old = (path.read_text().splitlines() for path in (Path("mine.json"), file))
            differ = [line for line in new if line not in old]
            assert all('"name"' in line or '"blocks/' in line for line in differ)


def test_new_replaces_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text("precious")
    code, _, err = run("new", "mine")
    assert (code, err) == (
        2,
        "error: mine.json exists already; use another name, or remove it\n",
    )
    assert Path("mine.json").read_text() == "precious"


def test_spaces_say_which_network_is_shown(run, tmp_path):
    code, first, note = run("stats", "spaces/tiny", "--by", "op")
    assert code == 0 and "first option" in note
    assert run("stats", "spaces/tiny", "--by", "op", "--decisions", "random:3")[1] != first
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps(archspec.Space("spaces/tiny").first()))
    assert run("stats", "spaces/tiny", "--by", "op", "--decisions", str(path))[1] == first
    assert archspec.Space("tiny").program.name == "tiny"


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["stat"], 2, "archspec has no command 'stat'; did you mean 'stats'?"),
        (["stats", "isynet_n9"], 1, "isynet_n9: there is no file and no shipped spec of this name"),
        (["stats", "isynet_n1", "--set", "clases=1"], 2, "did you mean 'classes'?"),
        (["stats", "isynet_n1", "--set", "classes"], 2, "--set classes lacks its value"),
        (["stats", "isynet_n1", "--set", "classes=x"], 1, "of at least 1, not 'x'"),
        (["stats", "isynet_n1", "--set", "classes=0"], 1, "of at least 1, not 0"),
        (["stats", "isynet_n1", "--input", "224"], 2, "--input 224 is not a shape"),
        (["stats", "isynet_n1", "--input", "3x0x9"], 2, "has an extent of 0"),
        (["stats", "unet", "--input", "3x30x30"], 1, "concat joins channels of inputs"),
        (["stats", "isynet_n1", "--batch", "0"], 2, "--batch 0"),
        (["plot", "isynet_n1", "-o", "net.gif"], 2, ".svg"),
        (["expand", "isynet_n1", "-o", "/proc/no/folder.json"], 2, "no such file or directory"),
        (["schema", "--for", "nope.json"], 1, "nope.json"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(run, arguments, code, message):
    actual, _, err = run(*arguments)
    assert actual == code
    assert err.startswith("error: ") and message in err


@pytest.mark.parametrize(
    "arguments",
    [["stats"], ["stats", "--by", "row", "resnet18"], ["import", "caffe", "x", "-o", "y"]],
)
def test_bad_usage_is_2(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: archspec ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: archspec {command}")


def test_help_lists_the_commands(capsys):
    assert main([]) == 2
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert all(f"\n{group}:\n" in text for group in GROUPS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_examples_that_the_command_takes(command):
    whole = parser_of(command)
    for parser in parsers_below(whole):
        examples = parser.own_examples()
        assert len(examples) >= 2, parser.prog
        text = parser.format_help()
        assert max(map(len, text.splitlines())) <= 100
        shown = re.sub(r" \\\n +", " ", text)  # as a shell reads what goes on in the next line
        assert shown.endswith("\n".join(f"  {line}" for line in examples) + "\n")
    for line in whole.examples:
        name, *arguments = shlex.split(called_by(line), comments=True)[1:]
        assert name == command
        whole.parse_args(arguments)  # which ends the process where it does not fit


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete_commands_options_and_specs(shell, tmp_path):
    """The shells themselves are asked, where they are installed; bash is everywhere."""
    pytest.importorskip("shtab")
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / f"completion.{shell}"
    with script.open("w") as out, contextlib.redirect_stdout(out):
        assert main(["completion", shell]) == 0

    def complete(*words: str) -> set[str]:
        if shell == "fish":
            code = f"source {script}; complete -C {shlex.quote(shlex.join(words))}"
        else:
            listed = " ".join(map(shlex.quote, words))
            code = (
                f"source {script}; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}\n"
                '_shtab_archspec; printf "%s\\n" "${COMPREPLY[@]}"'
            )
        printed = subprocess.run([shell, "-c", code], capture_output=True, text=True, check=True)
        return {line.partition("\t")[0] for line in printed.stdout.splitlines()}

    if shell == "zsh":  # which completes only where someone types
        assert subprocess.run(["zsh", "-n", script]).returncode == 0
        assert "resnext152_64x4d" in script.read_text()
        return
    assert complete("archspec", "sta") == {"stats"}
    assert complete("archspec", "stats", "resnext152") == {"resnext152_64x4d"}
    assert "--deployment" in complete("archspec", "compile", "resnet50", "--dep")
    assert {"import", "export"} <= complete("archspec", "weights", "")


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m archspec.cli expand resnext152_64x4d | head -1"
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "{\n", "")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("archspec 0.")


@pytest.mark.parametrize("asked", ["--version", "-V"])
def test_the_version_of_a_checkout_that_nobody_installed(asked, tmp_path):
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-S", "-m", "archspec", asked],  # -S: without what is installed
        cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True,
    )  # fmt: skip
    release = re.search(r'^version = "(.+)"$', (root / "pyproject.toml").read_text(), re.MULTILINE)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"archspec {release[1]}\n"


def test_schema_for_a_file_knows_its_templates(run):
    schema = json.loads(run("schema", "--for", "isynet_n1")[1])
    assert set(schema["$defs"]["template_isynet_Stage"]["properties"]) >= {
        "channels",
        "depth",
        "skip",
    }

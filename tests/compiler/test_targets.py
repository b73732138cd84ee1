"""The registry of targets: each row holds, writes every op, and says so in a sentence where not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from oracles.networks import around
from test_ops import EXAMPLES, label

from archspec.cli import OK, WRONG
from archspec.compiler.targets import TARGETS, Target, find_target, written_by
from archspec.errors import UsageError
from archspec.ops import OPS

ROOT = Path(__file__).parents[2]
TOY = """
import sys
from dataclasses import dataclass
from archspec.ops import OPS
from archspec.ops.base import Weightless, Work

@dataclass(frozen=True)
class Lrn(Weightless):
    name = "lrn"
    doc = "local response normalisation"
    category = "norm"

    def infer(self, inputs):
        return (inputs[0],)

    def work(self):
        return Work("stream")

OPS["lrn"] = Lrn
# more
from archspec.cli import main
sys.exit(main(sys.argv[1:]))
"""
SPELLED = """
from archspec.compiler.targets.onnx.operators import spell
@spell.register
def _(op: Lrn, at):
    at.result("LRN", at.x, size=1)
"""
SPEC = """{
 "archspec": 1, "name": "toy", "input": {"shape": [3, 8, 8]},
 "body": [
  {"op": "lrn", "name": "first"},
  {"op": "lrn", "name": "second"}
 ]
}"""


def run(*arguments, folder, code=TOY):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=folder
    )


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_rows_hold(target: Target):
    if target.lacks():
        pytest.skip(f"{target.lacks()} is not installed")
    assert target.ending == f".{target.name}" or target.is_source
    assert not target.make or callable(getattr(target.load(), target.make))
    if target.is_source:
        assert target.load().source_of and target.load().weight_names


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("op, inputs", EXAMPLES, ids=label)
def test_every_target_has_every_op(target: Target, op, inputs):
    if target.lacks():
        pytest.skip(f"{target.lacks()} is not installed")
    assert target.has(around(op, inputs).nodes["op"])


def test_every_op_is_tried():
    assert {op.name for op, _ in EXAMPLES} == set(OPS)


def test_targets_are_found_by_name():
    assert find_target("onnx").ending == ".onnx"
    with pytest.raises(UsageError, match="no target 'onx'; did you mean 'onnx'"):
        find_target("onx")
    assert "om" in written_by("export") and "om" not in written_by("compile")
    assert written_by("export").keys() == {"onnx", "mindir", "air", "om"}


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "toy.json").write_text(SPEC)
    return tmp_path


@pytest.mark.parametrize("output", ["net.py", "net.onnx"])
def test_an_op_without_a_spelling_is_one_sentence(output, toy):
    target = {"net.py": "mindspore", "net.onnx": "onnx"}[output]
    if TARGETS[target].lacks() and target == "onnx":
        pytest.skip("onnx is not installed")
    result = run("compile", "toy.json", "-o", output, folder=toy)
    assert result.returncode == WRONG
    assert result.stderr.splitlines()[-1] == (
        f"error: toy.json:4:3: at /body/0: the target {target} has no lrn"
    )
    assert not (toy / output).exists()


@pytest.mark.skipif(bool(TARGETS["onnx"].lacks()), reason="onnx is not installed")
def test_the_sentence_names_targets_that_can(toy):
    code = TOY.replace("# more", SPELLED)
    for target in ("mindspore", "torch"):
        arguments = ["--target", target, "-o", "net.py"]
        result = run("compile", "toy.json", *arguments, folder=toy, code=code)
        assert result.returncode == WRONG
        assert result.stderr.endswith(f"the target {target} has no lrn; onnx has\n")
    result = run("compile", "toy.json", "-o", "net.onnx", folder=toy, code=code)
    assert result.returncode == WRONG
    assert result.stderr.endswith("inference in numpy has no lrn\n")
    assert not list(toy.glob("net.*"))


def test_sources_are_known_without_their_frameworks(toy):
    """What can be said of a framework that is not installed is said."""
    spelled = (
        "sys.modules.update(dict.fromkeys(['torch', 'onnx', 'mindspore']))\n"
        "from archspec.compiler.targets.torch.spelling import spelling_of\n"
        "spelling_of.register(Lrn, lambda op, layer: None)\n"
    )
    code = TOY.replace("# more", spelled)
    result = run("compile", "toy.json", "-o", "net.py", folder=toy, code=code)
    assert result.stderr.endswith("the target mindspore has no lrn; torch has\n")


@pytest.mark.skipif(bool(TARGETS["onnx"].lacks()), reason="onnx is not installed")
def test_onnx_is_written_without_the_targets_of_frameworks(tmp_path):
    code = (
        "import json, sys; from archspec.cli import main\n"
        "assert main(['export', 'tiny/isynet', '-o', 'net.onnx']) == 0\n"
        "assert main(['compile', 'tiny/isynet', '-o', 'net.onnx']) == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    result = run(folder=tmp_path, code=code)
    assert result.returncode == OK, result.stderr
    loaded = json.loads(result.stdout.splitlines()[-1])
    assert "archspec.compiler.targets.onnx.model" in loaded
    foreign = ("mindspore", "torch", "archspec.compiler.targets.python")
    foreign += tuple(f"archspec.compiler.targets.{name}" for name in ("mindspore", "torch"))
    assert not [name for name in loaded if name.startswith(foreign)]

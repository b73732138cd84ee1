"""The MCP server, tried by the official package's own client over a pipe: its answers are what the
commands print, and it reads and writes nothing outside of its folder."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
import threading

import pytest

pytest.importorskip("mcp")
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from test_doctor import archspec_without

from archspec.cli import OK, WRONG
from archspec.extras import lacking

SECONDS = 120
NET = """{"archspec": 1, "name": "net", "input": {"shape": [3, 16, 16]},
  "body": [{"op": "ConvNormAct", "name": "stem", "channels": 8}, "global_avg_pool", "flatten",
           {"op": "dense", "channels": 4}]}"""


class Program:
    """A client with one server, whose answers are waited for."""

    def __init__(self, root):
        self.root = root
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.over = None
        ready = self.loop.create_future()
        self.life = asyncio.run_coroutine_threadsafe(self._live(ready), self.loop)

        async def wait():
            return await ready

        self.wait(wait())

    async def _live(self, ready):
        self.over = asyncio.Event()
        command = ["-m", "archspec", "mcp", str(self.root)]
        server = StdioServerParameters(command=sys.executable, args=command, cwd=str(self.root))
        try:
            async with stdio_client(server) as streams, ClientSession(*streams) as session:
                await session.initialize()
                self.session = session
                ready.set_result(None)
                await self.over.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    def wait(self, answer):
        return asyncio.run_coroutine_threadsafe(answer, self.loop).result(SECONDS)

    def call(self, tool, **arguments):
        return self.wait(self.session.call_tool(tool, arguments))

    def text(self, tool, **arguments) -> str:
        answer = self.call(tool, **arguments)
        assert not answer.is_error, answer.content
        return answer.content[0].text

    def refusal(self, tool, **arguments) -> str:
        answer = self.call(tool, **arguments)
        assert answer.is_error
        return answer.content[0].text

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.life.result(SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)
        self.loop.close()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    root = tmp_path_factory.mktemp("networks")
    (root / "net.json").write_text(NET)
    (root / "blocks").mkdir()
    (root / "blocks" / "mine.json").write_text(
        '{"archspec": 1, "templates": {"Two": {"body": ["relu", "relu"]}}}'
    )
    program = Program(root)
    yield program
    program.close()


def test_tools_are_told_with_what_they_take(program):
    tools = {tool.name: tool for tool in program.wait(program.session.list_tools()).tools}
    assert set(tools) >= {"validate", "stats", "explain", "diff", "lint", "latency", "plot",
                          "schema", "list_specs", "reference", "import_onnx"}  # fmt: skip
    assert tools["stats"].input_schema["required"] == ["spec"]
    assert all(tool.description for tool in tools.values())


def test_answers_are_what_the_commands_print(program, run, monkeypatch):
    monkeypatch.chdir(program.root)
    shown = ["--format", "json"]
    for tool, arguments, command in (
        ("stats", {"spec": "resnet50", "by": "block"}, ["stats", "resnet50", "--by", "block"]),
        ("stats", {"spec": "resnet18", "args": {"classes": 10}, "input_shape": [3, 64, 64]},
         ["stats", "resnet18", "--set", "classes=10", "--input", "3x64x64"]),
        ("diff", {"old": "resnet18", "new": "resnet34"}, ["diff", "resnet18", "resnet34"]),
        ("lint", {"spec": "resnet18"}, ["lint", "resnet18", "--device", "ascend310"]),
        ("latency", {"spec": "resnet18", "by": "op"},
         ["latency", "resnet18", "--device", "ascend310", "--by", "op"]),
    ):  # fmt: skip
        assert program.text(tool, **arguments) == run(*command, *shown)[1]
    assert (
        program.text("explain", spec="resnet18", node="stem.conv")
        == run("explain", "resnet18", "stem.conv")[1]
    )
    assert program.text("reference", name="conv") == run("explain", "conv")[1]
    assert program.text("schema") == run("schema")[1]


def test_a_wrong_text_is_told_wrong(program):
    text = '{"archspec": 1, "name": "n", "input": {"shape": [3, 8, 8]}, "body": ["rleu"]}'
    (verdict,) = json.loads(program.text("validate", spec=text))
    assert not verdict["ok"]
    (problem,) = verdict["problems"]
    assert problem["where"] == "spec.json:1:70" and "did you mean 'relu'?" in problem["message"]
    assert "did you mean 'relu'?" in program.refusal("stats", spec=text)
    (verdict,) = json.loads(program.text("validate", spec=text.replace("rleu", "relu")))
    assert verdict["ok"]


def test_pictures(program):
    picture = program.text("plot", spec="net.json", form="svg")
    assert picture.lstrip().startswith(("<svg", "<?xml"))
    image = program.call("plot", spec="net.json", form="png").content[0]
    assert base64.b64decode(image.data).startswith(b"\x89PNG")


def test_an_onnx_file_becomes_a_spec(program, run):
    pytest.importorskip("onnxruntime")
    path = program.root / "net.onnx"
    assert run("compile", program.root / "net.json", "--target", "onnx",
               "-o", path)[0] == 0  # fmt: skip
    program.text("import_onnx", file="net.onnx", output="read.json")
    found = json.loads(program.text("stats", spec="read.json"))
    assert found[0]["params"] == json.loads(program.text("stats", spec="net.json"))[0]["params"]
    assert "exists already" in program.refusal("import_onnx", file="net.onnx", output="read.json")


def test_nothing_outside_of_the_folder_is_read_or_written(program, tmp_path):
    secret = tmp_path / "secret.json"
    shutil.copy(program.root / "net.json", secret)
    (program.root / "link.json").symlink_to(secret)
    (program.root / "linked").symlink_to(tmp_path)
    head = '{"archspec": 1, "name": "n", '
    (program.root / "extending.json").write_text(head + '"extends": "linked/secret.json"}')
    (program.root / "above.json").write_text(
        head + f'"extends": "../{tmp_path.name}/secret.json"}}'
    )
    for name in (str(secret), "../net.json", "link.json", "linked/secret.json", "extending.json",
                 "above.json", "/etc/passwd", "", "."):  # fmt: skip
        for tool in ("validate", "stats", "lint", "plot"):
            told = program.refusal(tool, spec=name)
            assert "below" in told or "outside" in told or "elsewhere" in told, (tool, name, told)
    for output in ("../read.json", str(tmp_path / "read.json"), "linked/read.json"):
        assert "below" in program.refusal("import_onnx", file="net.json", output=output)
    assert "below" in program.refusal("lint", spec="net.json", device="../device.json")
    assert "--help" in program.refusal("explain", spec="net.json", node="--help")
    assert not (tmp_path / "read.json").exists()


@pytest.mark.parametrize("command, package", [("lsp", "pygls"), ("mcp", "mcp")])
def test_without_its_package_a_server_says_what_to_install(command, package, tmp_path):
    assert archspec_without([package], command, "--help", folder=tmp_path).returncode == OK
    result = archspec_without([package], command, folder=tmp_path)
    assert result.returncode == WRONG
    assert result.stderr == f"error: {lacking(f'archspec {command}', package)}\n"

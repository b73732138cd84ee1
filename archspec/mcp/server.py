"""The tools of the server. Each is a command, and answers with the JSON that this prints."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from archspec.extras import PACKAGE, version_of
from archspec.mcp.folder import Outside, check_path
from archspec.mcp.running import SECONDS, Answer, Workplace, open_workplace, overrides

INSTRUCTIONS = """\
archspec describes convolutional networks as JSON specs and knows their shapes, parameters,
multiply-accumulates and estimated time before anything runs. Write a spec, `validate` it, mend what
it says, then look at `stats`. `reference` is the page of an op or a template, `list_specs` and
`list_templates` are what there is to start from. A spec is named by its path below the folder of
this server, by the name of a shipped one (resnet50), or given whole as JSON text."""

Spec = Annotated[
    str, Field(description="a path below the folder, a shipped name (resnet50), or the JSON itself")
]
Arguments = Annotated[
    dict[str, Any] | None, Field(description="other values for the spec's args, by name")
]
InputShape = Annotated[
    list[int] | None, Field(description="another input: [channels, height, width]")
]
Batch = Annotated[int | None, Field(description="samples at once", ge=1)]
Device = Annotated[str, Field(description="such as ascend310; list_devices tells them")]
By = Annotated[Literal["node", "block", "op"], Field(description="what a row is of")]
Output = Annotated[str, Field(description="a path below the folder of a file that is not there")]


def make_server(root: Path) -> MCPServer:
    """A server whose files are those below `root`, every link followed."""
    server = MCPServer(
        "archspec", instructions=INSTRUCTIONS, version=version_of(PACKAGE), log_level="ERROR"
    )
    tools = Tools(Path(root).resolve())
    for tool in (
        tools.validate, tools.stats, tools.explain, tools.diff, tools.lint, tools.latency,
        tools.plot, tools.schema, tools.list_specs, tools.list_templates, tools.list_devices,
        tools.reference, tools.import_onnx,
    ):  # fmt: skip
        server.add_tool(tool, structured_output=False)
    return server


class Tools:
    """The commands, for one folder."""

    def __init__(self, root: Path):
        self.root = root

    async def validate(self, spec: Spec) -> list[str]:
        """Everything that is wrong with a spec or a library of templates, each with its place and
        what to use instead, and what in it has no effect."""
        return await self._run("validate", "--format=json", specs=(spec,))

    async def stats(
        self,
        spec: Spec,
        by: By = "node",
        batch: Batch = None,
        device: Device = "",
        args: Arguments = None,
        input_shape: InputShape = None,
    ) -> list[str]:
        """Parameters, multiply-accumulates, memory and receptive fields; with a device also the
        estimated time."""
        timed = [f"--device={self._device(device)}"] if device else []
        words = [f"--by={by}", *timed, *overrides(args, input_shape, batch)]
        return await self._run("stats", "--format=json", *words, specs=(spec,))

    async def explain(
        self, spec: Spec, node: str, args: Arguments = None, input_shape: InputShape = None
    ) -> list[str]:
        """Where a node or a template call of a network comes from: its shapes and cost, who gave
        each attribute its value, the calls around it."""
        words = overrides(args, input_shape)
        return await self._run("explain", *words, specs=(spec,), names=(node,))

    async def diff(
        self, old: Spec, new: Spec, args: Arguments = None, input_shape: InputShape = None
    ) -> list[str]:
        """What differs between two networks, in words and numbers."""
        words = overrides(args, input_shape)
        return await self._run("diff", "--format=json", *words, specs=(old, new))

    async def lint(
        self,
        spec: Spec,
        device: Device = "ascend310",
        batch: Batch = None,
        args: Arguments = None,
        input_shape: InputShape = None,
    ) -> list[str]:
        """What of a network would run badly on a device, with what it costs and what to do."""
        words = [f"--device={self._device(device)}", *overrides(args, input_shape, batch)]
        return await self._run("lint", "--format=json", *words, specs=(spec,))

    async def latency(
        self,
        spec: Spec,
        device: Device = "ascend310",
        batch: Batch = None,
        by: By = "node",
        args: Arguments = None,
        input_shape: InputShape = None,
    ) -> list[str]:
        """The estimated time of a network on a device, row by row, and what bounds each."""
        words = [f"--device={self._device(device)}", f"--by={by}"]
        words += overrides(args, input_shape, batch)
        return await self._run("latency", "--format=json", *words, specs=(spec,))

    async def plot(
        self,
        spec: Spec,
        form: Literal["svg", "png"] = "png",
        args: Arguments = None,
        input_shape: InputShape = None,
    ) -> str | Image:
        """A picture of a network: repeated blocks once, branches side by side, colour by cost."""
        with open_workplace(self.root) as place:
            path = place.own / f"picture.{form}"
            words = ["plot", f"--output={path}", *overrides(args, input_shape)]
            await self._answer(place, words, (spec,))
            if form == "svg":
                return path.read_text(encoding="utf-8")
            return Image(data=path.read_bytes(), format="png")

    async def schema(self, spec: Spec = "") -> list[str]:
        """The JSON Schema of specs; of one spec, with the templates that it can call."""
        if not spec:
            return await self._run("schema")
        return await self._run("schema", "--for", specs=(spec,))

    async def list_specs(self) -> list[str]:
        """The networks and search spaces that come with archspec, with their costs."""
        return await self._run("list", "--format=json")

    async def list_templates(self) -> list[str]:
        """The templates that come with archspec, with the libraries to import for them."""
        return await self._run("list", "--blocks", "--format=json")

    async def list_devices(self) -> list[str]:
        """The devices that time can be estimated for."""
        return await self._run("latency", "devices", "--format=json")

    async def reference(
        self,
        name: Annotated[
            str, Field(description="an op (conv), a template (MBConv); empty: all ops")
        ] = "",
        library: Annotated[
            str, Field(description="of a template: blocks/isynet and its like")
        ] = "",
    ) -> list[str]:
        """The page of an op or a template: attributes, shape rule, cost, an example."""
        if not name:
            return await self._run("explain", "--page=ops")
        return await self._run("explain", names=(library, name) if library else (name,))

    async def import_onnx(
        self, file: str, output: Output, weights: Output = "", name: str = "", flat: bool = False
    ) -> list[str]:
        """Read an ONNX file below the folder and write it as a spec, whose results are compared
        with the file's; its weights too, where a .safetensors file is named for them."""
        words = ["import", "onnx", self._path(file), f"--output={self._path(output)}"]
        words += [f"--weights={self._path(weights)}"] if weights else []
        words += [f"--name={name}"] if name else []
        words += ["--flat"] if flat else []
        return await self._run(*words)

    async def _run(
        self, *words: str, specs: tuple[str, ...] = (), names: tuple[str, ...] = ()
    ) -> list[str]:
        with open_workplace(self.root) as place:
            return _texts(await self._answer(place, list(words), specs, names))

    async def _answer(
        self,
        place: Workplace,
        words: list[str],
        specs: tuple[str, ...] = (),
        names: tuple[str, ...] = (),
    ) -> Answer:
        """What a command says of specs. Raises ToolError with its sentence where it fails."""
        try:
            found = place.take(specs)
            is_option = words[-1] == "--for" or not (specs or names)
            end = [] if is_option else ["--"]
            answer = await place.run(*words, *end, *found, *names)
        except Outside as error:
            raise ToolError(str(error)) from None
        except TimeoutError:
            raise ToolError(f"{words[0]} took longer than {SECONDS} seconds") from None
        if answer.code and not (words[0] == "validate" and answer.output):
            raise ToolError(answer.notes.removeprefix("error: ").strip() or "it failed")
        return answer

    def _path(self, name: str) -> str:
        try:
            return str(check_path(self.root, name))
        except Outside as error:
            raise ToolError(str(error)) from None

    def _device(self, name: str) -> str:
        """A device's name, or the file that describes one."""
        return self._path(name) if name.endswith(".json") else name


def _texts(answer: Answer) -> list[str]:
    """What a command printed, and what it remarked."""
    return [answer.output, *([answer.notes] if answer.notes.strip() else [])]


def serve(root: Path) -> None:
    """Answer one program over standard input and output until it goes."""
    with redirect_stdout(sys.__stdout__):  # bytes of a protocol, not text for people
        make_server(root).run("stdio")

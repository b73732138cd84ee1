"""Specs as texts: what a file gives, a text gives, and nothing outside its project is read."""

import json
import posixpath
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_errors import CASES, write
from test_random import SHIPPED, examples

import archspec
from archspec.compiler.latency.device import find_device
from archspec.compiler.latency.lint_report import lint
from archspec.diff import changes
from archspec.errors import Problem
from archspec.explain import explain
from archspec.plot import draw, render_svg
from archspec.sources import shipped_folder, shipped_libraries, shipped_names
from archspec.verdict import judge, judge_text

CONV = {"op": "conv", "channels": 4, "kernel": 3}
ALL = (*shipped_names(), *shipped_libraries())


def net(body, **keys):
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, **keys, "body": body}
    return json.dumps(spec, indent=1)


def library(keys=(), **templates):
    return json.dumps({"archspec": 1, **dict(keys), "templates": templates}, indent=1)


def lines_of(problems):
    return [line for problem in problems for line in str(problem).splitlines()]


def refusal(text, **keys):
    with pytest.raises(archspec.SpecError) as error:
        archspec.loads(text, **keys)
    return str(error.value)


# --- the same as from a file


@pytest.fixture(scope="module")
def texts():
    return {f"{name}.json": SHIPPED[f"{name}.json"] for name in ALL}


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_specs(name, texts):
    text, file = texts[f"{name}.json"], shipped_folder() / f"{name}.json"
    projects = [archspec.Installed(), texts, str(shipped_folder())]
    if name.startswith("spaces/"):
        wanted = archspec.Space(file)
        spaces = [archspec.Space.loads(text, name=f"{name}.json", project=p) for p in projects]
        first = wanted.first()
        assert all(space.first() == first for space in spaces)
        graphs, wanted = [space.assign(first) for space in spaces], wanted.assign(first)
    else:
        wanted = archspec.load(file)
        graphs = [archspec.loads(text, name=f"{name}.json", project=p) for p in projects]
    for graph in graphs:
        assert graph.fingerprint == wanted.fingerprint
        assert graph.normal_form() == wanted.normal_form()
        assert (graph.params, graph.macs) == (wanted.params, wanted.macs)
        assert graph.preprocessing == wanted.preprocessing


@pytest.mark.parametrize("name", ALL)
def test_shipped_specs_are_judged_alike(name, texts):
    verdict = judge_text(texts[f"{name}.json"], name=f"{name}.json", project=texts)
    assert (verdict.problems, verdict.warnings) == ((), [])
    assert (verdict.library is not None) == name.startswith("blocks/")


def test_args_and_input():
    text = net([CONV, {"op": "Classifier", "classes": "=classes"}], args={"classes": 10})
    assert archspec.loads(text, classes=7).output_shapes == {"logits": (7,)}
    assert archspec.loads(text, input_shape=(1, 4, 4)).params == 4 * 9 + 4 * 10 + 10


WRITTEN = [
    case
    for case in CASES
    if not any(isinstance(content, bytes) for content in case.values[0].values())
]
"""Those whose files are text."""
ABOUT_FILES = " (a folder that holds an empty file .archspec is a project)"
MISSING = "there is no text of this name in the project"
OUTSIDE = "leads outside the project, where no text is read; use a name inside it"


def as_texts_say_it(line):
    """The line about files in the words for texts."""
    head, separator, _ = line.partition(" leads outside the project")
    if separator:
        return f"{head} {OUTSIDE}"
    return line.replace("the file cannot be read: no such file or directory", MISSING)


def whole(line):
    """A line without its suggestion, which a folder does not make for a missing file."""
    return line.partition("; did you mean")[0] if MISSING in line else line


@pytest.mark.parametrize("files, lines", WRITTEN)
def test_broken_texts(files, lines):
    texts = {
        name: content if isinstance(content, str) else json.dumps(content, indent=1)
        for name, content in files.items()
    }
    text = texts["net.json"]
    verdict = judge_text(text, name="net.json", project=texts)
    met = [whole(line) for line in lines_of(verdict.problems)]
    assert met == [as_texts_say_it(line) for line in lines]


@pytest.mark.thorough
@pytest.mark.parametrize("files, lines", WRITTEN)
def test_broken_texts_in_a_folder(files, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".archspec").touch()
    for name, content in files.items():
        write(Path(name), content)
    text = Path("net.json").read_bytes().decode()
    verdict = judge_text(text, name="net.json", project=tmp_path)
    wanted = [line.removesuffix(ABOUT_FILES) for line in lines_of(judge("net.json").problems)]
    assert lines_of(verdict.problems) == wanted


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A project that holds the shipped specs."""
    folder = tmp_path_factory.mktemp("shipped")
    for name, text in SHIPPED.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".archspec").touch()
    return folder


@examples(60)
@given(st.sampled_from(sorted(SHIPPED)), st.lists(st.tuples(st.integers(0), st.characters())))
def test_damaged_texts(copies, name, changed):
    letters = list(SHIPPED[name])
    for place, letter in changed:
        letters[place % len(letters)] = letter
    text = "".join(letters)
    path = (copies / name).with_name("damaged.json")
    try:
        path.write_bytes(text.encode())
    except UnicodeEncodeError:
        assert "half a character" in lines_of(judge_text(text).problems)[0]
        return
    verdict, wanted = judge_text(text, name=str(path), project=copies), judge(str(path))
    assert lines_of(verdict.problems) == [
        line.removesuffix(ABOUT_FILES) for line in lines_of(wanted.problems)
    ]
    assert verdict.warnings == wanted.warnings
    if wanted.graph is not None:
        assert verdict.graph is not None
        assert verdict.graph.fingerprint == wanted.graph.fingerprint


def test_positions_are_in_the_text():
    blocks = library(Block={"args": {"width": 8}, "body": {**CONV, "channels": "=width / 0"}})
    text = net([{"op": "b.Block", "width": 6}], **{"import": {"b": "blocks.json"}})
    assert refusal(text, name="my net", project={"blocks.json": blocks}) == (
        "blocks.json:10:17: at /templates/Block/body/channels: 6 / 0 has no result"
        " (in '=width / 0')\n    in b.Block, called at my net:15:3 as block"
    )


# --- no file is needed


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A working folder that does not exist any more."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        Path.cwd()


def test_without_a_working_folder(nowhere):
    blocks = library(Block={"args": {"width": 8}, "body": {**CONV, "channels": "=width"}})
    body = [{"op": "b.Block", "name": "stem"}, {"op": "i.Operation", "channels": 4, "kernel": 3}]
    imports = {"b": "blocks.json", "i": "blocks/isynet"}
    text = net(body, **{"import": imports})
    graph = archspec.loads(text, name="a net", project={"blocks.json": blocks})
    grey = archspec.loads(text.replace("[\n   3,", "[\n   1,"), project={"blocks.json": blocks})
    assert graph.stats().params == graph.params > grey.params
    assert len(changes(graph, grey)) > 0
    said = "\n".join(explain(graph, "stem.conv"))
    assert "written at blocks.json:8:12 (/templates/Block/body)" in said
    assert "called at a net:16:3" in said
    assert render_svg(draw(graph)).startswith("<svg")
    found = lint(graph, find_device("ascend310p3"), 1, 0.0)
    assert found.told.estimate.ms > 0
    verdict = judge_text(
        text.replace('"b.Block"', '"b.Blok"'), name="a net", project={"blocks.json": blocks}
    )
    assert [problem.where.partition(":")[0] for problem in verdict.problems] == ["a net"]
    assert archspec.loads(SHIPPED["resnet18.json"], project=archspec.Installed()).params > 1e7
    assert archspec.load("isynet_n1").params > 1e6


def test_a_text_alone_knows_what_is_shipped():
    extension = json.dumps({"archspec": 1, "name": "mine", "extends": "resnet18"})
    assert archspec.loads(extension).fingerprint == archspec.load("resnet18").fingerprint
    text = net([], **{"import": {"b": "blocks.json"}})
    assert refusal(text) == (
        "<text>:12:8: at /import/b: 'blocks.json' is another text and this one has no project; use"
        " a project that has it (a folder, or a dict of texts)"
    )


# --- projects


BLOCK = library(Block={"body": CONV})
CALLS = net("b.Block", **{"import": {"b": "blocks.json"}})


def test_references_start_from_the_text_s_own_place():
    text = net("b.Block", **{"import": {"b": "../blocks/b.json"}})
    texts = {"blocks/b.json": library({"import": {"c": "c.json"}}, Block={"body": "c.Block"}),
             "blocks/c.json": BLOCK}  # fmt: skip
    assert list(archspec.loads(text, name="nets/a.json", project=texts).nodes) == [
        "block.block.conv"
    ]
    assert OUTSIDE in refusal(text, name="a.json", project=texts)


def test_a_text_that_refers_to_itself():
    text = json.dumps({"archspec": 1, "name": "net", "extends": "./net.json"})
    for project in ({"net.json": text}, {}):
        assert "extends itself in a circle" in refusal(text, name="net.json", project=project)


def test_a_name_that_is_no_path(tmp_path):
    for project in (tmp_path, {}):
        assert archspec.loads(net(CONV), name="a\0b", project=project).params == 108
        assert refusal(CALLS, name="a\0b", project=project)


def test_names_are_suggested():
    assert refusal(CALLS, project={"block.json": BLOCK}) == (
        f"blocks.json: {MISSING}; did you mean 'block.json'?\n    referred to at <text>:12:8"
    )
    text = CALLS.replace("blocks.json", "blocks")
    assert refusal(text, project={"blocks.json": BLOCK}).endswith(
        "ending in .json; did you mean 'blocks.json'?"
    )


class Shelf(archspec.Project):
    """A project of one's own, that notes what is read."""

    def __init__(self, texts):
        self.texts, self.read_names = texts, []

    def read(self, name):
        self.read_names.append(name)
        if name not in self.texts:
            raise archspec.SpecError(Problem("this shelf does not have it", name))
        return self.texts[name]


def test_a_project_of_one_s_own():
    shelf = Shelf({"blocks.json": BLOCK})
    imports = {"b": "blocks.json", "c": "x/../blocks.json"}
    text = net(["b.Block", "c.Block"], **{"import": imports})
    assert len(archspec.loads(text, project=shelf).nodes) == 2
    assert shelf.read_names == ["blocks.json"]
    assert "this shelf does not have it" in refusal(CALLS, project=Shelf({}))


@pytest.mark.parametrize(
    "reference", ["../secret.json", "a/../../secret.json", "..\\secret.json", "/secret.json",
                  "link.json", "inner/secret.json"],
)  # fmt: skip
def test_nothing_outside_is_read(reference, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret.json").write_text(BLOCK)
    (tmp_path / ".archspec").touch()  # load would take the larger folder
    (project / "link.json").symlink_to(tmp_path / "secret.json")
    (project / "inner").symlink_to(tmp_path)
    text = net([], **{"import": {"b": reference.replace("\\", "/")}})
    for name in ("a.json", str(project / "a.json")):
        message = refusal(text, name=name, project=project)
        assert "leads outside the project" in message or "is absolute" in message
    folder = archspec.Folder(project)
    with pytest.raises(archspec.SpecError, match=r"outside the project|cannot be read"):
        folder.read(reference)
    for name in (str(tmp_path / "a.json"), "../a.json"):
        with pytest.raises(archspec.SpecError):
            archspec.loads(CALLS.replace("blocks", "secret"), name=name, project=project)


PARTS = st.sampled_from(["a", "b", "..", "."])
PATHS = st.lists(PARTS, max_size=4).map(lambda parts: "/".join([*parts, "x.json"]))


@examples(150)
@given(PATHS, st.lists(PATHS, max_size=5), st.sampled_from(["n.json", "a/n.json", "a/b/n.json"]))
def test_a_dict_is_a_folder(tmp_path_factory, reference, paths, name):
    """A dict of texts and the same texts as files mean one thing by a reference."""
    folder = tmp_path_factory.mktemp("files")
    for place in ("a/a", "a/b", "b/a", "b/b"):
        (folder / place).mkdir(parents=True)
    texts = {}
    for number, path in enumerate(paths):
        inside = posixpath.normpath(path)
        if not inside.startswith("..") and (folder / inside).parent.is_dir():
            texts[inside] = library(Block={"body": {**CONV, "channels": number + 1}})
            (folder / inside).write_text(texts[inside])
    text = net("b.Block", **{"import": {"b": reference}})
    met = []
    for project in (texts, folder):
        verdict = judge_text(text, name=name, project=project)
        if verdict.graph is not None:
            met.append(verdict.graph.params)
        else:
            (problem,) = verdict.problems
            met.append("outside" if "leads outside" in problem.message else "missing")
    assert met[0] == met[1]
    wanted = posixpath.normpath(f"{posixpath.dirname(name)}/{reference}").lstrip("/")
    assert met[0] == "outside" or (met[0] == "missing") == (wanted not in texts)


# --- texts that no file could hold


def test_what_a_file_could_not_hold():
    assert archspec.loads("\ufeff" + net(CONV)).params == 108
    assert refusal(net(CONV).replace("net", "n\ud800t"), name="n") == (
        "n:3:12: '\\ud800' is half a character; use both halves of a pair"
    )
    assert refusal(" " * (16 * 2**20 + 1)).startswith("<text>: the text has 16,777,217 bytes")
    assert "é" * 9 in archspec.loads(net(CONV, doc="é" * 9)).doc
    with pytest.raises(TypeError):
        archspec.loads(net(CONV).encode())
    with pytest.raises(TypeError, match=r"'blocks\.json' of a project must be a str"):
        archspec.loads(CALLS, project={"blocks.json": json.loads(BLOCK)})


def test_a_project_that_is_no_folder(tmp_path):
    with pytest.raises(archspec.SpecError, match="this project is not a folder"):
        archspec.loads(CALLS, project=tmp_path / "nothing")
    (tmp_path / "blocks.json").write_text(BLOCK)
    assert list(archspec.loads(CALLS, project=tmp_path).nodes) == ["block.conv"]


def test_a_library_that_is_edited_is_read_anew(tmp_path):
    """What was checked once is remembered by its text, also between a fault and its mending."""
    (tmp_path / ".archspec").touch()
    spec, blocks = tmp_path / "net.json", tmp_path / "blocks.json"
    spec.write_text(net({"op": "blocks.Layer"}, **{"import": {"blocks": "blocks.json"}}))

    def channels(count):
        blocks.write_text(library(Layer={"body": {"op": "conv", "kernel": 1, "channels": count}}))
        return archspec.load(spec).output_shapes["logits"][0]

    assert [channels(count) for count in (4, 6, 4)] == [4, 6, 4]
    for _ in range(2):
        with pytest.raises(archspec.SpecError, match=r"blocks\.json:\d+:\d+: .*channels"):
            channels("many")
    assert channels(5) == 5

"""Files that mean harm, or are merely broken, given to the command as a user would give them.

Whatever the file, the command ends soon, exits with 1, prints nothing but sentences that name the
file, and never a traceback or a character that steers the terminal. What it writes is whole.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from archspec.cli import main

TIMEOUT = 20
pytestmark = pytest.mark.timeout(TIMEOUT, method="signal")
CONV = {"op": "conv", "channels": 4, "kernel": 3}
ESCAPES = "\x1b[31m\x1b]0;owned\x07\x9b\u202e\u200b\r\b"


def net(body, **keys):
    return {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, **keys, "body": body}


def conv(**keys):
    return {**CONV, **keys}


def calling(count, body, last, **keys):
    """A network of templates T0, T1..., each of which calls the next as `body` says."""
    templates = {f"T{i}": body(f"T{i + 1}") for i in range(count)}
    return net("T0", templates={**templates, f"T{count}": last}, **keys)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".archspec").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # as in a process of its own: MindSpore raises it
    yield tmp_path
    sys.setrecursionlimit(limit)


def command(*arguments):
    """Run the command, here; whatever comes, there is no traceback and nothing that steers a
    terminal."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    return code, *judged(out.getvalue(), err.getvalue())


def command_alone(*arguments):
    """The same by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "archspec.cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
    )
    return done.returncode, *judged(done.stdout.decode(), done.stderr.decode())


def judged(out, err):
    assert "Traceback" not in out + err
    assert "went wrong" not in err
    assert all(character == "\n" or character.isprintable() for character in out + err)
    return out, err


def refuse(name, word):
    """Validate a file and hold the command to its promise; the word is in what it says."""
    code, out, err = command("validate", name)
    assert (code, out) == (1, "")
    assert err.startswith(str(name))
    assert len(err) < 20_000
    assert word in err
    return err


TEXTS = {
    "empty": ("", "empty"),
    "blank": (" " * 10_000_000, "empty"),
    "no JSON": ("archspec: 1", "not JSON"),
    "binary": (bytes(range(256)), "UTF-8"),
    "UTF-16": (json.dumps(net([])).encode("utf-16"), "UTF-8"),
    "NUL": (b"\0" * 1000, "not JSON"),
    "NUL in a string": ('{"name": "a\0b"}', "not JSON"),
    "half a character": (json.dumps({"name": "\ud800"}), "half a character"),
    "many escapes": ('["' + "\\ud83d\\ude00" * 100_000 + '\\ud800"]', "half a character"),
    "NaN": (json.dumps({"x": float("nan")}), "NaN is not JSON"),
    "late NaN": ("[" + "1," * 1_000_000 + "NaN]", "NaN is not JSON"),
    "Infinity": (json.dumps({"x": float("-inf")}), "-Infinity is not JSON"),
    "2.0": (json.dumps(net(conv(kernel=2.0))), "did you mean 2?"),
    "5 million digits": ("[" + "1" * 5_000_000 + "]", "too large"),
    "exponent of 5 million digits": ("[1e" + "1" * 5_000_000 + "]", "too large"),
    "10,000 deep": ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
    "10,000 objects deep": ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested too deeply"),
    "a million open": ("[" * 1_000_000, "nested too deeply"),
    "unclosed strings": ('"' * 1_000_000, "not JSON"),
    "backslashes": ('"' + "\\" * 1_000_000, "not JSON"),
    "duplicate key": ('{"archspec": 1, "name": "a", "name": "b"}', "appears twice"),
    "late duplicate": (
        "{" + ", ".join(f'"k{i}": {i}' for i in range(50_000)) + ', "k7": 7}', "appears twice",
    ),
    "too large": (" " * (16 * 2**20) + "{}", "16,777,218 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("text, word", TEXTS.values(), ids=TEXTS)
def test_text(text, word):
    Path("net.json").write_bytes(text.encode() if isinstance(text, str) else text)
    refuse("net.json", word)


LONG = "a" * 2**20
SPECS = {
    "repeat": (net(conv(repeat=10**9)), "from 0 to 100,000, not 1000000000"),
    "repeat in repeat": (net({"body": conv(repeat=1000), "repeat": 1000}), "100,000 nodes"),
    "repeats of nothing": (
        net({"body": {"body": [], "repeat": 1000}, "repeat": 1000}), "150,000 steps",
    ),
    "long expression": (net(conv(channels="=1" + "+1" * 5_000_000)), "10,000,001 characters"),
    "deep expression": (net(conv(channels="=" + "(" * 400 + "1" + ")" * 400)), "at /body/channels"),
    "powers": (net(conv(channels="=9**9**9")), "exponent"),
    "products": (net(conv(channels="=" + "*".join(["9007199254740992"] * 50))), "too large"),
    "recursion": (net("T", templates={"T": {"body": "T"}}), "circle (T -> T)"),
    "recursion of two": (
        net("T", templates={"T": {"body": "U"}, "U": {"body": ["T"]}}), "circle (T -> U -> T)",
    ),
    "recursion of 3,000": (
        calling(3000, lambda t: {"body": t}, {"body": "T0"}), "circle (T0 -> T1 -> T2 -> T3",
    ),
    "a chain of 3,000": (calling(3000, lambda t: {"body": t}, {"body": []}), "deeper than 50"),
    "doubling": (calling(49, lambda t: {"body": [t, t]}, {"body": "relu"}), "100,000 nodes"),
    "doubling of nothing": (calling(49, lambda t: {"body": [t, t]}, {"body": []}), "100,000 nodes"),
    "doubling of values": (
        net([], args={"a0": [1] * 1000, **{f"a{i}": [f"=a{i - 1}"] * 10 for i in range(1, 20)}}),
        "100,000 parts",
    ),
    "large argument, often": (
        net(
            {"op": "T", "repeat": 100_000, "n": "=index", "x": "=large"},
            args={"large": list(range(90_000))},
            templates={"T": {"args": {"x": 0, "n": 0}, "body": []}},
        ),
        "150,000 steps",
    ),
    "nested calls and nodes": (
        net("T", templates={
            "T": {"body": json.loads('{"residual": ' * 80 + '"U"' + "}" * 80)},
            "U": {"body": json.loads('{"residual": ' * 80 + '"relu"' + "}" * 80)},
        }),
        "nested too deeply",
    ),
    "huge channels": (net(conv(channels=2**62)), "too large"),
    "huge extent": (net(conv(), input={"shape": [2**40, 2**40, 2**40]}), "at /input/shape/0"),
    "growing extent": (net({"op": "upsample", "scale": 10**4, "repeat": 10**5}), "2**53"),
    "growing channels": (
        net({"branches": [[]] * 1000, "join": "concat", "repeat": 10**5}), "2**53",
    ),
    "long name": (net(conv(name=LONG)), "at most 200 characters"),
    "long name of the network": (net([], name=LONG), "at most 100 characters"),
    "long name of an op": (net({"op": LONG}), "is not an op"),
    "long name of a template": (net({"op": "A" + LONG}), "there is no template"),
    "long reference": (net([CONV, conv(**{"from": LONG})]), "no earlier node"),
    "long key": (net(conv(**{LONG: 1})), "conv has no"),
    "long import": (net([], **{"import": {"a": f"{LONG}.json"}}), "not a usable path"),
    "long extends": ({"archspec": 1, "name": "net", "extends": LONG}, "not a usable path"),
    "long source": (net(CONV, expect={"params": 1, "source": LONG}), "expected 1 params"),
    "long output": (net(CONV, expect={"output": {LONG: [1]}}), "expected outputs"),
    "long options": (
        net([], args={"a": {"enum": [LONG], "default": "b", "type": "string"}}), "a must be 'aaa",
    ),
    "3,000 choices of 1,000 options": (
        net([conv(channels={"choice": [*range(1, 1001)]})] * 3000), "more than 100,000 options",
    ),
    "escapes in a key": (net(conv(**{ESCAPES: 1})), r"\x1b[31m"),
    "escapes in a name": (net(conv(name=ESCAPES)), r"\x1b[31m"),
    "escapes in a network's name": (net([], name=ESCAPES), r"\x1b[31m"),
    "escapes in an op": (net({"op": ESCAPES}), r"\x1b[31m"),
    "escapes in a reference": (net([CONV, conv(**{"from": ESCAPES})]), r"\x1b[31m"),
    "escapes in an import": (net([], **{"import": {"a": f"{ESCAPES}.json"}}), r"\x1b[31m"),
    "escapes in a template": (net([], templates={ESCAPES: {"body": []}}), r"\x1b[31m"),
    "escapes in an expression": (net(conv(channels=f"='{ESCAPES}'")), "one line"),
    "escapes in a source": (net(CONV, expect={"params": 1, "source": ESCAPES}), r"\x1b[31m"),
    "line break after a name": (net(conv(name="a\n")), r"'a\n'"),
    "100,000 wrong words": (net(["rleu"] * 100_000), "more problems than these 50"),
    "100,000 wrong keys": (net(conv(**{f"k{i}": 0 for i in range(100_000)})), "more problems"),
    "30,000 wrong expressions": (net([conv(channels="=1 +")] * 30_000), "more problems"),
    "30,000 unknown names": (net([conv(channels="=x")] * 30_000), "more problems"),
    "100,000 unknown references": (
        net({"op": "add", "from": [f"n{i}" for i in range(100_000)]}), "more problems",
    ),
    "30,000 wrong branches": (
        net({"branches": [{"op": "dense", "channels": 3}] * 30_000, "join": "add"}),
        "more problems",
    ),
    "30,000 wrong templates": (
        net([], templates={f"T{i}": {"body": conv(channels="=1 +")} for i in range(30_000)}),
        "more problems",
    ),
    "errors after 300,000 nodes": (net(["relu"] * 300_000 + ["rleu"] * 60), "/body/300000"),
}  # fmt: skip


@pytest.mark.parametrize("spec, word", SPECS.values(), ids=SPECS)
def test_spec(spec, word):
    Path("net.json").write_text(json.dumps(spec))
    err = refuse("net.json", word)
    assert sum(not line.startswith(" ") for line in err.splitlines()) <= 52


@pytest.mark.parametrize("name", ["repeat", "doubling", "huge channels", "escapes in a key"])
@pytest.mark.parametrize("subcommand", ["stats", "expand", "hash"])
def test_other_commands(subcommand, name):
    Path("net.json").write_text(json.dumps(SPECS[name][0]))
    code, out, err = command(subcommand, "net.json")
    assert (code, out) == (1, "")
    assert err.startswith("error: net.json:1:")
    assert SPECS[name][1] in err


def test_strides_without_end_are_counted():
    body = {"op": "conv", "channels": 3, "kernel": 1, "stride": 10**4, "repeat": 1000}
    Path("net.json").write_text(json.dumps(net(body)))
    code, out, err = command("stats", "net.json", "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)[0]["params"] == 9000


class TestOtherFiles:
    def validate(self, keys):
        Path("net.json").write_text(json.dumps(net([], **keys)))
        return command("validate", "net.json")

    @pytest.mark.parametrize(
        "reference, words",
        [
            ("../../etc/passwd", "relative path ending in .json"),
            ("../../etc/passwd.json", "outside the project"),
            ("/etc/passwd", "relative path ending in .json"),
            ("/etc/passwd.json", "is absolute"),
            ("a/../../../../b.json", "outside the project"),
            ("~/a.json", "no such file"),
            ("a\0.json", "not a usable path"),
            ("http://example.org/a.json", "no such file"),
        ],
    )
    def test_import_of_what_is_not_ours(self, reference, words):
        code, out, err = self.validate({"import": {"a": reference}})
        assert (code, out) == (1, "")
        assert words in err

    def test_many_missing_imports(self):
        code, out, err = self.validate({"import": {f"a{i}": f"{i}.json" for i in range(50_000)}})
        assert (code, out) == (1, "")
        assert err.startswith("0.json: the file cannot be read")
        assert err.count("referred to") == 50
        assert err.endswith("there are more problems than these 50\n51 problems\n")

    def test_links_out_of_the_project(self, folder, tmp_path_factory):
        outside = tmp_path_factory.mktemp("outside") / "a.json"
        outside.write_text(json.dumps({"archspec": 1, "templates": {"Secret": {"body": []}}}))
        Path("link.json").symlink_to(outside)
        Path("inner").symlink_to(outside.parent)
        for reference in ("link.json", "inner/a.json"):
            code, _, err = self.validate({"import": {"a": reference}})
            assert code == 1
            assert f"'{reference}' leads outside the project {folder}, " in err

    def test_links_in_circles(self):
        Path("loop.json").symlink_to("loop.json")
        refuse("loop.json", "too many levels of symbolic links")
        assert "leads to itself" in self.validate({"import": {"a": "loop.json"}})[2]

    def test_extends_in_circles(self):
        head = {"archspec": 1, "name": "net"}
        Path("a.json").write_text(json.dumps({**head, "extends": "b.json"}))
        Path("b.json").write_text(json.dumps({**head, "extends": "a.json"}))
        assert command("validate", "a.json")[::2] == (
            1,
            "b.json:1:43: at /extends: 'a.json' extends itself in a circle; use a spec with a body"
            " at its end\n1 problem\n",
        )

    def test_imports_that_double(self):
        for i in range(18):
            both = {"a": f"{i + 1}.json", "b": f"{i + 1}.json"}
            library = {"archspec": 1, "import": both, "templates": {}}
            Path(f"{i}.json").write_text(json.dumps(library))
        Path("18.json").write_text(json.dumps({"archspec": 1, "templates": {}}))
        assert command("validate", "0.json")[0] == 0

    def test_chains_of_files(self):
        for i in range(25):
            spec = {"archspec": 1, "name": "net", "extends": f"{i + 1}.json"}
            Path(f"{i}.json").write_text(json.dumps(spec))
            library = {"archspec": 1, "import": {"a": f"i{i + 1}.json"}, "templates": {}}
            Path(f"i{i}.json").write_text(json.dumps(library))
        for name in ("0.json", "i0.json"):
            code, _, err = command("validate", name)
            assert code == 1
            assert "nested deeper than 20 files" in err

    def test_what_is_no_file(self):
        Path("folder.json").mkdir()
        os.mkfifo("pipe.json")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.json")
            refuse("socket.json", "not a regular file")
        refuse("folder.json", "this is a folder")
        refuse("pipe.json", "not a regular file")
        refuse("/dev/zero", "not a regular file")
        for name in ("folder.json", "pipe.json"):
            code, out, err = self.validate({"import": {"a": name}})
            assert (code, out) == (1, "")
            assert err.startswith(name)
            assert "referred to at net.json:1:" in err

    def test_a_name_that_steers(self):
        name = f"{ESCAPES}.json"
        Path(name).write_text(json.dumps(net(CONV)))
        assert command("validate", name)[1].startswith(r"\x1b[31m")
        Path(name).write_text("{")
        assert command("validate", name)[2].startswith(r"\x1b[31m")

    def test_a_name_that_is_no_text(self):
        name = os.fsdecode(b"caf\xe9.json")
        Path(name).write_text(json.dumps(net(CONV)))
        code, out, err = command("validate", name)
        assert (code, err) == (0, "")
        assert out.startswith(r"caf\udce9.json: ok")
        Path(name).write_text("{")
        assert command("validate", name)[2].startswith(r"caf\udce9.json:1:2: ")


def test_every_cut_of_a_file_is_refused(folder):
    text = (Path(__file__).parents[2] / "specs" / "tiny" / "resnext.json").read_text().rstrip()
    names = []
    for number, end in enumerate(range(0, len(text), max(len(text) // 40, 1))):
        names.append(f"cut{number}.json")
        Path(names[-1]).write_text(text[:end])
    code, out, err = command("validate", *names)
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == names
    assert lines[-1] == f"{len(names)} problems"


def wrong_targets(folder, suffix):
    """Paths nothing can be written to, and what stands around them."""
    (folder / f"folder{suffix}").mkdir()
    (folder / "file").write_text("old")
    (folder / f"device{suffix}").symlink_to("/dev/null")
    os.mkfifo(folder / f"pipe{suffix}")
    return [f"folder{suffix}", f"file/such/x{suffix}", f"file/x{suffix}", f"device{suffix}",
            f"pipe{suffix}", "a" * 300 + suffix]  # fmt: skip


@pytest.mark.parametrize(
    "arguments, suffix",
    [(["expand", "tiny/resnext"], ".json"), (["plot", "tiny/resnext"], ".svg"), (["schema"], "")],
)
def test_what_cannot_be_written_leaves_nothing(arguments, suffix, folder):
    targets = wrong_targets(folder, suffix)
    before = sorted(folder.rglob("*"))
    for target in targets:
        code, out, err = command(*arguments, "-o", target)
        assert code in (1, 2), target
        assert out == ""
        assert err.startswith(f"error: {target[:10]}")
    assert sorted(folder.rglob("*")) == before
    assert (folder / "file").read_text() == "old"
    assert not Path("/dev/null").is_file()


def test_new_and_import_leave_nothing(folder):
    Path("net.json").write_text("old")
    Path("isynet.json").write_text(json.dumps({"nStages": 1}))
    before = sorted(folder.rglob("*"))
    for arguments in (
        ["new", "net"],
        ["new", "net.json/such"],
        ["new", "no/such/a b"],
        ["new", "a b"],
        ["new", "other", "--like", "nope"],
        ["import", "isynet", "isynet.json", "-o", "no/other.json"],
        ["import", "isynet", "nope.json", "-o", "no/other.json"],
    ):
        code, out, err = command(*arguments)
        assert code in (1, 2), arguments
        assert out == ""
        assert err.startswith("error: ")
    assert sorted(folder.rglob("*")) == before
    assert Path("net.json").read_text() == "old"


def test_a_full_disk_leaves_the_old_file(folder):
    target = folder / "net.json"
    target.write_text("old")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    call = "from archspec.cli import main; sys.exit(main(['expand', 'resnet18', '-o', 'net.json']))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {limit} {ignore} {call}"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode in (1, 2)
    assert "file too large" in done.stderr
    assert target.read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == [".archspec", "net.json"]


def test_a_link_is_written_through(folder):
    (folder / "real.json").write_text("old")
    (folder / "link.json").symlink_to("real.json")
    assert command("expand", "tiny/resnext", "-o", "link.json")[0] == 0
    assert (folder / "link.json").is_symlink()
    assert json.loads((folder / "real.json").read_text())["name"] == "tiny_resnext"


@pytest.mark.timeout(9 * TIMEOUT)
@pytest.mark.parametrize(
    "home",
    [
        pytest.param("/dev/null/none", id="unwritable", marks=pytest.mark.slow),
        pytest.param(None, id="none"),
    ],
)
def test_without_a_home_everything_works(home, tmp_path, monkeypatch):
    """Caches are not required. Nobody can make a folder there, root neither."""
    pytest.importorskip("PIL")
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    for arguments in (
        ["list"],
        ["validate", "tiny/isynet"],
        ["stats", "tiny/isynet", "--device", "ascend310"],
        ["plot", "tiny/isynet", "-o", "net.svg"],
        ["lint", "tiny/isynet"],
        ["latency", "tiny/isynet"],
        ["data", "digits", "digits"],
        ["data", "check", "digits"],
        ["search", "spaces/tiny", "--objective", "min:macs", "--trials", "20", "--out", "found"],
    ):
        code, _, err = command_alone(*arguments)
        assert code == 0, err

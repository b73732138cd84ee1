"""Searches that several machines share: databases that go away, passwords, workers that die."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from oracles.searches import draw, lines, mine
from page_runner import blocks_of, environment

pytest.importorskip("optuna")

import optuna
import sqlalchemy

from archspec.training.run import RunError
from archspec.training.search import patience as patience_module
from archspec.training.search.patience import Interrupted, Patience, Trouble, passing_trouble
from archspec.training.search.storage import VARIABLE, redact, without_secrets
from archspec.training.search.trials import open_trials
from archspec.training.signals import Stop

TINY = "spaces/tiny"
ROOT = Path(__file__).parents[2]
SCORE = ("--objective", "max:python:table:score", "--objective", "min:macs")
SLOW = ("--objective", "max:python:table:slow", "--objective", "min:macs")
URL = "sqlite:///shared.db"


@pytest.fixture
def there(there, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    return there


def start(folder, *arguments, **variables):
    command = [sys.executable, "-m", "archspec.cli", "search", *map(str, arguments)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path, **variables},
    )  # fmt: skip


def wait_for(condition, process):
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it never happened")


def assert_whole(folder, count):
    """Each number once, in the search and in its baseline, and no network twice."""
    for kind in (mine(folder), draw(folder)):
        assert sorted(trial["number"] for trial in kind) == [*range(count)]
        assert len({trial["fingerprint"] for trial in kind}) == count


# URLs.


@pytest.mark.parametrize(
    "url, shown",
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:se%40cret@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://me:se@cr:et/x@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db?password=secret&a=b", "postgresql://me@host/db?password=***&a=b"),
        ("mysql://:secret@host/db?ssl_key=secret", "mysql://:***@host/db?ssl_key=***"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////tmp/search.db", "sqlite:////tmp/search.db"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url, shown):
    assert redact(url) == shown
    said = without_secrets(f"no route to {url}, password 'secret' or se@cret", url)
    assert ("secret" in said) == ("secret" not in url)


@pytest.mark.parametrize(
    "url, status, words",
    [
        ("postgres://me:secret@h/d", 2, "there is no database 'postgres'"),
        ("postgresql+nodriver://me:secret@h/d", 2, "there is no database 'postgresql+nodriver'"),
        ("postgresql+asyncpg://me:secret@h/d", 2, "a driver for asynchronous programs"),
        ("postgresql+pg8000://me:secret@h/d", 1, "the driver pg8000, which is not installed"),
        ("postgresql://me:sec@ret@h/d", 2, "a password has @ as %40"),
        ("sqlite:///no/such/folder/x.db", 2, "unable to open database file"),
    ],
)
def test_a_storage_that_is_out_of_reach_leaves_nothing(run, there, url, status, words):
    code, out, err = run("search", TINY, *SCORE, "--storage", url, "--out", "found")
    assert (code, out, Path("found").exists()) == (status, "", False)
    assert words in err
    assert "sec" not in err


def test_a_driver_that_is_missing_is_named(there):
    """In a Python that has neither of PostgreSQL's drivers, whatever is installed here."""
    for name in ("psycopg", "psycopg2"):
        (there / f"{name}.py").write_text(f"raise ImportError('none', name='{name}')")
    command = (TINY, *SCORE, "--storage", "postgresql://me:secret@h/d", "--out", "found")
    process = start(there, *command)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "needs the driver psycopg" in err
    assert "secret" not in err


def test_the_password_stands_nowhere(run, there):
    file = "sqlite:///shared.db?password=s3cr3t"  # which SQLite's driver takes for a file's name
    code, out, err = run("search", TINY, *SCORE, "--trials", 2, "--storage", file, "--out", "found")
    texts = [
        path.read_text(errors="replace") for path in Path("found").rglob("*") if path.is_file()
    ]
    assert all("s3cr3t" not in text for text in (out, err, *texts))
    if code == 0:
        assert any("***" in text for text in texts)


# Folders do not choose what is opened.


def test_a_storage_elsewhere_is_said_again(run, there, monkeypatch):
    assert run("search", TINY, *SCORE, "--trials", 2, "--storage", URL, "--out", "found")[0] == 0
    for command in (("--resume", "found"), ("worker", "found")):
        code, _, err = run("search", *command, *SCORE)
        assert (code, "outside the folder" in err, VARIABLE in err) == (2, True, True)
        assert run("search", *command, *SCORE, "--storage", URL)[0] == 0
    monkeypatch.setenv(VARIABLE, URL)
    assert run("search", "--resume", "found", *SCORE, "--trials", 3)[0] == 0
    assert_whole("found", 3)
    code, _, err = run("search", "--resume", "found", *SCORE, "--storage", "sqlite:///other.db")
    assert (code, "has no study" in err) == (2, True)


def test_a_storage_within_the_folder_moves_with_it(run, there):
    Path("found").mkdir()
    url = "sqlite:///found/own.db"
    assert run("search", TINY, *SCORE, "--trials", 2, "--storage", url, "--out", "found")[0] == 0
    Path("found").rename("moved")
    assert run("search", "--resume", "moved", *SCORE, "--trials", 3)[0] == 0
    assert_whole("moved", 3)
    assert not Path("found").exists()


def test_a_link_out_of_the_folder_is_outside(run, there):
    Path("found").mkdir()
    url = "sqlite:///found/own.db"
    assert run("search", TINY, *SCORE, "--trials", 2, "--storage", url, "--out", "found")[0] == 0
    Path("found", "own.db").rename("elsewhere.db")
    Path("found", "own.db").symlink_to(there / "elsewhere.db")
    code, _, err = run("search", "--resume", "found", *SCORE)
    assert (code, "outside the folder" in err) == (2, True)


# Joining by URL and name.


def test_a_worker_needs_no_folder(run, there):
    arguments = ("--storage", URL, "--study", "mine")
    first = start(there, TINY, *SLOW, "--trials", 12, *arguments, "--out", "found")
    wait_for(lambda: (there / "found" / "trials.jsonl").exists(), first)
    second = start(there, "worker", *arguments, *SLOW, "--out", "other")
    _, err = second.communicate()
    first.communicate()
    assert (first.returncode, second.returncode) == (0, 0), err
    assert_whole(there / "found", 12)
    one, other = ((there / name / "space.json").read_bytes() for name in ("found", "other"))
    assert one == other
    assert len(lines(there / "other")) > 2
    code, _, err = run("search", TINY, *SCORE, *arguments, "--out", "third")
    assert (code, "has a study mine already" in err, Path("third").exists()) == (2, True, False)
    code, _, err = run("search", "worker", "--storage", URL, "--study", "mien")
    assert (code, "did you mean 'mine'" in err) == (2, True)
    code, _, err = run("search", "worker", *arguments, "--out", "fourth")
    assert (code, "run only where it is asked for" in err) == (2, True)


def test_copies_of_a_folder_on_one_host_try_no_network_twice(there):
    first = start(there, TINY, *SLOW, "--trials", 12, "--storage", URL, "--out", "found")
    wait_for(lambda: (there / "found" / "trials.jsonl").exists(), first)
    shutil.copytree(there / "found", there / "copy")
    second = start(there, "--resume", "copy", *SLOW, "--storage", URL)
    second.communicate()
    first.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert_whole(there / "found", 12)
    assert_whole(there / "copy", 12)
    assert sorted(map(str, lines(there / "found"))) == sorted(map(str, lines(there / "copy")))


def test_sigterm_leaves_a_copy_to_go_on(there):
    first = start(there, TINY, *SLOW, "--trials", 8, "--storage", URL, "--out", "found")
    wait_for(lambda: (there / "found" / "trials.jsonl").exists(), first)
    shutil.copytree(there / "found", there / "copy")
    second = start(there, "--resume", "copy", *SLOW, "--storage", URL)
    wait_for(lambda: len(lines(there / "copy")) > 4, second)
    second.terminate()
    _, err = second.communicate()
    assert (second.returncode, "Error" in err) == (128 + signal.SIGTERM, False)
    _, err = first.communicate()
    assert (first.returncode, "Error" in err) == (0, False)
    assert_whole(there / "found", 8)


def test_time_left_and_a_worker_that_ends_first(there):
    """No time left is more than the search may take; a worker knows of no network that another
    tries still, and does not say that none is tried."""
    (there / "table.py").write_text(
        "import os, time\n"
        "def score(graph):\n"
        "    open(f'at-{os.getpid()}', 'w').close()\n"
        "    while os.path.exists(os.environ.get('HOLD', 'none')):\n"
        "        time.sleep(0.01)\n"
        "    time.sleep(1.1)\n"
        "    return 1.0\n"
    )
    (there / "hold").touch()
    arguments = ("--objective", "max:python:table:score", "--budget", "1s")
    first = start(there, TINY, *arguments, "--trials", 50, "--out", "found", HOLD="hold")
    wait_for(lambda: [*there.glob("at-*")], first)
    second = start(there, "worker", "found", *arguments)
    _, said = second.communicate()
    assert (second.returncode, mine(there / "found")) == (0, [])
    assert said.count("random 0") == 1
    assert "No network is tried yet" not in said
    (there / "hold").unlink()
    _, err = first.communicate()
    assert first.returncode == 0
    shown = re.findall(r"ETA (\S+)", said + err)
    assert shown and set(shown) <= {"0:00", "0:01"}


# What goes wrong and passes.


def test_a_worker_that_is_killed_is_told_of_at_once(there):
    (there / "hold").touch()  # in which each stays at its network
    first = start(there, TINY, *SLOW, "--trials", 14, "--workers", 2, "--out", there / "found")
    wait_for(lambda: len([*there.glob("at-*")]) == 2, first)
    found = subprocess.run(
        ["pgrep", "-f", f"search worker {there / 'found'}"], capture_output=True, text=True
    )
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
    (there / "hold").unlink()
    _, err = first.communicate()
    assert first.returncode == 0
    assert "note: a worker was killed by SIGKILL; another takes its place" in err
    assert "was lost with the process that tried it (worker 1 of" in err
    assert_whole(there / "found", 14)


def test_a_full_disk_fails_no_network(run, there):
    Path("table.py").write_text(
        "left = [2]\n"
        "def score(graph):\n"
        "    if left[0]:\n"
        "        left[0] -= 1\n"
        f"        raise OSError({errno.ENOSPC}, 'No space left on device', 'x')\n"
        "    return 1.0\n"
    )
    arguments = ("--objective", "max:python:table:score", "--trials", 2, "--baseline", 0)
    code, _, err = run("search", TINY, *arguments, "--out", "found")
    assert (code, [trial["state"] for trial in lines("found")]) == (0, ["done", "done"])
    assert err.count("waiting for a problem that may pass (x: no space left on device)") == 1
    assert "note: resumed after 0:0" in err


@pytest.mark.parametrize(
    "raised", ["SystemExit('no')", "SystemExit(0)", "GeneratorExit()", "Odd()"]
)
def test_whatever_an_objective_raises_fails_its_network(run, there, raised):
    Path("table.py").write_text(
        "class Odd(BaseException):\n"
        "    def __str__(self):\n"
        "        raise ValueError\n"
        f"def score(graph):\n    raise {raised}\n"
    )
    arguments = ("--objective", "max:python:table:score", "--trials", 2, "--baseline", 0)
    code, _, err = run("search", TINY, *arguments, "--out", "found")
    kind = raised.partition("(")[0]
    assert [trial["state"] for trial in lines("found")] == ["failed", "failed"]
    assert (code, f"None of 2 networks ended well: python:table:score: {kind}" in err) == (1, True)
    assert run("search", "pareto", "found")[0] == 1


def test_a_search_in_which_nothing_works_stops_and_resumes(run, there):
    Path("table.py").write_text(
        "from pathlib import Path\n"
        "def score(graph):\n"
        "    try:\n"
        "        return float(Path('table.txt').read_text())\n"
        "    except FileNotFoundError:\n"
        "        raise ValueError(f'no table for {graph.fingerprint[:12]}') from None\n"
    )
    seeks = ("--objective", "max:python:table:score")
    code, _, err = run("search", TINY, *seeks, "--trials", 10, "--out", "found")
    assert (code, len(lines("found"))) == (1, 3)
    assert re.search(
        r"error: found: the first 3 networks all failed for one reason \(python:table:score:"
        r" ValueError: no table for \w{12}\); what was tried is saved, so use archspec search"
        r" --resume found when that is repaired\n$",
        err,
    )
    assert run("search", "--resume", "found", *seeks, "--workers", 2)[0] == 1
    Path("table.txt").write_text("2")
    assert run("search", "--resume", "found", *seeks)[0] == 0
    assert len(lines("found")) == 20
    assert Counter(trial["state"] for trial in lines("found"))["done"] >= 10


def test_what_a_module_raises_when_imported_is_a_sentence(run, there):
    Path("table.py").write_text("raise SystemExit('never')")
    code, _, err = run("search", TINY, "--objective", "max:python:table:score", "--out", "found")
    assert (code, Path("found").exists()) == (2, False)
    assert "importing table ends with SystemExit: never" in err


@pytest.mark.parametrize(
    "constraint, words",
    [
        ("macs<1000", "no network of the space keeps to macs<1000: the least macs is 213,760"),
        ("params>=1e9", "no network of the space keeps to params>=1000000000: the most params is"),
    ],
)
def test_a_constraint_that_nothing_meets(run, there, constraint, words):
    for objective in ("min:params", "max:python:table:score"):
        code, _, err = run(
            "search", TINY, "--objective", objective, "--constraint", constraint, "--out", "found"
        )
        assert (code, words in err, Path("found").exists()) == (1, True, False)


def test_constraints_that_nothing_meets_at_once(run, there):
    both = ("--constraint", "macs<2.2e5", "--constraint", "params>30000", "--out", "found")
    code, _, err = run("search", TINY, "--objective", "min:params", *both)
    assert code == 1
    assert "no network was found that keeps to macs<220000 and params>30000; of 10,000" in err


# Patience.


def lost():
    return sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("server is gone"))


def test_patience_asks_again(monkeypatch):
    monkeypatch.setattr(patience_module, "FIRST_PAUSE", 0.01)
    said = []
    errors = [lost(), OSError(errno.ENOSPC, "full"), Trouble("another"), ValueError("lasting")]

    def ask():
        if len(errors) > 1:
            raise errors.pop(0)
        return "answer"

    assert Patience("found", Stop(), said.append)(ask) == "answer"
    assert [words[:24] for words in said] == [
        "note: waiting for a prob",
        "note: resumed after 0:00",
    ]
    with pytest.raises(ValueError, match="lasting"):
        Patience("found", Stop(), said.append)(lambda: (_ for _ in ()).throw(errors[0]))
    asked = Stop()
    asked.number = signal.SIGTERM
    with pytest.raises(Interrupted):
        Patience("found", asked)(lambda: (_ for _ in ()).throw(lost()))
    monkeypatch.setattr(patience_module, "GIVE_UP", 0.0)
    with pytest.raises(RunError, match="archspec search --resume found"):
        Patience("found", Stop())(lambda: (_ for _ in ()).throw(lost()))


def test_trouble_is_found_in_what_led_to_an_error():
    try:
        try:
            raise lost()
        except Exception as error:
            raise optuna.exceptions.StorageInternalError("commit") from error
    except Exception as error:
        assert passing_trouble(error) == "server is gone"
    assert passing_trouble(ValueError("x")) is None
    assert passing_trouble(RuntimeError("write: No space left on device")) is not None
    assert passing_trouble(OSError(errno.EACCES, "no")) is None


# A real PostgreSQL.


def postgres_binaries():
    found = shutil.which("pg_ctl")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return Path(found).parent if found else places[-1].parent if places else None


class Server:
    """PostgreSQL on this machine alone, by an account that is not root, as it demands."""

    def __init__(self, folder: Path):
        self.binaries = postgres_binaries()
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        password = folder / "password"
        password.write_text("pass%word")
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
            password.chmod(0o644)
        self.call("initdb", "-D", "data", "-A", "scram-sha-256", "-U", "me",
                  "--pwfile=password")  # fmt: skip
        self.call("pg_ctl", "start")

    def call(self, program, *arguments):
        if program == "pg_ctl":
            options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -F"
            arguments = ("-D", "data", "-w", "-l", "log", "-o", options, *arguments)
        subprocess.run(
            [self.binaries / program, *arguments], cwd=self.folder, check=True,
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            user="postgres" if os.geteuid() == 0 else None,
        )  # fmt: skip

    @property
    def url(self):
        return f"postgresql://me:pass%25word@127.0.0.1:{self.port}/postgres"


@pytest.fixture
def server():
    if postgres_binaries() is None:
        pytest.skip("there is no PostgreSQL server here (apt-get install postgresql)")
    if not any(map(importable, ("psycopg", "psycopg2"))):
        pytest.skip("no driver of PostgreSQL is installed (pip install psycopg2-binary)")
    # not below pytest's folders, which nobody else may enter
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Server(Path(folder))
        yield server
        server.call("pg_ctl", "-m", "immediate", "stop")


def importable(name):
    return (
        subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode
        == 0
    )


def test_postgresql_is_restarted_under_a_search(there, server):
    arguments = ("--trials", 12, "--workers", 2, "--study", "mine", "--out", "found")
    first = start(there, TINY, *SLOW, *arguments, ARCHSPEC_STORAGE=server.url)
    wait_for(lambda: (there / "found" / "trials.jsonl").exists(), first)
    server.call("pg_ctl", "-m", "immediate", "stop")
    time.sleep(1.0)
    server.call("pg_ctl", "start")
    joined = start(
        there, "worker", "--study", "mine", *SLOW, "--out", "other", ARCHSPEC_STORAGE=server.url
    )
    said = joined.communicate(), first.communicate()
    assert (joined.returncode, first.returncode) == (0, 0), said
    assert_whole(there / "found", 12)
    texts = [p.read_text(errors="replace") for p in there.glob("*/*") if p.is_file()]
    assert all("pass%" not in text for text in (*texts, *said[0], *said[1]))
    assert open_trials(there / "found").facts["storage"].startswith("postgresql://me:***@127.0.0.1")


@pytest.mark.slow
def test_the_tutorial_with_postgresql(tmp_path, server):
    """Its commands as they stand there, but for the address: by the server's own createuser and
    createdb, to which no terminal is at hand, so that they read the password from what is piped."""
    pytest.importorskip("torch")
    blocks = [*blocks_of((ROOT / "docs" / "tutorials" / "search.md").read_text())]
    (space,) = (block.text for block in blocks if block.title == "space.json")
    (tmp_path / "space.json").write_text(space)
    at = next(n for n, block in enumerate(blocks) if "createuser" in block.text)
    made = blocks[at].text.replace("db.example", f"127.0.0.1:{server.port}")
    _, searched = blocks[at + 1].text.split("\n", 1)  # without the line that names SQLite
    variables = environment()
    variables["PATH"] += f"{os.pathsep}{server.binaries}"
    variables.update(PGHOST="127.0.0.1", PGPORT=str(server.port), PGUSER="me")
    variables["PGPASSWORD"] = "pass%word"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"archspec data digits digits\n{made}\n{searched}"],
        cwd=tmp_path, env=variables, input="PASSWORD\n" * 2, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "PASSWORD@" not in done.stdout
    for name in ("first", "second"):
        assert sorted(trial["number"] for trial in mine(tmp_path / name)) == [0, 1]
        assert {trial["state"] for trial in mine(tmp_path / name)} == {"done"}
    kept = json.loads((tmp_path / "first" / "run.json").read_text())["storage"]
    assert kept == f"postgresql://searcher:***@127.0.0.1:{server.port}/searches"
    driver = "psycopg" if importable("psycopg") else "psycopg2"
    address = server.url.removeprefix("postgresql").removesuffix("postgres")
    url = f"postgresql+{driver}{address}searches"
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as connection:
        rows = connection.execute(sqlalchemy.text("select study_name from studies"))
        assert [row[0] for row in rows] == ["digits-1-search"]

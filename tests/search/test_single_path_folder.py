"""Searches of a supernet whose files are damaged: never begun again by themselves, and nothing that
was good is lost."""

from __future__ import annotations

import json
import random
import shutil
import signal
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("torch")

from oracles.damage import contents, flip

from archspec.checksums import read_lines
from archspec.errors import SpecError, UsageError
from archspec.locks import locked_file
from archspec.space import Space
from archspec.training.run import RunError
from archspec.training.search.single_path import (
    SinglePathSettings,
    search_single_path,
)
from archspec.training.search.single_path.folder import open_folder
from archspec.training.search.single_path.plan import plan_search
from archspec.training.signals import Stop

pytestmark = pytest.mark.usefixtures("trained_with_torch")

OLD = Path(__file__).parents[1] / "data" / "f0ec3b9"
HOME, WARMUP = "single_path/seed1-lam0.3", "single_path/seed1-warmup"
LEFT_OUT = ("seconds", "crc32")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searches")
    with zipfile.ZipFile(OLD / "digits.zip") as archive:
        archive.extractall(folder / "digits")
    return folder


def settings(place):
    return SinglePathSettings(
        str(place / "digits"), str(OLD / "recipe.yaml"), ("batch=8",), epochs=6, warmup_epochs=2,
        lam=(0.3,),
    )  # fmt: skip


def search(place, run, until="", restarts=False):
    """What was found, and what was said; stopped after what starts with `until`."""
    said = []
    with Stop() as stop:

        def say(sentence):
            said.append(sentence)
            if until and sentence.startswith(until):
                stop.number = signal.SIGTERM

        space = Space(OLD / "supernet" / "space.json")
        return search_single_path(space, settings(place), run, stop, say, restarts=restarts), said


@pytest.fixture(scope="module")
def begun(place):
    """Stopped in the fifth of six epochs; the third is the first after the warm-up."""
    found, _ = search(place, place / "begun", until="seed1-lam0.3: epoch 4/6")
    assert found == []
    return place / "begun"


@pytest.fixture(scope="module")
def whole(place, begun):
    shutil.copytree(begun, place / "whole")
    found, said = search(place, place / "whole")
    assert len(found) == 1
    assert not any("note" in sentence for sentence in said)
    return place / "whole"


@pytest.fixture
def run(begun, tmp_path):
    return shutil.copytree(begun, tmp_path / "run")


def damage(path, place=None):
    content = path.read_bytes()
    path.write_bytes(flip(content, len(content) // 2 if place is None else place, 3))


def checkpoints(run, home):
    return sorted((run / home / "checkpoints").glob("*.safetensors"))


def check_same_result(run, whole):
    for name in (f"{HOME}/log.jsonl", f"{WARMUP}/log.jsonl"):
        one, other = (read_lines((at / name).read_bytes(), required=True) for at in (run, whole))
        assert (one.records, one.damaged) == (other.records, ())
    one, other = (json.loads((at / HOME / "found.json").read_text()) for at in (run, whole))
    for key in LEFT_OUT:
        del one[key], other[key]
    assert one == other


def test_without_a_good_checkpoint_it_is_refused_and_nothing_changes(place, run):
    for path in (*checkpoints(run, HOME), *checkpoints(run, WARMUP)):
        damage(path)
    damage(run / HOME / "log.jsonl", 20)
    before = contents(run)
    with pytest.raises(RunError) as error:
        search(place, run)
    assert contents(run) == before
    message = str(error.value)
    assert message.startswith(f"{run / HOME} has no good checkpoint left: ")
    assert "(2 in all), and it has come to epoch 4; nothing was changed" in message
    assert f"archspec search --resume {run} --restart, which keeps what there is" in message
    for path in checkpoints(run, HOME):
        path.unlink()
    with pytest.raises(RunError, match="has no good checkpoint left, and it has come to epoch 4"):
        search(place, run)


def test_begun_again_it_keeps_what_there_was(place, run, whole):
    """The search resumes from the warm-up, which is good."""
    for path in checkpoints(run, HOME):
        damage(path)
    before = contents(run / HOME)
    _, said = search(place, run, restarts=True)
    assert contents(run / f"{HOME}.earlier") == before
    assert (
        f"note: seed1-lam0.3 begins again; what it had learned is kept in {run / HOME}.earlier"
        in said
    )
    assert sum("epoch" in sentence for sentence in said) == 4
    check_same_result(run, whole)


def test_what_is_damaged_is_set_aside_and_made_again(place, run, whole):
    *_, newest = checkpoints(run, HOME)
    damage(newest)
    damage(run / HOME / "log.jsonl", 20)
    good = contents(run)
    good_lines = read_lines((run / HOME / "log.jsonl").read_bytes()).records
    _, said = search(place, run)
    notes = [sentence for sentence in said if sentence.startswith("note: ")]
    assert f"it is set aside as {newest.name}.damaged" in notes[0]
    assert "has 1 damaged lines (line 1: it does not meet its checksum)" in notes[1]
    assert notes[2].endswith("has its lines of epoch 3 from the checkpoint again")
    now = contents(run)
    assert now[f"{HOME}/checkpoints/{newest.name}.damaged"] == good[str(newest.relative_to(run))]
    assert now[f"{HOME}/log.jsonl.damaged"].startswith(good[f"{HOME}/log.jsonl"][:40])
    assert set(map(str, good_lines)) <= set(
        map(str, read_lines(now[f"{HOME}/log.jsonl"], required=True).records)
    )
    check_same_result(run, whole)
    # and what was found, from the last checkpoint
    damage(run / HOME / "found.json")
    _, said = search(place, run)
    (note,) = [sentence for sentence in said if sentence.startswith("note: ")]
    assert "found.json: the file is damaged" in note
    assert "it is set aside as found.json.damaged and made again" in note
    check_same_result(run, whole)


def test_damaged_settings_are_never_taken(place, run):
    plan = plan_search(Space(OLD / "supernet" / "space.json"), settings(place), print)
    path = run / "single_path" / "settings.json"
    good = path.read_bytes()
    dice = random.Random(7)
    for _ in range(150):
        changed = flip(good, dice.randrange(len(good)), dice.randrange(8))
        path.write_bytes(changed)
        try:
            with open_folder(run, plan, print):
                # white space between values says nothing
                assert json.loads(changed) == json.loads(good)
        except SpecError as error:
            assert "move it away and it is written again" in str(error)
            assert str(path) in str(error)
    path.unlink()
    said = []
    with open_folder(run, plan, said.append):
        assert path.read_bytes() == good
    assert said == [f"note: {path} was missing and is written again"]


def test_two_processes_and_links_out_of_the_run_are_refused(place, run, tmp_path):
    plan = plan_search(Space(OLD / "supernet" / "space.json"), settings(place), print)
    with (
        locked_file(run / "single_path" / ".lock", waits=False),
        pytest.raises(UsageError, match="is being searched in by another process"),
        open_folder(run, plan, print),
    ):
        pass
    (tmp_path / "elsewhere").mkdir()
    (run / "single_path" / "seed2-warmup").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(RunError, match="is a link that leads out of"),
        open_folder(run, plan, print),
    ):
        pass

"""A run never loses its last good state, whatever becomes of its folder.

One small run is trained for all of this; its copies are damaged, and opened or resumed for real.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from oracles import runs
from oracles.damage import check_run, contents, damage, flip

pytest.importorskip("mindspore")

from archspec import training
from archspec.checksums import read_lines, seal
from archspec.cli import main
from archspec.compiler.weights.loading import save_weights
from archspec.errors import SpecError, UsageError
from archspec.training.facts import read_facts, write_facts
from archspec.training.loop import train_run
from archspec.training.new_run import create_run
from archspec.training.plan import plan_run
from archspec.training.run import open_run
from archspec.training.signals import Stop

pytestmark = pytest.mark.usefixtures("trained_with_torch")

OLD = Path(__file__).parents[1] / "data" / "f0ec3b9" / "run"
SETTINGS = ("epochs=3", "augment=[]", "mix=null", "ema=null", "data.workers=1",
            "schedule={name: constant}", "checkpoint.keep=2")  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    runs.write_inputs(folder)
    training.train(
        folder / "plain.json", str(folder / "small.yaml"), folder / "data", folder / "whole",
        settings=SETTINGS, command=("archspec", "train", "a b", "x\ny"),
    )  # fmt: skip
    return folder


@pytest.fixture
def there(inputs, tmp_path, monkeypatch):
    """A copy of the run, called run, in the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(inputs / "whole", tmp_path / "run")
    return tmp_path


def resume(path="run"):
    with Stop() as stop:
        return train_run(open_run(path), stop, "lines")


def refuse(path="run"):
    """The sentence with which a resume is refused; then nothing is changed."""
    before = contents(Path(path))
    with pytest.raises((SpecError, UsageError)) as error:
        resume(path)
    assert contents(Path(path)) == before
    assert "\n" not in str(error.value)
    return str(error.value)


def edit(path, change):
    """Edit a JSON file by hand, which knows nothing of checksums."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


# What was asked for.

WRONG = [
    ("workers", "2", "workers must be"),
    ("workers", -3, "workers must be"),
    ("workers", 1_000_000, "workers must be"),
    ("workers", True, "workers must be"),
    ("classes", 5, "classes must be"),
    ("classes", ["a", 5], "classes"),
    ("classes", ["a", "a"], "classes"),
    ("networks", 7, "networks must be"),
    ("networks", [], "networks"),
    ("networks", [{"name": "plain"}], "lacks"),
    ("data", 5, "data must be"),
    ("data", "", "data"),
    ("device", "TPU", "'TPU'"),
    ("images", {"train": 0, "val": 1}, "train must be"),
    ("seed", -1, "seed must be"),
    ("seed", 2, "seed is 2"),
    ("name", "x\ntouch P #", "name"),
    ("name", "another", "name is 'another'"),
    ("command", "rm", "command must be"),
    ("versions", [], "versions"),
    ("teacher", 1, "teacher must be"),
    ("weights", 0, "weights must be"),
    ("run", 9, "run is 9"),
    ("run", True, "run is true"),
    ("more", 1, "more"),
]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(("key", "value", "message"), WRONG)
def test_a_value_that_no_command_takes_is_one_sentence(there, key, value, message, sealed):
    """Edited with the checksum left as it was, and by one who makes a new one."""
    path = there / "run" / "run.json"
    edit(path, lambda facts: facts.update({key: value}))
    if sealed:
        path.write_text(json.dumps(seal(json.loads(path.read_text()))))
    said = refuse()
    assert message in said
    assert ("edited by hand" in said) is not sealed
    assert said.startswith("run/run.json")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [case for case in WRONG if case[:2] != ("name", "another")] + [("classes", ["a"], "classes")],
)
def test_so_it_is_in_runs_without_checksums(tmp_path, key, value, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD, "run")
    edit(Path("run", "run.json"), lambda facts: facts.update({key: value}))
    if (key, value) in (("classes", ["a"]), ("seed", 2)):  # seen by what stands beside it
        edit(Path("run", "run.json"), lambda facts: facts.update({"data": str(tmp_path / "data")}))
        runs.write_images(tmp_path / "data")
    assert message.split(" ")[0] in refuse() or key == "classes"


def test_facts_without_checksum_gain_one_when_they_are_written(tmp_path):
    """As those of a run whose images were moved, before it is resumed."""
    shutil.copytree(OLD, tmp_path / "run")
    facts = {**read_facts(tmp_path / "run"), "data": "/elsewhere"}
    write_facts(tmp_path / "run", facts)
    assert read_facts(tmp_path / "run") == facts


def test_a_missing_key_is_named(there):
    path = there / "run" / "run.json"
    whole = path.read_text()
    for key in json.loads(whole):
        edit(path, lambda facts, key=key: facts.pop(key))
        with pytest.raises(SpecError, match=f"{key}|checksum"):
            open_run("run")
        path.write_text(whole)


def test_recipe_edited(there):
    path = there / "run" / "recipe.yaml"
    path.write_text(path.read_text().replace("epochs: 3", "epochs: 4").replace("0.003", "0.3"))
    said = refuse()
    assert "run/recipe.yaml: the file was edited by hand" in said
    assert "epochs is 4 and was 3" in said
    assert "optimizer.lr is 0.3 and was 0.003" in said
    assert "--set" in said
    # its comments and its order are free
    path.unlink()
    run = open_run("run")
    assert run.notes == ("run/recipe.yaml was missing and is written again",)
    path.write_text("# a note\n" + path.read_text())
    assert open_run("run").notes == ()


def test_spec_edited_or_damaged(there):
    path = there / "run" / "spec.json"
    whole = path.read_text()
    path.write_text(whole.replace('"stem"', '"stdm"', 1))
    said = refuse()
    assert "run/spec.json: the file was edited by hand, or is damaged" in said
    assert "'stdm' and was 'stem'" in said
    path.write_text(whole.replace('"channels": 8', '"channels": 9'))
    assert "channels is 9 and was 8" in refuse()
    path.write_bytes(flip(whole.encode(), whole.index("{"), 1))
    assert "the file is damaged" in refuse()
    path.rename(there / "spec.json")
    assert open_run("run").notes == ("run/spec.json was missing and is written again",)
    assert path.read_text() == whole


@pytest.mark.parametrize("name", ["run.json", "spec.json", "recipe.yaml"])
def test_any_flipped_bit_is_noticed_or_means_nothing(there, name):
    dice = random.Random(f"{name} {os.environ.get('ARCHSPEC_SEED', '3')}")
    run = open_run("run")
    path = there / "run" / name
    whole = path.read_bytes()
    for _ in range(60):
        words, changed = damage(whole, dice)
        path.write_bytes(changed)
        try:
            found = open_run("run")
        except (SpecError, UsageError) as error:
            assert "damaged" in str(error) or "was edited" in str(error), words
            assert path.read_bytes() == changed, words
        else:
            assert (found.facts, found.recipe) == (run.facts, run.recipe), words
            assert found.networks[0].normal_form() == run.networks[0].normal_form(), words


# What was learned.


def test_a_damaged_line_of_metrics_is_set_aside_and_an_epochs_comes_back(there, capsys):
    path = there / "run" / "metrics.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if b'"epoch", "epoch": 2' in line)
    lines[place] = lines[place].replace(b'"top1": ', b'"top1": 1')
    lines[0] = flip(lines[0], 20, 3)
    path.write_bytes(b"".join(lines))
    result = resume()
    said = capsys.readouterr().out
    assert (result.epochs, result.steps) == (3, 18)
    assert f"run/metrics.jsonl has 2 damaged lines (line 1, {place + 1}" in said
    assert "has its lines of epoch 2 from the checkpoint again" in said
    assert path.with_name("metrics.jsonl.damaged").read_bytes() == lines[0] + lines[place]
    told = read_lines(path.read_bytes(), required=True)
    assert told.records == read_lines(whole).records[1:]
    assert not told.damaged


def test_whatever_is_damaged_nothing_good_is_lost(there, inputs):
    """A finished run, so that resuming it trains only what a lost checkpoint takes back."""
    good = contents(inputs / "whole")
    dice = random.Random(os.environ.get("ARCHSPEC_SEED", "3"))
    names = ["metrics.jsonl", "best.safetensors", "last.safetensors", "run.json", "spec.json"]
    for number in range(20):
        shutil.rmtree("run")
        shutil.copytree(inputs / "whole", "run")
        name = names[number % len(names)]
        words, changed = damage(good[name], dice)
        Path("run", name).write_bytes(changed)
        before = {**good, name: changed}
        try:
            resume()
        except (SpecError, UsageError):
            assert contents(Path("run")) == before, f"{name}: {words}"
        undamaged = {key: value for key, value in good.items() if key != name}
        check_run({"metrics.jsonl": good["metrics.jsonl"], **undamaged}, Path("run"), words)


def test_lost_weights_are_written_again_from_the_checkpoint(there, inputs):
    good = contents(inputs / "whole")
    Path("run/last.safetensors").unlink()
    resume()
    assert Path("run/last.safetensors").read_bytes() == good["last.safetensors"]


def test_better_weights_are_never_replaced_by_worse(there, capsys):
    """Those of an epoch that the run has not come to again."""
    from archspec.compiler.weights.loading import load_weights

    run = open_run("run")
    graph = run.networks[0]
    path = there / "run" / "best.safetensors"
    weights = load_weights(path, graph)
    notes = {"epoch": "3", "top1": "1.500000", "recipe": "small", "classes": run.classes_as_text}
    save_weights(path, graph, weights, notes)
    best = path.read_bytes()
    runs.checkpoints(Path("run"))[-1].write_bytes(b"")  # so an epoch is trained again
    resume()
    assert path.read_bytes() == best


def test_checkpoints_that_are_gone_are_no_reason_to_start_again(there):
    shutil.rmtree("run/checkpoints")
    Path("run/checkpoints").mkdir()
    before = contents(Path("run"))
    said = refuse()
    assert "has come to epoch 3 and its checkpoints do not exist" in said
    assert "archspec train --resume run --restart" in said
    Path("run/metrics.jsonl").unlink()
    assert "do not exist" in refuse()  # best.safetensors tells as well
    assert contents(Path("run")).items() <= before.items()


def test_an_extended_run_is_as_if_begun_so(there, inputs, capsys):
    assert main(["train", "--resume", "run", "--epochs", "4"]) == 0
    out, err = capsys.readouterr()
    assert "the constant schedule continues as if it had begun with them" in err
    assert "epoch 4 of 4" in out
    longer = training.train(
        inputs / "plain.json", str(inputs / "small.yaml"), inputs / "data", there / "longer",
        settings=[*SETTINGS, "epochs=4"],
    )  # fmt: skip
    assert runs.state(Path("run")) == runs.state(longer.run.path)
    assert runs.metrics(Path("run")) == runs.metrics(longer.run.path)
    assert open_run("run").recipe == longer.run.recipe
    assert "begun for 3 epochs and extended" in Path("run/report.md").read_text()
    assert main(["train", "--resume", "run"]) == 0
    assert "(all 4 epochs are over)" in capsys.readouterr().out


# A folder appears whole, and goes where nothing was learned.


def plan(inputs):
    return plan_run(
        inputs / "plain.json", str(inputs / "small.yaml"), inputs / "data", settings=SETTINGS
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills children of its own")
def test_killed_at_any_moment_of_its_making_the_same_works_again(inputs, tmp_path):
    what = plan(inputs)
    dice = random.Random(os.environ.get("ARCHSPEC_SEED", "3"))
    out = tmp_path / "run"
    ends = []
    for _ in range(25):
        child = os.fork()
        if child == 0:
            try:
                create_run(what, out, [])
            finally:
                os._exit(0)
        time.sleep(dice.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        ends.append(out.exists())
        if out.exists():
            assert open_run(out).recipe == what.recipe  # as whole as if nothing had been
    create_run(what, out, [])
    assert open_run(out).recipe == what.recipe
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_in_which_something_was_learned_is_not_replaced(there, inputs):
    before = contents(Path("run"))
    with pytest.raises(UsageError, match="use archspec train --resume run to continue it"):
        create_run(plan(inputs), "run", [])
    assert contents(Path("run")) == before


def test_a_refused_start_leaves_nothing(there, inputs, capsys):
    data = ["--recipe", str(inputs / "small.yaml"), "--data", str(inputs / "data")]
    Path("bad.npz").write_bytes(b"no weights")
    for wrong in (["--weights", "bad.npz"], ["--set", "optimizer.accumulate=7"]):
        assert main(["train", str(inputs / "plain.json"), *data, "--out", "new", *wrong]) in (1, 2)
        assert not Path("new").exists(), wrong
    assert sorted(path.name for path in there.iterdir()) == ["bad.npz", "run"]


def test_what_killed_processes_left_half_written_goes(there):
    left = [".report.md.abcd1234", ".best.safetensors.k_3j0000", "checkpoints/.step-1.x"]
    for name in left:
        Path("run", name).write_bytes(b"half")
    Path("run/.my.settings").write_text("of the user's own")
    resume()
    assert not any(Path("run", name).exists() for name in left)
    assert Path("run/.my.settings").exists()


# Folders of others.


@pytest.mark.parametrize("name", ["report.md", "curves.png", "metrics.jsonl", ".lock"])
def test_a_link_out_of_the_folder_is_replaced_not_followed(there, name):
    outside = there / "outside"
    path = Path("run", name)
    content = path.read_bytes() if path.exists() else b""
    outside.write_bytes(content)
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    resume()
    assert outside.read_bytes() == content
    assert path.is_file() and not path.is_symlink()


def test_lost_weights_are_not_written_through_a_link(there):
    for name in ("best.safetensors", "last.safetensors"):
        Path("run", name).unlink()
        Path("run", name).symlink_to(there / "nowhere")
    resume()
    assert not (there / "nowhere").exists()


@pytest.mark.parametrize("name", ["checkpoints", "events", "logs"])
def test_a_folder_that_leads_out_is_refused(there, name):
    Path("run", name).rename(there / "elsewhere")
    Path("run", name).symlink_to(there / "elsewhere")
    assert "is a link that leads out of run" in refuse()


def test_commands_of_a_report_are_lines_that_a_shell_takes_apart(there):
    odd = there / "a b\n$(touch P)'\\"
    shutil.copytree("run", odd)
    resume(odd)
    text = (odd / "report.md").read_text()
    (line,) = re.findall(r"^archspec eval (.*)$", text, re.MULTILINE)
    script = f"printf '%s\\0' {line}"
    words = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
    assert words.decode().split("\0")[0] == str(odd / "spec.json")
    assert not Path("P").exists()
    assert "| command | `archspec train 'a b' $'x\\x0ay'` |" in text


# A disk that takes no more.


def test_a_full_disk_is_said_and_what_was_saved_stays(there, inputs):
    """The limit on the size of a file stands for it: the system refuses to write more."""
    import resource

    last = runs.checkpoints(Path("run"))[-1]
    size = last.stat().st_size
    last.unlink()  # an epoch is left to train
    before = contents(Path("run"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, hard))
    try:
        with pytest.raises(SpecError, match=r"run cannot be written to \(file too large\)"):
            resume()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    good = {name: content for name, content in before.items() if name.endswith("safetensors")}
    assert good.items() <= contents(Path("run")).items()
    resume()
    assert runs.state(Path("run")) == runs.state(inputs / "whole")

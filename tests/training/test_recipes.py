"""Recipes: what a right one means, what a wrong one is told, and that the shipped ones are right.

The broken recipes are a text and the lines that are said about it, word by word.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import archspec
from archspec.cli import main
from archspec.document import At
from archspec.errors import SpecError, UsageError
from archspec.training.augmentations import AUGMENTATIONS
from archspec.training.recipe import (
    DYNAMIC,
    OPTIMIZERS,
    SCHEDULES,
    SCHEMES,
    Cosine,
    Ema,
    LossScale,
    Sgd,
)
from archspec.training.recipe_checks import _problems_of_form
from archspec.training.recipe_files import FOLDER, as_data, as_yaml, read_recipe, recipe_names
from archspec.training.recipe_reference import document_schema
from archspec.training.yaml_document import parse_value, parse_yaml, read_yaml, written_yaml

PAGE = Path(archspec.__file__).parents[1] / "docs" / "recipes.md"
HEAD = "recipe: 1\nname: mine\nepochs: 3\nbatch: 4\n"
SGD = "optimizer: {name: sgd, lr: 0.1}\n"


def tell(text, tmp_path, monkeypatch, settings=()):
    """What is said about a recipe of this text, line by line."""
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_recipe("r.yaml", settings)
    return str(caught.value).splitlines()


def read(text, tmp_path, settings=()):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return read_recipe(str(path), settings)


# The shipped ones.


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe(name, tmp_path):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.doc
    assert recipe.source.code
    networks = [recipe.spec.name, *(recipe.loss.mutual.specs if recipe.loss.mutual else ())]
    for network in networks:
        assert archspec.load(network, **recipe.spec.args).params
    text = as_yaml(recipe)
    assert read(text, tmp_path) == recipe
    assert as_yaml(read(text, tmp_path)) == text
    assert len((FOLDER / f"{name}.yaml").read_text().splitlines()) < 40


def test_recipes_of_the_seeds():
    """The figures of shared/facts/training.md, section 5."""

    def figures(name):
        r = read_recipe(name)
        o, s = r.optimizer, r.schedule
        return (r.epochs, r.batch, r.devices, o.name, o.lr, o.weight_decay, o.no_decay,
                s.name, s.warmup_epochs, r.loss.smoothing, r.precision.loss_scale)  # fmt: skip

    everywhere = ("bias", "beta", "gamma")
    assert figures("isynet") == (
        550, 128, 8, "adamw", 0.001, 0.05, ("bias", "beta"),
        "linear_cosine", 40, 0.1, LossScale(initial=256.0),
    )  # fmt: skip
    assert figures("cspdarknet53") == (
        150, 64, 8, "sgd", 0.1, 1e-4, everywhere, "cosine", 5, 0.1, LossScale(initial=1024.0),
    )  # fmt: skip
    assert figures("resnext152_ascend") == (
        150, 128, 8, "sgd", 0.4, 1e-4, everywhere, "cosine", 1, 0.1, LossScale(initial=1024.0),
    )  # fmt: skip
    assert figures("resnext152_gpu") == (
        150, 16, 8, "sgd", 0.05, 1e-4, everywhere, "cosine", 1, 0.1, LossScale(initial=1024.0),
    )  # fmt: skip
    assert figures("single_path_nas_8p") == (
        180, 128, 8, "sgd", 1.5, 1e-5, ("beta", "gamma"), "cosine", 0, 0.1, DYNAMIC,
    )  # fmt: skip
    assert figures("single_path_nas") == (
        180, 128, 1, "sgd", 0.26, 1e-5, ("beta", "gamma"), "cosine", 0, 0.1, DYNAMIC,
    )  # fmt: skip
    assert read_recipe("isynet").loss.mutual.specs == ("isynet_n3_s2",)
    assert read_recipe("isynet").spec.args == {"last_norm": True}


def test_schemes_are_those_there_are():
    pytest.importorskip("numpy")
    from archspec.compiler.weights import initialize

    assert set(initialize.SCHEMES) == set(SCHEMES)


# What is read.


def test_a_short_recipe_has_all_settings(tmp_path):
    recipe = read(HEAD + SGD, tmp_path)
    assert recipe.optimizer == Sgd(lr=0.1)
    assert recipe.augment == ()
    assert recipe.ema is None
    assert read(as_yaml(recipe), tmp_path) == recipe


def test_settings_take_the_place_of_values(tmp_path):
    text = HEAD + SGD + "augment:\n  - horizontal_flip: 0.5\n"
    recipe = read(text, tmp_path, [
        "optimizer.lr=1e-3", "ema.decay=0.99", "schedule={name: cosine, final: 1e-5}",
        "augment.0.horizontal_flip=0.25", "precision.loss_scale=dynamic", "name=yours", "doc=a b",
    ])  # fmt: skip
    assert recipe.optimizer.lr == 1e-3
    assert recipe.ema == Ema(decay=0.99)
    assert recipe.schedule == Cosine(final=1e-5)
    assert recipe.augment == ({"horizontal_flip": 0.25},)
    assert recipe.precision.loss_scale == DYNAMIC
    assert (recipe.name, recipe.doc) == ("yours", "a b")
    assert read(text, tmp_path, ["ema.decay=0.9", "ema=null"]).ema is None


def test_loss_scales(tmp_path):
    def scale(text):
        recipe = read(HEAD + SGD + f"precision: {{loss_scale: {text}}}\n", tmp_path)
        assert read(as_yaml(recipe), tmp_path) == recipe
        return recipe.precision.loss_scale

    assert scale("256") == LossScale(initial=256.0)
    assert scale("dynamic") == LossScale(initial=65536.0, factor=2, window=2000, is_dynamic=True)
    assert scale("{initial: 8, window: 5}") == LossScale(initial=8.0, window=5, is_dynamic=True)


def test_augmentations_have_their_defaults(tmp_path):
    for name, (fragment, defaults) in AUGMENTATIONS.items():
        if fragment.get("type") == "object":
            (entry,) = read(HEAD + SGD + f"augment: [{name}: {{}}]\n", tmp_path).augment
            assert entry == {name: dict(defaults)}
            assert set(defaults) == set(fragment["properties"])


def test_extending_meets_key_by_key(tmp_path):
    (tmp_path / "base.yaml").write_text(
        HEAD + "optimizer: {name: sgd, lr: 0.1, momentum: 0.8}\n"
        "augment: [horizontal_flip: 0.5]\nsource: {paper: a, note: b}\n"
    )
    above = "recipe: 1\nextends: base.yaml\nname: other\n"
    recipe = read(above + "optimizer: {lr: 0.2}\naugment: []\nsource: {note: c}\n", tmp_path)
    assert (recipe.name, recipe.epochs) == ("other", 3)
    assert recipe.optimizer == Sgd(lr=0.2, momentum=0.8)
    assert recipe.augment == ()
    assert (recipe.source.paper, recipe.source.note) == ("a", "c")
    # one that names itself is another kind, to which the old one's settings mean nothing
    recipe = read(above + "optimizer: {name: adamw, lr: 0.2}\n", tmp_path)
    assert recipe.optimizer == OPTIMIZERS["adamw"](lr=0.2)


# YAML.


def test_plain_text_is_read_as_yaml_1_2_has_it():
    text = "[1e-3, 1.5, .5, -3, +2, true, no, on, null, ~, '1', 2020-01-01, 0x10, 1_000, '', 1:30]"
    assert parse_yaml(text).data == [
        1e-3, 1.5, 0.5, -3, 2, True, "no", "on", None, None, "1", "2020-01-01", "0x10", "1_000",
        "", "1:30",
    ]  # fmt: skip


def test_what_is_written_is_read_again():
    words = ["no", "1e-3", "true", "null", "", "a: b", "#", "x\ny", "'", '"', "é", "- a", "1.", "~"]
    rng = random.Random(0)

    def value(depth):
        kind = rng.randrange(6 if depth else 4)
        if kind == 0:
            return rng.choice(words)
        if kind == 1:
            return rng.choice([0, -7, 2**53, True, False, None])
        if kind == 2:
            return rng.choice([0.1, 1e-9, 1e22, -2.5])
        if kind == 3:
            return [] if rng.random() < 0.5 else {}
        if kind == 4:
            return [value(depth - 1) for _ in range(rng.randrange(4))]
        return {rng.choice(words): value(depth - 1) for _ in range(rng.randrange(4))}

    for _ in range(300):
        data = {"top": value(4)}
        assert parse_yaml(written_yaml(data)).data == data


def test_places_are_those_of_values():
    document = parse_yaml("a:\n  - b: 1\n    c: [2, 3]\n", "f")
    assert document.where(("a", 0, "b")) == "f:2:8"
    assert document.where(("a", 0, "c", 1)) == "f:3:12"
    assert document.where(("a", 0, "c", 9, "x")) == "f:3:8"


def test_settings_values():
    assert [parse_value(text) for text in ("1", "[1, 2]", "a b", "a: [", "null", "")] == [
        1, [1, 2], "a b", "a: [", None, "",
    ]  # fmt: skip


# What is wrong, in its own words.

NOT_YAML = {
    "empty": ("# nothing\n", "r.yaml:1:1: the file is empty; use keys and values"),
    "twice": ("name: a\nname: b\n",
              "r.yaml:2:1: the key 'name' appears twice in one object; keep one"),
    "anchor": ("a: &x [1, 2]\nb: [*x, *x]\n",
               "r.yaml:1:4: &x is an anchor; use the value itself"),
    "alias": ("a: *x\n", "r.yaml:1:4: *x is an anchor; use the value itself"),
    "tag": ("a: !!python/object:os.system x\n",
            "r.yaml:1:4: the tag tag:yaml.org,2002:python/object:os.system has no meaning here;"
            " use the value alone"),
    "number as a key": ("1: a\n", "r.yaml:1:1: a key is a word; quotes make one of anything"),
    "list as a key": ("? [a]\n: 1\n", "r.yaml:1:3: a key is a word; quotes make one of anything"),
    "colon": ("doc: a: b\n",
              "r.yaml:1:7: this is not YAML: a second ':' in one line; use quotes around the text,"
              " or a line of its own"),
    "tab": ("a:\n\t- 1\n", "r.yaml:2:1: this is not YAML: a tab stands where spaces are expected"),
    "open list": ("a: [1\n", "r.yaml:2:1: this is not YAML: use ',' or ']' here"),
    "open text": ("a: 'x\n",
                  "r.yaml:2:1: this is not YAML: the file ends while scanning a quoted scalar; use"
                  " its closing sign"),
    "sign": ("a: @b\n",
             "r.yaml:1:4: this is not YAML: a sign stands here that starts no plain text; use"
             " quotes around the text"),
    "two documents": ("a: 1\n---\nb: 1\n",
                      "r.yaml:2:1: this is not YAML: a second document starts here; use one"),
    "control character": ("a: \x07\n", "r.yaml:1:4: '\\x07' is not a character that YAML takes"),
    "deep": ("[" * 3000, "r.yaml:1:102: values are nested too deeply; use at most 100 levels"),
    "large number": ("a: 99999999999999999999\n",
                     "r.yaml:1:4: the number 99999999999999999999 is too large; use at most 2**53"),
    "larger number": ("a: 1e999\n",
                      "r.yaml:1:4: the number 1e999 is too large; use less than 1.8e308"),
    "no object": ("- a\n", "r.yaml:1:1: at /: a recipe is an object and this is ['a']"),
    "large": ("#" * 70_000, "r.yaml: the file has 70,000 bytes; use at most 65,536"),
}  # fmt: skip

WRONG = {
    "lacking": ("recipe: 1\nname: a\n", [
        "r.yaml:1:1: at /: a recipe lacks 'epochs', 'batch' and 'optimizer'",
    ]),
    "version": (HEAD.replace("1", "2", 1) + SGD, [
        "r.yaml:1:9: at /recipe: recipe must be 1, not 2",
    ]),
    "no version": (HEAD.partition("\n")[2] + SGD, [
        "r.yaml:1:1: at /: a recipe lacks 'recipe', its version; use recipe: 1",
    ]),
    "unknown key": (HEAD + SGD + "epoch: 3\n", [
        "r.yaml:6:8: at /epoch: a recipe has no 'epoch'; did you mean 'epochs'?",
    ]),
    "text for a number": (HEAD.replace("3", "three") + SGD, [
        "r.yaml:3:9: at /epochs: epochs must be a whole number of at least 1 and at most"
        " 1,000,000, not 'three'",
    ]),
    "part of an epoch": (HEAD.replace("3", "3.0") + SGD, [
        "r.yaml:3:9: at /epochs: epochs must be a whole number of at least 1 and at most"
        " 1,000,000, not 3.0; did you mean 3?",
    ]),
    "several at once": (HEAD + "optimizer: {name: adamx, lr: 0}\nloss: {smothing: 1}\n", [
        "r.yaml:6:18: at /loss/smothing: loss has no 'smothing'; did you mean 'smoothing'?",
        "r.yaml:5:19: at /optimizer/name: there is no optimizer 'adamx'; did you mean 'adam'?",
    ]),
    "another kind's key": (HEAD + "optimizer:\n  name: adamw\n  lr: 0.1\n  momentum: 0.9\n", [
        "r.yaml:8:13: at /optimizer/momentum: adamw has no 'momentum'; it has 'name', 'lr',"
        " 'weight_decay', 'no_decay', 'clip_norm', 'accumulate', 'betas' and 'epsilon'",
    ]),
    "no learning rate": (HEAD + "optimizer: {name: sgd}\n", [
        "r.yaml:5:12: at /optimizer: sgd lacks 'lr'",
    ]),
    "no kind": (HEAD + "optimizer: {lr: 1}\n", [
        "r.yaml:5:12: at /optimizer: optimizer lacks its 'name'; use 'sgd', 'adam', 'adamw',"
        " 'rmsprop', 'lamb' or 'lars'",
    ]),
    "bad beta": (HEAD + "optimizer: {name: adamw, lr: 1, betas: [0.9, 1]}\n", [
        "r.yaml:5:46: at /optimizer/betas/1: item 1 must be a number of at least 0 and under 1,"
        " not 1",
    ]),
    "null": (HEAD + SGD + "data: null\n", [
        "r.yaml:6:7: at /data: data must be an object, not null",
    ]),
    "unknown scheme": (HEAD + SGD + "init: {scheme: isynett}\n", [
        "r.yaml:6:16: at /init/scheme: scheme must be 'he', 'he_zero', 'xavier', 'by_fan_in',"
        " 'isynet', 'cspdarknet', 'resnext' or 'spnasnet', not 'isynett'; did you mean 'isynet'?",
    ]),
    "augmentations": (
        HEAD + SGD + "augment:\n  - flip: 0.5\n  - horizontal_flip: 2\n  - 3\n"
        "  - horizontal_flip: 1\n    random_erasing: 1\n  - {}\n", [
        "r.yaml:9:5: at /augment/2: item 2 must be an object, not 3",
        "r.yaml:7:11: at /augment/0/flip: an augmentation has no 'flip'; it has"
        " 'random_resized_crop', 'random_crop', 'resize', 'horizontal_flip', 'vertical_flip',"
        " 'color_jitter', 'rand_augment', 'auto_augment', 'trivial_augment' and 'random_erasing'",
        "r.yaml:8:22: at /augment/1/horizontal_flip: horizontal_flip must be a number of at least"
        " 0 and at most 1, not 2",
        "r.yaml:10:5: at /augment/3: an augmentation is one key with its settings and this has"
        " 'horizontal_flip' and 'random_erasing'",
        "r.yaml:12:5: at /augment/4: an augmentation is one key with its settings and this has"
        " none",
    ]),
    "ranges": (
        HEAD + SGD + "augment:\n  - random_resized_crop: {scale: [1.5, 0.1]}\n"
        "  - rand_augment: {magnitude: 9, bins: 9}\n", [
        "r.yaml:7:34: at /augment/0/random_resized_crop/scale: scale is [1.5, 0.1]; use the smaller"
        " first",
        "r.yaml:8:31: at /augment/1/rand_augment/magnitude: magnitude is 9 of 9 bins, which count"
        " from 0; use at most 8",
    ]),
    "area": (HEAD + SGD + "augment: [random_resized_crop: {scale: [0.1, 1.5]}]\n", [
        "r.yaml:6:40: at /augment/0/random_resized_crop/scale: scale is [0.1, 1.5]; use shares of"
        " the image's area, at most 1",
    ]),
    "long warm-up": (HEAD + SGD + "schedule: {name: constant, warmup_epochs: 3}\n", [
        "r.yaml:6:43: at /schedule/warmup_epochs: warmup_epochs is 3 and epochs is 3; use fewer"
        " than there are epochs",
    ]),
    "steep schedule": (
        HEAD + SGD + "schedule: {name: cosine, warmup_from: 0.5, final: 0.2, warmup_epochs: 1}\n", [
        "r.yaml:6:39: at /schedule/warmup_from: warmup_from is 0.5 and the learning rate 0.1; use a"
        " lower one",
        "r.yaml:6:51: at /schedule/final: final is 0.2 and the learning rate 0.1; use a lower one",
    ]),
    "milestones": (HEAD + SGD + "schedule: {name: step, milestones: [2, 1]}\n", [
        "r.yaml:6:36: at /schedule/milestones: milestones are [2, 1]; use each later than the one"
        " before",
    ]),
    "nesterov": (HEAD + "optimizer: {name: sgd, lr: 1, momentum: 0, nesterov: true}\n", [
        "r.yaml:5:54: at /optimizer/nesterov: nesterov looks ahead by the momentum, which is 0;"
        " use more than 0",
    ]),
    "two teachers": (
        HEAD + SGD + "loss:\n  mutual: {specs: [resnet18]}\n"
        "  distill: {spec: resnet50, weights: w}\n", [
        "r.yaml:8:12: at /loss/distill: distill stands beside mutual; use one of the two",
    ]),
    "nothing to mix": (HEAD + SGD + "mix: {probability: 0.5}\n", [
        "r.yaml:6:6: at /mix: mix has neither mixup nor cutmix; use an alpha for one",
    ]),
    "extends a number": ("recipe: 1\nextends: 3\n", [
        "r.yaml:2:10: at /extends: extends is 3; use the name or path of a recipe",
    ]),
    "extends nothing": ("recipe: 1\nextends: tinny\n", [
        "r.yaml:2:10: at /extends: 'tinny' is neither the name of a shipped recipe nor a relative"
        " path ending in .yaml; did you mean 'tiny'?",
    ]),
    "extends itself": ("recipe: 1\nextends: r.yaml\nname: a\n", [
        "r.yaml:2:10: at /extends: 'r.yaml' extends this recipe in turn; use another one",
    ]),
    "extends without a name": ("recipe: 1\nextends: tiny\n", [
        "r.yaml:1:1: at /: a recipe lacks 'name'",
    ]),
    "wrong above a right one": ("recipe: 1\nextends: tiny\nname: a\noptimizer: {lr: fast}\n", [
        "r.yaml:4:17: at /optimizer/lr: lr must be a number of over 0, not 'fast'",
    ]),
}  # fmt: skip


@pytest.mark.parametrize("text, line", NOT_YAML.values(), ids=NOT_YAML)
def test_what_is_no_yaml(text, line, tmp_path, monkeypatch):
    assert tell(text, tmp_path, monkeypatch) == [line]


@pytest.mark.parametrize("text, lines", WRONG.values(), ids=WRONG)
def test_what_is_no_recipe(text, lines, tmp_path, monkeypatch):
    assert tell(text, tmp_path, monkeypatch) == lines


def test_what_is_outside_the_project(tmp_path, monkeypatch):
    (tmp_path / ".archspec").touch()
    (line,) = tell("recipe: 1\nextends: ../other.yaml\nname: a\n", tmp_path, monkeypatch)
    assert line.startswith("r.yaml:2:10: at /extends: '../other.yaml' leads outside the project")


def test_what_is_said_of_settings(tmp_path, monkeypatch):
    def said(*settings):
        return tell(HEAD + SGD, tmp_path, monkeypatch, settings)

    assert said("optimizer.lrr=1", "optimizer.lr=fast") == [
        "--set optimizer.lr=fast: at /optimizer/lr: lr must be a number of over 0, not 'fast'",
        "--set optimizer.lrr=1: at /optimizer/lrr: sgd has no 'lrr'; did you mean 'lr'?",
    ]
    assert said("epochs.x=1") == ["--set epochs.x=1: epochs is not an object and has no 'x'"]
    assert said("schedule.warmup_epochs=9") == [
        "--set schedule.warmup_epochs=9: at /schedule: schedule lacks its 'name'; use 'constant',"
        " 'cosine', 'linear_cosine', 'step' or 'exponential'"
    ]
    with pytest.raises(UsageError, match=r"--set optimizer\.lr lacks its value"):
        read_recipe("tiny", ["optimizer.lr"])
    assert said("augment=[{horizontal_flip: 1}]", "augment.1.horizontal_flip=1") == [
        "--set augment.1.horizontal_flip=1: augment is a list of 1 and has no '1'"
    ]


def test_what_is_not_there(tmp_path):
    with pytest.raises(SpecError) as caught:
        read_recipe("isynett")
    assert str(caught.value) == (
        "isynett: there is no file and no shipped recipe of this name; did you mean 'isynet'?"
        " (`archspec recipes` lists the shipped ones)"
    )
    with pytest.raises(SpecError, match="the file cannot be read: no such file"):
        read_recipe(str(tmp_path / "none.yaml"))


@pytest.mark.thorough
def test_damage_never_gives_a_traceback(tmp_path):
    """Recipes with characters changed are read or refused as recipes are."""
    text = (FOLDER / "isynet.yaml").read_text()
    rng = random.Random(1)
    path = tmp_path / "recipe.yaml"
    for _ in range(400):
        start = rng.randrange(len(text))
        piece = rng.choice(["", ":", "- ", "{", "]", "'", "&a ", "*a", "!x ", "1", "null", "\t"])
        path.write_text(text[:start] + piece + text[start + rng.randrange(3) :])
        try:
            recipe = read_recipe(str(path))
        except SpecError as error:
            assert all(problem.where for problem in error.problems)
        else:
            assert read(as_yaml(recipe), tmp_path) == recipe


# The command.


def test_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    text = capsys.readouterr().out
    for name in recipe_names():
        assert f"\n{name} " in text
        assert f"--recipe {name} --data DIR" in text
    assert "80.08 %" in text
    assert max(map(len, text.splitlines())) <= 100
    assert main(["recipes", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(recipe_names())
    assert "archspec train spnasnet --recipe single_path_nas --data DIR" in [
        row["command"] for row in rows
    ]


def test_a_recipe_is_shown(capsys, tmp_path):
    assert main(["recipes", "tiny", "--set", "optimizer.lr=0.5"]) == 0
    recipe = read(capsys.readouterr().out, tmp_path)
    assert recipe == read_recipe("tiny", ["optimizer.lr=0.5"])
    assert main(["recipes", "tiny", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert read(written_yaml(data), tmp_path) == read_recipe("tiny")
    assert main(["recipes", "tiny", "--set", "lr=1"]) == 1
    assert "a recipe has no 'lr'" in capsys.readouterr().err
    assert main(["recipes", "--set", "batch=1"]) == 2


def test_recipes_load_neither_numpy_nor_mindspore():
    code = (
        "import sys; from archspec.cli import main; main(['recipes']);"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stderr.split())
    assert "yaml" in loaded
    assert not loaded & {"numpy", "mindspore"}


def test_every_kind_can_be_written(tmp_path):
    for name in SCHEDULES:
        more = ", milestones: [1]" if name == "step" else ""
        recipe = read(HEAD + SGD + f"schedule: {{name: {name}{more}}}\n", tmp_path)
        assert read(as_yaml(recipe), tmp_path) == recipe
    for name in OPTIMIZERS:
        recipe = read(HEAD + f"optimizer: {{name: {name}, lr: 1}}\n", tmp_path)
        assert read(as_yaml(recipe), tmp_path) == recipe


# What there is to set, for editors and for people.


@pytest.mark.parametrize("name", recipe_names())
def test_the_schema_takes_what_is_right(name):
    validator = Draft202012Validator(document_schema())
    validator.validate(read_yaml(FOLDER / f"{name}.yaml").data)
    validator.validate(as_data(read_recipe(name)))


@pytest.mark.thorough
def test_the_schema_refuses_what_is_refused():
    """Of the form of a recipe, that is; what is wrong between two values no schema says."""
    Draft202012Validator.check_schema(document_schema())
    validator = Draft202012Validator(document_schema())
    draws, refused = random.Random(4), 0
    for _ in range(300):
        data = as_data(read_recipe(draws.choice(recipe_names())))
        where, key = draws.choice([*_places(data)])
        if draws.random() < 0.3 and isinstance(key, str):
            where[draws.choice([f"{key}s", "lr", "name"])] = where.pop(key)
        else:
            where[key] = draws.choice([-1, 0, 1.5, 1e9, "x", None, [], {}, True, [1], {"a": 1}])
        document = parse_yaml(written_yaml(data))
        form = [*_problems_of_form(At(document))]
        assert bool(form) != validator.is_valid(data), (form, data)
        refused += bool(form)
    assert 50 < refused < 290


def _places(data):
    for key, value in [*data.items()] if isinstance(data, dict) else [*enumerate(data)]:
        yield data, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _page(run):
    _, table, _ = run("recipes", "--settings", "--format", "markdown")
    marker = "<!-- archspec recipes --settings --format markdown -->\n"
    return PAGE.read_text().partition(marker)[0] + marker + "\n" + table


def test_the_page_of_settings_is_the_command_s(run):
    """ARCHSPEC_WRITE=1 rewrites it."""
    if os.environ.get("ARCHSPEC_WRITE"):
        PAGE.write_text(_page(run))
    assert PAGE.read_text() == _page(run)
    code, out, _ = run("recipes", "--settings")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    rows = json.loads(run("recipes", "--settings", "--format", "json")[1])
    paths = {row["path"] for row in rows}
    assert {"mix.mixup", "ema.warmup", "optimizer.trust", "augment.N.resize"} <= paths
    for name in recipe_names():
        assert _set_paths(as_data(read_recipe(name))) <= paths
    assert run("recipes", "--schema", "tiny")[0] == 2


def _set_paths(data, path=""):
    """Paths of all settings that a recipe has, entries of lists as N."""
    found = set()
    for key, value in data.items():
        inner = f"{path}{key}"
        if inner in ("recipe", "spec.args", "precision.loss_scale"):
            continue
        found.add(inner)
        if isinstance(value, dict):
            found |= _set_paths(value, f"{inner}.")
        elif inner == "augment":
            found |= {name for entry in value for name in _set_paths(entry, "augment.N.")}
    return found


def test_fewer_epochs_shorten_the_warm_up():
    notes = []
    recipe = read_recipe("tiny", ["epochs=1"], notes)
    assert recipe.schedule.warmup_epochs == 1 / 30
    assert notes == [
        "the recipe warms up for 1 of 30 epochs; of 1 it is 0.0333"
        " (--set schedule.warmup_epochs=N sets another)"
    ]
    assert read_recipe("tiny", ["epochs=2"], notes).schedule.warmup_epochs == 1
    assert len(notes) == 1
    with pytest.raises(SpecError, match="warmup_epochs is 1 and epochs is 1"):
        read_recipe("tiny", ["epochs=1", "schedule.warmup_epochs=1"], notes)


@pytest.mark.parametrize("setting, meant", [
    ("lr=0.1", "'optimizer.lr'"), ("mixup=1", "'mix.mixup'"),
    ("milestones=[2]", "'schedule.milestones'"),
    ("weight=1", "'loss.mutual.weight' or 'loss.distill.weight'"),
])  # fmt: skip
def test_a_setting_without_its_section_is_named_with_it(setting, meant):
    with pytest.raises(SpecError) as caught:
        read_recipe("tiny", [setting])
    name = setting.partition("=")[0]
    assert str(caught.value) == (
        f"--set {setting}: a recipe has no {name!r} of its own; did you mean {meant}?"
    )

"""Folders as train and val, and images that are in both."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from archspec.cli import OK, USAGE
from archspec.training.digits import write_digits


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Class folders of 40 to 100 different images, with folders below them."""
    folder = tmp_path_factory.mktemp("split")
    write_digits(folder / "digits")
    for name in "abc":
        (folder / "flowers" / name / "below").mkdir(parents=True)
    files = sorted((folder / "digits/train").rglob("*.png"))
    for index, file in enumerate(files[:201]):
        name = "a" if index < 40 else "b" if index < 101 else "c"
        place = folder / "flowers" / name / ("below" if index % 3 else "")
        (place / f"{index}.png").write_bytes(file.read_bytes())
    return folder / "flowers"


def content(folder: Path) -> dict[str, str]:
    """sha256 by path below the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.png")
    }


def test_each_class_gives_its_share_and_nothing_is_lost(flowers, told, tmp_path):
    out = told("data", "split", flowers, tmp_path / "new", "--val", "0.25")
    assert out.endswith("151 images in train, 50 in val, 3 classes\n")
    train, val = content(tmp_path / "new/train"), content(tmp_path / "new/val")
    assert {**train, **val} == content(flowers)
    assert not {*train} & {*val}
    assert [sum(name.startswith(c) for name in val) for c in "abc"] == [10, 15, 25]
    linked = next((tmp_path / "new/val").rglob("*.png"))
    assert linked.stat().st_nlink == 2
    told("data", "split", flowers, tmp_path / "copy", "--val", "0.25", "--copy")
    assert content(tmp_path / "copy/val") == val
    assert next((tmp_path / "copy/val").rglob("*.png")).stat().st_nlink == 1
    told("data", "split", flowers, tmp_path / "other", "--val", "0.25", "--seed", "1")
    assert content(tmp_path / "other/val") != val


def test_the_split_stays_where_files_are_renamed(flowers, told, tmp_path):
    told("data", "split", flowers, tmp_path / "one", "--copy")
    for path in [*(tmp_path / "one/train/a").rglob("*.png")]:
        path.rename(path.with_name(f"new_{path.name}"))
    (tmp_path / "one/train").rename(tmp_path / "again")
    for name in ("a", "b", "c"):
        for path in (tmp_path / "one/val" / name).rglob("*.png"):
            path.rename(tmp_path / "again" / name / f"val_{path.name}")
    told("data", "split", tmp_path / "again", tmp_path / "two")
    found = {*content(tmp_path / "two/val").values()}
    assert all("val_" in name for name in content(tmp_path / "two/val"))
    assert len(found) == 8 + 12 + 20


def test_one_image_twice_is_on_one_side(flowers, run, tmp_path):
    import shutil

    shutil.copytree(flowers, tmp_path / "twice")
    for path in sorted((tmp_path / "twice/a").rglob("*.png"))[:20]:
        shutil.copy(path, path.with_name(f"copy_{path.name}"))
    wrong = next((tmp_path / "twice/b").rglob("*.png"))
    shutil.copy(wrong, tmp_path / "twice/c/wrong.png")
    code, _, err = run("data", "split", tmp_path / "twice", tmp_path / "new")
    assert code == OK
    assert "21 images are there more than once, which are kept on one side" in err
    assert "c/wrong.png' are one image in several classes" in err or "c/wrong.png are one" in err
    train, val = content(tmp_path / "new/train"), content(tmp_path / "new/val")
    assert not {*train.values()} & {*val.values()}
    assert len(train) + len(val) == 222


def test_duplicates_between_train_and_val_are_named(flowers, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told("data", "split", flowers, tmp_path / "new", "--copy")
    assert " too, so that accuracy" not in told("data", "check", tmp_path / "new")
    one, two = sorted((tmp_path / "new/train/a").glob("*.png"))[:2]
    (tmp_path / "new/val/a/again.png").write_bytes(one.read_bytes())
    (tmp_path / "new/val/b/wrong.png").write_bytes(two.read_bytes())
    out = told("data", "check", "new")
    assert "new/val: 2 images are in new/train too" in " ".join(out.split())
    assert "1 of these is of another class there" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--val", "1"], "--val 1: must be between 0 and 1, such as 0.2"),
        (["--val", "nan"], "--val nan: must be between 0 and 1"),
        (["few"], "few: fewer than 3 images in class"),
        (["split"], "split has train/ and val/ already; use a folder of class folders"),
        (["nowhere"], "nowhere cannot be read (no such file or directory)"),
    ],
)
def test_what_cannot_be_split(arguments, message, flowers, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("few/x", "split/train/x", "split/val/x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "few/x/a.png").write_bytes(b"1")
    folder, *options = [flowers, *arguments] if arguments[0].startswith("-") else arguments
    code, out, err = run("data", "split", folder, "new", *options)
    assert (code, out) == (USAGE, "")
    assert err.startswith(f"error: {message}")
    assert not (tmp_path / "new").exists()

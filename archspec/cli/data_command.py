"""Make, check and pack folders of images to train from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError
from archspec.extras import need
from archspec.machine import usable_cpus
from archspec.tables import Column, Table, shown_count, write_table
from archspec.writing import whole_folder, write_whole

if TYPE_CHECKING:
    from archspec.training.data import Source

SPLITS = ("train", "val")

EXAMPLES = (
    "archspec data digits digits",
    "archspec data digits /tmp/digits",
    "archspec data check photos --for efficientnet_lite0 --set classes=6",
    "archspec data check digits --format json",
    "archspec data split flowers photos --val 0.2",
    "archspec data split flowers photos --seed 1 --copy",
    "archspec data look photos --recipe finetune --for efficientnet_lite0 -o look.png",
    "archspec data look digits --recipe tiny --for tiny/isynet --count 64",
    "archspec data mindrecord photos packed",
    "archspec data mindrecord imagenet imagenet_packed",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    digits = actions.add_parser(
        "digits",
        help="1,797 images of handwritten digits, 8x8, to train from offline",
        description="Write scikit-learn's handwritten digits as DIR/{train,val}/DIGIT/NUMBER.png.",
    )
    digits.add_argument(
        "folder", type=OutputPath, metavar="DIR", help="a folder that does not exist yet"
    )
    check = actions.add_parser(
        "check",
        help="whether images can be trained from: layout, classes, damaged files",
        description="Read every image of DIR/{train,val}/CLASS/ or DIR/{train,val}.mindrecord, and"
        " say what would stop or hurt a training.",
    )
    check.add_argument("folder", metavar="DIR")
    check.add_argument(
        "--limit", type=int, default=20, metavar="N", help="damaged images shown; default: 20"
    )
    add_format(check)
    add_spec(check, "--for", dest="spec")
    add_overrides(check)
    _add_workers(check)
    _add_split(actions)
    _add_look(actions)
    pack = actions.add_parser(
        "mindrecord",
        help="a folder of images as MindRecord files, one for each split",
        description="Write DIR/{train,val}/CLASS/IMAGE as NEW/{train,val}.mindrecord. Damaged"
        " images are left out.",
    )
    pack.add_argument("folder", metavar="DIR")
    pack.add_argument(
        "output", type=OutputPath, metavar="NEW", help="a folder that does not exist yet"
    )
    _add_workers(pack)


def _add_split(actions: Any) -> None:
    split = actions.add_parser(
        "split",
        help="a folder of class folders as one with train/ and val/",
        description="Write DIR/CLASS/IMAGE as NEW/{train,val}/CLASS/IMAGE, the same share of each"
        " class in val. What is one image twice is on one side.",
    )
    split.add_argument("folder", metavar="DIR", help="holds CLASS/IMAGE")
    split.add_argument(
        "output", type=OutputPath, metavar="NEW", help="a folder that does not exist yet"
    )
    split.add_argument(
        "--val", type=float, default=0.2, metavar="SHARE", help="of each class; default: 0.2"
    )
    split.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another one, another split; default: 0"
    )
    split.add_argument(
        "--copy", action="store_true", help="copies; default: hard links, which take no room"
    )
    _add_workers(split)


def _add_look(actions: Any) -> None:
    look = actions.add_parser(
        "look",
        help="a picture of images as a recipe augments them",
        description="Draw images of DIR/train as a network is shown them: resized, augmented,"
        " mixed.",
    )
    look.add_argument("folder", metavar="DIR")
    look.add_argument("--recipe", required=True, metavar="NAME|FILE", help="see archspec recipes")
    look.add_argument(
        "--recipe-set", action="append", default=[], metavar="KEY=VALUE",
        help="another value for a setting of the recipe",
    )  # fmt: skip
    add_spec(look, "--for", dest="spec", required=True)
    add_overrides(look)
    look.add_argument("--count", type=int, default=32, metavar="N", help="images; default: 32")
    look.add_argument("--epoch", type=int, default=1, metavar="N", help="default: 1")
    look.add_argument(
        "-o", "--output", type=OutputPath, default="look.png", metavar="FILE",
        help="default: look.png",
    )  # fmt: skip


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        default=usable_cpus(),
        metavar="N",
        help="threads that read images; default: one a CPU",
    )


def run(options: argparse.Namespace) -> int:
    if options.action == "digits":
        return _digits(options)
    need(
        f"archspec data {options.action}",
        "mindspore" if options.action == "mindrecord" else "numpy",
    )
    actions = {"check": _check, "mindrecord": _pack, "split": _split, "look": _look}
    return actions[options.action](options)


def _digits(options: argparse.Namespace) -> int:
    from archspec.training.digits import write_digits

    train, val = write_digits(options.folder)
    print(f"wrote {options.folder}: {train:,} images in train, {val:,} in val, 10 classes")
    return 0


def _split(options: argparse.Namespace) -> int:
    from archspec.compiler.images.splitting import split_folder
    from archspec.training.data import usable_workers

    found = split_folder(
        options.folder, options.output, options.val, options.seed,
        has_copies=options.copy, workers=usable_workers(options.workers),
    )  # fmt: skip
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    print(
        f"wrote {options.output}: {found.train:,} images in train, {found.val:,} in val,"
        f" {found.classes:,} classes"
    )
    return 0


def _look(options: argparse.Namespace) -> int:
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.training.data import scan
    from archspec.training.looking import draw_sample
    from archspec.training.recipe_files import read_recipe

    for name, value, most in (("count", options.count, 1000), ("epoch", options.epoch, 10**6)):
        if not 1 <= value <= most:
            raise UsageError(f"--{name} {value}: must be 1 to {most:,}")
    graph = graph_of(options.spec, options)
    recipe = read_recipe(options.recipe, options.recipe_set)
    to = preprocessing_of(graph.preprocessing, graph.input_shape)
    images = scan(options.folder, "train")
    write_whole(options.output, draw_sample(images, to, recipe, options.count, options.epoch - 1))
    print(f"wrote {options.output}: {min(options.count, len(images.labels)):,} images")
    return 0


def _check(options: argparse.Namespace) -> int:
    from archspec.compiler.images.checks import check_damage, find_unreadable
    from archspec.compiler.images.duplicates import describe_duplicates, find_duplicates
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.training.data import check_fits, check_same_classes, scan, usable_workers

    if options.limit < 0:
        raise UsageError(f"--limit {options.limit}: it must be at least 0")
    workers = usable_workers(options.workers)
    found = [scan(Path(options.folder), split) for split in SPLITS]
    check_same_classes(*found)
    if options.spec is not None:
        graph = graph_of(options.spec, options)
        check_fits(found[0], graph)
        preprocessing_of(graph.preprocessing, graph.input_shape)
    damaged: list[dict[str, str]] = []
    faults: list[str] = []
    kept: list[Source] = []
    for split, source in zip(SPLITS, found, strict=True):
        bad = find_unreadable(source, workers, progress=_progress(source.where))
        damaged += [
            {"split": split, "image": source.name(index), "why": why} for index, why in bad.items()
        ]
        kept.append(source.without(bad) if bad else source)
        try:
            check_damage(source, bad)
        except UsageError as error:
            faults.append(str(error))
    pairs = find_duplicates(kept[0], kept[1], workers)
    if options.format == "json":
        names = [{"train": kept[0].name(t), "val": kept[1].name(v)} for t, v in pairs]
        said = {"splits": _rows(kept), "damaged": damaged, "faults": faults, "duplicates": names}
        print_json(said)
    elif options.format == "table":
        _report(kept, describe_duplicates(kept[0], kept[1], pairs))
        _list_damaged(damaged, options.limit)
    else:
        write_table(_damaged_table(damaged), options.format)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _damaged_table(damaged: Sequence[Mapping[str, str]]) -> Table:
    columns = [
        Column("image", "damaged image"), Column("split", "split"),
        Column("why", "why", is_prose=True),
    ]  # fmt: skip
    return Table(columns, damaged)


def _list_damaged(damaged: Sequence[Mapping[str, str]], limit: int) -> None:
    if not damaged:
        return
    print()
    write_table(_damaged_table(damaged[:limit]), "table")
    if len(damaged) > limit:
        print(f"\nand {len(damaged) - limit:,} more (--limit N shows N of them)")


def _pack(options: argparse.Namespace) -> int:
    from archspec.training.backends.mindspore.mindrecord import write_mindrecord
    from archspec.training.data import SUFFIX

    sources = _sources(options)
    with whole_folder(options.output) as folder:
        for split, source in zip(SPLITS, sources, strict=True):
            write_mindrecord(source, folder / f"{split}{SUFFIX}")
    _report(sources)
    print(f"wrote {options.output}")
    return 0


def _sources(options: argparse.Namespace) -> list[Source]:
    """Both splits, with all that can be said before any image is read said first."""
    from archspec.training.data import readable, scan, usable_workers

    workers = usable_workers(options.workers)
    found = [scan(Path(options.folder), split) for split in SPLITS]
    return [readable(source, workers, progress=_progress(source.where)) for source in found]


def _progress(where: str) -> Any:
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            end = "\n" if done == total else ""
            print(f"\r{where}: {done:,} of {total:,} images read", end=end, file=sys.stderr)

    return show


def _report(sources: list[Source], more: Sequence[str] = ()) -> None:
    from archspec.compiler.images.checks import damage

    columns = [
        Column("split", "split"),
        Column("images", "images", shown_count, True),
        Column("classes", "classes", shown_count, True),
        Column("smallest", "smallest class"),
        Column("largest", "largest class"),
        Column("unreadable", "unreadable", shown_count, True),
    ]
    notes = [note for source in sources for note in source.ignored]
    notes += [note for note in map(damage, sources) if note is not None]
    write_table(Table(columns, _rows(sources), notes=[*notes, *more]), "table")


def _rows(sources: Sequence[Source]) -> list[dict[str, Any]]:
    return [_row(split, source) for split, source in zip(SPLITS, sources, strict=True)]


def _row(split: str, source: Source) -> dict[str, Any]:
    counts = [0] * len(source.classes)
    for label in source.labels:
        counts[label] += 1
    smallest, largest = counts.index(min(counts)), counts.index(max(counts))
    return {
        "split": split,
        "images": len(source.labels),
        "classes": len(source.classes),
        "smallest": f"{source.classes[smallest]}: {counts[smallest]:,}",
        "largest": f"{source.classes[largest]}: {counts[largest]:,}",
        "unreadable": len(source.unreadable),
    }

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
from archspec.writing import whole_folder

if TYPE_CHECKING:
    from archspec.training.data import Source

SPLITS = ("train", "val")

EXAMPLES = (
    "archspec data digits digits",
    "archspec data digits /tmp/digits",
    "archspec data check photos --for efficientnet_lite0 --set classes=6",
    "archspec data check digits --format json",
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
    need(f"archspec data {options.action}", "numpy" if options.action == "check" else "mindspore")
    return {"check": _check, "mindrecord": _pack}[options.action](options)


def _digits(options: argparse.Namespace) -> int:
    from archspec.training.digits import write_digits

    train, val = write_digits(options.folder)
    print(f"wrote {options.folder}: {train:,} images in train, {val:,} in val, 10 classes")
    return 0


def _check(options: argparse.Namespace) -> int:
    from archspec.compiler.images.checks import check_damage, find_unreadable
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
    if options.format == "json":
        print_json({"splits": _rows(kept), "damaged": damaged, "faults": faults})
    elif options.format == "table":
        _report(kept)
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


def _report(sources: list[Source]) -> None:
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
    write_table(Table(columns, _rows(sources), notes=notes), "table")


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

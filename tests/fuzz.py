"""Damage specs, weights, models and run folders at random, and see that each damage is noticed.

    python tests/fuzz.py [--seed N] [--specs 100000] [--runs 2000] [--flips 1000] [--imports 5000]
                         [--processes 2]

What must hold: an error is a sentence (SpecError or UsageError) and never another exception; a spec
takes no longer than LONGEST seconds; a file of which a bit is flipped is refused, or means what it
meant; a damaged run folder loses nothing that was good; a file that people bring, of which anything
may have another meaning, is read or refused, with MAX_GROWTH MB at most. The same seed damages the
same. Exit code 1 where something does not hold, with what was done to find it again.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

# ruff: noqa: E402 (the folders above must be found first)

from oracles.damage import check_run, contents, damage, flip

import archspec
from archspec.errors import SpecError, UsageError
from archspec.sources import shipped_folder

REFUSED = (SpecError, UsageError)
LONGEST = 20.0
"""Seconds for a spec; a whole one takes a tenth at most, and bounds end what has no end."""
MAX_GROWTH = 500
"""MB that a process may take for a file that is brought, beyond what the whole one takes."""
CHUNK = 250
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 7, 2**31, 2**53, 1e308, -0.5, 1.5, "", "=", "=1//0", "=x", "in",
    "conv", "none", "=in_channels", "../x", "\x00", "\u202e", [], {}, [[]], [1, 2, 3],
    {"op": "conv"},
    {"choice": [1, "x"]}, {"choice": []}, [{}] * 3, {"a": {"a": {}}},
    "=lane", "=index", "=[x for x in range(3)]", "=sum([1, 2])", "=range(10**9)", "name[0]",
    "name[=lane]", "in[9]", "streams[]", "op", "template", "node", {"type": "op"},
    {"choice": "=edges"}, {"op": {"choice": ["relu", "identity", "zero"]}}, {"op": "=block"},
    {"op": "ConvNormAct", "channels": 4, "parallel": 3, "join": "concat"},
    {"op": "relu", "parallel": 10**9}, {"op": "resnet18.Network", "until": "stage2"},
    {"resnet18": "resnet18"}, {"choice": ["a", "b"], "name": "edge"}, ["a", "b[1]"],
)  # fmt: skip
MODIFIERS = (
    "from", "name", "when", "repeat", "parallel", "join", "each", "first", "last", "until", "body",
    "branches", "residual", "shortcut", "import", "outputs", "defaults", "args", "extends",
)  # fmt: skip
"""Words of the language that damage puts into objects."""


class Fault(NamedTuple):
    """What did not hold: of what, by which damage, and what came instead."""

    subject: str
    words: str
    what: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--specs", type=int, default=100_000, help="damaged specs")
    parser.add_argument("--runs", type=int, default=2_000, help="damaged run folders")
    parser.add_argument(
        "--flips", type=int, default=1_000, help="flipped bits for each kind of file"
    )
    parser.add_argument(
        "--imports", type=int, default=5_000, help="damaged files for each kind that is imported"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    faults: list[Fault] = []
    with tempfile.TemporaryDirectory(prefix="archspec-fuzz-") as folder:
        home = Path(folder)
        jobs = [
            ("specs", options.specs, partial(damage_specs, home)),
            *((kind, options.flips, partial(flip_files, home, kind)) for kind in prepare(home)),
        ]
        if options.imports:
            jobs += [
                (f"brought {kind}", options.imports, partial(damage_brought, home, kind))
                for kind in prepare_brought(home)
            ]
        if options.runs:
            train(home)
            jobs.append(("run folders", options.runs, partial(damage_runs, home)))
        with ProcessPoolExecutor(options.processes) as pool:
            for subject, count, job in jobs:
                started = time.monotonic()
                seeds = [f"{options.seed} {subject} {first}" for first in range(0, count, CHUNK)]
                sizes = [min(CHUNK, count - first) for first in range(0, count, CHUNK)]
                found: list[Fault] = []
                refused = 0
                for done, (new, noticed) in enumerate(pool.map(job, seeds, sizes), 1):
                    found += new
                    refused += noticed
                    tried = min(done * CHUNK, count)
                    print(f"\r{subject}: {tried:,} of {count:,}", end="", file=sys.stderr)
                seconds = time.monotonic() - started
                print(
                    f"\r{subject:<14} {count:>8,} damaged, {refused:>8,} refused,"
                    f" {len(found):>4} faults, {seconds:,.0f} s"
                )
                faults += found
    for fault in faults[:20]:
        print(f"\n{fault.subject}: {fault.words}\n    {fault.what}")
    return 1 if faults else 0


# Specs.


def damage_specs(home: Path, seed: str, count: int) -> tuple[list[Fault], int]:
    dice = random.Random(seed)
    texts = [path.read_bytes() for path in sorted(shipped_folder().rglob("*.json"))]
    (home / ".archspec").touch()
    shutil.copytree(shipped_folder() / "blocks", home / "blocks", dirs_exist_ok=True)
    path = home / f"spec-{os.getpid()}.json"
    faults: list[Fault] = []
    refused = 0
    for number in range(count):
        text = dice.choice(texts)
        if dice.random() < 0.4:
            words, text = damage(text, dice)
        else:
            data = json.loads(text)
            if dice.random() < 0.7:
                data.pop("expect", None)  # which finds all that is another network
            words, text = change(data, dice)
        path.write_bytes(text)
        started = time.monotonic()
        try:
            look(path)
        except REFUSED as error:
            refused += 1
            if not str(error).strip() or "Traceback" in str(error):
                faults.append(Fault("spec", f"{seed}, {number}: {words}", repr(str(error))))
        except Exception as error:
            faults.append(Fault("spec", f"{seed}, {number}: {words}", f"{error!r}"))
        if time.monotonic() - started > LONGEST:
            took = f"took {time.monotonic() - started:.1f} s"
            faults.append(Fault("spec", f"{seed}, {number}: {words}", took))
    return faults, refused


def look(path: Path) -> None:
    """All that is done with a spec without a framework."""
    space = archspec.Space(path)
    graph = space.assign(space.first()) if space.program.has_choice else archspec.load(path)
    graph.stats()
    assert graph.fingerprint


def change(data: Any, dice: random.Random) -> tuple[str, bytes]:
    """One to three values of JSON taken away, doubled, renamed or replaced."""
    words: list[str] = []
    for _ in range(dice.choice((1, 1, 2, 3))):
        owner, key = dice.choice([*places(data)] or [(data, None)])
        kind = dice.choice(("replace", "replace", "remove", "rename", "copy", "add"))
        words.append(f"{kind} {key!r}")
        if key is None:
            continue
        if kind == "add" and isinstance(owner[key], dict):
            owner[key][dice.choice(MODIFIERS)] = copy.deepcopy(dice.choice(ODD))
            continue
        if kind == "replace":
            owner[key] = copy.deepcopy(dice.choice(ODD))  # it may be damaged in its turn
        elif kind == "remove":
            del owner[key]
        elif kind == "rename" and isinstance(owner, dict):
            owner[dice.choice((f"{key}s", key[1:], "op", *MODIFIERS))] = owner.pop(key)
        else:
            other, place = dice.choice([*places(data)])
            other[place] = json.loads(json.dumps(owner[key]))
    return ", ".join(words), json.dumps(data).encode()


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in [*data.items()] if isinstance(data, dict) else [*enumerate(data)]:
        yield data, key
        if isinstance(value, (dict, list)):
            yield from places(value)


# Files, one bit at a time.


def prepare(home: Path) -> list[str]:
    """Write a file of each kind that this machine can write; the names of the kinds."""
    from archspec.compiler.model import Model
    from archspec.compiler.targets.onnx import write_onnx
    from archspec.compiler.weights.initialize import initialize
    from archspec.compiler.weights.loading import save_weights
    from archspec.deploy.description import write_sidecar

    graph = archspec.load("tiny/isynet")
    weights = initialize(graph)
    notes = {"classes": json.dumps([f"class {n}" for n in range(10)]), "note": "mine"}
    kinds = [".safetensors", ".npz", ".ckpt"]
    for ending in kinds:
        save_weights(home / f"net{ending}", graph, weights, notes)
    write_onnx(Model(graph, weights), home / "net.onnx")
    (home / "net.om").write_bytes(random.Random(1).randbytes(5000))
    write_sidecar(home / "net.om", graph, notes)
    return [*kinds, ".onnx", ".om", ".om.json"]


def read_file(path: Path, kind: str) -> Any:
    """What a file says, as those who use it read it."""
    if kind == ".onnx":
        from archspec.deploy.description import describe
        from archspec.deploy.engines import open_engine

        with closing(open_engine("onnxruntime", path)) as engine:
            return describe(path, engine.metadata)
    if kind in (".om", ".om.json"):
        from archspec.deploy.description import check_model, read_sidecar

        model = path.with_name(path.name.removesuffix(".json"))
        check_model(model)
        return read_sidecar(model)
    from archspec.compiler.weights.files import open_tensors
    from archspec.compiler.weights.loading import load_weights

    found = load_weights(path, archspec.load("tiny/isynet"))
    with open_tensors(path) as file:
        return {name: array.tobytes() for name, array in found.items()}, dict(file.metadata)


def flip_files(home: Path, kind: str, seed: str, count: int) -> tuple[list[Fault], int]:
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp(dir=home))
    for path in home.glob("net.*"):
        shutil.copy(path, folder)
    path = folder / f"net{kind}"
    content, meant = path.read_bytes(), read_file(path, kind)
    faults: list[Fault] = []
    refused = 0
    for _ in range(count):
        place, bit = dice.randrange(len(content)), dice.randrange(8)
        path.write_bytes(flip(content, place, bit))
        try:
            if read_file(path, kind) != meant:
                faults.append(Fault(kind, f"bit {bit} at {place}", "is read, and means another"))
        except REFUSED:
            refused += 1
        except Exception as error:
            faults.append(Fault(kind, f"bit {bit} at {place}", f"{error!r}"))
    return faults, refused


# Files of others, which carry no checksum: whatever they say by now, it is read or refused.


def prepare_brought(home: Path) -> list[str]:
    """Write a model and checkpoints as PyTorch writes them, where it is; the names of the kinds."""
    try:
        import torch
    except ImportError:
        return [".onnx"]
    from archspec.compiler.model import Model
    from archspec.compiler.targets.torch import to_module
    from archspec.compiler.weights.initialize import initialize

    graph = archspec.load("tiny/isynet")
    state = to_module(Model(graph, initialize(graph))).state_dict()
    for kind, is_zip in (("zip.pth", True), ("stream.pth", False)):
        torch.save(
            {"epoch": 3, "state_dict": state},
            home / f"net.{kind}",
            _use_new_zipfile_serialization=is_zip,
        )
    return [".onnx", ".zip.pth", ".stream.pth"]


def import_file(path: Path, kind: str) -> None:
    if kind == ".onnx":
        from archspec.compiler.importing.onnx.importing import import_onnx

        import_onnx(path, "net")
        return
    from archspec.compiler.weights.importing import import_weights

    import_weights(path, archspec.load("tiny/isynet"))


def damage_brought(home: Path, kind: str, seed: str, count: int) -> tuple[list[Fault], int]:
    dice = random.Random(seed)
    content = (home / f"net{kind}").read_bytes()
    path = Path(tempfile.mkdtemp(dir=home)) / f"net{kind}"
    path.write_bytes(content)
    import_file(path, kind)
    faults: list[Fault] = []
    refused = 0
    usual = peak_memory()
    for number in range(count):
        words, damaged = damage(content, dice)
        path.write_bytes(damaged)
        try:
            import_file(path, kind)
        except REFUSED as error:
            refused += 1
            if "Traceback" in str(error):
                faults.append(Fault(kind, f"{seed}, {number}: {words}", repr(str(error))))
        except Exception as error:
            faults.append(Fault(kind, f"{seed}, {number}: {words}", f"{error!r}"))
        grown = peak_memory() - usual
        if grown > MAX_GROWTH:
            faults.append(Fault(kind, f"{seed}, {number}: {words}", f"took {grown:.0f} MB"))
            usual += grown
    return faults, refused


def peak_memory() -> float:
    """The most this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Run folders.

SETTINGS = ("epochs=3", "augment=[]", "mix=null", "ema=null", "data.workers=1",
            "schedule={name: constant}", "checkpoint.keep=2")  # fmt: skip


def train(home: Path) -> None:
    """A short training, of whose folder copies are damaged."""
    from oracles import runs

    runs.write_inputs(home / "inputs")
    arguments = [text for setting in SETTINGS for text in ("--set", setting)]
    runs.command(
        home / "inputs", "train", "plain.json", "--recipe", "small.yaml", "--data", "data",
        "--out", "run", *arguments,
    )  # fmt: skip


def damage_runs(home: Path, seed: str, count: int) -> tuple[list[Fault], int]:
    from archspec.training.loop import train_run
    from archspec.training.run import open_run
    from archspec.training.signals import Stop

    dice = random.Random(seed)
    good = contents(home / "inputs" / "run")
    names = [name for name in good if not name.startswith("logs/")]
    run = home / f"run-{os.getpid()}"
    faults: list[Fault] = []
    refused = 0
    for number in range(count):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(home / "inputs" / "run", run)
        hurt: dict[str, bytes] = {}
        told: list[str] = []
        for name in dice.sample(names, dice.choice((1, 1, 1, 2, 3))):
            words, hurt[name] = damage(good[name], dice)
            (run / name).write_bytes(hurt[name])
            told.append(f"{name}: {words}")
        sentence = f"{seed}, {number}: {'; '.join(told)}"
        try:
            with contextlib.redirect_stdout(io.StringIO()), Stop() as stop:
                train_run(open_run(run), stop, "none")
        except REFUSED:
            refused += 1
            if contents(run) != {**good, **hurt}:
                faults.append(Fault("run", sentence, "was refused, and changed"))
        except Exception as error:
            faults.append(Fault("run", sentence, f"{error!r}"))
        try:
            left = {name: content for name, content in good.items() if name not in hurt}
            check_run({"metrics.jsonl": good["metrics.jsonl"], **left}, run, sentence)
        except AssertionError as error:
            faults.append(Fault("run", sentence, str(error)))
    return faults, refused


if __name__ == "__main__":
    sys.exit(main())

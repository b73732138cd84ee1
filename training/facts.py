"""run.json: what a run was asked to do, each value in the range that the command would have taken.

Since version 2 it carries its own checksum, and the whole of what is trained: the recipe's settings
and the networks' normal forms. So recipe.yaml and spec.json, which people read and hand on, are
held against it: a changed byte in them is found, and named. Version 1 had neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.check_values import check_object
from archspec.checksums import CHECKSUM, damage_error, read_sealed, seal
from archspec.document import At
from archspec.document_schema import SPEC_NAME
from archspec.errors import Problem, SpecError
from archspec.json_values import shown
from archspec.machine import DEVICES
from archspec.schema import TEXT, Schema, closed_object
from archspec.training.recipe_schema import (
    FLAG,
    PATTERN,
    POSITIVE,
    SEED,
    or_null,
    several,
)
from archspec.writing import write_whole, written_json

FACTS = "run.json"
VERSION, FIRST_VERSION = 2, 1
MAX_WORKERS = 1024
MAX_NETWORKS = 8
MAX_CHANGES = 3
"""Told of a file that was changed."""

PATH: Schema = {"type": "string", "minLength": 1, "maxLength": 4096}
DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
DEVICE: Schema = {"enum": [*DEVICES]}
WORKERS: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}
ANY_TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}


def _network(file: str, version: int) -> Schema:
    properties: dict[str, Schema] = {
        "name": SPEC_NAME,
        "fingerprint": DIGEST,
        "file": {"type": "string", "pattern": file},
    }
    if version > FIRST_VERSION:
        properties["spec"] = {"type": "object"}
    return closed_object(properties, tuple(properties))


def _schema(version: int) -> Schema:
    properties: dict[str, Schema] = {
        "run": {"const": version},
        "name": SPEC_NAME,
        "teacher": or_null(_network(r"^teacher\.json$", version)),
        "recipe": SPEC_NAME,
        "seed": SEED,
        "data": PATH,
        "data_fingerprint": DIGEST,
        "data_workers": POSITIVE,
        "images": closed_object({"train": POSITIVE, "val": POSITIVE}, ("train", "val")),
        "classes": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "weights": or_null(PATH),
        "device": DEVICE,
        "workers": WORKERS,
        "command": several(TEXT, most=10_000),
        "started": TEXT,
        "versions": ANY_TEXTS,
        "machine": TEXT,
        "networks": several(_network(r"^spec(_[2-8])?\.json$", version), 1, MAX_NETWORKS),
    }
    required = tuple(properties)
    properties["backend"] = SPEC_NAME  # who trains it; MindSpore where it does not say
    properties["switches"] = {"type": "object", "additionalProperties": FLAG}
    properties["reset"] = several(PATTERN, 1)  # nodes that the weights at the start are not for
    if version > FIRST_VERSION:
        properties["settings"] = {"type": "object"}
        properties["extended_from"] = several(POSITIVE, most=10_000)
        stamps = {"sizes": DIGEST, "times": DIGEST}
        properties["data_stamps"] = several(closed_object(stamps, tuple(stamps)), 2, 2)
        required = (*required, "settings", "extended_from", "data_stamps")
    properties[CHECKSUM] = TEXT  # of a first version too, once something in it was changed here
    return closed_object(properties, required)


SCHEMAS = {version: _schema(version) for version in (FIRST_VERSION, VERSION)}


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts of a run's folder. Raises SpecError where they are damaged, edited by hand or not
    such as a run has."""
    path = folder / FACTS
    facts, is_sealed = read_sealed(path, _problems)
    if facts["run"] > FIRST_VERSION and not is_sealed:
        raise damage_error(path, "its checksum is missing")
    return facts


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write run.json, sealed. Raises UsageError where the disk does not take it."""
    write_whole(folder / FACTS, written_json(seal(facts)) + "\n", within=folder)


def _problems(at: At) -> Iterator[Problem]:
    data = at.document.data
    version = data.get("run")
    if type(version) is not int or version not in SCHEMAS:
        if "search" in data:
            yield at.problem("this is the folder of a search; use archspec search --resume")
        else:
            yield at.problem(
                f"run is {shown(version)}; it must be {VERSION}, the version of run folders that is"
                " read here"
            )
        return
    problems = check_object(SCHEMAS[version], at, FACTS)
    yield from problems
    if problems:
        return
    if data["name"] != data["networks"][0]["name"]:
        yield (at / "name").problem(
            f"name is {shown(data['name'])}; it must be that of the first network,"
            f" {shown(data['networks'][0]['name'])}"
        )
    settings = data.get("settings", {})
    for key, setting in (("recipe", "name"), ("seed", "seed")):
        if settings and settings.get(setting) != data[key]:
            yield (at / key).problem(
                f"{key} is {shown(data[key])}; it must be the recipe's own,"
                f" {shown(settings.get(setting))}"
            )


def check_same(path: Path, found: Any, written: Any, remedy: str) -> None:
    """Raises SpecError, with what differs and the remedy, where the content of a file is not what
    the run wrote."""
    changes = [*_changes(written, found, "")]
    if changes:
        some = "; ".join(changes[:MAX_CHANGES])
        more = f"; and {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
        raise SpecError(
            Problem(
                f"the file was edited by hand, or is damaged, since the run wrote it: {some}{more};"
                f" {remedy}",
                str(path),
            )
        )


def _changes(then: Any, now: Any, place: str) -> Iterator[str]:
    """What was and what is, place by place."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in {**then, **now}:
            inner = f"{place}.{key}" if place else str(key)
            if key not in now:
                yield f"{inner} is missing and was {shown(then[key])}"
            elif key not in then:
                yield f"{inner} is new"
            else:
                yield from _changes(then[key], now[key], inner)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _changes(one, other, f"{place}[{index}]")
    elif isinstance(then, bool) is not isinstance(now, bool) or then != now:
        yield f"{place or 'it'} is {shown(now)} and was {shown(then)}"

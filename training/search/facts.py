"""run.json of a search: what it may say. A folder can be another's, or damaged, so that whatever
stands there is checked as the options of a command are, before anything is done by it.

Version 1 was written without a checksum; version 2 carries one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.checksums import checksum_of_bytes, damage_error, read_sealed, seal
from archspec.document import read_document
from archspec.errors import Problem, SpecError
from archspec.machine import DEVICES
from archspec.writing import write_whole, written_json

VERSION, UNSEALED = 2, 1
FACTS = "run.json"
LISTED = "single-path"
COUNTING = ("random", "enumerate", "nsga2", "evolution")
"""Engines that count thousands of networks a second where nothing is trained."""
ENGINES = (*COUNTING, "tpe", LISTED)
MAX_TRIALS = 10_000_000
MAX_SEED = 2**63 - 1
MAX_EPOCHS = 1_000_000


def _whole(least: int, most: int = MAX_TRIALS) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _maybe(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "null"}, schema]}


def _object(required: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **others},
        "required": [*required],
        "additionalProperties": False,
    }


def _list(items: Mapping[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": 100_000}


TEXT: Mapping[str, Any] = {"type": "string", "maxLength": 10_000}
POSITIVE: Mapping[str, Any] = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e30}
TRAINING = _object(
    {
        "recipe": TEXT,
        "data": TEXT,
        "epochs": _whole(1, MAX_EPOCHS),
        "seeds": _list(_whole(0, MAX_SEED), 1),
        "device": {"enum": [*DEVICES]},
    },
    backend=TEXT,
)
SINGLE_PATH = _object(
    {"data": TEXT},
    recipe=TEXT,
    recipe_settings=_list(TEXT),
    epochs=_maybe(_whole(1, MAX_EPOCHS)),
    warmup_epochs=_maybe(_whole(0, MAX_EPOCHS)),
    batch=_maybe(_whole(1)),
    seed=_maybe(_whole(0, MAX_SEED)),
    seeds=_whole(1),
    lam=_list(POSITIVE, 1),
    target=_list(POSITIVE),
    runtime=TEXT,
    lr_thresholds=_maybe(POSITIVE),
    temperature=POSITIVE,
    keep={**POSITIVE, "maximum": 1},
    held_out={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    device={"enum": [*DEVICES]},
    backend=TEXT,
)
SCHEMA: Mapping[str, Any] = {
    **_object(
        {
            "search": {"enum": [UNSEALED, VERSION]},
            "name": TEXT,
            "engine": {"enum": [*ENGINES]},
            "objectives": _list(TEXT, 1),
            "constraints": _list(TEXT),
            "trials": _whole(1),
            "seed": _whole(0),
            "baseline": _maybe(_whole(0)),
            "population": _whole(2),
            "storage": _maybe(TEXT),
            "study": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
            "training": _maybe(TRAINING),
            "single_path": _maybe(SINGLE_PATH),
            "command": _list(TEXT),
            "started": TEXT,
            "versions": {"type": "object", "additionalProperties": TEXT, "maxProperties": 100},
            "machine": TEXT,
        },
        files={"type": "object", "additionalProperties": TEXT, "maxProperties": 10_000},
        is_shared={"type": "boolean"},
        legs=_list(_whole(1)),
    ),
}


FOUND_LINES = _list(
    _object(
        {
            "name": TEXT,
            "assignment": {"type": "object", "maxProperties": 100_000},
            "objectives": {"type": "object", "additionalProperties": {"type": "number"}},
            "weights": _maybe(TEXT),
        },
        target=_maybe(POSITIVE),
        nearest=_maybe(POSITIVE),
    )
)
"""What the single-path engine found, under FOUND_KEY of found.json; of an archspec that knew no
checksums all that is in it."""
FOUND_KEY = "found"


def read_facts(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises SpecError where it is damaged, of another version, or says what
    it may not."""
    path = folder / FACTS
    facts, is_sealed = read_sealed(path)
    version = facts.get("search")
    if version not in (UNSEALED, VERSION) or isinstance(version, bool):
        raise SpecError(
            Problem(f"this is not a search of version {VERSION}, which is known here", str(folder))
        )
    if is_sealed != (version == VERSION):
        raise damage_error(path, "its checksum is missing")
    check_facts(facts, str(path))
    return facts


def check_files(folder: Path, facts: Mapping[str, Any]) -> None:
    """Raises SpecError where a file that run.json knows the checksum of is not as it was."""
    for name, checksum in facts.get("files", {}).items():
        path = folder / name
        if Path(name).name != name:
            raise damage_error(folder / FACTS, f"{name} is not a file of the folder")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise damage_error(path, (error.strerror or str(error)).lower()) from None
        if checksum_of_bytes(content) != checksum:
            raise damage_error(path, f"it does not meet its checksum in {FACTS}")


def check_facts(facts: Mapping[str, Any], where: str) -> None:
    """Raises SpecError where they say what a search cannot mean."""
    _check(SCHEMA, facts, where)


def read_found(path: Path) -> list[dict[str, Any]]:
    """The lines of found.json. Raises SpecError where it is damaged or says something else."""
    found = read_document(path).data
    if not isinstance(found, list):
        facts, is_sealed = read_sealed(path)
        if not is_sealed or facts.keys() != {FOUND_KEY}:
            raise damage_error(path, "it does not meet its checksum")
        found = facts[FOUND_KEY]
    _check(FOUND_LINES, found, str(path))
    return found


def write_found(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write found.json, with its checksum."""
    write_whole(path, written_json(seal({FOUND_KEY: lines})) + "\n", within=path.parent)


def _check(schema: Mapping[str, Any], data: Any, where: str) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(data))
    if error is not None:
        pointer = "/" + "/".join(map(str, error.absolute_path))
        raise SpecError(
            Problem(f"{error.message[:300]}; use the file as the search wrote it", where, pointer)
        )


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write run.json, with its checksum."""
    write_whole(folder / FACTS, written_json(seal({**facts, "search": VERSION})) + "\n")

"""The settings of a search in its database, so that a machine joins by URL and name alone.

They are the files that a folder begins with, as one text in pieces that any database holds, at the
study of the search. Who joins makes a folder of its own from them, and trusts them no more than a
folder from elsewhere: names of files are checked, and functions are called only where the command
line names them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.checksums import checksum_of
from archspec.errors import SpecError, UsageError, did_you_mean
from archspec.training.search.facts import check_facts, write_facts
from archspec.training.search.proposers import optuna_package
from archspec.training.search.storage import open_database, redact, storage_url
from archspec.training.search.trials import FOUND, RECIPE, SPACE, Trials, open_trials
from archspec.writing import whole_folder, write_whole

SETTINGS = "archspec"
"""The attribute of the study that says how many pieces there are, and their names' beginning."""
PIECE = 15_000
"""Characters: MySQL holds 65,535 bytes of text, and a character has four at most."""
MAX_PIECES = 10_000
STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
FILE = re.compile(
    rf"{re.escape(RECIPE)}|{re.escape(FOUND)}|{Path(SPACE).stem}[^/\\\x00-\x1f]*\.json"
)
OWN = ("command", "machine", "storage")
"""Facts that are each folder's own."""


def share(trials: Trials) -> None:
    """Write the settings of a run with a storage there. Raises UsageError where a study has its
    name and is another search, or the storage cannot be used."""
    assert trials.storage is not None, "only a run with a storage is shared"
    optuna = optuna_package()
    storage = open_database(trials.storage)
    name = study_name(trials)
    try:
        study = optuna.create_study(
            study_name=name, storage=storage, directions=["minimize"] * len(trials.objectives)
        )
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
        if _read(study.user_attrs).get("facts", {}).get("started") != trials.facts["started"]:
            raise UsageError(
                f"the storage {redact(trials.storage)} has a study {trials.facts['study']}"
                " already; use archspec search worker --storage URL --study NAME to join it, or"
                " another --study"
            ) from None
    files = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(trials.path.iterdir())
        if FILE.fullmatch(path.name)
    }
    facts = {key: value for key, value in trials.facts.items() if key not in OWN}
    settings = {"facts": facts, "files": files}
    text = json.dumps(settings)
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    for place, piece in enumerate(pieces):
        study.set_user_attr(f"{SETTINGS}.{place}", piece)
    study.set_user_attr(SETTINGS, {"pieces": len(pieces), "crc32": checksum_of(settings)})


def study_name(trials: Trials) -> str:
    return f"{trials.facts['study']}-search"


def check_study(name: str) -> None:
    """Raises UsageError for what names no study."""
    if not STUDY.fullmatch(name):
        raise UsageError(
            f"--study {name} must be letters, digits, dots, dashes and underscores, 100 at most"
        )


def join_search(url: str, name: str, out: str | None) -> Trials:
    """The search of that name in a storage, in a folder made for it here, or made before. Raises
    UsageError, SpecError where there is none."""
    check_study(name)
    url = storage_url(url)
    optuna = optuna_package()
    storage = open_database(url)
    path = Path(out) if out else Path("runs") / name
    try:
        study = optuna.load_study(study_name=f"{name}-search", storage=storage)
    except KeyError:
        names = [found.removesuffix("-search") for found in optuna.get_all_study_names(storage)]
        raise UsageError(
            f"the storage {redact(url)} has no study {name}{did_you_mean(name, names)}"
        ) from None
    settings = _read(study.user_attrs)
    if not settings:
        raise SpecError(
            f"the study {name} of {redact(url)} does not hold the settings of a search; use the"
            " folder that it was begun in"
        )
    facts = {**settings["facts"], "command": [], "machine": "", "storage": redact(url)}
    check_facts(facts, f"the study {name}")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with whole_folder(path) as folder:
                for file, text in settings["files"].items():
                    write_whole(folder / file, text)
                write_facts(folder, facts)
        except UsageError:
            if not path.exists():  # else another worker made it meanwhile
                raise
    trials = open_trials(path)
    if trials.facts["study"] != name:
        raise UsageError(f"{path} is another search ({trials.facts['study']}); use another --out")
    return trials.with_storage(url)


def _read(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a study holds; empty where it holds none that are whole."""
    try:
        head = attributes[SETTINGS]
        count = int(head["pieces"])
        if not 0 < count <= MAX_PIECES:
            return {}
        found = json.loads("".join(attributes[f"{SETTINGS}.{place}"] for place in range(count)))
        is_whole = checksum_of(found) == head["crc32"] and isinstance(found["facts"], dict)
        names_are_right = all(
            isinstance(text, str) and FILE.fullmatch(name) for name, text in found["files"].items()
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return found if is_whole and names_are_right else {}

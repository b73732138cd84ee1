"""The storage that the processes of a search share: a journal in its folder, or a database.

A URL's password goes to the database and nowhere else: run.json, reports and messages hold the URL
without it, and whoever connects again says the URL again (--storage, or ARCHSPEC_STORAGE). So a
folder cannot have a database of its own choosing opened either; only a file within it, it can.

A database that goes away and comes back is waited for (training.search.patience).
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from archspec.errors import LackingError, UsageError, did_you_mean, listed, printable
from archspec.locks import locked_file
from archspec.training.search.patience import chain
from archspec.training.search.trials import JOURNAL, Trials, cut_damaged_line

VARIABLE = "ARCHSPEC_STORAGE"
SQLITE = "sqlite:///"
OPENING, PAUSE = 5.0, 0.5
"""Seconds for a database that is just starting, and between two tries."""
LOCK_WAIT = 60.0
"""Seconds, after which a process that hangs with the lock no longer keeps the others waiting."""
LOOK_EVERY = 0.1
SHORTEST_SECRET = 3
"""Characters; of shorter ones every text is full."""
DRIVERS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "postgresql": {
        "psycopg": ("postgresql+psycopg", "psycopg[binary]"),
        "psycopg2": ("postgresql+psycopg2", "psycopg2-binary"),
    },
    "mysql": {
        "pymysql": ("mysql+pymysql", "pymysql"),
        "MySQLdb": ("mysql+mysqldb", "mysqlclient"),
    },
}
"""By database, the modules that reach it: how a URL asks for each, and the package that has it."""
SCHEMES = ("sqlite", "postgresql", "mysql")
# URLs and their secrets.

_QUERY_SECRET = re.compile(
    r"([?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)([^&]+)", re.IGNORECASE
)


def redact(url: str) -> str:
    """A URL without its password, and without what of its query is one."""
    scheme, mark, rest = url.partition("://")
    head, at, tail = rest.rpartition("@")  # the last: a password that is not quoted may hold one
    user, colon, _ = head.partition(":")
    shown = f"{scheme}{mark}{user}{':***' if colon else ''}{at}{tail}"
    return _QUERY_SECRET.sub(r"\1***", shown)


def without_secrets(text: str, url: str | None) -> str:
    """A text with the URL redacted in it, and its password wherever else it stands."""
    if not url:
        return text
    text = text.replace(url, redact(url))
    _, _, rest = url.partition("://")
    found = [rest.rpartition("@")[0].partition(":")[2]]
    found += [match.group(2) for match in _QUERY_SECRET.finditer(url)]
    for secret in sorted({form for one in found for form in (one, unquote_plus(one))}, key=len):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def storage_url(url: str) -> str:
    """The URL of a storage, leading there from any folder. Raises UsageError for what is none."""
    if "://" not in url:
        raise UsageError(
            f"--storage {url} is not a URL; use sqlite:///search.db or postgresql://host/name"
        )
    file = url.removeprefix(SQLITE)
    return url if file == url or file.startswith("/") else f"{SQLITE}{Path(file).resolve()}"


def kept_url(url: str, folder: Path) -> str:
    """What run.json says of a storage: no password, and a file within the folder from there."""
    if url.startswith(SQLITE):
        file = Path(url.removeprefix(SQLITE))
        with suppress(ValueError):
            return SQLITE + file.relative_to(folder.resolve()).as_posix()
    return redact(url)


def connect(trials: Trials, given: str | None = None) -> Trials:
    """The run with the storage that its folder names, where that is within the folder, or else
    with the one that `given` or ARCHSPEC_STORAGE names. Raises UsageError where it is not named,
    for a folder, which may be another's, must not choose what is opened or written elsewhere."""
    kept: str | None = trials.facts.get("storage")
    asked = given or os.environ.get(VARIABLE) or None
    if kept is None:
        if given:
            raise UsageError(
                f"{trials.path} keeps its trials in its own {JOURNAL}; use it without --storage"
            )
        return trials
    if asked is None:
        inside = _file_within(kept, trials.path)
        if inside is not None:
            return trials.with_storage(inside)
        shown = redact(kept)
        raise UsageError(
            f"{trials.path} keeps its trials in {shown}, outside the folder, which is opened only"
            f" where it is asked for; use --storage {shown} with its password, if it has one, or"
            f" set {VARIABLE}"
        )
    url = storage_url(asked)
    shown = kept_url(url, trials.path)
    if shown != kept:
        command = [without_secrets(word, kept) for word in trials.facts["command"]]
        trials = trials.settle({"storage": shown, "command": command})
    return trials.with_storage(url)


def _file_within(kept: str, folder: Path) -> str | None:
    if not kept.startswith(SQLITE):
        return None
    root = folder.resolve()
    file = (root / kept.removeprefix(SQLITE)).resolve()
    return f"{SQLITE}{file}" if file.is_relative_to(root) else None


# Opening it.


def open_storage(trials: Trials) -> Any:
    """Optuna's storage of a run. Raises UsageError where it cannot be used."""
    from archspec.training.search.proposers import optuna_package

    optuna = optuna_package()
    url = trials.storage
    if url is None:
        journal = trials.path / JOURNAL
        lock = _JournalLock(journal)
        return optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(journal), lock_obj=lock)
        )
    return open_database(url)


def open_database(url: str) -> Any:
    """Optuna's storage in a database. Raises UsageError where it cannot be used."""
    from archspec.training.search.proposers import optuna_package

    optuna = optuna_package()
    reachable = _with_driver(url)
    began = time.monotonic()
    while True:
        try:
            return optuna.storages.RDBStorage(reachable, engine_kwargs={"pool_pre_ping": True})
        except Exception as error:  # SQLAlchemy has as many as there are databases
            reason = _reason(error, url)
            # a server that is just starting says so, and so do two processes that make the tables
            if time.monotonic() - began < OPENING and re.search(
                r"starting up|shutting down|already exists|is locked", str(error)
            ):
                time.sleep(PAUSE)
                continue
        raise UsageError(
            f"the storage {redact(url)} cannot be used ({reason}); use the URL of a database that"
            " is there, or no --storage"
        )


def _with_driver(url: str) -> str:
    """The URL with the driver that is installed, where it names none. Raises UsageError where none
    is, or the URL is not one of a database."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    shown = redact(url)
    scheme, _, rest = url.partition("://")
    _, _, password = rest.rpartition("@")[0].partition(":")
    try:
        if re.search(r"[@/?#\s]", password):
            raise ValueError("it would be read as another host")
        dialect = make_url(url).get_dialect()
    except NoSuchModuleError:
        meant = "; did you mean 'postgresql'?" if scheme == "postgres" else ""
        raise UsageError(
            f"--storage {shown}: there is no database {scheme!r}; use sqlite:///FILE,"
            " postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME"
            f"{meant or did_you_mean(scheme, SCHEMES)}"
        ) from None
    except (ArgumentError, ValueError):
        raise UsageError(
            f"--storage {shown} is not the URL of a database; use"
            " postgresql://USER:PASSWORD@HOST/NAME, in which a password has @ as %40, / as %2F"
            " and # as %23"
        ) from None
    if getattr(dialect, "is_async", False):
        raise UsageError(
            f"--storage {shown} has a driver for asynchronous programs; use another, such as"
            f" {scheme.partition('+')[0]}:// alone"
        )
    try:
        dialect.import_dbapi()
    except ImportError as error:
        missing = error.name or str(error)
    else:
        return url
    known = DRIVERS.get(scheme.partition("+")[0], {})
    there = [spelling for module, (spelling, _) in known.items() if _is_importable(module)]
    if there and "+" not in scheme:
        return f"{there[0]}://{rest}"
    packages = [package for _, package in known.values()] or [missing]
    use = (
        f"{there[0]}://, whose driver is installed" if there else f"pip install {listed(packages)}"
    )
    raise LackingError(
        f"--storage {shown} needs the driver {missing}, which is not installed; use {use}"
    )


def _is_importable(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def _reason(error: BaseException, url: str) -> str:
    """What a database says, in a line and without secrets."""
    cause = next((e for e in chain(error) if getattr(e, "orig", None) is not None), error)
    text = str(getattr(cause, "orig", None) or cause).strip() or type(cause).__name__
    text = without_secrets(re.sub(r"\s+", " ", text), url)
    return printable(text[:300])


class _JournalLock:
    """In place of Optuna's own lock, a link that a killed process leaves behind, and for which
    others then wait without end where the path of the journal is relative. What a process that
    was killed, or a full disk, left of a line is cut off."""

    def __init__(self, journal: Path):
        self._journal = journal
        self._held = ExitStack()

    def acquire(self) -> bool:
        self._held.enter_context(locked_file(self._journal.with_suffix(".lock"), waits=True))
        with open(self._journal, "ab+") as file:
            cut_damaged_line(file)
        return True

    def release(self) -> None:
        self._held.close()


@contextmanager
def exclusive(storage: Any, name: str) -> Iterator[None]:
    """Keep the processes that have the same database, on whatever machine, from doing the same;
    where it knows no locks, nothing."""
    engine: Any = getattr(storage, "engine", None)
    dialect = "" if engine is None else engine.dialect.name
    with ExitStack() as stack:
        if dialect == "postgresql":
            stack.enter_context(_advisory_lock(engine, zlib.crc32(name.encode())))
        elif engine is not None and dialect == "sqlite" and engine.url.database:
            file = Path(f"{engine.url.database}.lock")
            stack.enter_context(locked_file(file, waits=True))
        yield


@contextmanager
def _advisory_lock(engine: Any, key: int) -> Iterator[None]:
    """PostgreSQL's, which ends with the connection."""
    from sqlalchemy import text

    with engine.connect() as connection:
        until = time.monotonic() + LOCK_WAIT
        asked = text("SELECT pg_try_advisory_lock(:key)")
        while not (is_held := connection.execute(asked, {"key": key}).scalar()):
            if time.monotonic() > until:
                break
            time.sleep(LOOK_EVERY)
        connection.commit()
        try:
            yield
        finally:
            if is_held:
                with suppress(Exception):  # a connection that is lost has lost it as well
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
                    connection.commit()

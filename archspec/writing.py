"""JSON as people like to read it, and files that are never half-written."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from archspec.errors import UsageError

WIDEST_LINE = 100


def written_json(value: Any, indent: int = 0, room: int = WIDEST_LINE) -> str:
    """JSON with whatever fits on a line on one line, two spaces a level."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value:
        return line
    if len(line) <= room - indent and indent > 0:
        return line
    margin = " " * (indent + 2)
    if isinstance(value, list):
        items = [f"{margin}{written_json(item, indent + 2, room)}" for item in value]
        return "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"
    pairs: list[str] = []
    for key, item in value.items():
        label = json.dumps(key, ensure_ascii=False)
        pairs.append(f"{margin}{label}: {written_json(item, indent + 2, room - len(label) - 2)}")
    return "{\n" + ",\n".join(pairs) + "\n" + " " * indent + "}"


def written_normal_form(spec: dict[str, Any]) -> str:
    """A flat spec as JSON with a line per node."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in spec.items()
        if key != "body"
    ]
    nodes = ",\n".join(f"    {json.dumps(node)}" for node in spec["body"])
    lines.append(f'  "body": [\n{nodes}\n  ]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_whole(
    path: str | os.PathLike[str],
    content: str | bytes,
    within: str | os.PathLike[str] | None = None,
) -> None:
    """Write a file so that it is either what it was or all of the new content; `within` is as in
    `whole_file`.

    Raises UsageError where the folder is missing, full or not to be written to.
    """
    with whole_file(path, within) as file:
        # names of files that are not text have half-characters in them; JSON reads their escapes
        is_text = isinstance(content, str)
        file.write(content.encode(errors="backslashreplace") if is_text else content)


@contextmanager
def whole_file(
    path: str | os.PathLike[str], within: str | os.PathLike[str] | None = None
) -> Iterator[IO[bytes]]:
    """A file to write, and to read again, that takes its place when the block ends well.

    It is written beside its target under another name, then renamed; until then, and whatever goes
    wrong, the target stays what it was. A link is followed, a device or a pipe never replaced; a
    link that leads out of the folder `within` is replaced by the file, for somebody else's folder
    must not choose what is written to. Raises UsageError where the folder is missing, full or not
    to be written to.
    """
    target = Path(os.path.realpath(path))
    try:
        if within is not None and not target.is_relative_to(os.path.realpath(within)):
            target = Path(path).parent.resolve() / Path(path).name
            if not target.is_relative_to(os.path.realpath(within)):
                raise UsageError(f"{Path(path).parent} leads out of {within}; use a real folder")
        if not target.is_symlink() and target.exists() and not target.is_file():
            raise UsageError(f"{path} is not a regular file; use the name of a file, old or new")
        with _replace(target) as file:
            yield file
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({(error.strerror or str(error)).lower()}); use a path in a"
            " folder that exists and may be written to"
        ) from error


@contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to fill that takes its place when the block ends well, and is gone when it does not.

    Raises UsageError where something of that name is there already, or the folder above it is
    missing, full or not to be written to.
    """
    target = Path(path).absolute()
    if os.path.lexists(target):
        raise UsageError(f"{path} exists already; use another name, or remove it")
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:50]}."))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({(error.strerror or str(error)).lower()}); use a path in a"
            " folder that exists and may be written to"
        ) from error


def is_unfinished(name: str, target: str) -> bool:
    """Whether `whole_file` or `whole_folder` calls something so while it writes the target."""
    found = _UNFINISHED.fullmatch(name)
    return found is not None and found.group(1) == target[:50]


_UNFINISHED = re.compile(r"\.(.+)\.[a-z0-9_]{8}", re.DOTALL)
"""Names that tempfile makes from ours."""


def command_line(*words: str | os.PathLike[str]) -> str:
    """A command as one line that a shell takes apart into these words, whatever is in them."""
    return " ".join(_quote(os.fspath(word)) for word in words)


def _quote(word: str) -> str:
    import shlex  # costs a millisecond, so only when it is needed

    if word.isprintable():
        return shlex.quote(word)
    escaped = word.translate({ord("\\"): r"\\", ord("'"): r"\'"})
    return "$'" + "".join(c if c.isprintable() else _escape(c) for c in escaped) + "'"


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


@contextmanager
def _replace(target: Path) -> Iterator[IO[bytes]]:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:50]}.")
    try:
        with open(handle, "w+b") as file:
            yield file
        # mkstemp keeps others out, which is not what one wants of a spec or a picture.
        Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

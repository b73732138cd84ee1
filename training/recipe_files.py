"""Recipes as YAML: read, with `extends` followed and settings put in, and written.

    recipe = read_recipe("single_path_nas", ["optimizer.lr=0.1"])

A recipe can start from another: `extends: NAME` takes all of that recipe's values and puts its own
over them, objects key by key and everything else whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.document import At
from archspec.errors import Problem, SpecError, UsageError, did_you_mean, first_problems, listed
from archspec.json_values import shown
from archspec.sources import project_folder
from archspec.training.recipe import KEYS, VERSION, Recipe
from archspec.training.recipe_checks import problems_of_recipe
from archspec.training.recipe_schema import Section, make_section, plain, settings_of
from archspec.training.yaml_document import YamlDocument, parse_value, read_yaml, written_yaml

MAX_EXTENSIONS = 10
FOLDER = Path(__file__).parent / "recipes"
WARMUP = ("schedule", "warmup_epochs")


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with archspec."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def read_recipe(name: str, settings: Iterable[str] = (), notes: list[str] | None = None) -> Recipe:
    """The recipe of a path, or a shipped one by its name, with settings such as "optimizer.lr=0.1"
    in place of its own.

    Where `settings` leave fewer epochs than the recipe warms up for, the warm-up keeps its share
    of the epochs; a sentence about it is added to `notes`. Raises SpecError with all that is wrong,
    UsageError for a setting without a value.
    """
    settings = list(settings)
    base = _resolve(_path(name), name, ())
    document = base
    for text in settings:
        document = _set(document, text)
    shorter = _shorter_warmup(base, document, settings)
    if shorter is not None:
        document, note = shorter
        if notes is not None:
            notes.append(note)
    problems = first_problems(problems_of_recipe(document))
    if problems:
        raise SpecError(problems)
    return make_section(Recipe, document.data)


def recipe_of(data: Mapping[str, Any], shown: str) -> Recipe:
    """The recipe that plain data means, which an error calls `shown`. Raises SpecError."""
    document = YamlDocument(shown, data, {(): shown})
    problems = first_problems(problems_of_recipe(document))
    if problems:
        raise SpecError(problems)
    return make_section(Recipe, data)


def as_yaml(recipe: Recipe) -> str:
    """The recipe as YAML with every setting in it; reading that gives the same recipe again."""
    return written_yaml(as_data(recipe))


def as_data(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON, with every setting in it."""
    return {"recipe": VERSION, **plain(recipe)}


def _path(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or Path(name).exists():
        return Path(name)
    if name not in recipe_names():
        hint = did_you_mean(name, recipe_names())
        raise SpecError(
            Problem(
                f"there is no file and no shipped recipe of this name{hint}"
                " (`archspec recipes` lists the shipped ones)",
                name[:200],
            )
        )
    return FOLDER / f"{name}.yaml"


def _resolve(path: Path, name: str, seen: tuple[Path, ...]) -> YamlDocument:
    """A recipe's file over the one it extends, over the one that extends, and so on."""
    document = read_yaml(path, name)
    at = At(document)  # type: ignore[arg-type]
    data = document.data
    if not isinstance(data, dict):
        raise at.error(f"a recipe is an object and this is {shown(data)}")
    if "extends" not in data:
        return document
    reference, at = data["extends"], at / "extends"
    if not isinstance(reference, str):
        raise at.error(f"extends is {shown(reference)}; use the name or path of a recipe")
    seen = (*seen, path.resolve())
    base = _base(reference, path, at)
    if base.resolve() in seen or len(seen) > MAX_EXTENSIONS:
        raise at.error(f"{reference!r} extends this recipe in turn; use another one")
    if "name" not in data:
        raise At(document).error("a recipe lacks 'name'")  # type: ignore[arg-type]
    return document.without("extends").over(_resolve(base, reference, seen))


def _base(reference: str, path: Path, at: At) -> Path:
    """The file that an `extends` means: a shipped recipe, or a relative path in the project."""
    if not reference.endswith((".yaml", ".yml")):
        if reference not in recipe_names():
            raise at.error(
                f"{reference[:200]!r} is neither the name of a shipped recipe nor a relative path"
                f" ending in .yaml{did_you_mean(reference, recipe_names())}"
            )
        return FOLDER / f"{reference}.yaml"
    home = path.resolve().parent
    project = project_folder(home)
    base = (home / reference).resolve()
    if not reference.isprintable() or not base.is_relative_to(project):
        raise at.error(
            f"{reference[:200]!r} leads outside the project {project}; use a path relative to this"
            " file and inside it"
        )
    return base


def _set(document: YamlDocument, text: str) -> YamlDocument:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text} lacks its value; use --set {text}=VALUE")
    first, _, rest = key.partition(".")
    inside = [] if rest or first in {**settings_of(Recipe), **KEYS} else _sections_with(first)
    if inside:
        raise SpecError(
            Problem(
                f"a recipe has no {first!r} of its own; did you mean"
                f" {listed([f'{name}.{first}' for name in inside])}?",
                f"--set {text}",
            )
        )
    return document.with_value(tuple(key.split(".")), parse_value(value), f"--set {text}")


def _shorter_warmup(
    base: YamlDocument, document: YamlDocument, settings: Iterable[str]
) -> tuple[YamlDocument, str] | None:
    """The document with a warm-up that is shorter by as much as its epochs are than the base's,
    where fewer epochs were set and nothing of the schedule."""
    keys = {text.partition("=")[0] for text in settings}
    if "epochs" not in keys or any(key.partition(".")[0] == "schedule" for key in keys):
        return None
    schedule = document.data.get("schedule")
    warmup = schedule.get("warmup_epochs") if isinstance(schedule, dict) else None
    before, epochs = base.data.get("epochs"), document.data.get("epochs")
    values = (warmup, before, epochs)
    if (
        not all(type(value) in (int, float) for value in values)
        or not 0 < epochs <= warmup < before
    ):
        return None
    shorter = warmup * epochs / before
    note = (
        f"the recipe warms up for {warmup:g} of {before} epochs; of {epochs} it is {shorter:.3g}"
        f" (--set {'.'.join(WARMUP)}=N sets another)"
    )
    return document.with_value(WARMUP, shorter, document.where(WARMUP)), note


def _sections_with(name: str) -> list[str]:
    """Paths of the sections of a recipe that have a setting of this name."""

    def inside(kind: type[Section], path: str) -> Iterator[str]:
        for key, metadata in settings_of(kind).items():
            kinds = [metadata["section"]] if "section" in metadata else metadata.get("kinds", {})
            for inner in kinds.values() if isinstance(kinds, Mapping) else kinds:
                if name in settings_of(inner):
                    yield f"{path}{key}"
                yield from inside(inner, f"{path}{key}.")

    return list(dict.fromkeys(inside(Recipe, "")))

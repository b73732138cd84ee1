"""The recipes that come with archspec, with their source and published result, or one in full; all
settings that a recipe can have."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_format, print_json
from archspec.errors import UsageError
from archspec.tables import Column, Table, write_table
from archspec.training.recipe import Recipe
from archspec.training.recipe_files import as_data, as_yaml, read_recipe, recipe_names
from archspec.training.recipe_reference import document_schema, setting_rows

EXAMPLES = (
    "archspec recipes",
    "archspec recipes finetune --set epochs=5  # the whole recipe as YAML",
    "archspec recipes --settings",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="RECIPE",
        help="a shipped recipe's name or a path: write it as YAML with every setting in it",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a setting, such as optimizer.lr=0.1",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--settings", action="store_true", help="all settings that a recipe can have, as a table"
    )
    what.add_argument(
        "--schema", action="store_true", help="the JSON Schema of recipes, for editors"
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    if options.settings or options.schema:
        if options.recipe is not None or options.set:
            raise UsageError("--settings and --schema are of all recipes; use them alone")
        if options.schema:
            print_json(document_schema())
        else:
            _list_settings(options.format)
        return 0
    if options.recipe is None:
        if options.set:
            raise UsageError("--set changes one recipe; use its name before it")
        _list(options)
        return 0
    recipe = read_recipe(options.recipe, options.set)
    if options.format == "json":
        print_json(as_data(recipe))
    else:
        print(as_yaml(recipe), end="")
    return 0


def command(recipe: Recipe) -> str:
    """The command that trains by a recipe."""
    spec = recipe.spec.name if recipe.spec else "SPEC"
    workers = f" --workers {recipe.devices}" if recipe.devices > 1 else ""
    return f"archspec train {spec} --recipe {recipe.name} --data DIR{workers}"


def _list(options: argparse.Namespace) -> None:
    recipes = [read_recipe(name) for name in recipe_names()]
    rows = [_row(recipe) for recipe in recipes]
    if options.format == "json":
        print_json(rows)
        return
    columns = [
        Column("name", "recipe"),
        Column("epochs", "epochs", is_number=True),
        Column("batch", "batch", is_number=True),
        Column("devices", "devices", is_number=True),
        Column("paper", "source"),
        Column("code", "code", is_data=True),
        Column("result", "published, on ImageNet", is_prose=True),
        Column("command", "command", is_data=True),
    ]
    notes = [command(recipe) for recipe in recipes] if options.format == "table" else []
    write_table(Table(columns, rows, notes=notes), options.format)


def _list_settings(style: str) -> None:
    rows = [row._asdict() for row in setting_rows()]
    if style == "json":
        print_json(rows)
        return
    columns = [
        Column("path", "setting", _indent if style == "table" else str),
        Column("kind", "of"),
        Column("default", "default"),
        Column("values", "value", is_data=style == "table"),
        Column("doc", "what it is", is_prose=True),
    ]
    notes = ["--format markdown and docs/recipes.md have the values that each can take"]
    write_table(Table(columns, rows, notes=notes if style == "table" else []), style)


def _indent(path: str) -> str:
    """The last part of a setting's path, below those before it: a whole path is half a line."""
    *sections, name = path.split(".")
    return f"{'  ' * len(sections)}{name}"


def _row(recipe: Recipe) -> dict[str, object]:
    source = recipe.source
    return {
        "name": recipe.name,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "devices": recipe.devices,
        "paper": source.paper or source.code,
        "code": source.code,
        "result": source.result,
        "note": source.note,
        "doc": recipe.doc,
        "spec": recipe.spec.name if recipe.spec else None,
        "command": command(recipe),
    }

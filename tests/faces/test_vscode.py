"""The extension of VS Code, packed as users get it: what it holds, and what it says it does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2] / "editors" / "vscode"
SOURCE = (HERE / "src" / "extension.js").read_text()
ABOUT = json.loads((HERE / "package.json").read_text())


def test_it_does_what_it_says():
    """Commands and settings are those that its package declares."""
    commands = {each["command"] for each in ABOUT["contributes"]["commands"]}
    assert set(re.findall(r'registerCommand\("([^"]+)"', SOURCE)) == commands
    settings = {f"archspec.{name}" for name in re.findall(r'settings\(\)\s*\.get\("(\w+)"', SOURCE)}
    assert settings == set(ABOUT["contributes"]["configuration"]["properties"])
    assert SOURCE.count("\n") < 120


def test_the_package_holds_what_runs_and_no_more(tmp_path):
    if shutil.which("npm") is None or not (HERE / "node_modules").is_dir():
        pytest.skip("npm or what packs the extension is not installed (make test installs it)")
    path = tmp_path / "archspec.vsix"
    subprocess.run(
        ["npm", "run", "package", "--", "--out", path], cwd=HERE, check=True, capture_output=True
    )
    with zipfile.ZipFile(path) as package:
        names = {name for name in package.namelist() if name.startswith("extension/")}
        about = json.loads(package.read("extension/package.json"))
        code = package.read(f"extension/{Path(about['main']).as_posix()}").decode()
    assert names == {f"extension/{name}" for name in
                     ("package.json", "readme.md", "LICENSE.txt", "dist/extension.js")}  # fmt: skip
    assert about["version"] == ABOUT["version"]
    # the client is inside, and nothing is asked of the machine but node's own and VS Code's modules
    asked = set(re.findall(r'require\("([^"]+)"\)', code))
    listed = subprocess.run(
        ["node", "-p", "require('module').builtinModules.join()"], check=True, capture_output=True
    )
    own = {*listed.stdout.decode().strip().split(","), "vscode"}
    assert "vscode" in asked and {name.removeprefix("node:") for name in asked} <= own

"""A studio that serves a folder, and a browser that shows it: one of each for a module of tests.

CI has Chromium (.ci/run installs it); a machine without it skips what needs it.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIZE = {"width": 1280, "height": 800}


def install_packages():
    """The folder of the page's sources, with the packages of its lock file. One process at a time
    puts them there."""
    web = ROOT / "archspec" / "studio" / "web"
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH: the page's own packages are not to be had")
    with open(web / "package-lock.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (web / "node_modules" / ".package-lock.json").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=web, check=True, timeout=600)
    return web


@contextlib.contextmanager
def starting(*arguments, folder, python=sys.executable):
    """(address, process) of a studio that was started in a folder, as a user starts it."""
    port = () if "--port" in arguments else ("--port", "0")
    command = [python, "-m", "archspec", "studio", *arguments, "--no-browser", *port]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **({"PYTHONPATH": str(ROOT)} if python == sys.executable else {})},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        found = re.search(r"http\S+", process.stdout.readline())
        assert found
        yield found.group(), process
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@contextlib.contextmanager
def serving(*arguments, folder, python=sys.executable):
    """The address alone."""
    with starting(*arguments, folder=folder, python=python) as (address, _):
        yield address


@contextlib.contextmanager
def browsing():
    """A browser, where there is one."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no chromium; .ci/run is to install it")
        pytest.skip("there is no chromium here: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        browser.close()


@contextlib.contextmanager
def showing(browser, address, **options):
    """A page that shows an address and has complained of nothing by the end."""
    context = browser.new_context(viewport=SIZE, **options)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(45_000)
    page.goto(address)
    yield page
    context.close()
    expected = re.compile(r"the server responded with a status of (400|404|409)")
    assert not [said for said in complaints if not expected.search(said)]


@contextlib.contextmanager
def editing(browser, address, name):
    """A page that shows a spec and its picture."""
    with showing(browser, f"{address}#edit/{name}") as page:
        page.wait_for_selector(".stage svg")
        yield page

"""The `archspec` command, for tests of what it says. Hypothesis draws the same examples every time,
a third of those that `--all` takes, which also runs what is slow (make nightly);
ARCHSPEC_EXAMPLES=5000 asks for other, more. `--fast` leaves out what needs a framework, starts
processes or is marked as thorough (make test-fast)."""

import gc
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from archspec.cli import main

# hundreds of processes are started: each would compile all that it imports of archspec
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# tests run beside each other, a process for each CPU
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile("all", deadline=None, derandomize=True, database=None)
settings.register_profile("third", settings.get_profile("all"), max_examples=33)
if "ARCHSPEC_EXAMPLES" in os.environ:
    examples = int(os.environ["ARCHSPEC_EXAMPLES"])
    settings.register_profile("more", deadline=None, max_examples=examples, print_blob=True)
settings.load_profile("more" if "ARCHSPEC_EXAMPLES" in os.environ else "third")


@pytest.fixture
def run(capsys):
    """Calls the command; its exit code, what it printed and what it complained of."""

    def call(*arguments):
        capsys.readouterr()
        code = main([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def told(run):
    """Calls the command, which is to end with `code`; what it printed, or what it complained of."""

    def call(*arguments, code=0):
        ended, out, err = run(*arguments)
        assert ended == code, err
        return err if code else out

    return call


@pytest.fixture(scope="module")
def compiled():
    """As in a search: MindSpore's cells are compiled whole."""
    ms = pytest.importorskip("mindspore")
    from archspec.training.backends.mindspore.ranks import join

    mode = ms.get_context("mode")
    join("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    yield
    ms.set_context(mode=mode)


@pytest.fixture(scope="module", params=("mindspore", "torch"))
def framework(request):
    """What trains and runs a network where nothing says which: a module that asks for it has its
    tests run over each."""
    with _preferring(request.param):
        yield request.param


@pytest.fixture(scope="module")
def trained_with_torch():
    """For tests in which no framework has a part: PyTorch starts sooner."""
    with _preferring("torch"):
        yield


@contextmanager
def _preferring(framework):
    """Where nothing says which, it is this framework that trains and runs a network."""
    pytest.importorskip(framework)
    from archspec.training.backend import PREFERRED

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PREFERRED, "CPU", (framework,))
        yield


@pytest.fixture(scope="module")
def backend(framework, request):
    """The framework's name, and it computes as in a search of networks this small: MindSpore's
    cells compiled whole, PyTorch in one thread, for several only wait for each other."""
    if framework == "mindspore":
        request.getfixturevalue("compiled")
        yield framework
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield framework
    torch.set_num_threads(threads)


FRAMEWORKS = ("mindspore", "torch", "onnxruntime")
WITH_PROCESSES = (
    "test_atc", "test_bounds", "test_checkpoint", "test_distributed", "test_editor", "test_hostile",
    "test_installs", "test_lsp", "test_mcp", "test_pages", "test_processes", "test_readme",
    "test_search_storage", "test_search_trials", "test_studio_bundle", "test_studio_page",
    "test_studio_safety", "test_studio_views", "test_terminal", "test_vscode",
)  # fmt: skip
"""Files that --fast leaves out whole: nearly all their tests start processes, or wait for them."""


def pytest_addoption(parser):
    parser.addoption(
        "--fast", action="store_true", help="no framework is imported and no process started"
    )
    parser.addoption(
        "--all", action="store_true", help="what is slow as well, and all of Hypothesis's examples"
    )


def pytest_configure(config):
    if config.getoption("fast"):
        # whoever imports one meets a ModuleNotFoundError, as on a machine without it
        sys.modules.update(dict.fromkeys(FRAMEWORKS))
    if config.getoption("all"):
        config.option.markexpr = ""
        if "ARCHSPEC_EXAMPLES" not in os.environ:
            settings.load_profile("all")


def pytest_collection_finish(session):
    """In each process that tests, once it is about to."""
    gc.collect()
    gc.freeze()  # thousands of tests, through which each collection would go again
    if session.config.getoption("fast"):
        subprocess.Popen.__init__ = skip_process
        os.fork = skip_process


def skip_process(*_, **__):
    pytest.skip("--fast starts no process")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        framework = item.callspec.params.get("framework") if hasattr(item, "callspec") else None
        if any(framework in mark.args for mark in item.iter_markers("long_on")):
            item.add_marker(pytest.mark.slow)
    if config.getoption("fast"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)


def pytest_ignore_collect(collection_path: Path, config):
    if config.getoption("fast") and collection_path.stem in WITH_PROCESSES:
        return True
    return None

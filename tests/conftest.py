"""The `archspec` command, for tests of what it says. Hypothesis draws the same examples every time;
ARCHSPEC_EXAMPLES=5000 asks for other, more."""

import os

import pytest
from hypothesis import settings

from archspec.cli import main

settings.register_profile("same", deadline=None, derandomize=True, database=None)
if "ARCHSPEC_EXAMPLES" in os.environ:
    examples = int(os.environ["ARCHSPEC_EXAMPLES"])
    settings.register_profile("more", deadline=None, max_examples=examples, print_blob=True)
settings.load_profile("more" if "ARCHSPEC_EXAMPLES" in os.environ else "same")


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

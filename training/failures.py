"""Sentences for where a machine gives out while it trains: its disk, its memory, its device."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from archspec.errors import UsageError
from archspec.training.backend import DeviceError
from archspec.training.run import Run, RunError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What a disk says that takes no more."""
NO_THREAD = "can't start new thread"
"""Python's words where there is no memory for one."""


@contextmanager
def explain_failures(run: Run) -> Iterator[None]:
    """Raises RunError, which says how the run resumes, for what the machine does not take."""
    saved = f"what was saved before is good, and {run.resume_command} resumes from it"
    try:
        yield
    except (OSError, UsageError) as error:
        raise _full(run, error) from error
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and NO_THREAD not in str(error):
            raise
        raise RunError(
            f"the training of {run.path} takes more memory than is left; {saved} where there is"
            " more"
        ) from error
    except DeviceError as error:
        raise RunError(f"{error}; {saved}") from error


def _full(run: Run, error: OSError | UsageError) -> Exception:
    """What to say of an error, which is another one where a disk did not take what was written."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(cause, OSError) or cause.errno not in FULL:
        return error
    why = (cause.strerror or str(cause)).lower()
    return RunError(
        f"{run.path} cannot be written to ({why}); what was saved before is good, so make room"
        f" there, then use {run.resume_command}"
    )

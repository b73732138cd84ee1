"""The program that a profiler is run around: a model on zeros, again and again.

    python -m deploy.profile.repeat MODEL --engine acl --runs 20 --note FILE

What it ran it writes to FILE as JSON, last of all, so that whoever started it knows that it ended
well.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from archspec.deploy.engines import Port, open_engine
from archspec.deploy.feeding import DEFAULT_BATCH
from archspec.errors import SpecError, UsageError

WARM_UP = 3
"""Runs that do not count."""


def shape_of(port: Port, batch: int | None) -> tuple[int, ...]:
    """Of an array for an input. Raises UsageError for a batch that the model does not take."""
    first, *rest = (1 if extent is None else extent for extent in port.shape)
    fixed = port.shape[0]
    if fixed is None:
        return (DEFAULT_BATCH if batch is None else batch, *rest)
    if batch not in (None, fixed):
        raise UsageError(
            f"--batch {batch}: the model takes {fixed} images at a time; use --batch"
            f" {fixed}, or none"
        )
    return (first, *rest)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--note", required=True)
    options = parser.parse_args()
    try:
        note = _repeat(options)
    except (SpecError, UsageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Path(options.note).write_text(json.dumps(note))
    return 0


def _repeat(options: argparse.Namespace) -> dict[str, object]:
    with closing(open_engine(options.engine, options.model, device=options.device)) as engine:
        arrays = {
            port.name: np.zeros(shape_of(port, options.batch), port.dtype) for port in engine.inputs
        }
        for _ in range(WARM_UP + options.runs):
            engine.run(arrays)
        return {
            "name": engine.metadata.get("name", ""),
            "batch": next(iter(arrays.values())).shape[0],
            "simulated": engine.is_simulated,
        }


if __name__ == "__main__":
    sys.exit(main())

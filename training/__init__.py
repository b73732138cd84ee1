"""Training: recipes, data, the loop, and what it leaves behind.

    recipe, recipes/*.yaml       how a network is trained, checked like a spec
    data, sizing, digits         images, from files to batches
    tuning                       what of a network learns, and at which pace
    schedules, noise, mixing, precision
                                 what of a step is numbers, the same whoever trains
    plan, run, facts, metrics    what is to be done, and the folder that says so
    checkpoint, saved, upkeep    how nothing good in that folder is lost
    loop                         read this first: the training from top to bottom
    session                      the steps, for this and for searches that learn
    backend, backends/           the seam to the frameworks, and all that knows one
    build, meter, signals        what the loop works with
    distributed                  several processes
    progress, events, curves, report
                                 what people see of it
    evaluate, predict            what has been learned

From Python, `train` is the whole of `archspec train`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.training.backend import choose_backend, find_backend

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.shapes import Shape
    from archspec.training.loop import Result
    from archspec.training.recipe import Recipe


def train(
    spec: str | os.PathLike[str] | Graph,
    recipe: str | Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    settings: Sequence[str] = (),
    arguments: Mapping[str, Any] | None = None,
    input_shape: Shape | None = None,
    weights: str | None = None,
    reset: Sequence[str] = (),
    device: str = "CPU",
    backend: str | None = None,
    switches: Mapping[str, bool] | None = None,
    style: str = "none",
    command: Sequence[str] = (),
) -> Result:
    """Train a network by a recipe on the images of a folder, into a new run folder.

    `settings` change the recipe ("optimizer.lr=0.1", "epochs=3"), `arguments` are for the spec's
    args. It starts from `weights`, but for nodes that fit the patterns `reset` ("classifier.*").
    `backend` is "mindspore" or "torch", what is installed by default, and `switches`
    are its own ("compile"). Where the environment describes several processes (msrun, mpirun,
    torchrun, a rank table), each of them calls this; where torchrun has started them again, they
    resume the run that they were making. Raises SpecError or UsageError for what is wrong with any
    of it before the first step, RunError where the training fails.
    """
    from archspec.training.signals import Stop

    with Stop() as stop:
        from archspec.training import new_run
        from archspec.training.loop import train_run
        from archspec.training.plan import plan_run
        from archspec.training.run import open_run

        backend = backend or choose_backend(device, "training")
        trains = find_backend(backend)
        switches = trains.switches(device, switches or {})
        job = trains.job()
        made = new_run.made_by(job, out)
        ranks = trains.join(device)
        if made is not None:
            return train_run(made, stop, style)
        new_run.check_free(out)
        plan = plan_run(
            spec, recipe, data, settings=settings, arguments=arguments, input_shape=input_shape,
            weights=weights, reset=reset, device=device, workers=ranks.ranks, backend=backend,
            switches=switches,
        )  # fmt: skip
        if trains.told_by() is None:
            new_run.note_made(job, out, out)
            run = new_run.create_run(plan, out, command)
            with new_run.remove_if_refused(run):
                return train_run(run, stop, style)
        ranks.wait()  # until all have looked
        if ranks.is_first:
            new_run.note_made(job, out, out)
            new_run.create_run(plan, out, command)
        ranks.wait()
        return train_run(open_run(out), stop, style)

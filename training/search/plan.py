"""What a search is asked to do, and all that can be wrong with it found before it begins."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from archspec.errors import SpecError, UsageError, did_you_mean, listed
from archspec.program import read_program
from archspec.space import Space
from archspec.space_gates import assignments_of
from archspec.training.search.counted import count_exactly
from archspec.training.search.evaluating import entry_points
from archspec.training.search.facts import COUNTING, ENGINES, LISTED, MAX_TRIALS
from archspec.training.search.feasible import why_impossible
from archspec.training.search.objectives import (
    ACCURACY,
    Objective,
    counted_functions,
    read_constraint,
    read_objectives,
)
from archspec.training.search.proposers import optuna_package
from archspec.training.search.sharing import check_study, share
from archspec.training.search.storage import VARIABLE, kept_url, storage_url, without_secrets
from archspec.training.search.trials import Trials, check_free, create_trials

TRIALS, TRIALS_COUNTED = 100, 20_000


@dataclass(frozen=True)
class SearchSettings:
    """Plain values, as a command's options give them; None is what the search takes by itself.

    `trials` is the number of networks to try, `baseline` that of networks drawn at random beside
    them, as many by itself. `seeds` trainings of `epochs` epochs by `recipe` make an accuracy; of
    one alone nobody knows how much was luck.
    `storage` is the URL of a database that machines share, `study` the name there.
    `single_path` are the settings of training.search.single_path that are its own.
    """

    space: str
    objectives: tuple[str, ...]
    engine: str = "nsga2"
    constraints: tuple[str, ...] = ()
    trials: int | None = None
    seed: int = 1
    baseline: int | None = None
    population: int | None = None
    recipe: str | None = None
    recipe_settings: tuple[str, ...] = ()
    data: str | None = None
    epochs: int | None = None
    seeds: int = 2
    device: str = "CPU"
    backend: str | None = None
    storage: str | None = None
    study: str | None = None
    single_path: Mapping[str, Any] = field(default_factory=dict)


def create_search(settings: SearchSettings, out: str, command: Sequence[str] = ()) -> Trials:
    """Make the folder of a new search. Raises SpecError or UsageError for whatever is wrong with
    any of it."""
    check_free(out)
    program = read_program(settings.space)
    if not program.has_choice:
        raise UsageError(
            f"{settings.space} has no choice in it, so there is nothing to search; use a spec with"
            " choices such as spaces/tiny"
        )
    _check(settings)
    objectives = read_objectives(settings.objectives)
    constraints = [read_constraint(text) for text in settings.constraints]
    counted_functions([o.name for o in objectives] + [c.metric for c in constraints])
    trains = any(objective.name == ACCURACY for objective in objectives)
    is_counting = counts(settings.engine, objectives)
    if not is_counting:
        optuna_package()
    space = Space(program)
    if constraints:
        why = why_impossible(
            count_exactly(space, [o for o in objectives if o.is_counted], constraints)
        )
        if why:
            raise SpecError(why)
    recipe, training = _training(settings, space) if trains else (None, None)
    trials = settings.trials or (TRIALS_COUNTED if is_counting else TRIALS)
    url = settings.storage or (None if is_counting else os.environ.get(VARIABLE))
    url = storage_url(url) if url else None
    facts = {
        "engine": settings.engine,
        "objectives": [str(objective) for objective in objectives],
        "constraints": [str(constraint) for constraint in constraints],
        "trials": trials,
        "seed": settings.seed,
        "baseline": _baseline(settings, space, is_counting, trials),
        "population": settings.population or population_for(settings.engine, trials),
        "storage": url and kept_url(url, Path(out)),
        "is_shared": url is not None,
        "study": settings.study or f"archspec-{uuid.uuid4().hex[:12]}",
        "training": training,
        "single_path": _single_path(settings, space) if settings.engine == LISTED else None,
        "command": [without_secrets(word, settings.storage) for word in command],
    }
    entry_points(objectives)
    made = create_trials(out, settings.space, facts, recipe)
    if url is None:
        return made
    made = made.with_storage(url)
    try:
        share(made)
    except BaseException:
        shutil.rmtree(made.path, ignore_errors=True)  # or it would be in the way of another try
        raise
    return made


def extend(trials: Trials, wanted: int) -> Trials:
    """A search to be resumed up to `wanted` networks. Raises UsageError where its engine says how
    many there are, and for fewer than it was begun for."""
    facts = trials.facts
    if facts["engine"] == LISTED:
        raise UsageError(
            f"--trials {wanted}: {trials.path} tries the networks that its engine found; use a new"
            " --out to find more"
        )
    asked = facts["trials"]
    if not asked <= wanted <= MAX_TRIALS:
        raise UsageError(f"--trials {wanted}: must be {asked:,} to {MAX_TRIALS:,}")
    if wanted == asked:
        return trials
    changed: dict[str, Any] = {"trials": wanted}
    if facts["baseline"] == asked:
        changed["baseline"] = wanted
    if counts(facts["engine"], trials.objectives):
        changed["legs"] = [*facts.get("legs", ()), asked]
    return trials.settle(changed)


def move_data(trials: Trials, data: str) -> Trials:
    """The search with its images in another folder. Raises UsageError where none are there."""
    from archspec.training.plan import scan_splits

    scan_splits(Path(data))
    path = str(Path(data).resolve())
    changed = {
        key: {**trials.facts[key], "data": path}
        for key in ("training", "single_path")
        if trials.facts[key]
    }
    return trials.settle(changed)


def counts(engine: str, objectives: Sequence[Objective]) -> bool:
    """Whether a search counts networks in batches, rather than try them one by one."""
    return engine in COUNTING and all(objective.is_counted for objective in objectives)


def check_workers(workers: int, engine: str, objectives: Sequence[Objective]) -> None:
    """Raises UsageError where so many processes cannot try networks."""
    if workers < 1:
        raise UsageError(f"--workers {workers}: must be 1 or more")
    if workers > 1 and counts(engine, objectives):
        raise UsageError(
            f"--workers {workers}: where networks are only counted, one process does it; leave"
            " --workers out"
        )


def _single_path(settings: SearchSettings, space: Space) -> dict[str, Any]:
    """All settings of the single-path search, with paths that lead there from anywhere. Raises
    SpecError or UsageError for whatever is wrong with them."""
    from archspec.training.search.single_path import SinglePathSettings
    from archspec.training.search.single_path.plan import plan_search

    own = {
        "recipe": settings.recipe,
        "recipe_settings": settings.recipe_settings,
        "data": settings.data,
        "device": settings.device,
        "backend": settings.backend,
        **settings.single_path,
    }
    found = SinglePathSettings(**{name: value for name, value in own.items() if value is not None})
    found = plan_search(space, found, lambda note: None).settings
    paths = {
        name: str(Path(text).resolve())
        for name in ("data", "recipe", "runtime")
        for text in (getattr(found, name),)
        if Path(text).exists()
    }
    return asdict(replace(found, **paths))


def _baseline(settings: SearchSettings, space: Space, is_counting: bool, trials: int) -> int | None:
    """Networks to draw at random; None where that is known when the engine has found its own."""
    if settings.baseline is not None or settings.engine == LISTED:
        return settings.baseline
    if is_counting:
        return trials
    if settings.engine == "enumerate":
        size = assignments_of(space)
        return 0 if size is not None and size <= trials else trials
    return 0 if settings.engine == "random" else trials


def population_for(engine: str, trials: int) -> int:
    """What nsga2 and evolution take by themselves, as was best on spaces/single_path_nas for 200 to
    50,000 networks that are counted, and for 20 to 500 that are trained on spaces/digits100 and
    NAS-Bench-201: of evolution 20 with a tournament of 5, unless that is all it could draw."""
    if engine == "nsga2":
        return max(4, min(200, round(0.6 * trials**0.5)))
    return max(4, min(200, max(20, round(trials / 5)), trials // 2))


def _check(settings: SearchSettings) -> None:
    """Raises UsageError."""
    if settings.study is not None:
        check_study(settings.study)
        if not (settings.storage or os.environ.get(VARIABLE)):
            raise UsageError(
                f"--study {settings.study} is the name of a search in a database; use --storage URL"
                " with it"
            )
    if settings.engine not in ENGINES:
        raise UsageError(
            f"--engine {settings.engine}: use {listed(ENGINES)}"
            f"{did_you_mean(settings.engine, ENGINES)}"
        )
    for name, value, least in (
        ("trials", settings.trials, 1),
        ("baseline", settings.baseline, 0),
        ("population", settings.population, 2),
        ("seeds", settings.seeds, 1),
        ("seed", settings.seed, 0),
    ):
        if value is not None and not least <= value <= MAX_TRIALS:
            raise UsageError(f"--{name} {value}: must be {least} to {MAX_TRIALS:,}")
    objectives = read_objectives(settings.objectives)
    if counts(settings.engine, objectives):
        for name in ("baseline", "storage", "study"):
            if getattr(settings, name) is not None:
                raise UsageError(
                    f"--{name} is for networks that are trained; where they are only counted one"
                    " process does it, with a random search of as many beside it"
                )
    elif settings.engine == LISTED and settings.trials is not None:
        raise UsageError(
            f"--engine {LISTED} tries the networks that it finds; --search-seeds and --target or"
            " --lam say how many that are, instead of --trials"
        )
    if not any(objective.name == ACCURACY for objective in objectives):
        for name in ("recipe", "epochs", "data"):
            if getattr(settings, name) is not None and settings.engine != LISTED:
                raise UsageError(
                    f"--{name} is for networks that are trained; --objective max:accuracy trains"
                    " them"
                )


def _training(settings: SearchSettings, space: Space) -> tuple[str, dict[str, Any]]:
    """The recipe that networks are trained by, written, and what of it goes into run.json. Raises
    SpecError, UsageError."""
    if settings.recipe is None or settings.data is None:
        missing = "--recipe" if settings.recipe is None else "--data"
        raise UsageError(
            f"accuracy is that of networks which are trained; {missing} is missing for it"
            " (use --recipe NAME --data DIR)"
        )
    from archspec.training.backend import find_lone_backend
    from archspec.training.plan import plan_run
    from archspec.training.recipe_files import as_yaml, read_recipe

    texts = [*settings.recipe_settings]
    if settings.epochs is not None:
        texts.append(f"epochs={settings.epochs}")
    recipe = read_recipe(settings.recipe, texts)
    what = "a search that trains networks"
    backend = find_lone_backend(settings.backend, settings.device, what).name
    plan = plan_run(
        space.assign(space.first()), recipe, settings.data, device=settings.device, backend=backend
    )
    seeds = [recipe.seed + place for place in range(settings.seeds)]
    facts = {
        "recipe": recipe.name,
        "data": str(Path(settings.data).resolve()),
        "epochs": recipe.epochs,
        "seeds": seeds,
        "device": settings.device,
        "backend": plan.backend,
    }
    return as_yaml(recipe), facts

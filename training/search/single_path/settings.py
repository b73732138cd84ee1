"""What a single-path search is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.errors import UsageError


@dataclass(frozen=True)
class SinglePathSettings:
    """Plain values, as a command's options give them; what is not given here, the recipe says.

    A search is made for each seed and each `target`; without targets for each `lam`. `target` is a
    runtime in the unit of `runtime`: "macs"; "latency:DEVICE[:BATCH]", in milliseconds an image; or
    the path of a table of milliseconds (training.search.single_path.runtime).
    """

    data: str
    recipe: str = "tiny"
    recipe_settings: tuple[str, ...] = ()
    """Such as "optimizer.lr=0.1"."""
    epochs: int | None = None
    warmup_epochs: int | None = None
    """Epochs in which weights alone learn, by default 5 of 8 as in the paper."""
    batch: int | None = None
    seed: int | None = None
    seeds: int = 1
    """How many, from `seed` on."""
    lam: tuple[float, ...] = (1.0,)
    """Weight of the runtime's logarithm in the loss; with targets only the first counts."""
    target: tuple[float, ...] = ()
    runtime: str = "macs"
    lr_thresholds: float | None = None
    """How far a threshold moves in a step, in starting norms: the highest, which falls to 0 by half
    a cosine. By default such that all steps together come to 2."""
    temperature: float = 0.3
    """Of the gates' sigmoids, in the unit of the thresholds."""
    keep: float = 0.6
    """Share of the gates that are left open in a step of the warm-up."""
    held_out: float = 0.2
    """Share of the train images that thresholds learn from, and weights do not."""
    device: str = "CPU"
    backend: str | None = None

    @property
    def searches(self) -> int:
        """How many are made."""
        return self.seeds * len(self.target or self.lam)

    def __post_init__(self) -> None:
        """Raises UsageError for a value that cannot be."""
        for name, is_right, wanted in (
            ("epochs", self.epochs is None or self.epochs > 0, "1 or more"),
            ("warmup_epochs", (self.warmup_epochs or 0) >= 0, "0 or more"),
            ("batch", self.batch is None or self.batch > 0, "1 or more"),
            ("seed", (self.seed or 0) >= 0, "0 or more"),
            ("seeds", self.seeds > 0, "1 or more"),
            ("lam", bool(self.lam) and min(self.lam) > 0, "one number over 0 or several"),
            ("target", not self.target or min(self.target) > 0, "numbers over 0"),
            ("lr_thresholds", self.lr_thresholds is None or self.lr_thresholds > 0, "more than 0"),
            ("temperature", self.temperature > 0, "more than 0"),
            ("keep", 0 < self.keep <= 1, "over 0 and at most 1"),
            ("held_out", 0 < self.held_out < 1, "between 0 and 1"),
        ):
            if not is_right:
                value: Any = getattr(self, name)
                raise UsageError(f"{name} is {value}; use {wanted}")

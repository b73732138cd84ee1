"""report.md: what was trained, how, and how well it went, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.tables import Column, Table, as_markdown, markdown_text, shown_amount, shown_count
from archspec.training.curves import curves_png
from archspec.training.progress import clock
from archspec.training.run import BEST, CURVES, LAST, REPORT, SPEC, Run
from archspec.writing import command_line, write_whole

MAX_EPOCHS = 20
"""Rows of the table; of a long training every so many epochs."""


def write_report(run: Run) -> None:
    """Write report.md and curves.png from the run's metrics, whatever state it is in."""
    metrics = run.metrics()
    picture = curves_png(run.facts["name"], metrics)
    if picture is not None:
        write_whole(run.path / CURVES, picture, within=run.path)
    write_whole(run.path / REPORT, report(run, metrics), within=run.path)


def report(run: Run, metrics: Sequence[Mapping[str, Any]]) -> str:
    """The text of the report."""
    epochs = [line for line in metrics if line["kind"] == "epoch"]
    facts, recipe, graph = run.facts, run.recipe, run.networks[0]
    lines = [f"# {facts['name']} by the recipe {recipe.name}", ""]
    lines += [*_verdict(run, epochs), ""]
    if epochs:
        lines += [f"![loss, accuracy and learning rate over the epochs]({CURVES})", ""]
        lines += [as_markdown(_table(epochs)).rstrip(), ""]
    peers = [entry["name"] for entry in facts["networks"][1:]]
    rows = [
        ("network", f"{facts['name']}, {shown_count(graph.params)} parameters,"
                    f" {shown_amount(graph.macs)} MACs, fingerprint {graph.fingerprint[:12]}"),
        ("beside it", ", ".join(peers)),
        ("taught by", facts["teacher"]["name"] if facts["teacher"] else ""),
        ("weights at the start", facts["weights"] or f"{recipe.init.scheme}, drawn"),
        ("started anew", ", ".join(facts.get("reset", ()))),
        ("data", f"{facts['data']}: {facts['images']['train']:,} train and"
                 f" {facts['images']['val']:,} val images of {len(run.classes):,} classes"),
        ("recipe", f"{recipe.name}: {recipe.epochs} epochs, batch {recipe.batch},"
                   f" {recipe.optimizer.name}, lr {recipe.optimizer.lr:g},"
                   f" {recipe.schedule.name} schedule (all of it in recipe.yaml)"),
        ("seed", str(facts["seed"])),
        ("device", f"{facts['device']}, {facts['workers']} processes"
                   if facts["workers"] > 1 else facts["device"]),
        ("machine", facts["machine"]),
        ("versions", ", ".join(f"{name} {text}" for name, text in facts["versions"].items())),
        ("started", facts["started"]),
        ("command", f"`{command_line(*facts['command'])}`" if facts["command"] else ""),
    ]  # fmt: skip
    lines += ["| what | |", "|---|---|"]
    lines += [f"| {what} | {markdown_text(value)} |" for what, value in rows if value]
    if epochs:
        with_best = (run.path / SPEC, "--weights", run.path / BEST)
        lines += [
            "",
            "```",
            command_line("archspec", "eval", *with_best, "--data", facts["data"]),
            f"{command_line('archspec', 'predict', *with_best)} IMAGE...",
            "```",
            "",
            f"{BEST} are the weights of the best epoch, {LAST} those of the last that was saved.",
        ]
    return "\n".join(lines) + "\n"


def _verdict(run: Run, epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not epochs:
        return [f"No epoch is over yet. `{run.resume_command}` resumes it."]
    best = _find_best(epochs)
    last = epochs[-1]
    total = run.recipe.epochs
    words = (
        f"**Top-1 {best['top1']:.2%}**, top-5 {best['top5']:.2%} on the validation images after"
        f" epoch {best['epoch']}, the best of {last['epoch']};"
        f" {last['top1']:.2%} after the last. {clock(last['seconds'])} of training."
    )
    if not math.isfinite(best["val_loss"]):
        words = (
            f"**The validation loss of none of {last['epoch']} epochs is a finite number**, so none"
            f" is the best; use a smaller learning rate. {clock(last['seconds'])} of training."
        )
    left = total - last["epoch"]
    epochs_are = "epoch is" if left == 1 else "epochs are"
    if last.get("stopped_early"):
        words += f" It stopped early, {left} {'epoch' if left == 1 else 'epochs'} before its end."
    elif left > 0:
        words += f" {left} {epochs_are} left: `{run.resume_command}` resumes it."
    lost = sorted({*range(1, last["epoch"])} - {line["epoch"] for line in epochs})
    if lost:
        words += f" The lines of {len(lost)} epochs were lost (the first is epoch {lost[0]})."
    begun_for = run.facts.get("extended_from")
    if begun_for and begun_for[0] < total:
        words += f" The run was begun for {begun_for[0]} epochs and extended."
    if last.get("plain_top1", 0.0) > last["top1"]:
        words += (
            f" The weights are a moving average (EMA); without it the last ones reach"
            f" {last['plain_top1']:.2%}, so a smaller ema.decay may help."
        )
    return [words]


def _find_best(epochs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The last of the best epochs, of those whose validation loss is finite where there are any."""
    return max(epochs, key=lambda e: (math.isfinite(e["val_loss"]), e["top1"], e["epoch"]))


def _table(epochs: Sequence[Mapping[str, Any]]) -> Table:
    best = _find_best(epochs)
    every = -(-len(epochs) // MAX_EPOCHS)
    chosen = [
        line for line in epochs if line["epoch"] % every == 0 or line is best or line is epochs[-1]
    ]
    has_average = any("plain_top1" in line for line in epochs)
    columns = [
        Column("epoch", "epoch", is_number=True),
        Column("loss", "loss", "{:.4f}".format, True),
        Column("accuracy", "accuracy", "{:.2%}".format, True),
        Column("val_loss", "val loss", "{:.4f}".format, True),
        Column("top1", "top-1", "{:.2%}".format, True),
        *([Column("plain_top1", "without EMA", "{:.2%}".format, True)] if has_average else []),
        Column("top5", "top-5", "{:.2%}".format, True),
        Column("lr", "learning rate", "{:.3g}".format, True),
        Column("seconds", "time", clock, True),
    ]
    return Table(columns, chosen)

"""Small trainings: images that can be learned, a network with every kind of noise, the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SPEC: dict[str, Any] = {
    "archspec": 1,
    "name": "noisy",
    "doc": "Dropout, drop_path and batch norm on 12x12 pixels.",
    "input": {"shape": [3, 12, 12], "mean": [0.4, 0.4, 0.4], "std": [0.3, 0.3, 0.3]},
    "args": {"classes": 3},
    "body": [
        {"op": "ConvNormAct", "name": "stem", "kernel": 3, "channels": 8, "stride": 2},
        {"op": "MBConv", "name": "block", "channels": 8, "expand": 2, "drop_path": 0.3},
        {"op": "Classifier", "name": "classifier", "classes": "=classes", "dropout": 0.3},
    ],
}

PLAIN: dict[str, Any] = {
    "archspec": 1,
    "name": "plain",
    "doc": "No batch norm, so that it does not matter how a batch is shared out; dropout.",
    "input": {"shape": [3, 12, 12], "mean": [0.4, 0.4, 0.4], "std": [0.3, 0.3, 0.3]},
    "args": {"classes": 3},
    "body": [
        {"op": "conv", "name": "stem", "kernel": 3, "channels": 8, "stride": 2, "bias": True},
        {"op": "act", "name": "act", "function": "relu"},
        {"op": "Classifier", "name": "classifier", "classes": "=classes", "dropout": 0.3},
    ],
}

RECIPE = """\
recipe: 1
name: small
doc: A little of everything.
epochs: 3
batch: 8
data: {workers: 2}
augment:
  - random_resized_crop: {scale: [0.5, 1.0]}
  - horizontal_flip: 0.5
  - random_erasing: 0.3
mix: {mixup: 0.2, cutmix: 1.0, probability: 0.5}
loss: {smoothing: 0.1}
optimizer: {name: adamw, lr: 0.003, weight_decay: 0.05}
schedule: {name: cosine, warmup_epochs: 1}
ema: {decay: 0.9}
checkpoint: {every_epochs: 1, keep: 3}
"""


def write_images(
    folder: Path, classes: int = 3, train: int = 16, val: int = 6, side: int = 12, seed: int = 0
) -> Path:
    """FOLDER/{train,val}/CLASS/N.png: stripes whose direction and colour tell the class, with
    noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    for split, count in (("train", train), ("val", val)):
        for label in range(classes):
            home = folder / split / f"class{label}"
            home.mkdir(parents=True)
            angle = np.pi * label / classes
            wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 9 / side)
            hue = 0.6 + 0.4 * np.cos(2 * np.pi * (label / classes - np.arange(3) / 3))
            for number in range(count):
                pixels = (150 + 60 * wave[..., None]) * hue
                pixels = pixels + random.normal(0, 12, (side, side, 3))
                image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
                image.save(home / f"{number:03}.png")
    return folder


def write_inputs(folder: Path) -> None:
    """noisy.json, plain.json, small.yaml and data/ in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for spec in (SPEC, PLAIN):
        (folder / f"{spec['name']}.json").write_text(json.dumps(spec))
    (folder / "small.yaml").write_text(RECIPE)
    write_images(folder / "data")


def write_traps(folder: Path, *names: str) -> None:
    """Files and folders of a user's own that have the names of our packages and of others (a name
    without an ending is a package). Whoever imports one ends."""
    for name in ("training.py", "compiler.py", "deploy", *names):
        path = folder / name if name.endswith(".py") else folder / name / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'raise SystemExit("the user\'s own {name} was run")\n')


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The archspec command as a process of its own in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "archspec.cli", *arguments],
        cwd=folder,
        env={**os.environ, "GLOG_v": "3", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0, timeout: float = 300) -> str:
    """All that a process said; it must end with this code."""
    try:
        out, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{error}"
    return out + error


def command(folder: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    return finish(start(folder, *arguments, **environment), code)


def metrics(run: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's metrics, those of clocks and what follows from them left out."""
    try:
        lines = (run / "metrics.jsonl").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    clocks = ("seconds", "images_per_second", "crc32")
    return [
        {key: value for key, value in json.loads(line).items() if key not in clocks}
        for line in lines
    ]


def state(run: Path) -> dict[str, bytes]:
    """Every array of a run's last checkpoint, as bytes."""
    from archspec.compiler.weights.files import open_tensors

    with open_tensors(checkpoints(run)[-1]) as file:
        return {name: file.read(name).tobytes() for name in file.entries}


def checkpoints(run: Path) -> Sequence[Path]:
    return sorted((run / "checkpoints").glob("step-*.safetensors"))

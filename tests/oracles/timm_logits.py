"""Logits of timm's networks with drawn weights, for tests/data/timm_logits.json.

`python tests/oracles/timm_logits.py` with timm 1.0.31 writes them; tests draw the same weights and
need no timm. Of each of two images the first 50 logits are kept, and the largest of all 1000.
"""

import json
import lzma
from pathlib import Path

import timm
import torch

from oracles import published

SEED = 7
LOGITS = Path(__file__).parents[1] / "data" / "timm_logits.json"


def logits_of(name, size):
    """What is kept of a network's logits, and the names and shapes of its tensors."""
    model = timm.create_model(name).eval()
    kept = dict(model.state_dict())
    shapes = {key: tuple(tensor.shape) for key, tensor in kept.items()}
    for key, array in published.draw(shapes, SEED).items():
        if kept[key].is_floating_point():
            kept[key] = torch.from_numpy(array)
    model.load_state_dict(kept)
    with torch.no_grad():
        logits = model(torch.from_numpy(published.draw_images(SEED, size)))
    first = [[float(f"{value:.9g}") for value in row[:50]] for row in logits.tolist()]
    return {"largest": float(logits.abs().max()), "first": first}, list(shapes.items())


def main():
    names = json.loads(lzma.decompress(published.LISTS.read_bytes()))
    logits = {"seed": SEED, "timm": timm.__version__, "networks": {}}
    for name, size in published.TIMM.items():
        logits["networks"][name], names[f"timm/{name}"] = logits_of(name, size)
    published.LISTS.write_bytes(lzma.compress(json.dumps(names).encode(), preset=9))
    LOGITS.write_text(json.dumps(logits) + "\n")


if __name__ == "__main__":
    main()

"""Logits of MindCV's networks with drawn weights, for tests/data/mindcv_logits.json.

`python tests/oracles/mindcv_logits.py` with mindcv 0.3.0 writes them; tests draw the same weights
and need no MindCV. Of each of two images the first 50 logits are kept, and the largest of all 1000.
"""

import json
from pathlib import Path

import mindspore
from mindcv.models import create_model
from mindcv.models.vit import VisionTransformer

from oracles import published

SEED = 7
LOGITS = Path(__file__).parents[1] / "data" / "mindcv_logits.json"


def make(name):
    if name == "vit_tiny":  # which has no name of its own there
        return VisionTransformer(embed_dim=192, num_heads=3, num_classes=1000)
    return create_model(name)


def logits_of(name, size):
    """What is kept of a network's logits."""
    cell = make(name).set_train(False)
    shapes = {one.name: tuple(one.shape) for one in cell.get_parameters()}
    drawn = published.draw(shapes, SEED)
    for one in cell.get_parameters():
        if one.name in drawn:
            one.set_data(mindspore.Tensor(drawn[one.name]))
    logits = cell(mindspore.Tensor(published.draw_images(SEED, size))).asnumpy()
    first = [[float(f"{value:.9g}") for value in row[:50]] for row in logits.tolist()]
    return {"largest": float(abs(logits).max()), "first": first}


def main():
    mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
    networks = {name: logits_of(name, size) for name, size in published.MINDCV.items()}
    document = {"seed": SEED, "mindcv": "0.3.0", "networks": networks}
    LOGITS.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()

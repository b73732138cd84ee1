"""What a training is measured by and shows, and what it draws: no framework takes part."""

from __future__ import annotations

import math
import time

import pytest

np = pytest.importorskip("numpy")

from archspec.compiler.images.scores import cross_entropy, right  # noqa: E402 (needs numpy)
from archspec.training.curves import _beneath, curves_png, ticks  # noqa: E402
from archspec.training.evaluate import evaluate  # noqa: E402
from archspec.training.meter import Meter, Sums  # noqa: E402
from archspec.training.noise import draw_mask  # noqa: E402
from archspec.training.progress import Display, Pulse, clock  # noqa: E402


def test_masks_are_keyed_by_seed_step_and_place():
    shape = (64, 50)
    first = draw_mask(0.25, shape, 1, 7, "a")
    assert np.array_equal(first, draw_mask(0.25, shape, 1, 7, "a"))
    for other in ((2, 7, "a"), (1, 8, "a"), (1, 7, "b")):
        share = (first == draw_mask(0.25, shape, *other)).mean()
        assert share == pytest.approx(0.75**2 + 0.25**2, abs=0.03)
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.02)


def test_top_k_and_cross_entropy_are_those_of_their_definitions():
    random = np.random.default_rng(0)
    logits = random.normal(size=(40, 9)).round(1)  # with ties
    labels = random.integers(0, 9, 40)
    top1 = top5 = 0
    for row, label in zip(logits, labels, strict=True):
        order = sorted(range(9), key=lambda index: (-row[index], index))
        top1 += order[0] == label
        top5 += label in order[:5]
    assert right(logits, labels) == (top1, top5)
    wanted = [
        -math.log(math.exp(row[label]) / sum(map(math.exp, row)))
        for row, label in zip(logits, labels, strict=True)
    ]
    assert np.allclose(cross_entropy(logits, labels), wanted)
    logits[0] = np.nan
    assert right(logits[:1], labels[:1]) == (0, 0)


def test_a_smaller_last_batch_counts_as_it_is():
    class Network:
        seen: list[int] = []

        def logits(self, images):
            self.seen.append(len(images))
            return images[:, :, 0, 0]

    random = np.random.default_rng(1)
    images = random.standard_normal((11, 6, 1, 1), np.float32)
    labels = images[:, :, 0, 0].argmax(axis=1).astype(np.int32)
    labels[3] = (labels[3] + 1) % 6
    network = Network()
    batches = [(images[i : i + 4], labels[i : i + 4]) for i in (0, 4, 8)]
    scores = evaluate(network, batches, 4)
    assert (scores.images, scores.top1) == (11, 10 / 11)
    assert network.seen == [4, 4, 4]


def test_the_meter_leaves_out_losses_that_are_no_numbers():
    class Reader:
        def read(self, pending):
            return pending

    meter = Meter(Reader())
    logits = np.eye(3, dtype=np.float32)
    for loss in (1.0, math.nan, 3.0):
        meter.add((loss, logits), np.array([0, 1, 0]))
    assert meter.read() == (Sums(4.0, 6, 9, 2), 1)
    shared = np.array([[0.2, 0.8, 0], [0, 0.9, 0.1], [0, 0, 1]], np.float32)
    meter.add((1.0, logits), shared)
    assert meter.read() == (Sums(1.0, 2, 3, 1), -1)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 0.0011), (3, 3), (0, 0), (-2, 7), (0, 550), (0.2, 0.97)]
)
def test_ticks_are_round_and_cover(low, high):
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 8
    assert marks[0] <= low + 1e-9
    assert marks[-1] >= high - 1e-9
    step = marks[1] - marks[0]
    assert float(f"{step:.2g}") == pytest.approx(step)


def test_lines_leave_a_panel_where_they_pass_its_top():
    points = [(0.0, 4.0), (1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (4.0, 5.0), (5.0, 0.0)]
    assert _beneath(points, 3.0) == [
        [(0.5, 3.0), (1.0, 2.0), (2.0, 1.0), (2.5, 3.0)],
        [(4.4, 3.0), (5.0, 0.0)],
    ]


def test_there_are_no_curves_without_an_epoch():
    assert curves_png("x", []) is None
    line = {"kind": "epoch", "epoch": 1, "step": 3, "loss": 2.0, "accuracy": 0.5, "val_loss": 9.0,
            "top1": 0.1, "top5": 0.5, "lr": 0.1}  # fmt: skip
    assert curves_png("x", [line]).startswith(b"\x89PNG")


def test_a_display_of_lines_says_little(capsys, monkeypatch):
    with Display(12, 100, "lines") as display:
        display.pulse(Pulse(0, 5, 1.0, 0.5, 100.0, 60.0))
        display.epoch(0, "done")
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 31)
        display.pulse(Pulse(1, 7, 1.25, 0.5, 1234.5, 3723.0))
    assert capsys.readouterr().out.splitlines() == [
        "epoch  1/12  done",
        "epoch  2/12  step 7/100  loss 1.2500  accuracy 50.00%  1,234 images/s  ETA 1:02:03",
    ]
    assert clock(59.6) == "1:00"

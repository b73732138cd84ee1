"""What a network answered, class by class. The figures are counted here once more by plain loops
after their definitions, and held against scikit-learn's where that is installed."""

from __future__ import annotations

import csv
import io
import json

import pytest

np = pytest.importorskip("numpy")

from PIL import Image  # noqa: E402 (all need numpy)

from archspec.compiler.images.answer_report import (  # noqa: E402
    as_json,
    class_table,
    confusion_table,
    fits_terminal,
    write_report,
)
from archspec.compiler.images.answers import Answers, Collector, name_outputs  # noqa: E402
from archspec.compiler.images.confusion_picture import draw_confusion  # noqa: E402
from archspec.compiler.images.folder import scan_folder  # noqa: E402
from archspec.compiler.images.sheet import SIDE, Tile, draw_sheet  # noqa: E402


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    for label, name in enumerate(("ant", "bee", "cow")):
        (folder / name).mkdir()
        for number in range(11):
            color = (90 * label, 20 * number, 7)
            Image.new("RGB", (5 + number, 9), color).save(folder / name / f"{number:02}.png")
    return scan_folder(folder, learns=False)


def answers_of(images, seed=0, outputs=5):
    """Random logits that are right a little more often than not, of a network of more classes than
    there are images of; one image's are not numbers."""
    random = np.random.default_rng(seed)
    numbers = np.array([0, 2, 4])
    labels = numbers[images.labels]
    logits = random.normal(size=(len(labels), outputs)) * 2
    logits[np.arange(len(labels)), labels] += 1.5
    logits[7] = np.nan
    collector = Collector()
    for start in range(0, len(labels), 4):
        collector.add(logits[start : start + 4], labels[start : start + 4])
    names = name_outputs(None, images, numbers, outputs)
    return Answers(images, names, *collector.columns()), logits, labels


def test_figures_are_those_of_plain_loops(images):
    answers, logits, labels = answers_of(images)
    assert answers.names == ("ant", "1", "bee", "3", "cow")
    guesses = [max(range(5), key=row.__getitem__) for row in logits.tolist()]
    guesses[7] = -1
    assert answers.guesses.tolist() == guesses
    for one in answers.classes:
        own = [i for i, label in enumerate(labels) if label == one.number]
        said = [i for i, guess in enumerate(guesses) if guess == one.number]
        both = len({*own} & {*said})
        assert (one.images, one.guesses, one.right) == (len(own), len(said), both)
        assert one.recall == (both / len(own) if own else None)
        assert one.precision == (both / len(said) if said else None)
        p, r = both / len(said) if said else 0, both / len(own) if own else 0
        assert one.f1 == pytest.approx(2 * p * r / (p + r) if p + r else 0)
    for row, label in enumerate(answers.met):
        for column, guess in enumerate(answers.met):
            pairs = zip(labels.tolist(), guesses, strict=True)
            assert answers.confusion[row, column] == sum(pair == (label, guess) for pair in pairs)
    error, sure = 0.0, answers.confidences
    for k in range(15):
        inside = [i for i, p in enumerate(sure) if k / 15 < p <= (k + 1) / 15 or k == p == 0]
        if inside:
            right = sum(labels[i] == guesses[i] for i in inside)
            error += abs(right - sum(sure[i] for i in inside)) / len(sure)
    assert answers.calibration_error() == pytest.approx(error)
    wrong = [i for i, label in enumerate(labels) if guesses[i] != label]
    assert answers.mistakes(3) == sorted(wrong, key=lambda i: -sure[i])[:3]
    assert sorted(answers.mistakes(1000)) == wrong


def test_figures_are_scikit_learns(images):
    metrics = pytest.importorskip("sklearn.metrics")
    answers, _, labels = answers_of(images, seed=3)
    sure = answers.guesses >= 0
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, answers.guesses, labels=answers.met, zero_division=0
    )
    found = answers.classes
    assert [one.f1 for one in found] == pytest.approx(f1)
    assert [one.recall or 0 for one in found] == pytest.approx(recall)
    assert [one.precision or 0 for one in found] == pytest.approx(precision)
    assert [one.images for one in found] == support.tolist()
    theirs = metrics.confusion_matrix(labels[sure], answers.guesses[sure], labels=answers.met)
    assert answers.confusion.tolist() == theirs.tolist()


def test_confidence_is_the_softmax_of_any_logits(images):
    collector = Collector()
    collector.add(np.array([[1e4, 1e4 - np.log(3), -1e30], [0, np.inf, 0]]), np.array([0, 1]))
    labels, guesses, confidences = collector.columns()
    assert (labels.tolist(), guesses.tolist()) == ([0, 1], [0, -1])
    assert confidences == pytest.approx([0.75, 0])


def test_the_report_folder(images, tmp_path):
    answers, *_ = answers_of(images)
    write_report(answers, tmp_path / "report")
    rows = [*csv.reader((tmp_path / "report/confusion.csv").read_text().splitlines())]
    assert rows[0][1:] == [answers.name(number) for number in answers.met]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == answers.confusion.tolist()
    classes = [*csv.DictReader((tmp_path / "report/classes.csv").read_text().splitlines())]
    assert [float(row["f1"]) for row in classes] == [one.f1 for one in answers.classes]
    mistakes = (tmp_path / "report/mistakes.csv").read_text().splitlines()
    assert len(mistakes) - 1 == (answers.labels != answers.guesses).sum()
    assert json.loads((tmp_path / "report/summary.json").read_text())["macro_f1"] > 0
    sheet = Image.open(io.BytesIO((tmp_path / "report/mistakes.png").read_bytes()))
    assert sheet.width > 8 * SIDE
    # the surest mistake's own color in the midst of the first picture
    first = answers.mistakes(1)[0]
    color = Image.open(io.BytesIO(images.read(first))).getpixel((0, 0))
    assert color in {c for _, c in sheet.crop((0, 0, SIDE, 2 * SIDE)).getcolors(1 << 20)}


def test_tables_and_json(images):
    answers, *_ = answers_of(images)
    names = [answers.name(number) for number in answers.met]
    assert [row["class"] for row in class_table(answers).rows] == names
    assert fits_terminal(answers)
    assert len(confusion_table(answers).rows) == len(answers.met)
    said = json.loads(json.dumps(as_json(answers)))
    assert said["confusion"]["counts"] == answers.confusion.tolist()
    assert said["accuracy"] == pytest.approx((answers.labels == answers.guesses).mean())


@pytest.mark.parametrize("classes", [1, 30, 1200])
def test_a_confusion_of_any_size_is_drawn(classes):
    counts = np.eye(classes, dtype=np.int64) * 9
    counts[0, -1] = 3
    picture = Image.open(
        io.BytesIO(draw_confusion(counts, [f"class {i}" for i in range(classes)], "t"))
    )
    assert max(picture.size) < 1600
    assert picture.width >= min(classes * 30, classes)


def test_a_sheet_keeps_small_pictures_sharp():
    tile = Tile(Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)), ("a" * 100,))
    sheet = Image.open(io.BytesIO(draw_sheet([tile], 4)))
    inner = sheet.crop((8, 8, 8 + SIDE, 8 + SIDE)).convert("L")
    assert {color for _, color in inner.getcolors()} == {0, 255}

"""The studio's page in a real browser."""

import json

import pytest
import studios

SPEC = """\
{
  "archspec": 1,
  "name": "mine",
  "input": {"shape": [3, 32, 32]},
  "args": {
    "classes": {"type": "integer",
                "default": 10, "minimum": 2}},
  "body": [
    {"op": "ConvNormAct", "name": "stem",
     "kernel": 3, "channels": 16},
    {"op": "MBConv", "name": "block",
     "channels": 24, "stride": 2, "repeat": 2},
    {"op": "Classifier", "name": "head",
     "classes": "=classes"}
  ]
}
"""


@pytest.fixture(scope="module")
def browser():
    with studios.browsing() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("specs")


@pytest.fixture(scope="module")
def address(folder):
    with studios.serving(str(folder), folder=folder) as found:
        yield found


@pytest.fixture
def spec(folder):
    path = folder / "mine.json"
    path.write_text(SPEC)
    return path


@pytest.fixture
def page(browser, address, spec):
    with studios.showing(browser, f"{address}#edit/{spec.name}") as found:
        found.wait_for_selector(".stage svg")
        yield found


def replace(page, old, new):
    """Type a replacement for one word or number of the text, the first of its kind."""
    line = page.locator(".cm-line", has_text=old).first
    box = line.evaluate(
        """(line, old) => {
            const range = document.createRange();
            const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
            for (let node; (node = walker.nextNode()); ) {
              const at = node.data.indexOf(old);
              if (at < 0) continue;
              range.setStart(node, at);
              range.setEnd(node, at + old.length);
              const { right, top, height } = range.getBoundingClientRect();
              return { x: right, y: top + height / 2 };
            }
        }""",
        old,
    )
    page.mouse.click(box["x"], box["y"])
    for _ in old:
        page.keyboard.press("Backspace")
    page.keyboard.type(new)


def test_a_mistake_is_marked_and_numbers_follow(page, spec):
    assert page.locator(".verdict").inner_text() == "ok"
    before = page.locator(".numbers b").first.inner_text()
    replace(page, "16", "32")
    page.wait_for_selector(".numbers .more")
    assert page.locator(".numbers b").first.inner_text() != before
    page.keyboard.press("Control+s")
    page.wait_for_selector(".numbers .more", state="detached")
    assert '"channels": 32' in spec.read_text()
    replace(page, "Classifier", "Clasifier")
    page.wait_for_selector(".cm-lintRange-error")
    assert "did you mean 'Classifier'?" in page.locator(".problems").inner_text()
    assert page.locator(".stage.stale svg").count() == 1
    assert json.loads(spec.read_text())["name"] == "mine"

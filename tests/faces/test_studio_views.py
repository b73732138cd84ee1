"""What the studio shows beside one spec: imports, comparisons, runs; each view is accessible."""

import json
import re
import shutil

import pytest
import studios

import archspec
from archspec.cli import main
from archspec.diff import changes
from archspec.studio.opening import open_what

OLD = studios.ROOT / "tests" / "data" / "f0ec3b9"
"""Run folders that an earlier archspec wrote."""
SPEC = json.dumps(
    {
        "archspec": 1,
        "name": "mine",
        "input": {"shape": [3, 16, 16]},
        "body": [
            {"op": "conv", "name": "stem", "channels": 8, "kernel": 3},
            {"op": "act", "name": "act", "function": "relu"},
            {"op": "conv", "name": "last", "channels": 4, "kernel": 1},
        ],
    },
    indent=1,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("views")


@pytest.fixture
def page(browser, address, folder):
    (folder / "mine.json").write_text(SPEC)
    with studios.editing(browser, address, "mine.json") as found:
        yield found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a training that has just begun and a search that has ended."""
    home = tmp_path_factory.mktemp("runs")
    shutil.copytree(OLD / "run", home / "training", ignore=shutil.ignore_patterns("checkpoints"))
    command = [
        "search", "spaces/tiny", "--objective", "min:macs", "--objective", "max:params",
        "--engine", "nsga2", "--trials", "40", "--out", str(home / "search"),
    ]  # fmt: skip
    assert main(command) == 0
    return home


def drop(page, name, content):
    page.evaluate(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            const to = document.querySelector(".cm-content") ?? document.body;
            for (const kind of ["dragover", "drop"])
              to.dispatchEvent(
                new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        [name, list(content)],
    )


def test_an_onnx_that_is_dropped_is_imported(page, folder):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    numbers = [0.01 * (index % 17 - 8) for index in range(5 * 3 * 3 * 3)]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4),
             helper.make_node("Relu", ["y"], ["z"])],
            "theirs",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 9, 11])],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 5, 9, 11])],
            [helper.make_tensor("w", TensorProto.FLOAT, [5, 3, 3, 3], numbers)],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )  # fmt: skip
    onnx.checker.check_model(model)
    text = page.locator(".cm-line").all_text_contents()
    drop(page, "theirs.txt", b"no model")
    page.wait_for_selector("text=is not an ONNX file")
    drop(page, "theirs.onnx", b"no model either")
    page.locator("dialog button.main").click()
    page.wait_for_selector("dialog .problem >> text=theirs.onnx: not an ONNX model")
    page.keyboard.press("Escape")
    drop(page, "theirs.onnx", model.SerializeToString())
    for name, words in (("../out", "leads out of the folder"), ("mine", "exists already")):
        page.locator("dialog input[name=name]").fill(name)
        page.locator("dialog button.main").click()
        page.wait_for_selector(f"dialog .problem >> text={words}")
    page.locator("dialog input[name=name]").fill("sub/theirs")
    page.locator("dialog input[name=weights]").check()
    page.locator("dialog button.main").click()
    page.wait_for_selector("dialog .said >> text=onnxruntime and numpy agree")
    assert page.locator(".cm-line").all_text_contents() == text
    page.locator("dialog button.main").click()
    page.wait_for_selector(".file >> text=sub/theirs.json")
    page.wait_for_selector(".verdict.good")
    graph = archspec.load(folder / "sub" / "theirs.json")
    assert (graph.params, graph.input_shape) == (135, (3, 9, 11))
    assert (folder / "sub" / "theirs.safetensors").exists()


def test_a_comparison_says_what_diff_says(page, folder):
    old = archspec.loads(SPEC)
    edited = json.loads(SPEC)
    edited["body"][0]["channels"] = 16
    edited["body"].insert(1, {"op": "conv", "name": "added", "channels": 16, "kernel": 5})
    (folder / "other.json").write_text(json.dumps(edited, indent=1))
    page.locator("button", has_text="compare…").click()
    page.locator("dialog select").select_option("other.json")
    page.wait_for_selector(".pair figcaption >> text=before: mine")
    new = archspec.loads(json.dumps(edited))
    expected = [str(change) for change in changes(new, old)]
    page.wait_for_selector(f".changes >> text={expected[0]}")
    assert page.locator(".changes button").all_inner_texts() == expected
    left, right = page.locator(".pair .stage").all()
    marked = "all => all.map(one => [one.dataset.node, one.classList[1]])"
    assert ["added", "d-removed"] in left.locator("rect.row").evaluate_all(marked)
    assert ["stem", "d-changed"] in right.locator("rect.row").evaluate_all(marked)
    assert "added" not in right.inner_text()
    page.locator(".changes button", has_text="stem").click()
    framed = page.locator(".pair rect.chosen").evaluate_all(
        "all => all.map(one => one.dataset.node)"
    )
    assert framed == ["stem", "stem"]
    page.locator("dialog select").select_option("shipped:resnet50")
    page.wait_for_selector(".pair figcaption >> text=before: resnet50")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" ")
    page.locator("button", has_text="compare…").click()
    page.wait_for_selector(".total >> text=are one architecture")


def test_it_opens_at_a_line(browser, address, folder, monkeypatch):
    (folder / "mine.json").write_text(SPEC)
    monkeypatch.chdir(folder)
    assert open_what("mine.json:12:3").fragment == "#edit/mine.json:12"
    assert open_what("resnet50:7").fragment == "#edit/shipped%3Aresnet50:7"
    with studios.showing(browser, f"{address}#edit/mine.json:14") as page:
        page.wait_for_selector(".cm-lineNumbers .cm-activeLineGutter >> text=14")
        page.keyboard.press("Control+End")  # the text has the keys
        assert page.locator(".cm-activeLine").inner_text() == "}"
    (folder / "odd.json:3").mkdir()  # a name that is there means itself
    assert open_what("odd.json:3").root.name == "odd.json:3"


def test_a_training_is_shown_as_it_grows(browser, runs, axe):
    metrics = runs / "training" / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if json.loads(line)["kind"] == "epoch")
    metrics.write_text("".join(lines[:2]))
    with (
        studios.serving("training", folder=runs) as address,
        studios.showing(browser, address) as page,
    ):
        page.wait_for_selector(".chart >> nth=2")
        page.wait_for_selector("text=nothing yet")
        drawn = page.locator(".chart path.curve").first.get_attribute("d")
        metrics.write_text("".join(lines[: last + 1]))
        top1 = json.loads(lines[last])["top1"]
        page.wait_for_selector(f".log li >> text=top-1 {top1:.2%}")
        assert page.locator(".chart path.curve").first.get_attribute("d") != drawn
        assert complaints_in_both(page, axe) == []
        metrics.rename(metrics.with_suffix(".away"))
        metrics.symlink_to("/etc/passwd")
        page.wait_for_selector(".problem >> text=metrics.jsonl is a link")
        assert "root:" not in page.content()
        metrics.unlink()
        metrics.with_suffix(".away").rename(metrics)
        page.locator("text=open its spec").click()
        page.wait_for_selector(".file >> text=spec.json")
        page.locator("text=back to the run").click()
        page.wait_for_selector(".log li")


def test_a_searchs_networks_are_shown_and_opened(browser, runs, axe):
    rows = (runs / "search" / "pareto.csv").read_text().splitlines()[1:]
    with (
        studios.serving(str(runs), folder=runs) as address,
        studios.showing(browser, address, color_scheme="dark") as page,
    ):
        page.wait_for_selector(".card.run >> text=trained by")
        page.locator(".card.run", has_text="searched by nsga2").click()
        page.wait_for_selector(".dot.front")
        assert page.locator(".dot.front").count() >= len(rows)
        assert page.locator(".dot.random").count() == 40
        first = page.locator(".dot.front").first
        first.hover()
        page.wait_for_selector(".small-picture")
        identity = page.locator("section[aria-label='the network'] h2").inner_text()
        (row,) = (row for row in rows if row.startswith(identity))
        assert page.locator("section[aria-label='the network'] p").inner_text()
        assert complaints_in_both(page, axe) == []
        first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f".file >> text=search/archs/{identity}.json")
        page.wait_for_selector(".stage svg")
        params = page.locator(".numbers b").first.inner_text().replace(",", "")
        assert params in row.split(",")
        page.locator("text=back to the run").click()
        page.wait_for_selector(".dot.front")
        page.evaluate("location.hash = '#run/..'")
        page.wait_for_selector(".problem >> text=leads out of the folder")


@pytest.fixture(scope="module")
def axe():
    """axe-core's source, of the page's own packages."""
    return (studios.install_packages() / "node_modules" / "axe-core" / "axe.min.js").read_text()


def complaints(page, axe):
    """What axe-core finds on a page, each with the first element that it is about."""
    page.wait_for_timeout(250)
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(axe)
    found = page.evaluate("axe.run().then(found => found.violations)")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def complaints_in_both(page, axe):
    """The same, light and dark; the page ends in the mode that it had."""
    found = complaints(page, axe)
    mode = page.locator("html").get_attribute("data-theme")
    for _ in range(2):
        page.locator("header button", has_text=re.compile("^(light|dark)$")).click()
        found += complaints(page, axe)
    assert page.locator("html").get_attribute("data-theme") == mode
    return found


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_view_is_accessible(browser, address, folder, axe, mode):
    (folder / "mine.json").write_text(SPEC)
    with studios.showing(browser, address, color_scheme=mode) as page:
        page.wait_for_selector(".card >> text=mine.json")
        found = {"gallery": complaints(page, axe)}
        page.locator("button", has_text="new").click()
        found["new"] = complaints(page, axe)
        page.keyboard.press("Escape")
        page.locator(".card", has_text="mine.json").click()
        page.wait_for_selector(".stage svg")
        page.wait_for_selector(".table tbody tr")
        found["edit"] = complaints(page, axe)
        for button in ("save as", "compare…", "write…", "outline"):
            page.locator("button", has_text=button).click()
            page.wait_for_timeout(400)
            found[button] = complaints(page, axe)
            page.keyboard.press("Escape")
        page.locator(".cm-content").click()
        page.keyboard.press("Control+End")
        page.keyboard.type("x")
        page.wait_for_selector(".verdict.bad")
        found["broken"] = complaints(page, axe)
        page.goto(f"{address}#edit/shipped:spaces%2Ftiny")
        page.wait_for_selector(".stage svg")
        found["space"] = complaints(page, axe)
        drop(page, "a.onnx", b"no")
        found["import"] = complaints(page, axe)
    assert {view: told for view, told in found.items() if told} == {}


def test_keys_alone_do(browser, address, folder):
    (folder / "mine.json").write_text(SPEC)

    def tab_to(page, found):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({found!r})"):
                return
        raise AssertionError(f"Tab does not come to {found}")

    with studios.showing(browser, address) as page:
        page.get_by_label("find a network").fill("mine.json")
        page.wait_for_selector(".card >> text=mine.json")
        page.wait_for_selector(".card >> text=tiny/isynet", state="detached")
        page.get_by_label("find a network").focus()
        tab_to(page, ".card")
        page.keyboard.press("Enter")
        page.wait_for_selector(".stage svg")
        tab_to(page, ".cm-content")
        page.keyboard.press("Control+End")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        tab_to(page, ".stage")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        page.wait_for_selector(".stage .chosen")
        tab_to(page, ".table tbody button")
        page.keyboard.press("Control+s")
        page.wait_for_selector("text=saved mine.json")
        assert (folder / "mine.json").read_text() == f"{SPEC}\n"
        page.locator("header button", has_text="compare…").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog .total >> text=parameters")
        tab_to(page, ".changes button")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")

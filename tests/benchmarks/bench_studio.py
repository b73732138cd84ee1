"""How long the studio takes from a keystroke to new marks, numbers and picture, in the browser.

    PYTHONPATH=.:tests/faces python tests/benchmarks/bench_studio.py [NETWORK ...]

Times are of this machine with whatever else runs on it: read them beside the load that is printed.
"""

import gzip
import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "faces")]
import studios  # noqa: E402

from archspec.sources import spec_path  # noqa: E402
from archspec.writing import written_json  # noqa: E402

NETWORKS = ("resnet50", "hrnet_w18", "densenet121", "resnext152_64x4d")
EDITS = 50
"""Each another number, so that no text is met twice."""
PAUSE = 150
"""Milliseconds between two of them, as of somebody who types."""
PROCESSES = ((b"chromium", b"--type=renderer"), (b"archspec.studio.desk",))
LISTEN = """
window.long = [];
new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask" });
window.wait = () => new Promise((resolve) => {
  const shown = {};
  const listen = (event) => {
    shown[event.detail.part] = event.detail.ms;
    if (!("marks" in shown && "figures" in shown && "picture" in shown)) return;
    document.removeEventListener("archspec:shown", listen);
    resolve(Math.max(shown.marks, shown.figures, shown.picture));
  };
  document.addEventListener("archspec:shown", listen);
});
"""


def write_copy(name, folder):
    """A copy of a shipped network whose number of classes may be edited."""
    spec = json.loads(spec_path(name).read_text())
    spec.pop("expect", None)
    spec.pop("source", None)
    for key, path in spec.get("import", {}).items():
        spec["import"][key] = path.removesuffix(".json")
    spec["args"] = {"classes": 1000, **{k: v for k, v in spec["args"].items() if k != "classes"}}
    (folder / f"{name}.json").write_text(written_json(spec))


def main():
    names = sys.argv[1:] or NETWORKS
    size = len(gzip.compress((studios.ROOT / "archspec/studio/static/studio.js").read_bytes()))
    print(f"bundle {size / 1000:.0f} KB gzipped; load {os.getloadavg()[0]:.1f} on {os.cpu_count()}")
    with tempfile.TemporaryDirectory() as folder, studios.browsing() as browser:
        for name in names:
            write_copy(name, Path(folder))
            measure(browser, Path(folder), name)


def measure(browser, folder, name):
    began = time.perf_counter()
    with studios.serving(f"{name}.json", folder=folder) as address:
        context = browser.new_context(viewport=studios.SIZE)
        page = context.new_page()
        page.add_init_script(LISTEN)
        page.goto(address)
        page.wait_for_selector(".cm-content")
        page.wait_for_selector(".cm-line")
        cold = time.perf_counter() - began
        page.wait_for_selector(".stage svg")
        number = page.locator(".cm-line span", has_text=re.compile("^1000$")).first.bounding_box()
        page.mouse.click(number["x"] + number["width"] - 1, number["y"] + number["height"] / 2)
        page.wait_for_timeout(1500)
        page.evaluate("window.long.length = 0")
        before = [worked(*words) for words in PROCESSES]
        slowest = []
        for edit in range(EDITS):
            for _ in "1000":
                page.keyboard.press("Shift+ArrowLeft")
            page.wait_for_timeout(PAUSE)  # what is chosen is framed by then
            page.evaluate("window.waiting = window.wait(), 0")
            page.keyboard.insert_text(str(1001 + edit))
            slowest.append(page.evaluate("window.waiting"))
            page.wait_for_timeout(PAUSE)
        after = [worked(*words) for words in PROCESSES]
        of_page, of_desk = ((b - a) / EDITS * 1000 for a, b in zip(before, after, strict=True))
        long = page.evaluate("window.long")
        context.close()
    tail = statistics.quantiles(slowest, n=20)[-1]
    print(
        f"{name}: median {statistics.median(slowest):.0f} ms, p95 {tail:.0f} ms of {EDITS} edits;"
        f" long tasks {len(long)}{f', of at most {max(long):.0f} ms' if long else ''};"
        f" CPU an edit {of_page:.0f} ms in the page, {of_desk:.0f} ms in the desk, times included;"
        f" from the command to the text {cold:.1f} s; load {os.getloadavg()[0]:.1f}"
    )


def worked(*words):
    """Seconds that processes of this one with these words in their command have had of the CPU."""
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            numbers = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        parents[int(folder.name)] = int(numbers[1])
        if all(word in command for word in words):
            ticks[int(folder.name)] = int(numbers[11]) + int(numbers[12])

    def is_ours(process):
        while process and process != os.getpid():
            process = parents.get(process, 0)
        return bool(process)

    total = sum(count for process, count in ticks.items() if is_ours(process))
    return total / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

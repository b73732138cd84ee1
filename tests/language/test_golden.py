"""What shipped specs expand to does not change by accident: weights are named by these nodes.

`python tests/language/test_golden.py` writes the goldens; look at the difference before committing.
"""

import hashlib
import json
from pathlib import Path

import pytest

import archspec
from archspec.sources import shipped_names
from archspec.writing import written_json

GOLDEN = Path(__file__).parents[1] / "golden"
NORMAL_FORMS = ("isynet_n1", "tiny/spnas", "tiny/cspdarknet")


def network(name):
    space = archspec.Space(name)
    return space.assign(space.first()) if space.program.has_choice else archspec.load(name)


def summary(name):
    graph = network(name)
    stats = graph.stats()
    return {
        "nodes": len(graph.nodes),
        "params": stats.params,
        "buffers": stats.buffers,
        "macs": stats.macs,
        "elementwise": stats.elementwise,
        "activation_bytes": stats.activation_bytes,
        "peak_activation_bytes": stats.peak_activation_bytes,
        "receptive_fields": hashlib.sha256(
            repr([row.receptive_field for row in stats.layers]).encode()
        ).hexdigest()[:16],
        "names": hashlib.sha256("\n".join(graph.nodes).encode()).hexdigest()[:16],
        "fingerprint": graph.fingerprint,
    }


def summaries():
    return json.loads((GOLDEN / "summaries.json").read_text())


@pytest.mark.parametrize("name", shipped_names())
def test_summary(name):
    assert summary(name) == summaries().get(name)


def test_no_golden_without_its_spec():
    assert set(summaries()) == set(shipped_names())


def normal_form_path(name):
    return GOLDEN / f"{name.replace('/', '_')}.json"


@pytest.mark.parametrize("name", NORMAL_FORMS)
def test_normal_form(name):
    assert network(name).normal_form() == json.loads(normal_form_path(name).read_text())


@pytest.mark.parametrize("name", shipped_names())
def test_normal_form_expands_to_itself(name, tmp_path):
    graph = network(name)
    path = tmp_path / "normal.json"
    path.write_text(json.dumps(graph.normal_form()))
    again = archspec.load(path)
    assert again.normal_form() == graph.normal_form()
    assert again.fingerprint == graph.fingerprint
    assert again.stats() == graph.stats()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    goldens = {name: summary(name) for name in shipped_names()}
    (GOLDEN / "summaries.json").write_text(written_json(goldens) + "\n")
    for shipped in NORMAL_FORMS:
        normal_form_path(shipped).write_text(written_json(network(shipped).normal_form()) + "\n")

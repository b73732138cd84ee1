"""What the commands do, from Python: one function each, imported on use, so that `import archspec`
loads neither numpy nor a framework.

    archspec.train       archspec.training.train        `archspec train`
    archspec.evaluate    evaluating                     `archspec eval`, `archspec infer`
    archspec.predict     predicting                     `archspec predict`
    archspec.export      exporting                      `archspec export`
    archspec.quantize    quantizing                     `archspec quantize`
    archspec.search      archspec.training.search       `archspec search`

The commands are faces of these: they read options, call, and tell. docs/api.md shows each.
"""

from __future__ import annotations

from collections.abc import Mapping

FUNCTIONS: Mapping[str, str] = {
    "build": "archspec.compiler",
    "train": "archspec.training",
    "evaluate": "archspec.api.evaluating",
    "predict": "archspec.api.predicting",
    "export": "archspec.api.exporting",
    "quantize": "archspec.api.quantizing",
    "search": "archspec.training.search",
}
"""Names of archspec's that are imported when they are asked for, and where from."""

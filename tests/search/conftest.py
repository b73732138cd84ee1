"""An empty folder to search in, with objectives of the user's own beside it."""

import sys

import pytest
from oracles import searches


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.py").write_text(searches.MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("table", None)

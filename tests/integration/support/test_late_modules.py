"""A package that takes seconds to import is imported by the test that uses it, and not by who collects it."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from tests.support.late_modules import LateModule

NAME = "slow_to_import"


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LateModule:
    (tmp_path / f"{NAME}.py").write_text(
        "import warnings\nwarnings.warn('of old age')\nvalue = 1\n_own = 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    return LateModule(NAME)


def test_whoever_looks_for_fixtures_imports_nothing(late: LateModule) -> None:
    assert inspect.unwrap(late) is late  # type: ignore[arg-type]  # as pytest asks each name of a file
    assert getattr(late, "_mock_name", None) is None
    assert NAME not in sys.modules


def test_whoever_uses_it_has_the_module_and_not_its_warnings(late: LateModule) -> None:
    assert (late.value, late._own) == (1, 2)

    late.value = 2

    assert sys.modules[NAME].value == 2

"""What a bug report begins with."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from auditstream.cli.main import run


def test_the_version_is_that_of_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"auditstream {version('auditstream')}\n"

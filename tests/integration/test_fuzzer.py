"""The fuzzer runs, so that `make fuzz` is there when it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'verify'}"}

pytest.importorskip("atheris", reason="the fuzzer has no build for this Python and system")


def test_a_target_is_fuzzed_for_the_time_that_is_given(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "frontier", "--seconds", "1", "--folder", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "frontier: held" in done.stdout
    assert " 0 runs" not in done.stdout
    assert list((tmp_path / "frontier").iterdir())


def test_a_name_of_no_target_is_refused() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "nothing"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT)

    assert done.returncode == 2
    assert "no target 'nothing': there are apart_note, " in done.stderr

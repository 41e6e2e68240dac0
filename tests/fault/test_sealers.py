"""Sealers as processes on a real disk: killed at every file operation in turn, and several at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.timeout(400)]


def run(*arguments: object) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.support.sealer_processes", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_sealer_killed_at_any_operation_leaves_a_whole_log_and_the_next_goes_on(tmp_path: Path) -> None:
    seen = run("kill", tmp_path, 200, 530)

    assert seen["operations"] > 100


def test_sealers_at_once_publish_one_line_of_checkpoints(tmp_path: Path) -> None:
    seen = run("race", tmp_path / "race", 3, 100)

    assert seen["published"] >= 3
    assert seen["published"] + seen["lost"] <= 300
    assert seen["lost"] > 0

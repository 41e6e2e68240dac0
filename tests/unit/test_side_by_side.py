"""Two commands at once: everything that they write is seen, and a failure of either counts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.side_by_side import run_beside


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(("waiting", "computing", "expected"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 2, 2)])
def test_a_failure_of_either_is_the_outcome(waiting: int, computing: int, expected: int) -> None:
    assert (
        run_beside(python(f"raise SystemExit({waiting})"), python(f"raise SystemExit({computing})"))
        == expected
    )


def test_what_both_write_is_passed_on_one_after_the_other() -> None:
    script = (
        "import sys; from tests.side_by_side import run_beside; "
        "lines = 'for n in range(3): print(n)'; "
        "run_beside([sys.executable, '-c', lines], [sys.executable, '-c', 'print(9)'])"
    )
    done = subprocess.run(python(script), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9", "0", "1", "2"]

"""The suite's own rules: loopback only, no socket in unit tests, no error swallowed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]

OPENS_A_SOCKET = "import socket\ndef test_it(): socket.socket()\n"
RUNS_A_LOOP = "import asyncio\nasync def test_it(): await asyncio.sleep(0)\n"
DROPS_A_TASK = """
import asyncio, gc

async def fail():
    raise ValueError("nobody awaits me")

async def test_it():
    task = asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0)
    del task
    gc.collect()
    await asyncio.sleep(0)
"""
DROPS_A_THREAD = """
import threading

def fail():
    raise ValueError("nobody joins me")

def test_it():
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
"""


def test_only_loopback_can_be_reached():
    # The guard warns first, and warnings are errors here.
    with (
        socket.socket() as outside,
        pytest.raises((SocketConnectBlockedError, UserWarning), match=r"192\.0\.2\.1"),
    ):
        outside.connect(("192.0.2.1", 80))  # an address that is reserved for examples


def test_unit_tests_may_run_event_loops_and_open_no_socket(pytester, monkeypatch):
    _take_suite(pytester, monkeypatch)
    unit = pytester.mkdir("unit")
    (unit / "conftest.py").write_text((ROOT / "tests" / "unit" / "conftest.py").read_text())
    (unit / "test_socket.py").write_text(OPENS_A_SOCKET)
    (unit / "test_loop.py").write_text(RUNS_A_LOOP)

    pytester.runpytest_subprocess(".", timeout=60).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("case", [DROPS_A_TASK, DROPS_A_THREAD], ids=["task", "thread"])
def test_an_exception_that_was_dropped_fails_the_test_that_dropped_it(pytester, monkeypatch, case):
    _take_suite(pytester, monkeypatch)
    pytester.makepyfile(test_case=case)

    outcomes = pytester.runpytest_subprocess(".", timeout=60).parseoutcomes()

    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1


def _take_suite(pytester, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    (pytester.path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())

"""What is forked is as a program of its own: streams, environment, session, end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fork_server import ForkServer
from tests.support.processes import Child, Children, wait_until

BOUND_S = 30.0
PROGRAM = "tests.support.short_program"
START_ONE = f"""
import pathlib, signal
from tests.support.fork_server import ForkServer
server = ForkServer()
forked = server.start({PROGRAM!r}, env={{"WORD": "w", "END": "wait"}}, log=pathlib.Path({os.devnull!r}))
print(forked.pid, flush=True)
signal.pause()
"""
# A server that answers each order with the same process id; the first process has been killed.
SAME_PID = """
import sys
for number, _ in enumerate(sys.stdin, start=1):
    print('{"number": %d, "pid": 4711}' % number, flush=True)
    if number == 1:
        print('{"number": 1, "code": -9}', flush=True)
"""


@pytest.fixture
def children(tmp_path: Path, fork_server: ForkServer) -> Iterator[Children]:
    with Children(tmp_path, fork_server) as started:
        yield started


def fork(children: Children, end: str, word: str = "hello") -> Child:
    child = children.fork("program", PROGRAM, {"WORD": word, "END": end})
    child.wait_for_line(f"word {word}", within_s=BOUND_S)
    return child


def test_it_has_its_own_environment_session_and_log_and_this_process_s_folder(children: Children) -> None:
    child = fork(children, "wait")

    said = child.wait_for_line(r"word hello (\d+) (\d+) (\S+)", within_s=BOUND_S).groups()
    assert said == (str(child.pid), str(child.pid), str(Path.cwd()))
    assert child.is_running
    assert "WORD" not in os.environ


@pytest.mark.parametrize(("end", "code"), [("0", 0), ("7", 7), ("raise", 1)])
def test_its_end_is_told_as_of_any_program(children: Children, end: str, code: int) -> None:
    child = children.fork("program", PROGRAM, {"WORD": "w", "END": end})

    assert child.wait(within_s=BOUND_S) == code
    assert ("ValueError: told to" in child.tail()) == (end == "raise")
    assert child.kill() == code


def test_one_that_is_killed_has_the_signal_as_its_code(children: Children) -> None:
    first, second = fork(children, "wait"), fork(children, "wait", "again")

    assert first.kill() == -signal.SIGKILL
    second.terminate()
    assert second.wait(within_s=BOUND_S) == -signal.SIGTERM


def test_a_process_id_that_comes_again_has_nothing_of_the_process_before(tmp_path: Path) -> None:
    with ForkServer((sys.executable, "-c", SAME_PID)) as server:
        first = server.start(PROGRAM, env={}, log=tmp_path / "log")
        assert first.wait(BOUND_S) == -signal.SIGKILL

        second = server.start(PROGRAM, env={}, log=tmp_path / "log")

        assert (first.pid, second.pid) == (4711, 4711)
        assert second.poll() is None
        assert first.poll() == -signal.SIGKILL


def test_a_frozen_one_runs_and_can_be_killed(children: Children) -> None:
    child = fork(children, "wait")
    child.freeze()

    assert child.is_running
    with pytest.raises(TimeoutError):
        child.wait(within_s=0.01)
    assert child.kill() == -signal.SIGKILL


def test_the_server_and_what_it_started_end_with_who_started_the_server() -> None:
    with subprocess.Popen([sys.executable, "-c", START_ONE], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        forked = Path("/proc", starter.stdout.readline().decode().strip())
        assert forked.exists()
        starter.kill()

    wait_until(lambda: not forked.exists(), within_s=BOUND_S, what="the forked process is gone")

"""Children freeze, resume, die and are reaped as the fault tests assume."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Children, wait_until

BOUND_S = 10.0
COUNT = """
import os, time
number = 0
while True:
    number += 1
    print("tick", number, os.environ["WORD"], flush=True)
    time.sleep(0.01)
"""
IGNORE_TERM = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
EXIT_7_ON_TERM = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""
START_A_CHILD = f"""
import pathlib, signal, sys
from tests.support.processes import Children
log = pathlib.Path(sys.argv[1])
child = Children(log.parent).start(log.stem, [sys.executable, "-c", {IGNORE_TERM!r}])
child.wait_for_line("ready", within_s=10)
print(child.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    with Children(tmp_path) as started:
        yield started


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_line_of_the_log_is_waited_for_and_shows_the_environment(children: Children) -> None:
    child = children.start("counter", python(COUNT), {"WORD": "hello"})
    assert child.wait_for_line(r"tick (\d+) (\w+)", times=3, within_s=BOUND_S).groups() == ("3", "hello")


def test_a_frozen_child_prints_nothing_until_it_is_resumed(children: Children) -> None:
    child = children.start("counter", python(COUNT), {"WORD": "w"})
    child.wait_for_line("tick 1", within_s=BOUND_S)
    child.freeze()
    count = len(child.lines())
    with pytest.raises(TimeoutError):
        child.wait_for_line("tick", times=count + 1, within_s=0.2)
    assert child.is_running
    child.resume()
    child.wait_for_line("tick", times=count + 1, within_s=BOUND_S)


def test_a_frozen_child_can_be_killed(children: Children) -> None:
    child = children.start("counter", python(COUNT), {"WORD": "w"})
    child.wait_for_line("tick", within_s=BOUND_S)
    child.freeze()
    assert child.kill() == -signal.SIGKILL


def test_termination_gives_the_childs_own_exit_code(children: Children) -> None:
    child = children.start("polite", python(EXIT_7_ON_TERM))
    child.wait_for_line("ready", within_s=BOUND_S)
    child.terminate()
    assert child.wait(BOUND_S) == 7


def test_a_child_that_does_not_end_in_time_is_reported_with_its_last_lines(children: Children) -> None:
    child = children.start("stubborn", python(IGNORE_TERM))
    child.wait_for_line("ready", within_s=BOUND_S)
    child.terminate()
    with pytest.raises(TimeoutError, match="ready"):
        child.wait(0.1)


def test_waiting_ends_early_when_the_child_has_died(children: Children) -> None:
    child = children.start("brief", python("print('last words'); raise SystemExit(3)"))
    with pytest.raises(ChildProcessError, match=r"(?s)ended with 3.*last words"):
        child.wait_for_line("never printed", within_s=BOUND_S)


def test_a_name_that_is_used_again_keeps_the_log_and_reads_only_its_own_part(children: Children) -> None:
    children.start("worker", python("print('first')")).wait(BOUND_S)
    second = children.start("worker", python("print('second')"))
    second.wait(BOUND_S)
    assert second.lines() == ["second"]
    assert second.log.read_text().splitlines() == ["first", "second"]


def test_no_child_outlives_the_block(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        running = children.start("stubborn", python(IGNORE_TERM))
        running.wait_for_line("ready", within_s=BOUND_S)
        frozen = children.start("frozen", python(IGNORE_TERM))
        frozen.wait_for_line("ready", within_s=BOUND_S)
        frozen.freeze()
    assert not running.is_running
    assert not frozen.is_running


def test_a_child_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    command = [*python(START_A_CHILD), str(tmp_path / "child.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not _runs(orphan), within_s=BOUND_S, what="the orphan is gone")


def _runs(pid: int) -> bool:
    """Whether a process exists that is not just waiting to be reaped."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

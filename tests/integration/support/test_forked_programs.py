"""A forked program is as one of its own: streams, arguments, folder, environment, end."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import COMMAND
from tests.support.forked_programs import ForkedPrograms

BOUND_S = 60.0


@pytest.fixture(scope="module")
def program(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that says what it was given, and ends with its first argument, or waits."""
    return programs.write("short", "tests.support.short_command", folder=tmp_path_factory.mktemp("short"))


def test_it_has_its_own_streams_arguments_folder_and_environment(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [program, "7", "two words"],
        input="fed",
        env={"WORD": "w"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (7, f"7 two words w {tmp_path} fed\n", "said\n")


def test_a_command_answers_as_the_product_s_own(programs: ForkedPrograms, tmp_path: Path) -> None:
    def answer(*program: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*program, "--data-dir", str(tmp_path), "show", "no-uuid"],
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    assert answer(programs.auditstream) == answer(*COMMAND)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_it_ends_what_was_forked(program: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [program, "wait"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={"WORD": "w"}
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith(b"wait w ")
        running.send_signal(number)

        assert running.wait(BOUND_S) == -number
        assert running.stdout.read() == b"", "nobody has the other end any more"


def test_everything_ends_with_the_server(tmp_path: Path) -> None:
    with ForkedPrograms(tmp_path / "programs") as programs:
        short = programs.write("short", "tests.support.short_command")
        running = subprocess.Popen(
            [short, "wait"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={"WORD": "w"}
        )
        assert running.stdout is not None
        running.stdout.readline()

    with running:
        assert running.wait(BOUND_S) == -signal.SIGKILL

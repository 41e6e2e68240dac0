"""All embedded parts as one: what is ready when, what is restarted, and what is left at the end."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import psutil
import pytest

from auditstream.core.errors import RequestError
from auditstream.core.settings import Settings
from auditstream.embedded.deployment import start_deployment
from tests.support.commands import Command, family_of, ran, started, survivors

STOP_S = 40.0

pytestmark = pytest.mark.timeout(300)


def children_of(command: Command, name: str) -> list[psutil.Process]:
    """Return the child processes that run a command of the product."""
    return [each for each in family_of(command.process.pid) if name in each.cmdline()]


def comes_back(command: Command, name: str, called: str) -> None:
    """Kill a child, and see another one take its place."""
    (child,) = children_of(command, name)
    child.kill()
    command.wait_for(f"the {called} ended with -9", within_s=20)
    command.wait_until(lambda: bool(children_of(command, name)), within_s=20, what=f"another {called}")
    assert children_of(command, name)[0].pid != child.pid


@pytest.mark.long
def test_one_deployment_from_its_start_to_sigterm(tmp_path: Path) -> None:
    """One test, because a start takes seconds."""
    folder = tmp_path / "data"
    with started("up", "--broker", "embedded", data_dir=folder) as up:
        runtime = up.wait_ready()
        assert runtime["pid"] == up.process.pid
        assert stat.S_IMODE((folder / "runtime.json").stat().st_mode) == 0o600
        assert runtime["evidence"]["store"] == str(folder / "evidence")
        for secret in ("seal/key", "witness/key", "gateway/key"):
            assert stat.S_IMODE((folder / secret).stat().st_mode) == 0o600

        second = ran("up", "--broker", "embedded", data_dir=folder)
        assert second.returncode == 78
        assert f"owned by process {up.process.pid}" in second.stderr
        assert (folder / "runtime.json").exists(), "the first one's file was left alone"

        assert ran("migrate", "plan", data_dir=folder).stdout == ""
        status = ran("migrate", "status", "--output", "csv", data_dir=folder)
        assert status.stdout.startswith("version,name,applied_at\n1,events,")

        for name, called in (
            ("worker", "worker"),
            ("seal", "sealer"),
            ("witness", "witness"),
            ("gateway", "gateway"),
        ):
            comes_back(up, name, called)

        family = family_of(up.process.pid)
        up.process.send_signal(signal.SIGTERM)
        up.end()
        assert up.process.returncode == 0
        assert not survivors(family, within_s=1)
        assert not (folder / "runtime.json").exists()


@pytest.mark.long
def test_nothing_outlives_a_kill_and_the_next_start_takes_over(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with started("up", "--broker", "embedded", data_dir=folder) as up:
        up.wait_ready()
        family = family_of(up.process.pid)
        up.process.kill()
        up.process.wait()
        assert (folder / "runtime.json").exists(), "nobody was there to remove it"
        with started("up", "--broker", "embedded", data_dir=folder) as again:
            again.wait_until(
                lambda: f'"pid": {again.process.pid}' in read(folder), within_s=90, what="a new runtime.json"
            )
        assert not survivors(family, within_s=STOP_S)


def read(folder: Path) -> str:
    file = folder / "runtime.json"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("broker", ["docker", "kafka://", "kafka://host", "127.0.0.1:9092"])
def test_a_broker_that_is_no_choice_is_refused_before_anything_starts(tmp_path: Path, broker: str) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with (
        pytest.raises(RequestError, match="is not a choice"),
        start_deployment(settings, broker=broker, say=print),
    ):
        pass
    assert not (tmp_path / "data").exists()


def test_a_failed_start_leaves_nothing_running(tmp_path: Path) -> None:
    def fail(_: Settings) -> None:
        raise ZeroDivisionError

    settings = Settings(data_dir=tmp_path / "data")
    before = family_of(os.getpid())
    with (
        pytest.raises(ZeroDivisionError),
        start_deployment(settings, broker="embedded", say=print, prepare=fail),
    ):
        pass
    assert not survivors(family_of(os.getpid()) - before, within_s=1)
    assert not (tmp_path / "data" / "runtime.json").exists()

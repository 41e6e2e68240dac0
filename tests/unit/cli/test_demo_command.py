"""The demo command where a part that it needs is not installed, and where somebody ends it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from auditstream.cli import demo
from auditstream.core.errors import ConfigError
from tests.support.command_line import command_line


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)

    with pytest.raises(ConfigError) as raised:
        demo._check_sdk()

    assert "auditstream[demo]" in raised.value.hint


@pytest.mark.parametrize(
    ("number", "is_performed", "code"),
    [
        (signal.SIGINT, False, 130),
        (signal.SIGTERM, False, 130),
        (signal.SIGINT, True, 130),
        (signal.SIGTERM, True, 0),
    ],
)
def test_a_signal_ends_what_runs_and_only_after_the_day_sigterm_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, is_performed: bool, code: int
) -> None:
    stopped = []

    @contextmanager
    def running(*_: object) -> Iterator[SimpleNamespace]:
        try:
            yield SimpleNamespace()
        finally:
            os.kill(os.getpid(), number)  # a second one breaks nothing off
            stopped.append(number)

    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(demo, "running", running)
    monkeypatch.setattr(demo, "_perform", interrupted if not is_performed else lambda *_: None)
    monkeypatch.setattr(demo, "_print_tour", lambda *_: None)
    monkeypatch.setattr(demo, "stay", interrupted)

    assert command_line(monkeypatch, demo)("demo") == code
    assert stopped == [number]

"""What a forward counts, also while Kafka does not take the event that tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from auditstream.cli import accessing, forward
from auditstream.core.errors import RetryableError
from auditstream.core.metrics import Metrics
from auditstream.exports.forwards import Forward


class Delivering:
    """A forward that delivers three batches of two events, and has nothing more."""

    def __init__(self) -> None:
        self.events = self.size_bytes = 0
        self.is_behind = False

    def step(self) -> int:
        sent = 2 if self.events < 6 else 0
        self.events += sent
        self.size_bytes += 100 * sent
        return sent


def test_what_was_delivered_is_counted_though_nothing_can_tell_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(*_: object) -> Iterator[Delivering]:
        yield Delivering()

    def untold(*_: object, **__: object) -> None:
        raise RetryableError("Kafka does not answer")

    monkeypatch.setattr(forward, "_opened", opened)
    monkeypatch.setattr(forward, "_TELL_S", -1.0)
    monkeypatch.setattr(forward, "_FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(accessing, "tell_result", untold)
    metrics = Metrics()
    deployment: Any = SimpleNamespace(settings=SimpleNamespace(forward=SimpleNamespace(every_s=0.0)))
    stopping = Event()
    run = forward._Run(
        deployment, Forward(forward_id="siem", to="https://siem.example/x"), metrics, once=True
    )
    monkeypatch.setattr(stopping, "wait", lambda _: run.events >= 6 and stopping.set())
    run.run_until(stopping)

    counted = metrics.registry.get_sample_value("auditstream_forwarded_events_total", {"forward": "siem"})
    assert (counted, run.events, run.size_bytes) == (6, 6, 600)
    assert isinstance(run.error, RetryableError)

"""A watch beside a running worker: a thread that use wakes, for the tenants that are this worker's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from confluent_kafka import KafkaException

from auditstream.core.beside import beside
from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import CounterName, HistogramName, Metrics
from auditstream.core.settings import Settings
from streams.usage_wakes import UsageWakes

log = get_logger(__name__)

_PAUSE_FACTOR = 10.0
_WAIT_S = 0.5  # how soon the thread notices that it is to end
_AGAIN_S = 5.0
_END_S = 15.0


class Look(Protocol):
    """Looks at what is to be watched, and tells what is new."""

    def forget(self) -> None:
        """Read what was told from the record again: somebody else may have told more."""
        ...

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        """Look at the rules of the tenants that are due; `""` stands for all tenants together.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """A watch, as its thread runs it.

    Attributes:
        name: What it is called in logs, and in the name of its Kafka group.
        begin: Returns what looks; the stack closes what it holds.
        every_s: Longest time between looks at all, use or none.
        pause_s: Shortest time between looks.
        failures: Counts looks that did not come to an end.
        seconds: Observes how long a look takes.
        wakes_early: Whether use is looked at as soon as the pause is over; else every `every_s`.
    """

    name: str
    begin: Callable[[ExitStack], Look]
    every_s: float
    pause_s: float
    failures: CounterName
    seconds: HistogramName
    wakes_early: bool = True


@contextmanager
def watching_usage(
    watching: Watching, settings: Settings, metrics: Metrics, newest: Callable[[], int]
) -> Iterator[None]:
    """Watch for the length of the block.

    Of all workers of one app id, one at a time answers for a tenant. What fails is logged and tried again:
    the watch never ends the worker that it runs beside.

    Args:
        watching: What to watch, and how often.
        settings: Where Kafka is.
        metrics: Where it is counted.
        newest: Gives the newest revision of the reference data, as the worker knows it already.
    """

    def watch(stopping: Event) -> None:
        _watch_until(stopping, watching, settings, metrics, newest)

    with beside(watching.name, watch, end_s=_END_S):
        yield


def _watch_until(
    stopping: Event, watching: Watching, settings: Settings, metrics: Metrics, newest: Callable[[], int]
) -> None:
    """Watch, and begin anew after a failure, until told to stop."""
    event = f"{watching.name}_not_watched"
    while not stopping.is_set():
        try:
            with ExitStack() as parts:
                looks = _Looks(watching, _wakes(watching, settings, parts), newest, metrics, parts)
                while not stopping.is_set():
                    looks.wait()
        except AuditStreamError as error:
            metrics.count(watching.failures, reason=error.code)
            log.warning(event, code=error.code, reason=error.message, hint=error.hint)
        except Exception as error:  # a fault of ours must not end the watch, and must be seen
            metrics.count(watching.failures, reason="bug")
            log.exception(event, error=repr(error)[:300])
        stopping.wait(_AGAIN_S)


def _wakes(watching: Watching, settings: Settings, parts: ExitStack) -> UsageWakes:
    """Return what joined the watch's group."""
    group = f"{settings.worker.app_id}-{watching.name}"
    try:
        wakes = UsageWakes(settings.kafka, group, session_timeout_s=settings.worker.session_timeout_s)
    except KafkaException as error:
        raise RetryableError(f"Kafka: {error}") from error
    parts.callback(wakes.close)
    return wakes


class _Looks:
    """Looks when somebody spends, when facts change, and now and then.

    A look that took long is followed by a longer pause: the store is at it for a tenth of the time at most.
    """

    def __init__(
        self,
        watching: Watching,
        wakes: UsageWakes,
        newest: Callable[[], int],
        metrics: Metrics,
        parts: ExitStack,
    ) -> None:
        self._watching = watching
        self._wakes = wakes
        self._newest = newest
        self._metrics = metrics
        self._look = watching.begin(parts)
        self._used: set[str] = set()
        self._revision = -1
        self._next_s = self._next_full_s = 0.0

    def wait(self) -> None:
        """Wait a little for somebody to spend, and look when it is time."""
        used, are_new = self._wakes.wait(_WAIT_S)
        if self._watching.wakes_early:
            self._used |= used
        if are_new:
            self._look.forget()
        if are_new or self._newest() != self._revision:
            self._next_full_s = 0.0
        now_s = time.monotonic()
        is_full = now_s >= self._next_full_s
        if self._wakes.has_any and now_s >= self._next_s and (self._used or is_full):
            self._look_now(is_full=is_full, now_s=now_s)

    def _look_now(self, *, is_full: bool, now_s: float) -> None:
        self._revision = self._newest()
        self._look.look(lambda tenant: self._is_due(tenant, is_full=is_full), is_full=is_full)
        self._used.clear()
        took_s = time.monotonic() - now_s
        self._metrics.observe(self._watching.seconds, took_s)
        self._next_s = now_s + took_s + max(self._watching.pause_s, _PAUSE_FACTOR * took_s)
        if is_full:
            self._next_full_s = now_s + self._watching.every_s

    def _is_due(self, tenant: str, *, is_full: bool) -> bool:
        return self._wakes.is_ours(tenant) and (is_full or not tenant or tenant in self._used)

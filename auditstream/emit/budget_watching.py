"""The watch over budgets beside a running worker: a thread that use wakes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Event

from confluent_kafka import KafkaException

from auditstream.core.beside import beside
from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import BudgetSettings, Settings
from auditstream.emit.budget_teller import BudgetTeller
from auditstream.emit.budget_watch import BudgetWatch
from auditstream.reference.limits import Budget
from sinks.budget_spend import BudgetSpend
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from sinks.snapshot_cache import SnapshotCache
from streams.usage_wakes import UsageWakes

log = get_logger(__name__)

KINDS = ("budget", "rate")
"""Kinds of facts that budgets are evaluated with."""

_PAUSE_FACTOR = 10.0
_WAIT_S = 0.5  # how soon the thread notices that it is to end
_AGAIN_S = 5.0
_END_S = 15.0


@contextmanager
def watching_budgets(
    settings: Settings, metrics: Metrics, newest: Callable[[], int], *, clock: Clock | None = None
) -> Iterator[None]:
    """Watch budgets for the length of the block, when the settings say so.

    Of all workers of one app id, one at a time answers for a tenant's budgets. What fails is logged and tried
    again: the watch never ends the worker that it runs beside.

    Args:
        settings: Where store, Kafka and registry are, and how often to look.
        metrics: Where it is counted.
        newest: Gives the newest revision of the reference data, as the worker knows it already.
        clock: Says what time it is.
    """
    if not settings.budgets.watch:
        yield
        return
    known = clock or SystemClock()
    with beside(
        "budgets", lambda stopping: _watch_until(stopping, settings, metrics, newest, known), end_s=_END_S
    ):
        yield


def _watch_until(
    stopping: Event, settings: Settings, metrics: Metrics, newest: Callable[[], int], clock: Clock
) -> None:
    """Watch, and begin anew after a failure, until told to stop."""
    while not stopping.is_set():
        try:
            with ExitStack() as parts:
                looks = _begun(settings, metrics, newest, clock, parts)
                while not stopping.is_set():
                    looks.wait()
        except AuditStreamError as error:
            metrics.count("auditstream_budget_failures_total", reason=error.code)
            log.warning("budgets_not_watched", code=error.code, reason=error.message, hint=error.hint)
        except Exception as error:  # a fault of ours must not end the watch, and must be seen
            metrics.count("auditstream_budget_failures_total", reason="bug")
            log.exception("budgets_not_watched", error=repr(error)[:300])
        stopping.wait(_AGAIN_S)


def _begun(
    settings: Settings, metrics: Metrics, newest: Callable[[], int], clock: Clock, parts: ExitStack
) -> _Looks:
    """Return the looks of a watch that has joined its group; `parts` closes what it holds."""
    clients = parts.enter_context(closing(ClientPool(lambda: http_client(settings.clickhouse))))
    directory = SnapshotCache(ReferenceStore(clients), kinds=KINDS)
    teller = parts.enter_context(closing(BudgetTeller(settings, metrics, clock)))
    try:
        wakes = UsageWakes(
            settings.kafka,
            f"{settings.worker.app_id}-budgets",
            session_timeout_s=settings.worker.session_timeout_s,
        )
    except KafkaException as error:
        raise RetryableError(f"Kafka: {error}") from error
    parts.callback(wakes.close)
    watch = BudgetWatch(BudgetSpend(clients), lambda: directory.get(newest()), teller, clock)
    return _Looks(watch, wakes, newest, settings.budgets, metrics)


class _Looks:
    """Looks at budgets when somebody spends, when facts change, and now and then.

    A look that took long is followed by a longer pause: the store is at it for a tenth of the time at most.
    """

    def __init__(
        self,
        watch: BudgetWatch,
        wakes: UsageWakes,
        newest: Callable[[], int],
        settings: BudgetSettings,
        metrics: Metrics,
    ) -> None:
        self._watch = watch
        self._wakes = wakes
        self._newest = newest
        self._settings = settings
        self._metrics = metrics
        self._used: set[str] = set()
        self._revision = -1
        self._next_s = self._next_full_s = 0.0

    def wait(self) -> None:
        """Wait a little for somebody to spend, and look when it is time."""
        used, are_new = self._wakes.wait(_WAIT_S)
        self._used |= used
        if are_new:
            self._watch.forget()
        if are_new or self._newest() != self._revision:
            self._next_full_s = 0.0
        now_s = time.monotonic()
        is_full = now_s >= self._next_full_s
        if self._wakes.has_any and now_s >= self._next_s and (self._used or is_full):
            self._look(is_full=is_full, now_s=now_s)

    def _look(self, *, is_full: bool, now_s: float) -> None:
        self._revision = self._newest()
        standings = self._watch.look(lambda budget: self._is_due(budget, is_full=is_full))
        self._used.clear()
        took_s = time.monotonic() - now_s
        self._metrics.observe("auditstream_budget_look_seconds", took_s)
        self._next_s = now_s + took_s + max(self._settings.pause_s, _PAUSE_FACTOR * took_s)
        if is_full:
            self._next_full_s = now_s + self._settings.every_s
            self._metrics.set("auditstream_budgets", len(standings))
            self._metrics.set("auditstream_budgets_spent", sum(each.spent_pct >= 100 for each in standings))

    def _is_due(self, budget: Budget, *, is_full: bool) -> bool:
        tenant = budget.tenant_id
        return self._wakes.is_ours(tenant) and (is_full or not tenant or tenant in self._used)

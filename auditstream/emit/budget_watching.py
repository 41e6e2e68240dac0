"""The watch over budgets beside a running worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.emit.budget_teller import BudgetTeller
from auditstream.emit.budget_watch import BudgetWatch
from auditstream.emit.usage_watching import Watching, watching_usage
from sinks.budget_spend import BudgetSpend
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from sinks.snapshot_cache import SnapshotCache

KINDS = ("budget", "rate")
"""Kinds of facts that budgets are evaluated with."""


@contextmanager
def watching_budgets(
    settings: Settings, metrics: Metrics, newest: Callable[[], int], *, clock: Clock | None = None
) -> Iterator[None]:
    """Watch budgets for the length of the block, when the settings say so; as `watching_usage` does.

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

    def begin(parts: ExitStack) -> _Budgets:
        clients = parts.enter_context(closing(ClientPool(lambda: http_client(settings.clickhouse))))
        directory = SnapshotCache(ReferenceStore(clients), kinds=KINDS)
        teller = parts.enter_context(closing(BudgetTeller(settings, metrics, known)))
        watch = BudgetWatch(BudgetSpend(clients), lambda: directory.get(newest()), teller, known)
        return _Budgets(watch, metrics)

    watching = Watching(
        name="budgets",
        begin=begin,
        every_s=settings.budgets.every_s,
        pause_s=settings.budgets.pause_s,
        failures="auditstream_budget_failures_total",
        seconds="auditstream_budget_look_seconds",
    )
    with watching_usage(watching, settings, metrics, newest):
        yield


class _Budgets:
    """Looks at budgets, and counts those of a full look."""

    def __init__(self, watch: BudgetWatch, metrics: Metrics) -> None:
        self._watch = watch
        self._metrics = metrics

    def forget(self) -> None:
        self._watch.forget()

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        standings = self._watch.look(lambda budget: is_due(budget.tenant_id))
        if is_full:
            self._metrics.set("auditstream_budgets", len(standings))
            self._metrics.set("auditstream_budgets_spent", sum(each.spent_pct >= 100 for each in standings))

"""The watch over objectives, and over budgets that burn, beside a running worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.emit.burn_teller import BurnTeller
from auditstream.emit.slo_watch import SloWatch
from auditstream.emit.spend_burn_watch import SpendBurnWatch
from auditstream.emit.usage_watching import Watching, watching_usage
from auditstream.notify.burn_findings import RULE
from auditstream.query.reader import Reader
from auditstream.query.slo_counts import SloCounts
from auditstream.reference.snapshot import Snapshot
from sinks.budget_spend import BudgetSpend
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from sinks.slo_told import SloEvents
from sinks.snapshot_cache import SnapshotCache
from streams.recording.outlets import OwnSchemas

KINDS = ("slo", "budget", "rate")
"""Kinds of facts that objectives and burning budgets are evaluated with."""

_PAUSE_S = 1.0  # between two looks that changed facts cause


@contextmanager
def watching_slos(
    settings: Settings,
    metrics: Metrics,
    schemas: OwnSchemas,
    newest: Callable[[], int],
    *,
    clock: Clock | None = None,
) -> Iterator[None]:
    """Watch objectives for the length of the block, when the settings say so; as `watching_usage` does.

    Args:
        settings: Where store, Kafka and registry are, and how often to look.
        metrics: Where it is counted.
        schemas: Registry ids of our schemas.
        newest: Gives the newest revision of the reference data, as the worker knows it already.
        clock: Says what time it is.
    """
    if not settings.slos.watch:
        yield
        return
    known = clock or SystemClock()

    def begin(parts: ExitStack) -> _Objectives:
        clients = parts.enter_context(closing(ClientPool(lambda: http_client(settings.clickhouse))))
        directory = SnapshotCache(ReferenceStore(clients), kinds=KINDS)
        teller = parts.enter_context(closing(BurnTeller(settings, clients, schemas, metrics, known)))
        counts = SloCounts(Reader(clients), known)
        told = SloEvents(clients, RULE)

        def snapshot() -> Snapshot:
            return directory.get(newest())

        return _Objectives(
            SloWatch(counts, told, snapshot, teller, known),
            SpendBurnWatch(BudgetSpend(clients), told, snapshot, teller.tell, known),
            metrics,
        )

    watching = Watching(
        name="slos",
        begin=begin,
        every_s=settings.slos.every_s,
        pause_s=min(_PAUSE_S, settings.slos.every_s),
        failures="auditstream_slo_failures_total",
        seconds="auditstream_slo_look_seconds",
        wakes_early=False,  # windows are of five minutes and more
    )
    with watching_usage(watching, settings, metrics, newest):
        yield


class _Objectives:
    """Looks at objectives and budgets, and counts objectives."""

    def __init__(self, watch: SloWatch, spend: SpendBurnWatch, metrics: Metrics) -> None:
        self._watch = watch
        self._spend = spend
        self._metrics = metrics

    def forget(self) -> None:
        self._watch.forget()
        self._spend.forget()

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        standings = self._watch.look(lambda objective: is_due(objective.tenant_id))
        self._spend.look(lambda budget: is_due(budget.tenant_id))
        if is_full:
            self._metrics.set("auditstream_slos", len(standings))
            self._metrics.set("auditstream_slos_burning", sum(each.firing is not None for each in standings))
            self._metrics.set("auditstream_slos_spent", sum(each.is_spent for each in standings))

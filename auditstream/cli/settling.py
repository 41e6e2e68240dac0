"""Settling of calls that two logs report, beside a worker: a thread that looks now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

from auditstream.core.beside import beside
from auditstream.core.errors import AuditStreamError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings

if TYPE_CHECKING:
    from auditstream.rerating.call_settling import CallSettler

_END_S = 10.0
_log = get_logger(__name__)


@contextmanager
def settling_calls(settings: Settings, metrics: Metrics, *, is_turn: Callable[[], bool]) -> Iterator[None]:
    """Settle calls for the length of the block, every `worker.settle_s` seconds; 0 settles nothing.

    What fails is logged, counted, and tried again: settling never ends the worker that it runs beside.

    Args:
        settings: Where the store is, and how often to look.
        metrics: Where it is counted.
        is_turn: Says whether it is for this process to look; two that do are no harm.
    """
    from auditstream.reference.closed_months import ClosedMonths
    from auditstream.rerating.call_settling import CallSettler
    from sinks.adjustments import AdjustmentTable
    from sinks.clients import ClientPool, http_client
    from sinks.rated_leaves import RatedLeaves
    from sinks.reference import ReferenceStore

    every_s = settings.worker.settle_s
    if not every_s:
        yield
        return
    clients = ClientPool(lambda: http_client(settings.clickhouse))
    replicated = settings.clickhouse.engine == "ReplicatedMergeTree"
    reference = ReferenceStore(clients, replicated=replicated)

    def closed() -> ClosedMonths:
        known = reference.load(reference.newest(), kinds=("closure",))
        return ClosedMonths.at(known, datetime.now(UTC))

    settler = CallSettler(RatedLeaves(clients), AdjustmentTable(clients, replicated=replicated), closed)

    def settle(stopping: Event) -> None:
        while not stopping.wait(every_s):
            if is_turn():
                settle_once(settler, metrics)

    with closing(clients), beside("settle-calls", settle, end_s=_END_S):
        yield


def settle_once(settler: CallSettler, metrics: Metrics) -> None:
    """Settle what there is, count it, and log what fails."""
    try:
        settled = settler.settle()
    except AuditStreamError as error:
        metrics.count("auditstream_settling_rounds_total", reason=error.code)
        _log.warning("calls_not_settled", code=error.code, reason=error.message, hint=error.hint)
        return
    metrics.count("auditstream_settling_rounds_total", reason="done")
    if settled:
        metrics.count("auditstream_settled_calls_total", settled)
        _log.info("calls_settled", rows=settled)

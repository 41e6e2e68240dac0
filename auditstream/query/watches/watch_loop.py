"""Looks at the store again and again, and tells of what is new; runs beside the sealer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

from auditstream.core.errors import AuditStreamError
from auditstream.core.logs import get_logger
from auditstream.query.watches.store_watch import StoreWatch
from schemas.records.detection import Finding

EVERY_S = 60.0
_LOG = get_logger(__name__)

Publish = Callable[[Sequence[Finding]], object]
"""Makes findings known, and returns when they are; raises `RetryableError` when they may not be."""


def look_once(watch: StoreWatch, publish: Publish) -> list[Finding]:
    """Look, make known what is new, and return it.

    Raises:
        RetryableError: The store or Kafka does not answer; the next look says the same again.
        TableMemoryError: The memory cannot be read or written.
    """
    found = watch.look()
    if found:
        publish(found)
    watch.told()
    for each in found:
        _LOG.warning(
            "store_finding", rule=each.rule_id, status=each.status, scope=each.scope, title=each.title
        )
    return found


def watch_until(stopping: Event, watch: StoreWatch, publish: Publish, *, every_s: float = EVERY_S) -> None:
    """Look now and then until told to stop; what fails is logged, and tried again at the next look."""
    while not stopping.is_set():
        try:
            look_once(watch, publish)
        except AuditStreamError as error:
            _LOG.warning("store_not_watched", code=error.code, reason=error.message, hint=error.hint)
        stopping.wait(every_s)

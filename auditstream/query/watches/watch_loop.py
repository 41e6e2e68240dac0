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


Say = Callable[[str], object]
"""Takes a line for a person, who is told where nothing else is logged."""


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
    return found


def watch_until(
    stopping: Event, watch: StoreWatch, publish: Publish, *, every_s: float = EVERY_S, say: Say | None = None
) -> None:
    """Look now and then until told to stop; what fails is logged, and tried again at the next look.

    Args:
        stopping: Set to end.
        watch: What looks.
        publish: Makes known what was found.
        every_s: Seconds between looks.
        say: Takes lines for a person instead of the log, where a process has none.
    """
    while not stopping.is_set():
        try:
            for each in look_once(watch, publish):
                _tell(each, say)
        except AuditStreamError as error:
            if say is None:
                _LOG.warning("store_not_watched", code=error.code, reason=error.message, hint=error.hint)
            elif not stopping.is_set():
                say(f"the store is not watched: {error.message}")
        stopping.wait(every_s)


def _tell(finding: Finding, say: Say | None) -> None:
    if say is not None:
        say(f"finding {finding.rule_id} ({finding.status}): {finding.title}")
        return
    about = {"rule": finding.rule_id, "status": str(finding.status), "scope": finding.scope}
    _LOG.warning("store_finding", **about, title=finding.title)

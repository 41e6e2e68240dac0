"""Standard `logging`: records that carry an event become one.

    logging.getLogger().addHandler(AuditHandler(audit))
    log.info("refund approved", extra={"audit": {"event_type": "ai.human.review", "review": {…}}})

The text of a log message can hold anything, so it is not kept; what the event is to say stands in `audit`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.recording import error_type

if TYPE_CHECKING:
    from auditstream_sdk import AuditClient

_SEVERITIES = ((logging.CRITICAL, 5), (logging.ERROR, 4), (logging.WARNING, 3))
"""Levels to OCSF severities: critical, high, medium; below is informational, 1."""

_OWN = "auditstream_sdk"


class AuditHandler(logging.Handler):
    """Records the event of a log record's attribute `audit`; passes over records without one.

    Time, severity and, with `exc_info`, outcome and error type come from the record where the event does not
    say. An event without `event_type` is none: it is counted as an error of the instrumentation.

    Args:
        audit: Where to record.
        level: Lowest level that is looked at.
    """

    def __init__(self, audit: AuditClient, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        if hasattr(audit, "__aenter__"):
            raise TypeError("audit: nobody awaits a log record; use AuditClient")
        self._audit = audit

    def emit(self, record: logging.LogRecord) -> None:
        """Record the event of a record."""
        given = getattr(record, "audit", None)
        if given is None or record.name.partition(".")[0] == _OWN:
            return
        with FAULTS:
            if not isinstance(given, Mapping) or not given.get("event_type"):
                raise ValueError("audit: is no mapping with an event_type")
            self._audit.record({**_known(record), **given, "attributes": _attributes(record, given)})


def _known(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the record itself says."""
    severity = next((number for level, number in _SEVERITIES if record.levelno >= level), 1)
    known: dict[str, Any] = {
        "event_time": datetime.fromtimestamp(record.created, timezone.utc),
        "severity": severity,
    }
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if error is not None:
        known["outcome"] = "FAILURE"
        known["error_type"] = error_type(error)
    return known


def _attributes(record: logging.LogRecord, given: Mapping[str, Any]) -> dict[str, str]:
    said = given.get("attributes")
    return {"log.logger": record.name, **(said if isinstance(said, Mapping) else {})}

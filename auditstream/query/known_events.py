"""Events with what was learnt of them later, all of it or as it was known at a time."""

from __future__ import annotations

from datetime import datetime

from auditstream.query.predicates import Conditions
from sinks.expressions import time_text

CURRENT, AS_KNOWN = "events_current", "events_as_known"
"""Views that are read."""


def view_of(known_on: datetime | None) -> str:
    """Return the name of the view."""
    return CURRENT if known_on is None else AS_KNOWN


def events_as_known(conditions: Conditions, known_on: datetime | None) -> str:
    """Return what to select from; its parameters are the conditions'.

    Args:
        conditions: Those of the query.
        known_on: Leave out what was learnt later; None for all that is known.
    """
    if known_on is None:
        return CURRENT
    return f"{AS_KNOWN}(known_on = {conditions.bind(time_text(known_on), _TIME)})"


_TIME = "DateTime64(6, 'UTC')"

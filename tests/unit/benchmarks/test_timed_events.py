"""Events of successive minutes, to measure detection with."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from benchmarks.events import values_until
from schemas.codec import decode
from schemas.packaged import schema_json

END = datetime(2026, 1, 1, 12, tzinfo=UTC)
PREFIX_BYTES = 5


def test_a_minute_has_its_number_of_events_and_the_last_one_ends_at_the_given_time() -> None:
    schema = schema_json("audit_event")
    events = [decode(value[PREFIX_BYTES:], schema) for value in values_until(END, "small", 25, per_minute=10)]

    assert Counter(event["event_time"] for event in events) == {
        END - timedelta(minutes=3): 10,
        END - timedelta(minutes=2): 10,
        END - timedelta(minutes=1): 5,
    }
    assert len({event["event_id"] for event in events}) == 25

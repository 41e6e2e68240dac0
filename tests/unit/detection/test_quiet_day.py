"""The shipped rules over a day of ordinary traffic: that of the demonstration, generated and not sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditstream.demo.day import LEAST_WITH_INCIDENTS, Day
from auditstream.emit.reading import Accepted
from schemas.intake import datum_of
from tests.support.flagged import flags

END = datetime(2026, 3, 2, 23, tzinfo=UTC)  # into the night: rules of the clock must be quiet too


def flagged(seed: int, events: int) -> list[str]:
    sent = Day(seed=seed, events=events, end=END).sendings()
    drafts = [each.draft for each in sent if each.kind == "event"]
    drafts.sort(key=lambda draft: draft["event_time"])
    return [flag.rule for flag in flags(Accepted(0, datum_of(draft, "audit_event")) for draft in drafts)]


@pytest.mark.parametrize("seed", [1, 5])
@pytest.mark.parametrize("events", [LEAST_WITH_INCIDENTS - 1, LEAST_WITH_INCIDENTS])
def test_nothing_is_flagged_in_a_day_whose_incidents_are_for_detectors_to_see(seed: int, events: int) -> None:
    assert flagged(seed, events) == []

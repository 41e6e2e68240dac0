"""The shipped rules over an hour of ordinary traffic: that of the demonstration, generated and not sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditstream.demo.hour import Hour
from auditstream.emit.reading import Accepted
from schemas.intake import datum_of
from tests.support.flagged import flags

END = datetime(2026, 3, 2, 23, tzinfo=UTC)  # at night: rules of the clock must be quiet too


@pytest.mark.parametrize("seed", [1, 5])
def test_nothing_is_flagged_in_a_quiet_hour(seed: int) -> None:
    sent = Hour(seed=seed, events=4_000, end=END).sendings()
    drafts = [each.draft for each in sent if each.kind == "event"]
    assert flags(Accepted(0, datum_of(draft, "audit_event")) for draft in drafts) == []

"""The sets of traffic with incidents: the demonstration's day, and the second set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from auditstream.demo import facts as cast
from auditstream.demo.background import DAY_US
from auditstream.demo.cast import COMPANIES
from auditstream.demo.day import Day
from auditstream.demo.incident import Incident
from auditstream.reference.fact import Fact
from benchmarks.detection.incidents.quiet import Draft
from benchmarks.detection.incidents.schedule import MINUTES, planted_by, second_set
from benchmarks.detection.incidents.services import facts

_END = datetime(2026, 6, 3, 18, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrafficSet:
    """One set, by seed.

    Attributes:
        tenants: How many tenants it has.
        hours: How long it is.
        facts: Returns its reference data.
        incidents: Returns what a seed plants.
        events: Returns a seed's drafts in the order of time.
    """

    tenants: int
    hours: int
    facts: Callable[[], Iterable[Fact]]
    incidents: Callable[[int], Sequence[Incident]]
    events: Callable[[int], Sequence[Draft]]


def _day(seed: int) -> Day:
    return Day(seed=seed, events=20_000, end=_END)


def _sent(seed: int) -> Sequence[Draft]:
    sent = (each.draft for each in _day(seed).sendings() if each.kind == "event")
    return sorted(sent, key=lambda draft: draft["event_time"])


SETS = {
    "demo": TrafficSet(
        len(COMPANIES), DAY_US // 3_600_000_000, cast.facts, lambda seed: _day(seed).incidents, _sent
    ),
    "second": TrafficSet(
        3,
        MINUTES // 60,
        facts,
        lambda seed: [each.incident for each in planted_by(seed)],
        lambda seed: second_set(seed).events,
    ),
}
"""All of them, by name."""

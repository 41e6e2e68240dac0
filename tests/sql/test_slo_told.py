"""What was told of burning budgets is looked for as far back as something is still open, and no further."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from auditstream.core.finding_ids import UPDATES_APART
from auditstream.core.ids import uuid7
from auditstream.notify.burn_findings import RULE, burn_finding, episode_before, event_fields
from auditstream.notify.told_episodes import ToldEpisode
from sinks.clients import ClientPool
from sinks.slo_told import SLO_EVENTS_SOURCE, SloEvents
from tests.support.blocks import NOON, block_of
from tests.support.stores import ClickHouseStore, OpenClient

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Record:
    """What was told, in a store."""

    def __init__(self, store: ClickHouseStore, events: SloEvents) -> None:
        self.store, self.events = store, events
        self._told = 0

    def tell(self, slo_id: str, at: datetime, update: int = 0, *, is_open: bool = True) -> None:
        """Record a word of an episode: a finding's row, and the event."""
        episode = ToldEpisode(NOON, update, 4, is_open)
        finding = burn_finding(
            episode, "acme", f"slo={slo_id}", "availability", title="t", window_start=at, window_end=at
        )
        self.find(finding.finding_id, finding.version, str(finding.status), at)
        fields = event_fields(finding, episode, slo_id, "burn", {})
        self._told += 1
        self.store.insert(
            block_of(
                lo=self._told,
                rows=1,
                segment_id=str(uuid7()),
                day=at.date(),
                event_id=[fields["event_id"].bytes],
                event_type="ai.finding",
                event_time=at,
                source=SLO_EVENTS_SOURCE,
                attributes=[fields["attributes"]],
            )
        )

    def find(self, finding_id: str, version: int, status: str, at: datetime, rule: str = RULE) -> None:
        row = {
            "finding_id": finding_id,
            "version": version,
            "tenant_id": "acme",
            "rule_id": rule,
            "status": status,
            "recorded_at": at,
            "window_start": at,
            "window_end": at,
        }
        self.store.client.insert("findings", [list(row.values())], column_names=list(row))

    def known(self, now: datetime) -> dict[str, tuple[int, bool]]:
        found = {slo: episode_before(each) for (slo, _), each in self.events.told(now).items()}
        return {slo: (each.update, each.is_open) for slo, each in found.items()}


@pytest.fixture
def record(engine: OpenClient, store: ClickHouseStore) -> Iterator[Record]:
    store.client.command("TRUNCATE TABLE findings")
    clients = ClientPool(lambda: engine(str(store.client.database)))
    yield Record(store, SloEvents(clients, RULE))
    clients.close()


def test_what_is_open_is_known_however_long_ago_it_was_told(record: Record) -> None:
    record.tell("long", NOON)
    record.tell("over", NOON - DAY, 0)
    record.tell("over", NOON, 1, is_open=False)

    assert record.known(NOON + 300 * DAY)["long"] == (0, True)


def test_without_anything_open_the_last_two_hours_are_looked_at_and_no_more(record: Record) -> None:
    for slo_id, before in (("old", 3 * HOUR), ("new", HOUR)):
        record.tell(slo_id, NOON - before - HOUR)
        record.tell(slo_id, NOON - before, 1, is_open=False)

    assert record.known(NOON) == {"new": (1, False)}


def test_the_newest_word_counts_and_what_people_did_about_it_does_not(record: Record) -> None:
    record.tell("answers", NOON)
    record.tell("answers", NOON + HOUR, 1)
    (last,) = record.store.ask("SELECT DISTINCT finding_id FROM findings")[0]
    record.find(last, UPDATES_APART + 1, "RESOLVED", NOON + 2 * HOUR)

    assert record.known(NOON + 30 * DAY) == {"answers": (1, True)}


def test_an_event_that_is_timed_before_its_finding_is_found(record: Record) -> None:
    record.tell("answers", NOON)
    record.store.client.command("TRUNCATE TABLE findings")
    record.find("ab", 0, "NEW", NOON + timedelta(minutes=20))

    assert record.known(NOON + 30 * DAY) == {"answers": (0, True)}


def test_findings_of_others_and_those_that_nobody_will_ever_close_do_not_count(record: Record) -> None:
    record.tell("answers", NOON)
    record.store.client.command("TRUNCATE TABLE findings")
    record.find("cd", 0, "NEW", NOON, "spend.surge")
    record.find("ef", 0, "NEW", NOON - 399 * DAY)

    assert record.known(NOON + 2 * DAY) == {}

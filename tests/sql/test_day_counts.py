"""What a day's statement counts, on the engine: numbers missing, late, reused, unsealed, rejected."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import pytest

from auditstream.evidence.completeness import MOST_RANGES, Question, completeness
from auditstream.ledger.checkpoints import Checkpoint
from auditstream.ledger.completeness import Completeness, Counted, Missing, OfLog
from auditstream.ledger.gaps import Gap
from auditstream.query.reader import Reader
from sinks.clients import ClientPool
from tests.support.stores import ClickHouseStore, OpenClient

DAY = date(2026, 1, 31)
NAME = "example.org/prod"
LOG = "audit.events.v1/0/00000000"
MOST = 2**63 - 1
COLUMNS = (
    "event_id", "log_id", "leaf_index", "leaf_kind", "duplicate_of", "source", "source_instance",
    "source_seq", "kafka_timestamp", "ingest_day", "insert_by", "raw", "kafka_offset",
)  # fmt: skip


@pytest.fixture
def reader(store: ClickHouseStore, engine: OpenClient) -> Iterator[Reader]:
    opened = Reader(ClientPool(lambda: engine(store.client.database or "")))
    yield opened
    opened.close()


class Day:
    """Writes leaves, and counts them."""

    def __init__(self, store: ClickHouseStore, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self.leaves = 0

    def add(
        self,
        numbers: Sequence[int | None],
        *,
        day: date = DAY,
        source: str = "urn:a",
        instance: str = "one",
        kind: int = 0,
        duplicate_of: int | None = None,
        raw: bytes = b"",
        offset: int = 0,
    ) -> None:
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        rows = []
        for number in numbers:
            rows.append(
                [uuid.uuid4(), LOG, self.leaves, kind, duplicate_of, source, instance, number, at, day,
                 datetime(2100, 1, 1, tzinfo=UTC), raw, offset]
            )  # fmt: skip
            self.leaves += 1
        self._store.client.insert("events", rows, column_names=list(COLUMNS))

    def count(
        self,
        *,
        sealed: int | None = None,
        source: str = "",
        behind: int | None = 0,
        on: date = date(2026, 2, 1),
    ) -> Completeness:
        size = self.leaves if sealed is None else sealed
        now = datetime(on.year, on.month, on.day, 6, tzinfo=UTC)
        checkpoints = {LOG: Checkpoint(f"{NAME}/{LOG}", size, b"r" * 32)} if size else {}
        return completeness(self._reader, Question(NAME, DAY, now, source, behind), checkpoints)


@pytest.fixture
def day(store: ClickHouseStore, reader: Reader) -> Day:
    return Day(store, reader)


def test_a_day_without_a_gap_is_complete_and_closed(day: Day) -> None:
    day.add(range(1, 6))
    day.add(range(1, 4), instance="two")

    found = day.count()

    assert found.is_complete
    assert found.state == "closed"
    assert [(n.instance, n.produced, n.recorded, n.sealed, n.queryable) for n in found.numbered] == [
        ("one", 5, 5, 5, 5),
        ("two", 3, 3, 3, 3),
    ]
    assert [(log.origin, log.size, log.leaves) for log in found.logs] == [(f"{NAME}/{LOG}", 8, 8)]


def test_numbers_go_on_from_the_day_before_so_that_a_loss_at_midnight_is_seen(day: Day) -> None:
    day.add([1, 2, 3], day=date(2026, 1, 30))
    day.add([6, 7])

    found = day.count()

    assert found.missing == (Missing("urn:a", "one", 4, 5),)
    assert found.numbered[0].produced == 4
    assert not found.is_complete


def test_a_number_that_came_on_another_day_is_not_missing(day: Day) -> None:
    day.add([1, 2, 4])
    day.add([3, 5], day=date(2026, 2, 1))

    assert day.count().is_complete


def test_missing_numbers_are_named_as_ranges_and_the_rest_is_counted(day: Day) -> None:
    day.add(range(0, 2 * (MOST_RANGES + 5), 2))

    found = day.count()

    assert len(found.missing) == MOST_RANGES
    assert found.missing[0] == Missing("urn:a", "one", 1, 1)
    assert found.more_missing == (Counted("urn:a", "one", 4),)


def test_a_source_that_counts_to_the_end_of_64_bits_can_be_stated(day: Day) -> None:
    day.add([1, 2, MOST])

    found = day.count()

    assert found.missing == (Missing("urn:a", "one", 3, MOST - 1),)
    assert found.numbered[0].recorded == 3


def test_no_number_follows_the_last_of_64_bits_on_the_day_after(day: Day) -> None:
    day.add([MOST], day=date(2026, 1, 30))
    day.add([MOST, 7])

    assert day.count().numbered == ()


def test_repeats_are_no_events_and_a_number_for_two_events_is_a_difference(day: Day) -> None:
    day.add([1, 2])
    day.add([2], duplicate_of=1)
    assert day.count().is_complete

    day.add([2])

    assert day.count().reused == (Counted("urn:a", "one", 1),)


def test_what_no_checkpoint_covers_is_named(day: Day) -> None:
    day.add([1, 2, 3])

    found = day.count(sealed=2)

    assert found.unsealed == (OfLog(LOG, 1),)
    assert (found.numbered[0].sealed, found.numbered[0].recorded) == (2, 3)
    assert found.state == "open"
    assert day.count(sealed=0).unsealed == (OfLog(LOG, 3),)


def test_dead_letters_are_a_difference_and_events_without_numbers_are_counted_apart(day: Day) -> None:
    day.add([1])
    day.add([None, None], source="urn:b")
    assert day.count().is_complete
    day.add([None], source="", kind=1)

    found = day.count()

    assert [(u.source, u.recorded, u.sealed, u.queryable) for u in found.unnumbered] == [("urn:b", 2, 2, 2)]
    assert found.rejected == (OfLog(LOG, 1),)
    assert not found.is_complete


def test_offsets_that_kafka_lost_are_a_difference(day: Day) -> None:
    day.add([1])
    day.add([None], source="", kind=2, raw=Gap(LOG, 40, 51, "never_planned").text(), offset=40)

    found = day.count()

    assert found.lost == (OfLog(LOG, 12),)
    assert found.logs[0].leaves == 2
    assert not found.is_complete
    assert day.count(source="urn:a").is_complete


def test_a_day_that_is_not_over_or_may_get_more_is_open(day: Day) -> None:
    day.add([1])

    assert day.count(on=DAY).state == "open"
    assert day.count(behind=1).state == "open"
    assert day.count(behind=None).state == "open"
    assert day.count().state == "closed"


def test_a_statement_may_be_about_one_source(day: Day) -> None:
    day.add([1, 3])
    day.add([1, 2], source="urn:b b")
    day.add([None], source="", kind=1)

    found = day.count(source="urn:b b")

    assert [n.source for n in found.numbered] == ["urn:b b"]
    assert found.is_complete
    assert "scope source urn:b%20b\n" in found.text


def test_a_day_without_events_is_complete(day: Day) -> None:
    assert day.count().is_complete

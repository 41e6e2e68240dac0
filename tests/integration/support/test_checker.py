"""The checker finds each kind of loss, doubling and disorder, and has no complaint about a good table."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import clickhouse_connect
import pytest

from tests.support.checker import Checker, Rollup, ask_through

TOPIC = "audit.events.v1"
ROLLUP = Rollup(
    name="usage_1m",
    stored="SELECT tenant_id, sum(events) FROM checker_usage GROUP BY tenant_id",
    recounted="SELECT 'acme', countIf(duplicate_of IS NULL) FROM checker_events WHERE {where}",
)

Row = dict[str, Any]


@dataclass
class Book:
    """Two partitions with 20 records each, in segments of ten; number 3 of each repeats number 1."""

    topic: str = TOPIC
    acknowledged: dict[uuid.UUID, list[tuple[int, int]]] = field(default_factory=dict)
    uncertain: set[uuid.UUID] = field(default_factory=set)

    @property
    def acknowledgements(self) -> int:
        return sum(len(places) for places in self.acknowledged.values())


def event_id(partition: int, offset: int) -> uuid.UUID:
    return uuid.UUID(int=partition * 1000 + (1 if offset == 3 else offset) + 1)


def good_rows() -> list[Row]:
    return [
        {
            "event_id": event_id(partition, offset),
            "log_id": f"{TOPIC}/{partition}/aabbccdd",
            "segment_id": f"{TOPIC}/{partition}/aabbccdd/{offset // 10 * 10}-{offset // 10 * 10 + 9}",
            "leaf_index": offset,
            "leaf_kind": 0,
            "duplicate_of": 1 if offset == 3 else None,
            "kafka_topic": TOPIC,
            "kafka_partition": partition,
            "kafka_offset": offset,
            "ingest_day": "2026-01-01",
        }
        for partition in (0, 1)
        for offset in range(20)
    ]


@pytest.fixture
def book() -> Book:
    made = Book()
    for row in good_rows():
        place = (row["kafka_partition"], row["kafka_offset"])
        made.acknowledged.setdefault(row["event_id"], []).append(place)
    return made


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    opened = clickhouse_connect.get_client(interface="chdb")
    yield opened
    opened.close()


@pytest.fixture
def store(client: Any) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Fill the tables with rows, as if views had counted each one once."""
    client.command(
        "CREATE TABLE checker_events (event_id UUID, log_id LowCardinality(String), segment_id String,"
        " leaf_index UInt64, leaf_kind UInt8, duplicate_of Nullable(UInt64), kafka_topic String,"
        " kafka_partition Int32, kafka_offset Int64, ingest_day Date)"
        " ENGINE = MergeTree PARTITION BY ingest_day ORDER BY kafka_offset"
    )
    client.command(
        "CREATE TABLE checker_usage (tenant_id String, events UInt64) ENGINE = MergeTree ORDER BY ()"
    )

    def fill(rows: Sequence[Mapping[str, Any]]) -> None:
        lines = ", ".join(f"({', '.join(map(_literal, row.values()))})" for row in rows)
        client.command(f"INSERT INTO checker_events ({', '.join(rows[0])}) VALUES {lines}")
        counted = sum(row["duplicate_of"] is None for row in rows)
        client.command(f"INSERT INTO checker_usage VALUES ('acme', {counted})")

    yield fill
    client.command("DROP TABLE checker_events")
    client.command("DROP TABLE checker_usage")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f"'{value}'"


@pytest.fixture
def checker(book: Book, client: Any) -> Checker:
    return Checker(book, ask_through(client), table="checker_events", rollups=[ROLLUP])


Fill = Callable[[Sequence[Mapping[str, Any]]], None]
Damage = Callable[[list[Row]], object]


def test_a_good_table_has_no_complaint(checker: Checker, store: Fill) -> None:
    store(good_rows())
    verdict = checker.check()
    assert (verdict.holds, verdict.acknowledged, verdict.rows) == (True, 40, 40), str(verdict)


def move_last_event(rows: list[Row]) -> None:
    """Swap two events of one log: all ids are there, in the wrong places."""
    rows[5]["event_id"], rows[6]["event_id"] = rows[6]["event_id"], rows[5]["event_id"]


def renumber_second_log(rows: list[Row]) -> None:
    for row in rows[30:]:
        row["leaf_index"] += 1


@pytest.mark.parametrize(
    ("damage", "complaints"),
    [
        pytest.param(
            lambda rows: rows.pop(7), {"lost", "not_dense", "torn_segments"}, id="one row is missing"
        ),
        pytest.param(lambda rows: rows.pop(), {"lost", "torn_segments"}, id="the last row is missing"),
        pytest.param(
            lambda rows: rows.append(dict(rows[7])),
            {"doubled", "not_dense", "torn_segments"},
            id="one row twice",
        ),
        pytest.param(
            lambda rows: rows.append(
                rows[7] | {"kafka_offset": 20, "leaf_index": 20, "segment_id": "x/20-20"}
            ),
            {"doubled", "misplaced", "wrong_marks"},
            id="one event again at another offset",
        ),
        pytest.param(
            lambda rows: rows.append(
                rows[7]
                | {
                    "event_id": uuid.UUID(int=9),
                    "kafka_offset": 20,
                    "leaf_index": 20,
                    "segment_id": "x/20-20",
                }
                | {"event_id": uuid.UUID(int=99)}
            ),
            {"extra", "misplaced"},
            id="an event that nobody sent",
        ),
        pytest.param(move_last_event, {"misplaced"}, id="two events swapped"),
        pytest.param(renumber_second_log, {"not_dense"}, id="an index left out"),
        pytest.param(
            lambda rows: rows[7].update(leaf_kind=1), {"lost"}, id="an event recorded as a dead letter"
        ),
        pytest.param(
            lambda rows: rows[3].update(duplicate_of=None),
            {"doubled", "wrong_marks"},
            id="a repeat that counts",
        ),
        pytest.param(
            lambda rows: rows[3].update(duplicate_of=0), {"wrong_marks"}, id="a repeat of the wrong row"
        ),
        pytest.param(
            lambda rows: rows[1].update(duplicate_of=3),
            {"lost", "wrong_marks"},
            id="the first row marked too",
        ),
        pytest.param(
            lambda rows: rows[9].update(ingest_day="2026-01-02"),
            {"torn_segments"},
            id="a segment on two days",
        ),
        pytest.param(
            lambda rows: rows[9].update(segment_id=rows[10]["segment_id"]),
            {"torn_segments"},
            id="a row in the wrong segment",
        ),
    ],
)
def test_damage_is_named(checker: Checker, store: Fill, damage: Damage, complaints: set[str]) -> None:
    rows = good_rows()
    damage(rows)
    store(rows)
    verdict = checker.check()
    assert set(verdict.complaints) == complaints, str(verdict)
    assert all(name in str(verdict) for name in complaints)


def test_a_rollup_that_missed_or_doubled_a_segment_is_named(
    checker: Checker, store: Fill, client: Any
) -> None:
    store(good_rows())
    client.command("INSERT INTO checker_usage VALUES ('acme', 10)")
    assert checker.check().wrong_rollups == ["usage_1m acme: 48 stored, 38 recounted"]


def test_an_uncertain_event_may_be_there_or_not(checker: Checker, store: Fill, book: Book) -> None:
    places = book.acknowledged.pop(event_id(1, 19))
    book.uncertain.add(event_id(1, 19))
    store(good_rows())
    assert checker.check().holds
    assert places == [(1, 19)]


def test_rows_of_other_topics_do_not_count(checker: Checker, store: Fill) -> None:
    store(good_rows())
    other = [row | {"kafka_topic": "other", "duplicate_of": 0} for row in good_rows()[:3]]
    store(other)
    assert checker.check().holds


def test_offsets_without_a_record_are_allowed_where_the_topic_has_them(
    checker: Checker, store: Fill, book: Book
) -> None:
    del book.acknowledged[event_id(1, 19)]
    store(good_rows()[:-1])
    assert set(checker.check().complaints) == {"torn_segments"}
    gappy = Checker(book, checker.ask, checker.table, checker.rollups, has_gaps=True)
    assert gappy.check().holds


def test_waiting_ends_when_all_records_have_rows(checker: Checker, store: Fill) -> None:
    store(good_rows())
    assert checker.wait(within_s=1, stall_s=1)


def test_doubled_rows_do_not_end_the_wait_for_missing_ones(checker: Checker, store: Fill) -> None:
    rows = good_rows()
    rows[8] = rows[7]
    store(rows)
    assert not checker.wait(within_s=5, stall_s=0.2)


def test_a_record_without_an_acknowledgement_does_not_make_up_for_one_that_is_missing(
    checker: Checker, store: Fill, book: Book
) -> None:
    # Sent while the producer was stopped: in the topic, though nobody was told so.
    del book.acknowledged[event_id(0, 7)]
    book.uncertain.add(event_id(0, 7))
    store(good_rows()[:-1])
    assert not checker.wait(within_s=5, stall_s=0.2)


def test_waiting_goes_on_while_rows_arrive(book: Book) -> None:
    counts = iter(range(0, 41, 4))
    at_the_end = [[partition, 1_000] for partition in range(8)]
    checker = Checker(book, lambda sql: at_the_end if "max(" in sql else [[next(counts)]])
    assert checker.wait(within_s=10, stall_s=0.15)

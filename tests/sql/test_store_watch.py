"""The watch over the store: each way to change what was recorded gives exactly its finding, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.core.errors import RetryableError
from auditstream.query.reader import Reader
from auditstream.query.watches.store_watch import StoreWatch, migrating, remember
from auditstream.query.watches.table_memory import TableMemory, TableMemoryError
from auditstream.query.watches.watch_loop import look_once
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.clients import ClientPool
from tests.support.blocks import block_of
from tests.support.examples import at_length
from tests.support.roles import engine_of_owner
from tests.support.stores import ClickHouseStore, OpenClient, new_store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CRITICAL, HIGH = 5, 4
DELETE = "DELETE FROM segment_ranges WHERE first_index = 0"  # the projection of `events` does not let it


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenClient]:
    with engine_of_owner(tmp_path_factory.mktemp("engine")) as opener:
        yield opener


@pytest.fixture
def store(engine: OpenClient) -> Iterator[ClickHouseStore]:
    """A migrated store with three events of one day and three of another."""
    with new_store(engine) as made:
        for lo in (0, 3):
            made.sink.insert(block_of(lo=lo), insert_by_s=4e9, timeout_s=20)
        yield made


@pytest.fixture
def reader(store: ClickHouseStore, engine: OpenClient) -> Iterator[Reader]:
    opened = Reader(ClientPool(lambda: engine(store.client.database or "")))
    yield opened
    opened.close()


@pytest.fixture
def memory(tmp_path: Path) -> TableMemory:
    return TableMemory(tmp_path / "seal" / "tables.json")


@pytest.fixture
def watch(reader: Reader, memory: TableMemory) -> StoreWatch:
    """A watch that has looked once, and saw nothing wrong."""
    made = StoreWatch(reader, memory, lambda: NOW)
    assert looked(made) == []
    return made


def looked(watch: StoreWatch) -> list[Finding]:
    found = watch.look()
    watch.told()
    return found


TAMPERING = [
    (
        "ALTER TABLE events UPDATE outcome = 'x' WHERE 1 SETTINGS mutations_sync = 1",
        "store.mutations",
        CRITICAL,
    ),
    (DELETE, "store.mutations", CRITICAL),
    ("TRUNCATE TABLE events", "store.rows", CRITICAL),
    ("ALTER TABLE events DROP PARTITION ID 'all'", "", 0),  # there is none
    ("ALTER TABLE events DROP PARTITION '2026-01-02'", "store.rows", CRITICAL),
    ("ALTER TABLE events ADD COLUMN extra String", "store.tables", CRITICAL),
    ("ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 5", "store.tables", HIGH),
    ("RENAME TABLE findings TO somewhere", "store.tables", CRITICAL),
    ("CREATE TABLE another AS events", "store.tables", 3),
]
MORE_OF_THE_SAME = [
    ("ALTER TABLE events DELETE WHERE 1 SETTINGS mutations_sync = 1", "store.mutations", CRITICAL),
    ("ALTER TABLE events DETACH PARTITION '2026-01-02'", "store.rows", CRITICAL),
    ("ALTER TABLE events MODIFY TTL ingest_day + INTERVAL 10 YEAR", "store.tables", CRITICAL),
    ("ALTER TABLE events DROP CONSTRAINT fresh", "store.tables", CRITICAL),
    ("ALTER TABLE usage_1m RESET SETTING non_replicated_deduplication_window", "store.tables", HIGH),
    ("DROP TABLE segment_ranges_feed", "store.tables", CRITICAL),
    ("DROP TABLE checkpoints SYNC", "store.tables", CRITICAL),
    ("DETACH TABLE checkpoints", "store.tables", CRITICAL),
    ("CREATE OR REPLACE TABLE tenants (a UInt8) ENGINE = MergeTree ORDER BY a", "store.tables", CRITICAL),
    ("CREATE MATERIALIZED VIEW spy ENGINE = Log AS SELECT raw FROM events", "store.tables", 3),
]


@pytest.mark.parametrize(
    ("statement", "rule", "severity"),
    [*TAMPERING, *at_length(MORE_OF_THE_SAME)],
    ids=[each[0][:48] for each in (*TAMPERING, *MORE_OF_THE_SAME)],
)
def test_each_statement_gives_exactly_its_finding_and_gives_it_once(
    store: ClickHouseStore, watch: StoreWatch, statement: str, rule: str, severity: int
) -> None:
    store.client.command(statement)

    found = looked(watch)

    assert [(each.rule_id, each.severity, each.status) for each in found] == (
        [(rule, severity, FindingStatus.NEW)] if rule else []
    ), [each.title for each in found]
    assert looked(watch) == []


def test_a_swapped_table_is_a_finding_though_its_definition_is_the_same(
    store: ClickHouseStore, watch: StoreWatch
) -> None:
    store.client.command("CREATE TABLE forged AS events")
    assert [each.scope for each in looked(watch)] == ["table=forged"]

    store.client.command("EXCHANGE TABLES events AND forged")

    events, forged = looked(watch)
    assert events.scope == "table=events"
    assert (forged.scope, forged.status) == ("table=forged", FindingStatus.RESOLVED)
    assert "uuid" in events.title
    assert "expected" in events.title


def test_recording_merging_and_other_honest_work_is_no_finding(
    store: ClickHouseStore, watch: StoreWatch
) -> None:
    store.sink.insert(block_of(lo=6), insert_by_s=4e9, timeout_s=20)
    store.client.command("OPTIMIZE TABLE events FINAL")
    store.client.command("OPTIMIZE TABLE usage_1m FINAL")  # sums rows up

    assert looked(watch) == []


def test_a_finding_names_what_was_expected_and_what_was_found(
    store: ClickHouseStore, watch: StoreWatch
) -> None:
    store.client.command("ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 5")

    (found,) = looked(watch)

    assert found.title == (
        "table events is not the one it was: setting non_replicated_deduplication_window 5, expected 10000"
    )
    assert found.window_start == NOW


def test_what_was_put_right_is_resolved_and_new_when_it_comes_back(
    store: ClickHouseStore, watch: StoreWatch
) -> None:
    alter = "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = {}"
    (first,) = looked(watch) or [None] if store.client.command(alter.format(5)) is None else looked(watch)
    assert first is not None
    store.client.command(alter.format(10_000))
    (over,) = looked(watch)
    store.client.command(alter.format(5))
    (again,) = looked(watch)

    assert {first.finding_id, over.finding_id, again.finding_id} == {first.finding_id}
    assert [each.version for each in (first, over, again)] == [0, 1_000, 2_000]
    assert over.status is FindingStatus.RESOLVED
    assert again.status is FindingStatus.NEW


def test_a_mutation_stays_a_finding_when_the_store_forgets_it(
    store: ClickHouseStore, watch: StoreWatch
) -> None:
    store.client.command(DELETE)
    assert len(looked(watch)) == 1
    store.client.command("TRUNCATE TABLE segment_ranges")  # takes the marked parts along

    assert [each.rule_id for each in looked(watch)] == ["store.rows"]


def test_a_mutation_that_nobody_saw_is_told_by_the_parts_that_it_wrote(
    store: ClickHouseStore, reader: Reader, memory: TableMemory
) -> None:
    store.client.command("ALTER TABLE tenants MODIFY SETTING finished_mutations_to_keep = 1")
    store.client.command("INSERT INTO tenants (tenant_id) VALUES ('a')")
    watch = StoreWatch(reader, memory, lambda: NOW)
    assert looked(watch) == []
    for name in ("b", "c", "d"):
        store.client.command(
            f"ALTER TABLE tenants UPDATE name = '{name}' WHERE 1 SETTINGS mutations_sync = 1"
        )

    found = looked(watch)

    assert {each.rule_id for each in found} == {"store.mutations"}
    assert found


def test_what_nobody_was_told_of_is_said_again(store: ClickHouseStore, watch: StoreWatch) -> None:
    store.client.command("DROP TABLE checkpoints SYNC")

    def away(_: object) -> None:
        raise RetryableError("Kafka is away")

    with pytest.raises(RetryableError):
        look_once(watch, away)
    heard: list[Finding] = []
    look_once(watch, heard.extend)

    assert [each.scope for each in heard] == ["table=checkpoints"]
    assert look_once(watch, away) == []


def test_what_was_taken_for_right_during_a_look_stays_so(
    store: ClickHouseStore, reader: Reader, memory: TableMemory, watch: StoreWatch
) -> None:
    store.client.command("ALTER TABLE tenants ADD COLUMN wanted String")
    assert len(watch.look()) == 1
    remember(reader, memory)
    watch.told()

    assert looked(watch) == []


def test_a_second_change_of_the_same_table_is_a_second_finding(
    store: ClickHouseStore, watch: StoreWatch
) -> None:
    store.client.command("ALTER TABLE events ADD COLUMN one String")
    (first,) = looked(watch)
    store.client.command("ALTER TABLE events ADD COLUMN two String")

    second, over = looked(watch)

    assert second.status is FindingStatus.NEW
    assert (over.finding_id, over.status) == (first.finding_id, FindingStatus.RESOLVED)


def test_a_migration_is_no_finding_and_hides_none(
    store: ClickHouseStore, reader: Reader, memory: TableMemory, watch: StoreWatch
) -> None:
    store.client.command("ALTER TABLE tenants ADD COLUMN tampered String")
    with migrating(reader, memory):
        store.client.command("ALTER TABLE events ADD COLUMN wanted String")
        store.client.command("CREATE TABLE new_one (a UInt8) ENGINE = MergeTree ORDER BY a")

    assert [each.scope for each in looked(watch)] == ["table=tenants"]


def test_taking_the_store_for_right_ends_its_findings(
    store: ClickHouseStore, reader: Reader, memory: TableMemory, watch: StoreWatch
) -> None:
    store.client.command("ALTER TABLE tenants ADD COLUMN wanted String")
    store.client.command(DELETE)
    first = looked(watch)

    assert [each.scope for each in remember(reader, memory)] == ["table=tenants", "table=segment_ranges"]

    over = looked(watch)
    assert {each.finding_id for each in over} == {each.finding_id for each in first}
    assert {each.status for each in over} == {FindingStatus.RESOLVED}
    assert looked(watch) == []


def test_mutations_from_before_the_first_look_are_findings(
    store: ClickHouseStore, reader: Reader, memory: TableMemory
) -> None:
    store.client.command(DELETE)

    assert [each.rule_id for each in looked(StoreWatch(reader, memory, lambda: NOW))] == ["store.mutations"]


def test_a_memory_that_is_damaged_is_an_error_and_is_not_written_over(
    watch: StoreWatch, memory: TableMemory
) -> None:
    memory.path.write_text('{"form": "another"}')

    with pytest.raises(TableMemoryError, match="form"):
        watch.look()

    assert memory.path.read_text() == '{"form": "another"}'

"""Tampering with a sealed record: each act is seen, and the finding names the leaf, or the table or file.

The acts are done past the product, by an engine that heeds no grants. Rows are put back after each test;
one that changes tables has a database of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from auditstream.core.ports import LogId
from auditstream.ledger.checkpoints import Checkpoint, sign_checkpoint
from auditstream.ledger.log_list import ListedLog, log_list, sign_log_list
from tests.support.blocks import block_of
from tests.support.engines import in_process
from tests.support.evidence import (
    DEPLOYMENT,
    DEPLOYMENT_KEY,
    LOGS,
    SIZES,
    Sealed,
    blocks_of,
    finding_at,
    key_of,
    origin_of,
    places,
    sealed_deployment,
)
from tests.support.examples import at_length
from tests.support.stores import FED_TABLES, OpenClient

FIRST, SECOND = LOGS
HERE = "kafka_partition = 0"
SYNC = "SETTINGS mutations_sync = 2"
REHASH = f"""
ALTER TABLE events UPDATE leaf_hash = SHA256(concat(unhex('0001'), char(leaf_kind),
    reinterpretAsFixedString(byteSwap(leaf_index)),
    reinterpretAsFixedString(byteSwap(toUInt64(kafka_offset))),
    reinterpretAsFixedString(byteSwap(toUInt64(toUnixTimestamp64Milli(kafka_timestamp)))),
    UUIDToNum(event_id), SHA256(raw)))
WHERE {HERE} AND leaf_index = 300 {SYNC}"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenClient]:
    with in_process(tmp_path_factory.mktemp("engine")) as opener:
        yield opener


@pytest.fixture(scope="module")
def blocks() -> dict[LogId, list]:
    """What the recorder makes, once for all tests."""
    return {log: blocks_of(log, size) for log, size in zip(LOGS, SIZES, strict=True)}


@pytest.fixture(scope="module")
def untouched(engine: OpenClient, tmp_path_factory: pytest.TempPathFactory, blocks: dict) -> Iterator[Sealed]:
    """A record that holds, for tests that harm copies of its files, or rows that are put back."""
    with sealed_deployment(engine, tmp_path_factory.mktemp("untouched"), blocks=blocks) as made:
        database = made.store.client.database
        harm(made, f"CREATE DATABASE {database}_kept")
        for table in FED_TABLES:
            harm(made, f"CREATE TABLE {database}_kept.{table} AS {table}")
            harm(made, f"ALTER TABLE {database}_kept.{table} ATTACH PARTITION ALL FROM {table}")
        check(made)
        yield made
        harm(made, f"DROP DATABASE {database}_kept")


@pytest.fixture
def published(untouched: Sealed, tmp_path: Path) -> Sealed:
    """The same rows with files, and an auditor's memory, of this test's own; its rows may not be changed."""
    shutil.copytree(untouched.root, tmp_path / "evidence")
    shutil.copytree(untouched.seen, tmp_path / "verified")
    shutil.copytree(untouched.memory, tmp_path / "seal")
    return replace(
        untouched,
        root=tmp_path / "evidence",
        seen=tmp_path / "verified",
        memory=tmp_path / "seal",
        heads=dict(untouched.heads),
    )


@pytest.fixture
def sealed(published: Sealed) -> Iterator[Sealed]:
    """The same, and its rows may be changed."""
    yield published
    for table in FED_TABLES:
        kept = f"{published.store.client.database}_kept.{table}"
        harm(published, f"TRUNCATE TABLE {table}", f"ALTER TABLE {table} ATTACH PARTITION ALL FROM {kept}")


@pytest.fixture
def altered(engine: OpenClient, tmp_path: Path, blocks: dict) -> Iterator[Sealed]:
    """The same in a database of its own, whose tables may be changed."""
    with sealed_deployment(engine, tmp_path, blocks=blocks) as made:
        check(made)
        yield made


def check(record: Sealed) -> None:
    report = record.verify()
    assert report.holds, report.findings
    assert report.leaves == sum(SIZES)


def harm(sealed: Sealed, *statements: str) -> None:
    for statement in statements:
        sealed.store.client.command(statement)


# --- rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "what"),
    [
        ("raw = concat(raw, 'x')", "value_sha256"),
        ("raw = ''", "value_sha256"),
        ("raw_null = 1", "value_sha256"),
        ("kafka_offset = 5000", "kafka_offset"),
        ("kafka_timestamp = kafka_timestamp + 1", "kafka_timestamp"),
        ("leaf_kind = 2", "kind"),
        ("leaf_hash = toFixedString(unhex('00'), 32)", "leaf_hash"),
    ],
)
def test_an_edited_column_of_a_leaf_is_named_with_its_index(
    sealed: Sealed, assignment: str, what: str
) -> None:
    harm(sealed, f"ALTER TABLE events UPDATE {assignment} WHERE {HERE} AND leaf_index = 300 {SYNC}")

    report = sealed.verify()

    assert ("300", what) in places(report)
    assert finding_at(report, 300).log == origin_of(FIRST)


def test_bytes_put_into_a_null_value_are_seen(sealed: Sealed) -> None:
    harm(sealed, f"ALTER TABLE events UPDATE raw = 'x' WHERE {HERE} AND leaf_index = 323 {SYNC}")

    assert places(sealed.verify()) == [("323", "value_sha256")]


def test_values_of_two_rows_that_change_places_are_both_named(sealed: Sealed) -> None:
    a, b = (
        sealed.store.value(f"SELECT hex(raw) FROM events WHERE {HERE} AND leaf_index = {i}") for i in (5, 9)
    )
    harm(
        sealed,
        f"ALTER TABLE events UPDATE raw = if(leaf_index = 5, unhex('{b}'), unhex('{a}')) "
        f"WHERE {HERE} AND leaf_index IN (5, 9) {SYNC}",
    )

    assert places(sealed.verify()) == [("5", "value_sha256"), ("9", "value_sha256")]


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE events DELETE WHERE {HERE} AND leaf_index IN (255, 256) {SYNC}",
        f"DELETE FROM events WHERE {HERE} AND leaf_index IN (255, 256) SETTINGS lightweight_deletes_sync = 2",
    ],
)
def test_deleted_rows_are_named(altered: Sealed, statement: str) -> None:
    harm(
        altered,
        "ALTER TABLE events MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild'",
        statement,
    )

    report = altered.verify()

    assert ("255-256", "missing_row") in places(report)


def test_a_dropped_partition_is_named_as_a_range(sealed: Sealed) -> None:
    harm(sealed, "ALTER TABLE events DROP PARTITION '2026-01-01'")

    report = sealed.verify()

    assert {("0-599", "missing_row"), ("0-299", "missing_row")} <= set(places(report))


def test_a_shortened_lifetime_is_seen_by_the_rows_that_went(altered: Sealed) -> None:
    harm(
        altered,
        "ALTER TABLE events MODIFY TTL toDateTime(ingest_day) + INTERVAL 1 DAY SETTINGS mutations_sync = 2",
        "OPTIMIZE TABLE events FINAL",
    )

    assert ("0-599", "missing_row") in places(altered.verify())


def test_the_newest_rows_cannot_be_cut_off(sealed: Sealed) -> None:
    harm(sealed, f"ALTER TABLE events DELETE WHERE {HERE} AND leaf_index >= 590 {SYNC}")

    assert ("590-599", "missing_row") in places(sealed.verify())


@pytest.mark.parametrize("swap", ["EXCHANGE TABLES events AND other", "RENAME"])
def test_a_swapped_table_is_seen(altered: Sealed, swap: str) -> None:
    harm(
        altered,
        "CREATE TABLE other AS events",
        f"INSERT INTO other SELECT * EXCEPT (search_text) REPLACE (now64(3) + 60 AS insert_by) FROM events "
        f"WHERE NOT ({HERE} AND leaf_index = 44)",
    )
    if swap == "RENAME":
        harm(altered, "RENAME TABLE events TO kept, other TO events")
    else:
        harm(altered, swap)

    assert ("44", "missing_row") in places(altered.verify())


def test_a_table_made_anew_is_seen(altered: Sealed) -> None:
    harm(altered, "CREATE TABLE empty AS events", "CREATE OR REPLACE TABLE events AS empty")

    assert ("0-599", "missing_row") in places(altered.verify())


# --- forged rows -----------------------------------------------------------------------------------------


def forged(log: LogId, index: int, **columns: object) -> object:
    return block_of(log, index, 1, segment_id=f"{log}/{index}-{index}", **columns)


def test_a_forged_row_at_an_index_that_is_taken_is_named(sealed: Sealed) -> None:
    sealed.store.insert(forged(FIRST, 123))

    report = sealed.verify()

    assert ("123", "repeated_index") in places(report)


def test_a_copy_of_a_row_is_named(sealed: Sealed) -> None:
    harm(
        sealed,
        "INSERT INTO events SELECT * EXCEPT (search_text) REPLACE (now64(3) + 60 AS insert_by) FROM events "
        f"WHERE {HERE} AND leaf_index = 123",
    )

    assert ("123", "repeated_index") in places(sealed.verify())


def test_a_forged_row_behind_the_end_is_named(sealed: Sealed) -> None:
    sealed.store.insert(forged(FIRST, 700))

    assert ("600-699", "missing_row") in places(sealed.verify())


def test_a_forged_row_at_the_next_index_is_told_at_once_and_a_finding_when_nothing_seals_it(
    sealed: Sealed,
) -> None:
    sealed.store.insert(forged(FIRST, 600))
    report = sealed.verify()
    assert report.holds
    assert any("the newest row is not sealed yet" in remark for remark in report.remarks)
    harm(
        sealed,
        f"ALTER TABLE events UPDATE inserted_at = '2026-01-01' WHERE {HERE} AND leaf_index = 600 {SYNC}",
    )

    assert places(sealed.verify()) == [("600", "unsealed_rows")]


def test_a_row_with_a_segment_of_another_range_is_named(sealed: Sealed) -> None:
    harm(
        sealed,
        f"ALTER TABLE events UPDATE segment_id = '{FIRST}/900-901' WHERE {HERE} AND leaf_index = 300 {SYNC}",
    )

    assert ("300", "segment_id") in places(sealed.verify())


def test_rows_of_a_log_that_nobody_sealed_are_named(sealed: Sealed) -> None:
    other = LogId("audit.events.v1", 7, "0a1b2c3d")
    sealed.store.insert(block_of(other, rows=4))
    harm(sealed, f"ALTER TABLE events UPDATE inserted_at = '2026-01-01' WHERE log_id = '{other}' {SYNC}")

    report = sealed.verify()

    assert places(report) == [("0-3", "unsealed_rows")]
    assert report.findings[0].log == origin_of(other)


# --- what was derived --------------------------------------------------------------------------------------


def test_what_was_derived_is_made_again_and_is_the_same(sealed: Sealed) -> None:
    report = sealed.verify(deep=True)

    assert report.findings == []


def test_each_edited_derived_column_is_named(sealed: Sealed) -> None:
    edits = [
        (300, "cost_effective = 1", "cost_effective"),
        (302, "cost_status = 'priced'", "cost_status"),
        (304, "project_id = 'other'", "project_id"),
        (306, "attributes = map('a', 'b')", "attributes"),
        (308, "outcome = 'SUCCESS'", "outcome"),
        (331, "duplicate_of = NULL", "duplicate_of"),
        (381, "duplicate_of = 3", "duplicate_of"),
        (317, "reject_reason = 'other'", "reject_reason"),
        (310, "schema_id = '9'", "event_type"),  # it reads as if a header had named another schema
    ]
    for index, assignment, _ in edits:
        harm(sealed, f"ALTER TABLE events UPDATE {assignment} WHERE {HERE} AND leaf_index = {index} {SYNC}")

    found = sealed.verify(deep=True).findings

    assert {(str(index), column) for index, _, column in edits} <= {(each.place, each.what) for each in found}
    edited = {index for index, _, _ in edits}
    assert {each.first for each in found if each.log == origin_of(FIRST)} == edited


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("ALTER TABLE usage_1m UPDATE events = events + 1 WHERE 1 SETTINGS mutations_sync = 2", "usage_1m"),
        *at_length(
            [
                (
                    "ALTER TABLE usage_1h DELETE WHERE tenant_id != 'x' SETTINGS mutations_sync = 2",
                    "usage_1h",
                ),
                ("TRUNCATE TABLE outcomes_1m", "outcomes_1m"),
                (
                    "ALTER TABLE segment_ranges UPDATE rows = 1 WHERE 1 SETTINGS mutations_sync = 2",
                    "segment_ranges",
                ),
            ]
        ),
    ],
)
def test_an_edited_rollup_is_named(sealed: Sealed, statement: str, table: str) -> None:
    harm(sealed, statement)

    assert {each.log for each in sealed.verify(deep=True).findings} == {table}


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE OR REPLACE VIEW logs AS SELECT * FROM segment_ranges", "logs"),
        ("DROP VIEW usage_1m_feed", "usage_1m_feed"),
        ("ALTER TABLE findings MODIFY TTL toDateTime(recorded_at) + INTERVAL 1 DAY", "findings"),
    ],
)
def test_a_changed_definition_is_named(altered: Sealed, statement: str, name: str) -> None:
    harm(altered, statement)

    assert [(each.log, each.what) for each in altered.verify().findings] == [(name, "definition")]


# --- files -----------------------------------------------------------------------------------------------


def flip(path: Path, at: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tile/0/000", "tile"),
        ("tile/0/001", "tile"),
        ("tile/0/002.p/88", "tile"),
        ("tile/1/000.p/2", "tile"),
        ("tile/entries/001", "bundle"),
        ("tile/entries/002.p/88", "bundle"),
    ],
)
def test_a_changed_tile_or_bundle_is_named(published: Sealed, name: str, what: str) -> None:
    flip(published.root / str(FIRST) / name, at=40)

    report = published.verify()

    assert {each.what for each in report.findings} == {what}
    assert any(name in each.expected for each in report.findings)


@pytest.mark.parametrize("name", ["tile/0/000", "tile/1/000.p/2", "tile/entries/001", "tile/0/002.p/88"])
def test_a_missing_tile_or_bundle_is_named(published: Sealed, name: str) -> None:
    (published.root / str(FIRST) / name).unlink()

    report = published.verify()

    assert not report.holds
    assert all(each.what in {"tile_missing", "bundle_missing", "list"} for each in report.findings)
    assert any(name in each.expected for each in report.findings)


def test_rows_tiles_and_bundles_that_agree_with_each_other_are_still_not_what_was_signed(
    sealed: Sealed, tmp_path: Path
) -> None:
    harm(sealed, f"ALTER TABLE events UPDATE raw = 'forged' WHERE {HERE} AND leaf_index = 300 {SYNC}")
    harm(sealed, REHASH)
    signed = (sealed.root / str(FIRST) / "checkpoint").read_bytes()
    shutil.rmtree(sealed.root / str(FIRST))
    shutil.rmtree(tmp_path / "seal" / str(FIRST))
    sealed.seal(FIRST)
    (sealed.root / str(FIRST) / "checkpoint").write_bytes(signed)

    report = sealed.verify()

    assert "root" in {each.what for each in report.findings}


@pytest.mark.parametrize("at", [0, 30, -10, -150])
def test_a_changed_checkpoint_is_named(published: Sealed, at: int) -> None:
    flip(published.root / str(FIRST) / "checkpoint", at)

    assert {(each.log, each.what) for each in published.verify().findings} == {
        (origin_of(FIRST), "checkpoint")
    }


def test_a_checkpoint_of_a_stolen_key_lacks_the_witness(published: Sealed) -> None:
    head = published.heads[FIRST]
    note = sign_checkpoint(Checkpoint(origin_of(FIRST), head.size, head.root), key_of(FIRST))
    (published.root / str(FIRST) / "checkpoint").write_bytes(note.to_bytes())

    assert places(published.verify()) == [("", "quorum")]


def test_a_log_that_the_list_leaves_out_is_named(published: Sealed) -> None:
    published.write_list(1_800_000_001, without=[SECOND])

    report = published.verify()

    assert {each.what for each in report.findings} == {"unlisted_log", "log_missing"}
    assert {each.log for each in report.findings} == {origin_of(SECOND)}


def test_a_log_whose_files_are_gone_is_named(published: Sealed) -> None:
    shutil.rmtree(published.root / str(SECOND))

    assert (origin_of(SECOND), "log_missing") in {(f.log, f.what) for f in published.verify().findings}


@pytest.mark.parametrize("at", [3, 60, -20])
def test_a_changed_list_of_logs_is_named(published: Sealed, at: int) -> None:
    flip(published.root / "logs", at)

    assert "log_list" in {each.what for each in published.verify().findings}


def test_a_list_of_another_history_is_named(published: Sealed) -> None:
    listed = [ListedLog(key_of(log).verifier, head.size, bytes(32)) for log, head in published.heads.items()]
    note = sign_log_list(log_list(DEPLOYMENT, 1, listed), DEPLOYMENT_KEY)
    (published.root / "logs").write_bytes(note.to_bytes())

    assert [each.what for each in published.verify().findings] == ["list", "list"]


# --- time ------------------------------------------------------------------------------------------------


def test_a_whole_store_that_was_rolled_back_is_remembered_larger(
    sealed: Sealed, tmp_path: Path, blocks: dict
) -> None:
    shutil.copytree(sealed.root, tmp_path / "old")
    sealed.store.insert(blocks_of(FIRST, 50, first=600)[0])
    sealed.seal()
    assert sealed.verify().holds
    shutil.rmtree(sealed.root)
    shutil.copytree(tmp_path / "old", sealed.root)
    harm(sealed, f"ALTER TABLE events DELETE WHERE {HERE} AND leaf_index >= 600 {SYNC}")

    report = sealed.verify()

    assert [(each.log, each.what) for each in report.findings] == [(origin_of(FIRST), "rollback")]
    assert "650" in report.findings[0].expected


def test_another_history_of_the_same_length_is_not_the_one_that_was_seen(
    sealed: Sealed, tmp_path: Path
) -> None:
    harm(sealed, f"ALTER TABLE events UPDATE raw = 'forged' WHERE {HERE} AND leaf_index = 300 {SYNC}")
    harm(sealed, REHASH)
    shutil.rmtree(sealed.root / str(FIRST))
    shutil.rmtree(tmp_path / "seal" / str(FIRST))
    sealed.seal(FIRST)

    report = sealed.verify()

    assert [(each.log, each.what) for each in report.findings] == [(origin_of(FIRST), "rollback")]

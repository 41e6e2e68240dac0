"""What has been recorded, the store's own facts, and statements of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from auditstream.core.errors import RequestError
from auditstream.query import store_facts
from auditstream.query.reader import Reader
from auditstream.query.recorded import recorded
from sinks.migration_files import TOKEN_WINDOW
from tests.support.blocks import LOG, OTHER_LOG, block_of
from tests.support.stores import FED_TABLES, ClickHouseStore, OpenClient, reading


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    store.client.command("TRUNCATE TABLE checkpoints")
    with reading(engine, store) as opened:
        yield opened


def test_an_empty_store_has_recorded_nothing(reader: Reader) -> None:
    state = recorded(reader)

    assert (state.logs, state.reasons, state.unpriced, state.checkpoints) == ([], {}, 0, [])
    assert state.total("recorded") == 0
    assert state.last_insert_age_s is None


def test_leaves_are_counted_by_log_and_kind(reader: Reader, store: ClickHouseStore) -> None:
    store.insert(
        block_of(
            rows=4,
            leaf_kind=[0, 1, 1, 0],
            reject_reason=["", "undecodable", "contract", ""],
            duplicate_of=[None, None, None, 0],
            cost_status=["unpriced", "", "", "unpriced"],
        )
    )
    store.insert(block_of(lo=5, rows=2))
    store.insert(block_of(OTHER_LOG, rows=1, leaf_kind=2, reject_reason="never_planned"))

    state = recorded(reader)

    first, second = state.logs
    assert (first["log_id"], second["log_id"]) == (str(LOG), str(OTHER_LOG))
    assert (first["recorded"], first["next_index"], first["segments"]) == (6, 7, 2)
    assert (first["dense"], second["dense"]) == (False, True)
    assert [state.total(name) for name in ("dead_letters", "gaps", "duplicates")] == [2, 1, 1]
    assert state.reasons == {"contract": 1, "undecodable": 1}
    assert state.unpriced == 1
    assert 0 <= (state.last_insert_age_s or -1) < 60


def test_the_newest_checkpoint_of_a_log_counts(reader: Reader, store: ClickHouseStore) -> None:
    for size in (3, 9, 5):
        store.client.command(
            "INSERT INTO checkpoints (origin, log_id, tree_size, root_hash, note, signed_at, witnesses) "
            f"VALUES ('example.org/log', '{LOG}', {size}, unhex(repeat('00', 32)), '', now64(6), [])"
        )

    (checkpoint,) = recorded(reader).checkpoints

    assert (checkpoint["log_id"], checkpoint["origin"], checkpoint["tree_size"]) == (
        str(LOG),
        "example.org/log",
        9,
    )


def test_every_fed_table_says_how_many_tokens_it_remembers(reader: Reader) -> None:
    windows = store_facts.token_windows(reader)

    assert {windows[name] for name in FED_TABLES} == {TOKEN_WINDOW}
    assert windows["schema_migrations"] == 0


def test_a_clock_that_is_wrong_is_seen(reader: Reader) -> None:
    ticks = count()

    skew_s, uncertainty_s = store_facts.clock_skew_s(reader, now_s=lambda: 1_000.0 + next(ticks))

    assert skew_s > 1_000_000_000
    assert uncertainty_s == 0.5


def test_a_statement_is_read_as_it_comes(reader: Reader) -> None:
    with reader.stream("SELECT number AS n, toString(number) AS t FROM numbers(100000)") as answer:
        assert answer.columns == ("n", "t")
        assert next(answer.rows) == (0, "0")
        assert sum(1 for _ in answer.rows) == 99_999


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tenants (tenant_id) VALUES ('x')",
        "TRUNCATE TABLE events",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
    ],
)
def test_a_statement_changes_nothing(reader: Reader, store: ClickHouseStore, statement: str) -> None:
    store.insert(block_of())

    with pytest.raises(RequestError), reader.stream(statement) as answer:
        list(answer.rows)
    assert store.count() == 3
    assert store.value("SELECT count() FROM tenants") == 0


@pytest.mark.parametrize("statement", ["SELEC 1", "SELECT nothing FROM events", "SELECT 1 FORMAT JSON"])
def test_a_wrong_statement_is_the_callers_error(reader: Reader, statement: str) -> None:
    with pytest.raises(RequestError) as caught, reader.stream(statement) as answer:
        list(answer.rows)
    assert caught.value.exit_code == 2

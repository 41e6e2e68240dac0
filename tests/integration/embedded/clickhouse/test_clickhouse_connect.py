"""An unmodified clickhouse-connect client over HTTP finds everything that it uses of a ClickHouse server."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

from auditstream.embedded.clickhouse_process import RunningClickHouse
from tests.support.clickhouse_fronts import connected

MakeTable = Callable[[str], str]

ROWS = [
    (1, "first", Decimal("0.000000000001"), ["a", "it's"], None),
    (2, "second\n\t\\", Decimal("-99999999999999999999999999.999999999999"), [], 7),
]
COLUMNS = "id UInt64, text String, cost Decimal(38, 12), tags Array(String), tokens Nullable(Int64)"


def test_rows_inserted_as_native_blocks_come_back_equal(client: HttpClient, make_table: MakeTable) -> None:
    table = make_table(COLUMNS)

    summary = client.insert(table, ROWS, column_names=["id", "text", "cost", "tags", "tokens"])

    assert summary.written_rows == 2
    assert client.query(f"SELECT * FROM {table} ORDER BY id").result_rows == ROWS


def test_an_arrow_table_comes_back_equal(client: HttpClient, make_table: MakeTable) -> None:
    table = make_table("id UInt64, name LowCardinality(String), at DateTime64(6, 'UTC')")
    at = dt.datetime(2026, 5, 4, 3, 2, 1, 123456, dt.UTC)
    sent = pa.table(
        {
            "id": pa.array([1, 2], pa.uint64()),
            "name": pa.array(["x", "y"]),
            "at": pa.array([at, at], pa.timestamp("us", "UTC")),
        }
    )

    client.insert_arrow(table, sent)
    got = client.query_arrow(f"SELECT * FROM {table} ORDER BY id")

    assert got.to_pydict() == sent.to_pydict()


def test_an_arrow_stream_may_be_cut_anywhere_on_its_way(client: HttpClient, make_table: MakeTable) -> None:
    """Also between a buffer and its padding, over which the engine seeks in what it takes for a file."""
    names = [f"c{number}" for number in range(60)]
    table = make_table(", ".join(f"{name} String" for name in names))
    sizes = range(97, 107)

    for size in sizes:
        texts = ["x" * (row % size) for row in range(size)]  # other rows each time: a window drops repeats
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, pa.schema([(name, pa.string()) for name in names])) as writer:
            writer.write_table(pa.table({name: pa.array(texts) for name in names}))
        body = stream.getvalue().to_pybytes()
        cut = (body[at : at + size] for at in range(0, len(body), size))
        client.raw_insert(table, insert_block=cut, fmt="ArrowStream")

    characters = sum(size * (size - 1) // 2 for size in sizes)
    assert client.query(f"SELECT count(), sum(length(c59)) FROM {table}").result_rows == [
        (sum(sizes), characters)
    ]


@pytest.mark.parametrize(
    ("format_name", "block"),
    [
        ("CSV", b'1,"a,b"\n2,c\n'),
        ("TabSeparated", b"1\ta,b\n2\tc\n"),
        ("JSONEachRow", b'{"id":1,"name":"a,b"}\n{"id":2,"name":"c"}\n'),
        ("Values", b"(1,'a,b'),(2,'c')"),
        ("RowBinary", b"\x01\x00\x00\x00\x03a,b\x02\x00\x00\x00\x01c"),
    ],
)
def test_raw_blocks_of_every_kind_are_inserted(
    client: HttpClient, make_table: MakeTable, format_name: str, block: bytes
) -> None:
    table = make_table("id UInt32, name String")

    client.raw_insert(table, ["id", "name"], block, fmt=format_name)

    assert client.query(f"SELECT * FROM {table} ORDER BY id").result_rows == [(1, "a,b"), (2, "c")]


@pytest.mark.parametrize("coding", ["gzip", "lz4", "zstd"])
def test_compressed_inserts_and_answers_are_understood(
    clickhouse: RunningClickHouse, make_table: MakeTable, coding: str
) -> None:
    table = make_table("id UInt64, text String")
    rows = [(number, f"text {number}") for number in range(50_000)]

    with connected(clickhouse, compress=coding) as client:
        client.insert(table, rows, column_names=["id", "text"])
        got = client.query(f"SELECT * FROM {table} ORDER BY id").result_rows

    assert got == rows


def test_a_generator_streams_into_a_raw_insert(client: HttpClient, make_table: MakeTable) -> None:
    table = make_table("id UInt64")

    def lines() -> Iterator[bytes]:
        for start in range(0, 1_000_000, 10_000):
            yield b"".join(b"%d\n" % number for number in range(start, start + 10_000))

    client.raw_insert(table, ["id"], lines(), fmt="TabSeparated")

    assert client.query(f"SELECT count(), sum(id) FROM {table}").result_rows == [(1_000_000, 499_999_500_000)]


def test_parameters_are_bound_by_the_server_with_their_types(client: HttpClient) -> None:
    text = "it's {x:UInt8} \\ \t\n\0 — ü"
    parameters = {"n": 4, "text": text, "list": ["q'", "\\"], "id": uuid.UUID(int=7), "none": None}

    got = client.query(
        "SELECT {n:UInt8} + 1, {text:String}, {list:Array(String)}, {id:UUID}, {none:Nullable(UInt8)}",
        parameters,
    )

    assert got.first_row == (5, text, ["q'", "\\"], uuid.UUID(int=7), None)


def test_a_parameter_too_long_for_a_url_goes_as_a_form(client: HttpClient) -> None:
    numbers = list(range(5_000))

    assert client.query("SELECT length({list:Array(UInt32)})", {"list": numbers}).first_row == (5_000,)


def test_a_table_may_be_a_parameter(client: HttpClient, make_table: MakeTable) -> None:
    table = make_table("id UInt64")

    assert client.query("SELECT count() FROM {name:Identifier}", {"name": table}).first_row == (0,)


def test_settings_reach_queries(client: HttpClient) -> None:
    got = client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3})

    assert got.first_row == (3,)


def test_settings_do_not_outlive_their_query(client: HttpClient) -> None:
    before = client.command("SELECT getSetting('max_block_size')")
    client.query("SELECT 1", settings={"max_block_size": 17})

    assert client.command("SELECT getSetting('max_block_size')") == before


def test_an_insert_with_a_known_token_is_dropped(client: HttpClient, make_table: MakeTable) -> None:
    table = make_table("id UInt64")
    for token, identifier in (("one", 1), ("one", 2), ("two", 3)):
        client.insert(table, [[identifier]], ["id"], settings={"insert_deduplication_token": token})

    assert client.query(f"SELECT id FROM {table} ORDER BY id").result_rows == [(1,), (3,)]


def test_a_repeated_insert_heals_a_view_once(client: HttpClient, make_table: MakeTable) -> None:
    table, target = make_table("id UInt64"), make_table("rows UInt64")
    client.command(f"CREATE MATERIALIZED VIEW {target}_mv TO {target} AS SELECT count() AS rows FROM {table}")
    settings = {"insert_deduplication_token": "one", "deduplicate_blocks_in_dependent_materialized_views": 1}
    for _ in range(2):
        client.insert(table, [[1], [2]], ["id"], settings=settings)
    client.command(f"DROP VIEW {target}_mv")

    assert client.query(f"SELECT sum(rows) FROM {target}").first_row == (2,)


def test_an_insert_is_durable_when_it_is_answered(client: HttpClient, make_table: MakeTable) -> None:
    table = make_table("id UInt64")
    settings = {"async_insert": 1, "wait_for_async_insert": 0, "async_insert_busy_timeout_max_ms": 600_000}

    client.insert(table, [[1]], ["id"], settings=settings)

    assert client.command(f"SELECT count() FROM {table}") == 1


def test_an_insert_past_its_time_limit_fails(client: HttpClient, make_table: MakeTable) -> None:
    table, target = make_table("id UInt64"), make_table("slept UInt8")
    client.command(
        f"CREATE MATERIALIZED VIEW {target}_mv TO {target} AS SELECT sleepEachRow(0.1) AS slept FROM {table}"
    )

    with pytest.raises(DatabaseError) as caught:
        client.insert(table, [[1], [2]], ["id"], settings={"max_execution_time": 0.01})
    client.command(f"DROP VIEW {target}_mv")

    assert caught.value.code == 159


def test_a_violated_constraint_is_an_error_and_stores_nothing(
    client: HttpClient, make_table: MakeTable
) -> None:
    table = make_table("id UInt64, CONSTRAINT small CHECK id < 10")

    with pytest.raises(DatabaseError, match="Constraint `small`") as caught:
        client.insert(table, [[1], [11]], ["id"])

    assert caught.value.code == 469
    assert client.command(f"SELECT count() FROM {table}") == 0


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 62, "SYNTAX_ERROR"),
        ("SELECT bogus", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("INSERT INTO nowhere VALUES (1)", 60, "UNKNOWN_TABLE"),
        ("SELECT throwIf(number = 3) FROM numbers(5)", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1 FORMAT Nonsense", 73, "UNKNOWN_FORMAT"),
    ],
)
def test_errors_have_number_and_name(client: HttpClient, sql: str, code: int, name: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        client.command(sql)

    assert (caught.value.code, caught.value.name) == (code, name)
    assert "/dev/fd" not in str(caught.value)


def test_an_unknown_setting_is_an_error(client: HttpClient) -> None:
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT 1", settings={"no_such_setting": 1})

    assert caught.value.code == 115


def test_an_error_in_the_middle_of_an_answer_reaches_the_reader(client: HttpClient) -> None:
    sql = "SELECT number, throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 1000"

    with pytest.raises(DatabaseError, match="throwIf"), client.query_row_block_stream(sql) as blocks:
        for _ in blocks:
            pass


def test_threads_with_clients_of_their_own_run_at_once(
    clickhouse: RunningClickHouse, make_table: MakeTable
) -> None:
    table = make_table("worker UInt64, id UInt64")

    def work(worker: int) -> list[int]:
        with connected(clickhouse) as client:
            counts = []
            for round_ in range(10):
                client.insert(table, [[worker, round_ * 100 + i] for i in range(100)], ["worker", "id"])
                sql = f"SELECT count() FROM {table} WHERE worker = {{worker:UInt64}}"
                counts.append(client.query(sql, {"worker": worker}).first_row[0])
            return counts

    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(work, range(6)))

    assert counts == [[100 * (round_ + 1) for round_ in range(10)]] * 6


def test_one_client_without_a_session_serves_many_threads(clickhouse: RunningClickHouse) -> None:
    with connected(clickhouse, autogenerate_session_id=False) as client, ThreadPoolExecutor(6) as pool:
        got = pool.map(lambda number: client.query(f"SELECT {number}").first_row[0], range(60))

        assert list(got) == list(range(60))


def test_a_session_keeps_settings_databases_and_temporary_tables(client: HttpClient) -> None:
    client.command("CREATE TEMPORARY TABLE scratch (id UInt8)")
    client.command("INSERT INTO scratch VALUES (1), (2)")
    client.command("SET max_block_size = 123")
    client.command("USE system")

    assert client.command("SELECT count() FROM scratch", use_database=False) == 2
    assert client.command("SELECT getSetting('max_block_size')") == 123
    assert client.command("SELECT currentDatabase()", use_database=False) == "system"
    client.command("USE default")


def test_a_statement_in_a_session_may_have_settings_of_its_own(client: HttpClient) -> None:
    client.command("SET max_block_size = 123")

    assert client.command("SELECT getSetting('max_block_size')", settings={"max_block_size": 5}) == 5
    assert client.command("SELECT getSetting('max_block_size')") == 123


def test_sessions_do_not_see_each_other(clickhouse: RunningClickHouse, client: HttpClient) -> None:
    client.command("CREATE TEMPORARY TABLE mine (id UInt8)")

    with connected(clickhouse) as other, pytest.raises(DatabaseError) as caught:
        other.command("SELECT count() FROM mine")

    assert caught.value.code == 60

"""`auditstream sql` against the embedded ClickHouse: its limits, and readers that go away."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditstream.cli import sql
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.loopback_ports import free_port
from tests.support.clickhouse_fronts import TOKENS
from tests.support.command_line import Run, command_line, rows_of
from tests.support.commands import COMMAND

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(number)"
LONG = "SELECT number FROM numbers(100000000)"  # more than the reader's 1,000,000 rows


@pytest.fixture(params=["analyst", "default"])
def environment(
    clickhouse: RunningClickHouse, request: pytest.FixtureRequest, tmp_path: Path
) -> dict[str, str]:
    """Settings of a user who is read-only, and of one who may do everything."""
    return {
        "AUDITSTREAM_CLICKHOUSE__HOST": clickhouse.host,
        "AUDITSTREAM_CLICKHOUSE__PORT": str(clickhouse.port),
        "AUDITSTREAM_CLICKHOUSE__USER": request.param,
        "AUDITSTREAM_CLICKHOUSE__PASSWORD": TOKENS[request.param],
        "AUDITSTREAM_DATA_DIR": str(tmp_path),
        "AUDITSTREAM_REGISTRY__URL": f"http://127.0.0.1:{free_port()}",
        "AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY": "spool",
    }


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return command_line(monkeypatch, sql)


def test_a_statement_that_takes_too_long_is_stopped_and_the_error_says_what_to_do(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()

    code = run("sql", ENDLESS, "--timeout", "0.5")

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "Timeout exceeded" in err
    assert "--timeout" in err
    assert time.monotonic() - began < 10


def test_rows_past_the_limit_are_left_out_and_the_exit_code_says_so(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sql", "SELECT number FROM numbers(3)", "--limit", "3") == 0
    whole = capsys.readouterr()
    assert run("sql", LONG, "--limit", "3") == 7
    cut = capsys.readouterr()

    assert rows_of(whole.out) == rows_of(cut.out) == [{"number": n} for n in range(3)]
    assert whole.err == ""
    assert "there are more" in cut.err


def test_a_statement_changes_nothing_whoever_asks(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sql", "CREATE TABLE t (a Int8) ENGINE = Memory") == 5
    assert run("sql", "SELECT count() AS n FROM system.tables WHERE name = 't'") == 0
    assert rows_of(capsys.readouterr().out) == [{"n": 0}]


@pytest.mark.parametrize("environment", ["analyst"], indirect=True)
def test_an_answer_that_breaks_off_is_a_partial_one(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("sql", LONG)

    out, err = capsys.readouterr()
    assert code == 7
    assert err.startswith(f"error[partial]: after {len(out.splitlines())} rows: ")


@pytest.mark.parametrize(("form", "read"), [("arrow", pa.ipc.open_stream), ("parquet", pq.ParquetFile)])
@pytest.mark.parametrize("environment", ["analyst"], indirect=True)
def test_an_answer_as_columns_keeps_its_types_and_its_limit(
    run: Run, capsysbinary: pytest.CaptureFixture[bytes], form: str, read: Callable[..., Any]
) -> None:
    statement = (
        "SELECT number AS n, toDecimal128('0.000000000001', 12) AS cost, toDateTime64(0, 6, 'UTC') AS at"
    )
    assert run("sql", f"{statement} FROM numbers(200000)", "--output", form) == 0
    whole = pa.BufferReader(capsysbinary.readouterr().out)
    assert run("sql", f"{statement} FROM numbers(200000)", "--output", form, "--limit", "3") == 7
    cut = pa.BufferReader(capsysbinary.readouterr().out)
    assert run("sql", f"{statement} FROM numbers(0)", "--output", form) == 0
    empty = pa.BufferReader(capsysbinary.readouterr().out)

    tables = [
        getattr(read(each), "read_all" if form == "arrow" else "read")() for each in (whole, cut, empty)
    ]
    assert [table.num_rows for table in tables] == [200_000, 3, 0]
    for table in tables:
        assert table.schema.names == ["n", "cost", "at"]
        assert (table.schema.field("cost").type, table.schema.field("at").type) == (
            pa.decimal128(38, 12),
            pa.timestamp("us", "UTC"),
        )
    assert tables[0].column("n").to_pylist()[-1] == 199_999
    assert tables[1].column("cost").to_pylist() == [Decimal("0.000000000001")] * 3


@pytest.mark.parametrize("environment", ["analyst"], indirect=True)
def test_an_answer_as_columns_that_is_refused_is_an_error_and_no_file(
    run: Run, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run("sql", "SELECT nothing", "--output", "arrow") == 2
    assert capsysbinary.readouterr().out == b""


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "table", "arrow"])
@pytest.mark.parametrize("environment", ["default"], indirect=True)  # nothing else bounds his answers
def test_a_reader_that_goes_away_ends_the_command_quietly_and_at_once(
    environment: dict[str, str], form: str
) -> None:
    command = subprocess.Popen(
        [*COMMAND, "sql", "SELECT number FROM numbers(1000000000000)", "--output", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )
    assert command.stdout is not None
    command.stdout.readline()
    command.stdout.close()
    began = time.monotonic()
    _, errors = command.communicate(timeout=30)

    assert (command.returncode, errors) == (141, b"")
    assert time.monotonic() - began < 15


def test_output_that_is_written_at_the_end_only_ends_quietly_too(environment: dict[str, str]) -> None:
    command = subprocess.Popen(
        [*COMMAND, "config", "show"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )
    assert command.stdout is not None
    command.stdout.close()
    _, errors = command.communicate(timeout=60)

    assert (command.returncode, errors) == (141, b"")

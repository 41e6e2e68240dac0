"""`auditstream reprice`: what it books and prints, what it refuses, and that an event tells of it first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from auditstream.cli import apply, reprice
from auditstream.core.settings import load
from auditstream.embedded.loopback_ports import free_port
from schemas.codec import decode
from schemas.framing import prefix
from schemas.packaged import schema_json
from sinks.clickhouse import connect
from sinks.clients import http_client
from tests.support.brokers import Broker
from tests.support.call_reports import call
from tests.support.command_line import Run, command_line, rows_of
from tests.support.recorders import recorder_of, segment_of

HALF = Decimal("0.5")
MONTH = ("--from", "2026-01-01", "--to", "2026-02-01")
CLOSED = "kind: closure\nmonth: 2026-01\nclosed_by: cfo\nvalid_from: 2026-02-03\n"
CREDENTIAL = "kind: credential\ncredential_id: key-1\ntenant_id: globex\nvalid_from: 2025-01-01\n"


@pytest.fixture
def run(
    deployed: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs commands; two calls are recorded, one of them at twice today's price, one without an owner."""
    monkeypatch.setenv("AUDITSTREAM_ACTOR", "mara")
    runs = command_line(monkeypatch, apply, reprice)
    applied(runs, tmp_path, "kind: tenant\ntenant_id: acme\nname: A\nvalid_from: 2025-01-01\n")
    record()
    capsys.readouterr()
    return runs


@pytest.fixture
def store(run: Run) -> Iterator[Client]:
    with http_client(load().clickhouse) as client:
        yield client


def record() -> None:
    events: list[Mapping[str, Any]] = [call("a"), call("b", tenant_id="", credential_id="key-1")]
    block = recorder_of().build(segment_of(events))
    names = [f"cost_{name}" for name in ("list", "contracted", "effective", "billed")]
    dear = pl.col("leaf_index") == 0
    frame = block.frame.with_columns(
        *((pl.col(name) * pl.when(dear).then(2).otherwise(1)).cast(pl.Decimal(38, 12)) for name in names),
        pl.lit(date.today()).alias("ingest_day"),
    )
    sink = connect(load().clickhouse)
    sink.insert(replace(block, frame=frame), insert_by_s=4e9, timeout_s=20)
    sink.close()


def told(broker: Broker, topic: str) -> list[dict[str, Any]]:
    count = sum(broker.end_offsets(topic).values())
    values = [message.value() for message in broker.consume(topic, count)] if count else []
    events = [decode(value.removeprefix(prefix(1)), schema_json("audit_event")) for value in values]
    return [event for event in events if event["source"] == "urn:auditstream:reprice"]


def booked(store: Client) -> int:
    return int(store.query("SELECT count() FROM cost_adjustments").result_rows[0][0])


def test_a_dry_run_prints_what_would_change_and_books_nothing(
    run: Run, store: Client, broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("reprice", *MONTH, "--undated", "--dry-run") == 0

    printed = capsys.readouterr()
    (row,) = rows_of(printed.out)
    assert (row["what"], row["tenant_id"], row["model"], row["events"]) == ("changed", "acme", "gpt-4o", 1)
    assert Decimal(row["new"]) * 2 == Decimal(row["old"])
    assert Decimal(row["difference"]) == -Decimal(row["new"])
    assert "1 of 2 events change: 1 adjustments (1 reprice); nothing was booked (--dry-run)" in printed.err
    assert (booked(store), told(broker, topic)) == (0, [])


def test_a_price_of_no_known_date_stays_unless_it_is_asked_for(
    run: Run, store: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("reprice", *MONTH) == 0

    (row,) = rows_of(capsys.readouterr().out)
    assert (row["what"], row["reason"], row["events"]) == ("kept", "undated", 1)
    assert booked(store) == 0


def test_an_event_tells_of_it_and_the_rows_say_who_and_why(
    run: Run, store: Client, broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("reprice", *MONTH, "--undated", "--tenant", "acme", "--reason", "list was wrong") == 0
    assert run("reprice", *MONTH, "--undated", "--tenant", "acme", "--reason", "list was wrong") == 0

    assert "0 of 1 events change: 0 adjustments booked" in capsys.readouterr().err
    rows = store.query("SELECT kind, actor, reason, approved_by FROM cost_adjustments").result_rows
    assert list(rows) == [("reprice", "mara", "list was wrong", "")]
    (event,) = told(broker, topic)
    assert (event["event_type"], event["actor_id"], event["tenant_id"]) == (
        "ai.config.change",
        "mara",
        "acme",
    )
    assert event["change"]["object_type"] == "costs"
    assert event["change"]["object_id"] == "2026-01-01T00:00:00+00:00/2026-02-01T00:00:00+00:00"
    assert event["attributes"] == {"reason": "list was wrong", "reference_revision": "1"}


def test_a_late_credential_moves_what_nobody_owned(run: Run, store: Client, tmp_path: Path) -> None:
    applied(run, tmp_path, CREDENTIAL)

    assert run("reprice", *MONTH) == 0

    owners = "SELECT leaf_index, tenant_id FROM events_current ORDER BY leaf_index"
    assert list(store.query(owners).result_rows) == [(0, "acme"), (1, "globex")]


def test_a_closed_month_is_refused_without_a_second_person(
    run: Run, store: Client, broker: Broker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(run, tmp_path, CLOSED)

    assert run("reprice", *MONTH, "--undated") == 5
    assert "a month is closed: 2026-01 of all, by cfo" in capsys.readouterr().err
    assert run("reprice", *MONTH, "--undated", "--dry-run") == 5
    assert run("reprice", *MONTH, "--undated", "--approved-by", "Mara") == 5
    assert "cannot approve" in capsys.readouterr().err
    assert (booked(store), told(broker, topic)) == (0, [])

    assert run("reprice", *MONTH, "--undated", "--approved-by", "ben") == 0
    rows = store.query("SELECT DISTINCT actor, approved_by FROM cost_adjustments").result_rows
    assert list(rows) == [("mara", "ben")]
    assert told(broker, topic)[0]["change"]["approver_id"] == "ben"


def test_nothing_is_booked_that_no_event_tells_of(
    run: Run, store: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", f"http://127.0.0.1:{free_port()}")

    assert run("reprice", *MONTH, "--undated") == 6
    assert booked(store) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2026-02-01", "--to", "2026-02-01"), "is not before"),
        (("--from", "soon", "--to", "2026-02-01"), "is not a time"),
        ((*MONTH, "--reason", "a\x07b"), "--reason"),
    ],
)
def test_bad_options_are_refused(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run("reprice", *arguments) == 2
    assert words in capsys.readouterr().err


def applied(run: Run, folder: Path, document: str) -> None:
    file = folder / f"{datetime.now(UTC).timestamp()}.yaml"
    file.write_text(document)
    assert run("apply", "-f", str(file)) == 0

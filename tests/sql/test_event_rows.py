"""What an export reads of a store: every event that a search finds, once, as it was when it began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from auditstream.exports.exporting import export
from auditstream.exports.forms import FORMS
from auditstream.query import events
from auditstream.query.event_rows import SCHEMA, EventRows, Plan, cursor_of, read_plan
from auditstream.query.grammar import parse
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from sinks.clients import ClientPool
from tests.support.blocks import LOG, NOON, OTHER_LOG, block_of, event_id_at
from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore, OpenClient

ROWS = 60


@dataclass(frozen=True, slots=True)
class Recorded:
    """A store with sixty events of an hour, a plan of them, and six that came later for the hour after."""

    reader: Reader
    plan: Plan
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def recorded(engine: OpenClient, kept_engine: KeptEngine) -> Iterator[Recorded]:
    with kept_engine.migrated() as store:
        insert(store)
        reader = Reader(ClientPool(lambda: engine(str(store.client.database))))
        plan = EventRows(reader).plan(45)
        store.insert(block_of(lo=ROWS + 1, rows=3, event_time=NOON + timedelta(hours=2)))
        store.insert(block_of(OTHER_LOG, rows=3, event_time=NOON))
        yield Recorded(reader, plan, read(EventRows(reader), plan))
        reader.close()


def insert(store: ClickHouseStore) -> None:
    """Sixty events of two tenants over half an hour, thirty of them in one minute, one sent twice."""
    minutes = [min(number, 30) for number in range(ROWS)]
    store.insert(
        block_of(
            rows=ROWS + 1,
            event_id=[event_id_at(LOG, min(n, ROWS - 1)).bytes for n in range(ROWS + 1)],
            duplicate_of=[None] * ROWS + [ROWS - 1],
            event_time=[NOON + timedelta(minutes=m) for m in [*minutes, 30]],
            tenant_id=["acme" if n % 3 else "globex" for n in range(ROWS + 1)],
            outcome="SUCCESS",
            cost_effective=[Decimal(n) / 1000 for n in range(ROWS + 1)],
            cost_currency="USD",
            cost_status="priced",
            attributes=[{"n": str(n)} for n in range(ROWS + 1)],
            actor_roles=[["reader"]] * (ROWS + 1),
            costs=[
                [
                    {
                        "meter": "input",
                        "quantity": Decimal("1.5"),
                        "unit": "tokens",
                        "currency": "USD",
                        "source": "LOCAL",
                    }
                ]
            ]
            * (ROWS + 1),
        )
    )


def read(rows: EventRows, plan: Plan) -> list[dict[str, Any]]:
    """Return every row of a plan, as an export pages through them, from the plan as it is kept in a file."""
    plan = read_plan(plan.document())
    found: list[dict[str, Any]] = []
    for stretch in plan.stretches:
        after, there = "", 0
        while there < stretch.rows:
            batches = list(rows.batches(plan, stretch, after=after, limit=25))
            found += [row for batch in batches for row in batch.to_pylist()]
            there += sum(batch.num_rows for batch in batches)
            after = cursor_of(batches[-1])
    return found


def test_every_event_is_read_once_and_in_order_of_time_and_nothing_that_came_later(
    recorded: Recorded,
) -> None:
    rows = recorded.rows

    assert [stretch.rows for stretch in recorded.plan.stretches] == [30, 30]
    assert [row["attributes"] for row in rows if row["event_time"] < NOON + timedelta(minutes=30)] == [
        [("n", str(n))] for n in range(30)
    ]
    assert len({row["event_id"] for row in rows}) == len(rows) == ROWS
    times = [row["event_time"] for row in rows]
    assert times == sorted(times)
    assert EventRows(recorded.reader).plan(45).rows == ROWS + 6


def test_a_row_has_the_types_and_values_that_were_recorded(recorded: Recorded) -> None:
    first = recorded.rows[1]

    assert first["event_id"] == str(event_id_at(LOG, 1))
    assert first["cost_effective"] == Decimal("0.001")
    assert first["event_time"] == datetime(2026, 1, 2, 12, 1, tzinfo=UTC)
    assert first["costs"][0]["quantity"] == Decimal("1.5")
    assert first["actor_roles"] == ["reader"]
    assert len(first["leaf_hash"]) == 64
    assert first["ingest_day"].isoformat() == "2026-01-02"
    assert first.keys() == {*SCHEMA.names}


def test_a_search_and_an_export_of_the_same_words_find_the_same_events(recorded: Recorded) -> None:
    terms = parse("-outcome:failure cost<0.05")
    period = Period(NOON + timedelta(minutes=5), NOON + timedelta(minutes=31))
    found = events.search(recorded.reader, events.Search(terms, period, "globex", limit=1_000))
    rows = EventRows(recorded.reader, terms, period, "globex")
    exported = read(rows, rows.plan(1_000))

    assert {row["event_id"] for row in exported} == {str(row["event_id"]) for row in found.records()}
    assert {row["tenant_id"] for row in exported} == {"globex"}


def test_what_nothing_matches_is_a_plan_without_rows(recorded: Recorded) -> None:
    assert EventRows(recorded.reader, tenant="nobody").plan(45).stretches == []


def test_a_store_s_rows_are_exported_whole(recorded: Recorded, tmp_path: Path) -> None:
    done = export(EventRows(recorded.reader), FORMS["parquet"], tmp_path / "out", {"query": ""})
    tables = [pq.read_table(tmp_path / "out" / each["file"]) for each in done.document["files"]]

    assert sum(table.num_rows for table in tables) == ROWS + 6

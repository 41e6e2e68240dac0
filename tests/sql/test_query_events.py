"""Searches and single events, against the tables as migrated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.query import events
from auditstream.query.grammar import parse
from auditstream.query.periods import Period
from auditstream.query.reader import Reader, Table
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore, OpenClient, reading

AT_ONCE = 20  # fields asked for in one search: the engine takes a twentieth of a second to make out each


@pytest.fixture(scope="module")
def reader(engine: OpenClient, recorded: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, recorded) as opened:
        yield opened


@pytest.fixture
def own_reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    """Asks the store in which a test records what it looks at."""
    with reading(engine, store) as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(kept_engine: KeptEngine) -> Iterator[ClickHouseStore]:
    """Five leaves: four events an hour apart, one of them sent again; for tests that only look."""
    with kept_engine.migrated() as store:
        insert_events(store)
        yield store


def insert_events(store: ClickHouseStore) -> None:
    store.insert(
        block_of(
            rows=5,
            event_id=[event_id_at(LOG, offset).bytes for offset in (0, 1, 2, 3, 1)],
            duplicate_of=[None, None, None, None, 1],
            event_time=[NOON + timedelta(hours=hour) for hour in (0, 1, 2, 3, 1)],
            tenant_id=["acme", "acme", "globex", "acme", "acme"],
            outcome=["SUCCESS", "FAILURE", "SUCCESS", "", "FAILURE"],
            inference_request_model=["gpt-4o", "claude", "gpt-4o", "", "claude"],
            inference_response_model=["gpt-4o-2024", "claude", "", "", "claude"],
            tool_name=["", "", "", "browser", ""],
            input_tokens=[10, 200, 3000, None, 200],
            cost_effective=[Decimal("0.10"), Decimal("0.2"), Decimal("0.3"), None, Decimal("0.2")],
            inference_stream=[True, False, None, None, False],
            actor_roles=[["reader"], ["reader", "writer"], [], [], []],
            attributes=[{"ticket": "ABC-42"}, {"note": "it's 50% off\t\\ \n{p0}"}, {}, {}, {}],
            raw=[b"\x00\x00\x00\x00\x01\xff", b"1", b"2", b"3", b"4"],
        )
    )


def found(reader: Reader, query: str = "", **wanted: object) -> list[int]:
    """Return the offsets of the events that a search finds, newest first."""
    table = events.search(reader, events.Search(parse(query), **wanted))  # type: ignore[arg-type]
    offsets = {event_id_at(LOG, offset): offset for offset in range(5)}
    return [offsets[uuid.UUID(str(row["event_id"]))] for row in table.records()]


@pytest.mark.parametrize(
    ("query", "offsets"),
    [
        ("", [3, 2, 1, 0]),
        ("tenant:acme", [3, 1, 0]),
        ("-tenant:acme", [2]),
        ("model:gpt-4o", [2, 0]),
        ("model:gpt-4o-2024", [0]),
        ("-model:gpt-4o", [3, 1]),
        ("outcome:failure", [1]),
        ('outcome:unknown tool:""', []),
        ("input_tokens>10", [2, 1]),
        ("input_tokens>=10 input_tokens<3000", [1, 0]),
        ("-input_tokens>10", [3, 0]),
        ("cost>0.1", [2, 1]),
        ("cost:0.1", [0]),
        ("cost<=0.2", [1, 0]),
        ("inference_stream:false", [1]),
        ("-inference_stream:false", [3, 2, 0]),
        ("actor_roles:writer", [1]),
        ("attributes.ticket:ABC-42", [0]),
        ('attributes.missing:""', []),
        ("time>2026-01-02T13:00:00Z", [3, 2]),
        ("browser", [3]),
        ("-browser", [2, 1, 0]),
        ("GPT-4o tenant:acme", [0]),
        ("42 abc", [0]),
        ('"ABC-42"', [0]),
        ('"42 ABC"', []),
        (f"id:{event_id_at(LOG, 2)}", [2]),
        ("tenant:nobody", []),
    ],
)
def test_a_search_finds_what_its_terms_say(reader: Reader, query: str, offsets: list[int]) -> None:
    assert found(reader, query) == offsets


def test_odd_characters_arrive_as_they_were_typed(reader: Reader) -> None:
    assert found(reader, 'attributes.note:"it\'s 50% off\t\\\\ \n{p0}"') == [1]
    assert found(reader, 'agent:"\' OR 1=1 --"') == []


def test_every_field_can_be_asked_for(reader: Reader) -> None:
    from auditstream.query.fields import FIELDS

    values = {
        "whole": "1", "fraction": "1", "money": "1", "flag": "true", "time": "2026-01-01", "list": "x",
        "text": "x", "uuid": str(event_id_at(LOG, 0)),
    }  # fmt: skip
    terms = []
    for field in FIELDS.values():
        name = f"{field.name}.x" if field.kind == "map" else field.name
        value = field.symbols[-1] if field.symbols else values.get(field.kind, "1")
        terms.append(f'{name}:"{value}" -{name}:"{value}"')
    for first in range(0, len(terms), AT_ONCE):
        events.search(reader, events.Search(parse(" ".join(terms[first : first + AT_ONCE]))))


def test_a_tenant_bounds_a_search_whatever_it_says(reader: Reader) -> None:
    assert found(reader, "", tenant="globex") == [2]
    assert found(reader, "tenant:acme", tenant="globex") == []


def test_a_period_holds_its_start_and_not_its_end(reader: Reader) -> None:
    hours = Period(NOON + timedelta(hours=1), NOON + timedelta(hours=3))

    assert found(reader, period=hours) == [2, 1]


def test_a_search_that_finds_nothing_has_its_columns_all_the_same(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "table", lambda *_, **__: Table((), ()))  # as over HTTP

    assert events.search(reader, events.Search(())).columns == events.LIST_COLUMNS


def test_a_limit_keeps_the_newest(reader: Reader) -> None:
    assert found(reader, limit=2) == [3, 2]


@pytest.mark.parametrize("limit", [0, -1, events.MOST_ROWS + 1])
def test_a_limit_out_of_range_is_refused(reader: Reader, limit: int) -> None:
    with pytest.raises(RequestError, match=f"limit {limit}"):
        events.search(reader, events.Search(limit=limit))


def test_a_row_has_the_model_that_answered(reader: Reader) -> None:
    table = events.search(reader, events.Search())

    assert table.columns == events.LIST_COLUMNS
    assert [row["model"] for row in table.records()] == ["", "gpt-4o", "claude", "gpt-4o-2024"]


def test_show_has_every_row_of_an_event_repeats_included(reader: Reader) -> None:
    rows = events.show(reader, str(event_id_at(LOG, 1)))

    assert [(row["leaf_index"], row["duplicate_of"]) for row in rows] == [(1, None), (4, 1)]
    assert [row["raw"] for row in rows] == [b"1", b"4"]
    assert len(rows[0]["leaf_hash"]) == 32


def test_show_has_the_bytes_as_received(reader: Reader) -> None:
    (row,) = events.show(reader, str(event_id_at(LOG, 0)))

    assert row["raw"] == b"\x00\x00\x00\x00\x01\xff"


def test_show_has_a_dead_letter_by_its_leaf(own_reader: Reader, store: ClickHouseStore) -> None:
    store.insert(block_of(rows=2, leaf_kind=[0, 1], reject_reason=["", "undecodable"]))

    (row,) = events.show(own_reader, f"{LOG}/1")

    assert row["reject_reason"] == "undecodable"


def test_show_finds_an_event_whose_id_is_from_the_future(own_reader: Reader, store: ClickHouseStore) -> None:
    store.insert(block_of(rows=1, day=date(2025, 1, 1)))

    assert len(events.show(own_reader, str(event_id_at(LOG, 0)))) == 1


def test_show_keeps_to_the_tenant(reader: Reader) -> None:
    with pytest.raises(NotFoundError):
        events.show(reader, str(event_id_at(LOG, 0)), tenant="globex")
    with pytest.raises(NotFoundError):
        events.show(reader, f"{LOG}/0", tenant="globex")


@pytest.mark.parametrize(
    "wanted", [str(uuid.UUID(int=1)), f"{LOG}/99", "00000000-0000-7000-8000-000000000000"]
)
def test_what_was_not_recorded_is_not_found(reader: Reader, wanted: str) -> None:
    with pytest.raises(NotFoundError, match="nothing recorded"):
        events.show(reader, wanted)


def test_what_is_no_id_is_refused(reader: Reader) -> None:
    with pytest.raises(RequestError, match="no event id"):
        events.show(reader, "abc")


def test_the_earliest_day_is_that_of_the_id() -> None:
    # The example of RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00.
    made = events.earliest_day(uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"))

    assert made == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC) - timedelta(days=2)
    assert events.earliest_day(uuid.uuid4()) is None
    assert events.earliest_day(uuid.UUID("ffffffff-ffff-7000-8000-000000000000")) is None

"""Events that are read in one step are those that strict JSON, intake and contract make of the same text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.errors import RejectError
from schemas.clauses import CLAUSES
from schemas.columns import COLUMNS
from schemas.contract import check
from schemas.event_json import datum_in, datums_in
from schemas.intake import datum_of
from schemas.json_form import json_of
from schemas.strict_json import parse
from tests.support.avro_strategies import events
from tests.support.events import event, full_event
from tests.support.examples import examples

_ODD: list[Any] = [
    None, True, -1, 0, 7, 1.5, 2**31, 2**63, "", "x", "\n", "é", "\x00", '"', "\\", "ab" * 16, "2026-01-01",
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+05:30", "2026-01-01T00:00:00.1234567Z", "1999-01-01T00:00Z",
    "00000000-0000-0000-0000-000000000000", "0197F3A0-1C2B-7D4E-8F00-000000000001", [], ["a"], [1], {},
    {"a": "b"}, {"a": 1}, {"name": ""}, {"provider": "x", "provider ": "y"},
]  # fmt: skip


def by_steps(data: bytes) -> dict[str, Any] | None:
    try:
        datum = datum_of(parse(data), "audit_event")
        check(datum)
    except RejectError:
        return None
    return datum | {"event_id": str(datum["event_id"])}


def agrees(data: bytes) -> bool:
    """Return whether the event was taken; fails where the steps do not make the same of it."""
    found = datum_in(data)
    if found is not None:
        assert found == by_steps(data)
        assert [type(value) for value in found.values()] == [
            type(value) for value in (by_steps(data) or {}).values()
        ]
    return found is not None


@settings(max_examples=examples(100), deadline=None)
@given(events())
def test_what_is_taken_is_what_the_steps_make_of_it(datum: dict[str, Any]) -> None:
    agrees(json_of(datum).encode())


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from([None, "usage", "inference", "tool"]), st.data())
def test_odd_values_are_taken_only_where_the_steps_take_them(family: str | None, data: st.DataObject) -> None:
    names = [column.path[-1] for column in COLUMNS if column.family == family]
    given_ = json.loads(json_of(event(inference={"provider": "p"}, usage={}, tool={"name": "t"})))
    holder = given_ if family is None else given_[family]
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        holder[name] = data.draw(st.sampled_from(_ODD))

    agrees(json.dumps(given_, ensure_ascii=data.draw(st.booleans())).encode())


@settings(max_examples=examples(100), deadline=None)
@given(st.data())
def test_bytes_that_were_changed_are_taken_only_where_the_steps_take_them(data: st.DataObject) -> None:
    whole = bytearray(json_of(event(attributes={"a": "b"}, duration_us=12)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from(
                [b"", b'"', b",", b"\\", b"\xff", b"\xed\xa0\x80", b"0", b".0", b"e1", b" ", b"}"]
            )
        )

    agrees(bytes(whole))


_GOOD = json_of(event(conversation_id="c", usage={"input_tokens": 9, "cache_read_tokens": 8})).encode()
_OTHER = json_of(event(tenant_id="acme", trace_id="ab" * 16, attributes={"say": 'a "word"\n'})).encode()
_LINES = [
    _GOOD,
    _OTHER,
    json_of(event(trace_id=None, observed_time=datetime(2026, 3, 1, tzinfo=UTC))).encode(),
    json_of(event(event_id="0" * 36)).encode(),
    json_of(event(event_type="a b")).encode(),
    json_of(event(trace_id="x" * 32)).encode(),
    json_of(event(event_time=datetime(1999, 1, 1, tzinfo=UTC))).encode(),
    json_of(event(usage={"cache_read_tokens": 8})).encode(),
    json_of(event(usage={"input_tokens": 7, "cache_read_tokens": 8})).encode(),
    json_of(event(sealed={"a": b"box"})).encode(),
    _GOOD[:-1] + b',"source":"another"}',
    _GOOD[:-1] + b',"unknown":"word"}',
    b'{"attributes":{"a":"b"}',
    b"{" + _GOOD[1:-1],
    b'{"attributes":{"a":"b"},' + _GOOD[1:],
    _GOOD[1:],
    _GOOD * 2,
    _GOOD + b"\r",
    b" " + _GOOD,
    _GOOD + b",",
    b"",
    b" ",
    b"}",
    b"{}",
    b"[" + _GOOD + b"]",
    json.dumps({**json.loads(_GOOD), "source": "Stra\u00dfe"}).encode(),
    json.dumps({**json.loads(_GOOD), "source": "Stra\u00dfe"}, ensure_ascii=False).encode(),
]


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.sampled_from(_LINES), min_size=1, max_size=4))
def test_lines_that_are_read_together_are_what_each_is_by_itself(lines: list[bytes]) -> None:
    each = [datum_in(line) for line in lines]

    together = datums_in(lines)

    if together is None:
        assert None in each or any(line != line.strip() for line in lines)
    else:
        assert together == each


def test_a_line_that_ends_on_the_next_is_no_event() -> None:
    begin, end = b'{"attributes":{"a":"b"}', b"," + _GOOD[1:]

    assert datum_in(begin + end) is not None
    assert datums_in([begin, end]) is None
    assert datums_in([_GOOD * 2, begin, end]) is None
    assert datums_in([_GOOD, _OTHER, _GOOD]) is not None


@pytest.mark.parametrize(
    "text",
    [
        '{%s,"source":"another"}',
        '{%s,"attributes":{"a":"1","a":"1"}}',
        '{%s,"unknown":1}',
        '{%s,"unknown":null}',
        '{%s,"usage":{"unknown":"x"}}',
        '{%s,"budget":{"id":"b"}}',
        '{%s,"source":"a","attributes":{"a":"\\u0022\\u0022"}}',
        '{%s,"usage":{"cache_read_tokens":1}}',
        '{%s,"seal_key_id":"k","attributes":{"a":NaN}}',
        '{%s,"attributes":{"a":"\\ud800"}}',
        '{%s,"attributes":{"a":"\\udc00"}}',
        '{%s,"attributes":{"a":"\\ud800\\u0041"}}',
        '{%s,"attributes":{"a":"1","\\u0061":"1"}}',
        '{%s,"\\u0073ource":"another"}',
        "[{%s}]",
        "{%s}{}",
    ],
)
def test_what_the_steps_refuse_is_left_to_them(text: str) -> None:
    fields = json_of(event())[1:-1]

    assert datum_in((text % fields).encode()) is None
    assert datum_in(b'{"a":' * 100_000) is None


@pytest.mark.parametrize("word", ["café", "\x00", "\x1f", "\x7f", "𝄞", "\\u0021", "\u2028", "\ufffe", "ǅ"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_texts_with_escapes_are_taken(word: str, is_ascii: bool) -> None:
    given_ = json.loads(json_of(event(project_id=word, attributes={word: word})))

    assert agrees(json.dumps(given_, ensure_ascii=is_ascii).encode())


def test_an_event_with_most_fields_is_taken() -> None:
    full = full_event()
    hard = ("costs", "sealed", "seal_key_id", "budget", "limit")
    some = {name: value for name, value in full.items() if name not in hard}

    assert agrees(json_of(event(attributes={"say": 'a "word"\n'}, tool={"name": "t"})).encode())
    assert agrees(json_of({**event(), **{n: v for n, v in some.items() if not isinstance(v, dict)}}).encode())


def test_a_clause_about_several_columns_holds_where_the_first_is_null() -> None:
    for clause in CLAUSES:
        values = [1] * (len(clause.columns) - 1)

        assert clause.holds(None, *values), clause

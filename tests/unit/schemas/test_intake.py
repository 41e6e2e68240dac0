"""What producers send as JSON becomes a datum, or an error that names the field."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.errors import ContractError
from schemas.intake import datum_of
from tests.support.events import COST_LINE, EVENT_ID, EVENT_TIME, event, full_event


def _json_event(**changes: Any) -> dict[str, Any]:
    base = {"event_id": str(EVENT_ID), "event_type": "ai.inference", "source": "svc", "event_time": 0}
    return json.loads(json.dumps(base | changes))


def _cost(**changes: Any) -> dict[str, Any]:
    line = {name: str(value) for name, value in COST_LINE.items()} | changes
    return {name: value for name, value in line.items() if value is not ...}


def _refusal(event_: Any) -> str:
    with pytest.raises(ContractError) as caught:
        datum_of(event_, "audit_event")
    assert caught.value.message.startswith(f"{caught.value.context['field']}: ")
    return caught.value.message


def test_python_values_of_the_right_types_are_taken_as_they_are() -> None:
    assert datum_of(full_event(), "audit_event") == full_event()


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-01T12:30:15.123456Z", EVENT_TIME),
        ("2026-03-01T14:30:15.123456+02:00", EVENT_TIME),
        ("2026-03-01T12:30:15.123456789Z", EVENT_TIME),
        (1_772_368_215_123_456, EVENT_TIME),
        (-1, datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
    ],
)
def test_a_time_is_text_with_an_offset_or_microseconds(written: object, instant: datetime) -> None:
    datum = datum_of(_json_event(event_time=written), "audit_event")

    assert datum["event_time"] == instant
    assert datum["event_time"].tzinfo is UTC


@pytest.mark.parametrize("written", ["0.1", ".5", "1e-3", "+2", "-0.000000000001", "1E2", 7])
def test_a_decimal_is_text_or_an_integer_and_stays_exact(written: str | int) -> None:
    if written == ".5":
        assert _refusal(_json_event(costs=[_cost(list=written)])) == (
            "costs[0].list: is not a decimal number"
        )
        return

    datum = datum_of(_json_event(costs=[_cost(list=written)]), "audit_event")

    assert datum["costs"][0]["list"] == Decimal(written)
    assert datum["costs"][0]["list"].as_tuple().exponent == -12


def test_the_largest_decimal_of_a_type_fits() -> None:
    largest = "9" * 26 + "." + "9" * 12

    datum = datum_of(_json_event(costs=[_cost(list=largest)]), "audit_event")

    assert str(datum["costs"][0]["list"]) == largest


def test_bytes_are_base64_and_a_uuid_its_text() -> None:
    datum = datum_of(_json_event(sealed={"prompt": "AP8Q"}), "audit_event")

    assert datum["sealed"] == {"prompt": b"\x00\xff\x10"}
    assert datum["event_id"] == EVENT_ID


def test_fields_that_are_left_out_stay_out() -> None:
    assert set(datum_of(_json_event(), "audit_event")) == {"event_id", "event_type", "event_time", "source"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tool": {}}, "tool.name: is required"),
        ({"costs": [_cost(), _cost(currency=...)]}, "costs[1].currency: is required"),
        ({"even_time": 1}, "even_time: no such field"),
        ({"usage": {"prompt_tokens": 1}}, "usage.prompt_tokens: no such field"),
        ({"source": None}, "source: expected a string, got null"),
        ({"source": 7}, "source: expected a string, got an integer"),
        ({"source": "\ud800"}, "source: has half of a surrogate pair"),
        ({"attributes": {"k": 1}}, "attributes[k]: expected a string, got an integer"),
        ({"attributes": ["k"]}, "attributes: expected an object, got a list"),
        ({"actor_roles": "admin"}, "actor_roles: expected a list, got a string"),
        ({"actor_roles": ["a", 1]}, "actor_roles[1]: expected a string, got an integer"),
        ({"outcome": "FINE"}, "outcome: 'FINE' is none of UNKNOWN, SUCCESS"),
        ({"outcome": 1}, "outcome: expected a string, got an integer"),
        ({"http_status": 2**31}, "http_status: does not fit 32 bits"),
        ({"http_status": True}, "http_status: expected an integer, got a boolean"),
        ({"http_status": 200.0}, "http_status: expected an integer, got a number"),
        ({"source_seq": 2**63}, "source_seq: does not fit 64 bits"),
        ({"source_seq": -(2**63) - 1}, "source_seq: does not fit 64 bits"),
        ({"inference": {"provider": "x", "stream": 1}}, "inference.stream: expected true or false"),
        ({"inference": {"provider": "x", "top_p": "1"}}, "inference.top_p: expected a number, got a string"),
        ({"inference": {"provider": "x", "top_p": 10**400}}, "inference.top_p: is not a finite number"),
        ({"inference": []}, "inference: expected an object, got a list"),
        ({"event_id": "42"}, "event_id: is not a UUID"),
        ({"event_id": 42}, "event_id: expected a UUID, got an integer"),
        ({"event_time": "yesterday"}, "event_time: is not a time as in"),
        ({"event_time": "2026-03-01T12:30:15"}, "event_time: has no offset from UTC"),
        ({"event_time": 10**20}, "event_time: is not of a year from 1 to 9999"),
        ({"event_time": "0001-01-01T00:00:00+02:00"}, "event_time: is not of a year from 1 to 9999"),
        ({"event_time": 1.5}, "event_time: expected a time, got a number"),
        ({"event_time": True}, "event_time: expected a time, got a boolean"),
        ({"sealed": {"prompt": "%%"}}, "sealed[prompt]: is not base64"),
        ({"sealed": {"prompt": 1}}, "sealed[prompt]: expected base64 text, got an integer"),
        ({"costs": [_cost(list=0.1)]}, "costs[0].list: is a float, which is not exact"),
        ({"costs": [_cost(list="NaN")]}, "costs[0].list: is not a decimal number"),
        ({"costs": [_cost(list="1_0")]}, "costs[0].list: is not a decimal number"),
        ({"costs": [_cost(list=True)]}, "costs[0].list: expected a decimal, got a boolean"),
        ({"costs": [_cost(list="0.0000000000001")]}, "costs[0].list: has more than 12 decimal places"),
        ({"costs": [_cost(list="1e26")]}, "costs[0].list: has more than 26 digits before the point"),
        ({"costs": [_cost(list="1e999999")]}, "costs[0].list: has more than 26 digits before the point"),
    ],
)
def test_a_refusal_names_the_field_and_the_reason(changes: dict[str, Any], message: str) -> None:
    assert _refusal(_json_event(**changes)).startswith(message)


@pytest.mark.parametrize("field", ["event_id", "event_type", "event_time", "source"])
def test_a_missing_required_field_is_named(field: str) -> None:
    without = {name: value for name, value in _json_event().items() if name != field}

    assert _refusal(without) == f"{field}: is required"


def test_something_that_is_no_object_is_refused_as_a_whole() -> None:
    with pytest.raises(ContractError, match=r"^event: expected an object, got a list$"):
        datum_of([event()], "audit_event")  # type: ignore[arg-type]


def test_a_python_value_of_the_wrong_kind_is_called_by_its_type() -> None:
    assert _refusal(event(source=Decimal(1))) == "source: expected a string, got Decimal"
    assert _refusal(event(costs=[COST_LINE | {"list": Decimal("NaN")}])).endswith("is not a finite number")
    far_east = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert _refusal(event(event_time=far_east)) == "event_time: is not of a year from 1 to 9999"

"""Terms as SQL: values are parameters, and one that its field cannot hold is refused by name."""

from __future__ import annotations

import pytest

from auditstream.query.grammar import QueryError, parse
from auditstream.query.predicates import Conditions


def conditions_of(query: str) -> Conditions:
    conditions = Conditions()
    conditions.add_terms(parse(query))
    return conditions


def test_without_terms_every_row_matches() -> None:
    assert conditions_of("").sql == "1"


def test_no_text_of_the_user_is_in_the_sql() -> None:
    evil = "evil') OR 1=1 --"
    conditions = conditions_of(f'agent:"{evil}" "{evil}" -attributes.evil:evil tool:evil')

    assert "evil" not in conditions.sql
    assert evil in conditions.parameters.values()


def test_a_short_name_of_two_columns_asks_either() -> None:
    conditions = conditions_of("model:gpt-4o")

    assert conditions.sql == (
        "(inference_response_model = {p0:String} OR inference_request_model = {p0:String})"
    )
    assert conditions.parameters == {"p0": "gpt-4o"}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("input_tokens>1e3", 1000),
        ("cost<0.25", "0.25"),
        ("cost<99999999999999999999999999.123456789012", "99999999999999999999999999.123456789012"),
        ("cost>0e-999999999", "0"),
        ("inference_temperature:0.7", 0.7),
        ("inference_stream:TRUE", True),
        ("time>=2026-03-01T12:00:00+02:00", "2026-03-01 10:00:00.000000"),
        ("time>0001-01-01", "1900-01-01 00:00:00.000000"),
        ("time<9999-12-31", "2299-12-31 23:59:59.999999"),
        ("id:0197F3A01C2B7D4E8F00123456789ABC", "0197f3a0-1c2b-7d4e-8f00-123456789abc"),
        ("outcome:failure", "FAILURE"),
    ],
)
def test_a_value_is_read_as_its_field_holds_it(query: str, parameter: object) -> None:
    assert list(conditions_of(query).parameters.values()) == [parameter]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("input_tokens:ten", "input_tokens: 'ten' is not a number"),
        ("input_tokens>1.5", "not a whole number"),
        ("input_tokens>1e30", "not a whole number"),
        ("input_tokens>1e999999", "not a whole number"),
        ("cost>NaN", "not a finite number"),
        ("input_tokens>1e999999999", "not a whole number"),
        ("cost>1e26", "at most 26 digits before the point"),
        ("cost>1e999999999", "at most 26 digits before the point"),
        ("cost>12345678901234567890.1234567890123", "at most 12 decimals"),
        ("cost>0.0000000000001", "at most 12 decimals"),
        ("inference_stream:yes", "not true or false"),
        ("id:abc", "not a UUID"),
        ("outcome:broken", "is not one of"),
        ("time>yesterday", "is not a time"),
        ("time>9999-12-31T23:59:59-12:00", "not between the years 1 and 9999"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_position(query: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        conditions_of(f"x {query}")

    assert message in caught.value.message
    assert caught.value.position == 3

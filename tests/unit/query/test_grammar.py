"""The search grammar: what is read from a query, and how errors point at what is wrong."""

from __future__ import annotations

import pytest

from auditstream.core.errors import RequestError
from auditstream.query.fields import FIELDS
from auditstream.query.grammar import Comparison, QueryError, Words, parse
from sinks.columns import TABLE_SCHEMA


def test_an_empty_query_has_no_terms() -> None:
    assert parse("") == parse("  \n ") == []


def test_terms_are_read_in_order_with_their_positions() -> None:
    assert parse('model:gpt-4o -outcome:failure cost>=0.5 refund "two words"') == [
        Comparison(FIELDS["model"], ":", "gpt-4o", 1),
        Comparison(FIELDS["outcome"], ":", "failure", 14, negated=True),
        Comparison(FIELDS["cost"], ">=", "0.5", 31),
        Words("refund", 41),
        Words("two words", 48, phrase=True),
    ]


@pytest.mark.parametrize("operator", [">", ">=", "<", "<="])
def test_an_operator_is_read_whole(operator: str) -> None:
    (term,) = parse(f"input_tokens{operator}100")

    assert isinstance(term, Comparison)
    assert (term.operator, term.value) == (operator, "100")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ('agent:"a b"', "a b"),
        ('agent:""', ""),
        (r'agent:"say \"hi\" \\ o"', r'say "hi" \ o'),
        ("source:svc://checkout", "svc://checkout"),
        ("time:2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("agent:' OR 1=1", "'"),
        ("agent:>5", ">5"),
    ],
)
def test_a_value_is_read_to_its_end(query: str, value: str) -> None:
    term = parse(query)[0]

    assert isinstance(term, Comparison)
    assert term.value == value


def test_the_entry_of_a_map_is_named_with_a_dot() -> None:
    (term,) = parse("attributes.ticket.id:ABC-42")

    assert isinstance(term, Comparison)
    assert (term.field.name, term.key, term.value) == ("attributes", "ticket.id", "ABC-42")


def test_words_can_be_left_out() -> None:
    assert parse('-refund -"two words"') == [
        Words("refund", 1, negated=True),
        Words("two words", 9, phrase=True, negated=True),
    ]


@pytest.mark.parametrize(
    ("query", "position", "message"),
    [
        ("model:a modle:b", 9, "unknown field modle"),
        ("model:a -modle:b", 10, "unknown field modle"),
        ("raw:00", 1, "unknown field raw"),
        ("agent:", 1, "agent: has no value"),
        ("x agent: y", 3, "agent: has no value"),
        ('agent:"open', 7, "never closed"),
        ('"a"b', 4, "space is missing"),
        ('a"b"', 2, "quote inside a word"),
        ("model>5", 1, "model has no order"),
        ("attributes:x", 1, "attributes needs an entry"),
        ("model.x:y", 1, "model has no entries"),
        ("- a", 1, "has no value"),
        ("a ***", 3, "needs a letter or a digit"),
    ],
)
def test_an_error_names_the_position(query: str, position: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)

    assert caught.value.position == position
    assert caught.value.message.startswith(f"position {position}: ")
    assert message in caught.value.message
    assert isinstance(caught.value, RequestError)


@pytest.mark.parametrize(
    ("typed", "near"), [("modle", "model"), ("tennant", "tenant"), ("outcom", "outcome")]
)
def test_an_unknown_field_is_told_the_nearest(typed: str, near: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(f"{typed}:x")

    assert f"Did you mean {near}?" in caught.value.hint


def test_a_query_without_end_is_refused() -> None:
    with pytest.raises(QueryError, match="more than 50 terms"):
        parse("a " * 51)


def test_every_column_but_contents_is_a_field() -> None:
    assert set(TABLE_SCHEMA) - set(FIELDS) == {"raw", "raw_null", "leaf_hash", "sealed", "costs"}


def test_an_alias_asks_columns_that_exist_and_are_of_one_kind() -> None:
    for field in FIELDS.values():
        assert {FIELDS[column].kind for column in field.columns} == {field.kind}, field.name


@pytest.mark.parametrize(
    "alias",
    [
        "model",
        "provider",
        "tenant",
        "type",
        "agent",
        "user",
        "actor",
        "cost",
        "outcome",
        "trace",
        "conversation",
        "id",
    ],
)
def test_the_short_names_are_fields(alias: str) -> None:
    assert alias in FIELDS

"""A filter as pieces: pills that are taken away and turned round, and faults that point at their place."""

from __future__ import annotations

import pytest

from auditstream.console.filters import fault, narrowed, pills, term
from auditstream.console.links import link_of
from auditstream.query.grammar import Comparison, QueryError, parse

PAGE = link_of("", "/events", {"since": "1h"})


def queries(query: str) -> list[tuple[str, str, str]]:
    """Return the text of each pill, and the queries of its two links."""
    return [
        (each.text, dict(each.without.parameters).get("q", ""), dict(each.turned.parameters).get("q", ""))
        for each in pills(query, parse(query), PAGE)
    ]


def test_each_term_can_be_taken_away_and_turned_round() -> None:
    assert queries(' model:gpt-4o  -outcome:success "two words" ') == [
        ("model:gpt-4o", '-outcome:success "two words"', '-model:gpt-4o -outcome:success "two words"'),
        ("outcome:success", 'model:gpt-4o "two words"', 'model:gpt-4o outcome:success "two words"'),
        ('"two words"', "model:gpt-4o -outcome:success", 'model:gpt-4o -outcome:success -"two words"'),
    ]


def test_no_query_has_no_pills() -> None:
    assert queries("") == []


def test_every_link_of_a_pill_is_a_query_that_can_be_read() -> None:
    for _, without, turned in queries(r'user:"a \" b" -"c:d" x'):
        parse(without)
        parse(turned)


@pytest.mark.parametrize(
    "value", ["gpt-4o", "two words", 'with "quotes"', "back\\slash", "-", "a:b", "ü", " "]
)
def test_a_value_is_quoted_so_that_it_is_read_as_itself(value: str) -> None:
    (found,) = parse(term("user", value))

    assert isinstance(found, Comparison)
    assert found.value == value


def test_a_value_that_is_demanded_already_is_not_demanded_twice() -> None:
    once = narrowed(PAGE, "", "model", "gpt-4o")
    (query,) = [value for name, value in once.parameters if name == "q"]

    assert query == "model:gpt-4o"
    assert narrowed(PAGE, query, "model", "gpt-4o").parameters == once.parameters
    assert ("q", "model:gpt-4o -user:u") in narrowed(PAGE, query, "user", "u", negated=True).parameters


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("outcom:failure model:x", "outcom:failure"),
        ("model:x outcom:failure", "outcom:failure"),
        ('model:"never closed', '"never'),
        ("model:", "model:"),
        ("a ---", "---"),
    ],
)
def test_a_fault_points_at_its_word(query: str, at: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(query)
    found = fault(query, raised.value.position, raised.value.message, raised.value.hint)

    assert found.at == at
    assert found.before + found.at + found.after == query
    assert "position" not in found.message

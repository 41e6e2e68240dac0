"""One event's fields in groups."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from auditstream.console.details import change, groups, related, tiles
from auditstream.console.links import link_of
from auditstream.query.grammar import Comparison, parse
from sinks.columns import TABLE_SCHEMA

PAGE = link_of("", "/events", {"since": "all"})
ROW: dict[str, Any] = {
    "event_id": uuid.UUID(int=7), "event_type": "ai.inference",
    "event_time": datetime(2026, 3, 1, tzinfo=UTC),
    "tenant_id": "acme", "actor_id": 'a "b" \\c', "inference_request_model": "gpt-4o", "outcome": "SUCCESS",
    "input_tokens": 12, "duration_us": 812_000, "cost_effective": Decimal("0.5"), "cost_currency": "USD",
    "cost_status": "priced", "http_status": None, "error_type": "", "trace_id": "t1", "session_id": "",
    "attributes": {"ticket": "ABC-42", "with space": "x"}, "tool_side_effect": "UNKNOWN", "log_id": "l",
}  # fmt: skip


def test_fields_are_in_the_groups_that_a_reader_thinks_in() -> None:
    found = {group.title: [fact.name for fact in group.facts] for group in groups(ROW, PAGE, "")}

    assert found == {
        "Who": ["actor_id"],
        "What": ["inference_request_model", "duration_us"],
        "For whom": ["tenant_id"],
        "Use and price": ["input_tokens", "cost_effective"],
        "Connections": ["trace_id"],
        "Origin": ["event_id", "event_time"],
        "Attributes": ["attributes.ticket", "attributes.with space"],
    }


def test_every_column_of_the_store_has_a_group() -> None:
    row: dict[str, Any] = dict.fromkeys(TABLE_SCHEMA, "x") | {"attributes": {}}
    titles = {fact.name: group.title for group in groups(_typed(row), PAGE, "") for fact in group.facts}

    assert [name for name, title in titles.items() if title == "Attributes"] == []


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose times and numbers are such."""
    whole = {name: 1 for name in row if name.endswith(("_us", "_bytes"))}
    return row | whole


def test_the_search_of_a_value_is_one_for_that_very_value() -> None:
    (who,) = [
        fact
        for group in groups(ROW, PAGE, "outcome:success")
        for fact in group.facts
        if fact.name == "actor_id"
    ]
    assert who.links is not None
    queries = [dict(link.parameters)["q"] for link in who.links]
    demanded = [parse(query)[-1] for query in queries]

    assert all(isinstance(term, Comparison) and term.value == ROW["actor_id"] for term in demanded)
    assert [term.negated for term in demanded] == [False, True]
    assert all(query.startswith("outcome:success ") for query in queries)


def test_an_attribute_whose_name_no_search_can_write_has_no_search() -> None:
    facts = {fact.name: fact for group in groups(ROW, PAGE, "") for fact in group.facts}

    assert facts["attributes.ticket"].links is not None
    assert facts["attributes.with space"].links is None


def test_the_numbers_that_are_looked_for_come_first() -> None:
    assert [(tile.name, str(tile.value)) for tile in tiles(ROW)][1:] == [
        ("Tokens in", "12"),
        ("Took", "812 ms"),
    ]
    assert "unpriced" in str(tiles(ROW | {"cost_effective": None, "cost_status": "unpriced"})[0].value)
    assert tiles({"event_type": "ai.auth"}) == []


def test_an_event_leads_to_its_run_and_to_what_it_is_about() -> None:
    found = {
        each.words: str(each.href) for each in related(ROW | {"policy_subject_event_id": "e-2"}, "/console")
    }

    assert found["Agent run"] == f"/console/runs/t1?peek={uuid.UUID(int=7)}"
    assert found["What it is about"] == "/console/events/e-2"


def test_an_event_leads_to_what_its_source_did_around_it() -> None:
    (found,) = [each for each in related(ROW | {"source": "svc://a"}, "") if each.words == "Around it"]

    assert (
        str(found.href)
        == "/events?from=2026-02-28T23%3A55%3A00Z&to=2026-03-01T00%3A05%3A00Z&q=source%3Asvc%3A%2F%2Fa"
    )


def test_a_change_is_told_before_and_after() -> None:
    row = {
        "change_object_type": "prompt",
        "change_object_id": "p",
        "change_before_hash": "",
        "change_after_hash": "02",
    }

    assert change(row) == {"what": "prompt p", "before": "", "after": "02"}
    assert change(ROW) is None

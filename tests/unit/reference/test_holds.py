"""Holds: which of them keep a subject from being erased."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.reference.holds import holds_over
from auditstream.reference.limits import Hold
from tests.support.facts import day, snapshot_of

NAMES = {"ada@example.com", "user-x"}


def hold(name: str = "h-1", **fields: Any) -> Hold:
    return Hold.model_validate({"hold_id": name, "ground": "litigation", "valid_from": day(0), **fields})


@pytest.mark.parametrize(
    ("fields", "covers"),
    [
        ({}, True),
        ({"tenant_id": "acme"}, True),
        ({"tenant_id": "globex"}, False),
        ({"scope": {"subject": "ada@example.com"}}, True),
        ({"scope": {"actor_id": "user-x"}}, True),
        ({"scope": {"subject": "grace"}}, False),
        ({"scope": {"project_id": "p"}}, True),
        ({"scope": {"project_id": "p", "subject": "grace"}}, False),
        ({"active": False}, False),
        ({"valid_to": day(5)}, False),
        ({"valid_from": day(11)}, False),
    ],
)
def test_a_hold_covers_a_subject_unless_it_is_about_something_else(
    fields: dict[str, Any], covers: bool
) -> None:
    found = holds_over(snapshot_of({1: [hold(**fields)]}), "acme", NAMES, day(10))

    assert [each.hold_id for each in found] == ["h-1"] * covers


def test_the_latest_word_on_a_hold_counts() -> None:
    ended = snapshot_of({1: [hold()], 2: [hold(active=False, valid_from=day(3))]})

    assert holds_over(ended, "acme", NAMES, day(2)) != []
    assert holds_over(ended, "acme", NAMES, day(4)) == []

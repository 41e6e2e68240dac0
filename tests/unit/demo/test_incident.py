"""Findings held against planted incidents: what is found, what is explained, what nothing explains."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from auditstream.demo.incident import Incident, Told, reckon

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THEFT = Incident(
    kind="stolen_key",
    tenant="acme",
    start=NOON,
    end=NOON + timedelta(minutes=20),
    names=frozenset({"credential=k"}),
    touches=frozenset({"", "model=big"}),
)
SURGE = Told(
    finding_id="1", rule="spend.surge", tenant="acme", scope="credential=k", known=NOON + timedelta(minutes=4)
)


def test_the_first_finding_that_says_what_it_is_finds_it_with_its_delay() -> None:
    later = replace(SURGE, finding_id="0", known=NOON + timedelta(minutes=9))
    [outcome] = reckon([THEFT], [later, SURGE]).outcomes
    assert outcome.finding == SURGE
    assert outcome.delay == timedelta(minutes=4)


@pytest.mark.parametrize(
    "other",
    [
        replace(SURGE, tenant="globex"),
        replace(SURGE, scope="credential=k2"),
        replace(SURGE, known=NOON - timedelta(minutes=1)),
        replace(SURGE, known=NOON + timedelta(minutes=81)),
    ],
    ids=["another tenant", "another key", "before", "long after"],
)
def test_what_is_about_something_else_neither_finds_nor_is_explained(other: Told) -> None:
    reckoning = reckon([THEFT], [other])
    assert reckoning.missed == [THEFT]
    assert reckoning.most_unexplained == 1


@pytest.mark.parametrize(
    "moved",
    [
        replace(SURGE, rule="rate.shape"),
        replace(SURGE, scope="model=big"),
        replace(SURGE, scope=""),
        replace(SURGE, tenant="unattributed", scope="model=big"),
    ],
    ids=["another rule", "what it touches", "the tenant as a whole", "several tenants"],
)
def test_what_it_merely_moves_is_explained_and_does_not_find_it(moved: Told) -> None:
    reckoning = reckon([THEFT], [moved])
    assert reckoning.missed == [THEFT]
    assert reckoning.unexplained == {}


def test_unexplained_findings_are_counted_by_hour_without_those_that_another_stands_for() -> None:
    odd = replace(SURGE, tenant="globex")
    child = replace(odd, finding_id="2", suppressed_by="parent: 1")
    next_hour = replace(odd, finding_id="3", known=NOON + timedelta(hours=1))
    reckoning = reckon([], [odd, child, next_hour, replace(odd, finding_id="4")])
    assert {hour: len(found) for hour, found in reckoning.unexplained.items()} == {
        NOON: 2,
        NOON + timedelta(hours=1): 1,
    }
    assert reckoning.most_unexplained == 2


def test_a_word_of_a_scope_is_matched_as_a_whole() -> None:
    burn = replace(THEFT, kind="slow_burn", names=frozenset({"budget=search-month"}))
    told = replace(SURGE, rule="slo.burn", scope="budget=search-month/project_id=search")
    assert burn.finds(told)
    assert not burn.finds(replace(told, scope="budget=search-month-2/project_id=search"))

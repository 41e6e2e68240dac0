"""The second set of traffic: one incident of each kind a seed, every form within three seeds, true to the
contract."""

from __future__ import annotations

from functools import cache

import pytest

from auditstream.demo.incident import FOUND_BY
from benchmarks.detection.incidents.burn_due import SURELY, level
from benchmarks.detection.incidents.schedule import SecondSet, planted_by, second_set
from benchmarks.detection.incidents.services import BEGIN, SERVICES
from benchmarks.detection.incidents.shapes import SHAPES, Planted, Shape
from schemas import contract
from schemas.intake import datum_of

SEED = 3


@cache
def made() -> SecondSet:
    return second_set(SEED)


@cache
def planted_of(seed: int) -> list[Planted]:
    return planted_by(seed)


def test_a_seed_plants_one_incident_of_each_kind_and_three_seeds_every_form() -> None:
    planted = [each.incident for seed in range(3) for each in planted_of(seed)]
    assert [each.kind for each in planted] == [*dict.fromkeys(each.kind for each in SHAPES)] * 3
    assert {each.kind for each in planted} == FOUND_BY.keys() - {"unregistered_key", "unpriced_model"}
    assert {(each.kind, each.shape) for each in planted} == {(each.kind, each.name) for each in SHAPES}


@pytest.mark.parametrize("seed", range(1, 11))
def test_the_first_two_days_are_quiet_and_incidents_of_a_tenant_begin_hours_apart(seed: int) -> None:
    planted = [each.incident for each in planted_of(seed)]
    assert all((each.start - BEGIN).days >= 2 for each in planted)
    for one in planted:
        for other in planted:
            if one is not other and one.tenant == other.tenant and "slow_burn" not in {one.kind, other.kind}:
                assert abs(one.start - other.start).total_seconds() >= 4 * 3_600


def test_a_burn_is_due_when_its_budget_is_spent_early_and_nights_that_it_outlasts_are_not() -> None:
    burns = {
        seed: next(each for each in planted_of(seed) if each.incident.kind == "slow_burn")
        for seed in range(10)
    }
    due = {seed: (each.incident.shape, each.incident.is_due) for seed, each in burns.items()}

    assert {is_due for shape, is_due in due.values() if shape != "nights"} == {True}
    # At night in the office nothing runs that could burn; where mornings are of the nights, it does.
    assert {seed: is_due for seed, (shape, is_due) in due.items() if shape == "nights"} == {
        2: False,
        5: False,
        8: True,
    }


def test_a_steady_burn_comes_as_near_to_the_table_as_its_rate() -> None:
    service = next(each for each in SERVICES if each.project == "storefront")
    ordinary = level(service, 4 * 1_440, 2 * 1_440, lambda _: 1.0)
    twice = level(service, 4 * 1_440, 0, lambda _: 2.0)
    tenfold = level(service, 4 * 1_440, 0, lambda _: 10.0)

    assert 0.4 < ordinary < 1
    assert twice == pytest.approx(2 * ordinary, rel=0.05)
    assert tenfold > SURELY


def test_one_seed_gives_one_traffic_in_the_order_of_time() -> None:
    again = second_set(SEED)
    assert again.events == made().events
    assert again.incidents == made().incidents
    times = [each["event_time"] for each in made().events]
    assert times == sorted(times)


def test_every_service_sends_and_events_keep_the_contract() -> None:
    assert {each["credential_id"] for each in made().events} == {each.credential for each in SERVICES}
    for event in made().events[::50]:
        contract.check(datum_of(event, "audit_event"))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda each: f"{each.kind}: {each.name}")
def test_what_a_form_adds_keeps_the_contract_and_falls_into_its_time(shape: Shape) -> None:
    [planted] = [
        each
        for seed in range(3)
        for each in planted_of(seed)
        if (each.incident.kind, each.incident.shape) == (shape.kind, shape.name)
    ]
    assert planted.changes or planted.events
    for event in planted.events:
        datum = datum_of(event, "audit_event")
        contract.check(datum)
        assert planted.incident.start <= datum["event_time"]
        assert (datum["event_time"] - planted.incident.end).total_seconds() < 60

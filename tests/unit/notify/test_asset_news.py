"""News of assets: once a rule and day of use, and first uses only of tenants that are known well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.detection.assets import Used
from auditstream.notify.asset_news import (
    BANNED,
    FIRST_SEEN,
    LEARNS_EVENTS,
    MOST_KNOWN,
    UNREGISTERED,
    KnownAssets,
    asset_news,
)
from auditstream.reference.assets import Asset
from auditstream.reference.register import Register
from schemas.records.detection import Finding
from tests.support.facts import snapshot_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WELL_KNOWN = {"acme": (NOON - 8 * DAY, LEARNS_EVENTS)}


def used(name: str = "m", **fields: Any) -> Used:
    stated: dict[str, Any] = {
        "tenant": "acme", "asset_type": "model", "asset_id": name, "currency": "USD", "events": 3,
        "first": NOON, "last": NOON + timedelta(minutes=5), "cost": Decimal(1),
    }  # fmt: skip
    return Used(**stated | fields)


def register(**models: str) -> Register:
    facts = [
        Asset.model_validate(
            {"asset_type": "model", "asset_id": name, "status": status, "valid_from": NOON - 30 * DAY}
        )
        for name, status in models.items()
    ]
    return Register(snapshot_of({1: facts}), NOON)


def news(*what: Used, known: KnownAssets | None = None, **models: str) -> list[Finding]:
    known = known or KnownAssets()
    found = asset_news(what, register(**models), known, new_since=NOON - DAY)
    return [finding for _, finding in found]


def test_what_is_missing_in_the_register_is_high_and_what_is_banned_critical() -> None:
    found = news(used("a"), used("b"), used("c"), a="registered", b="banned")
    assert [(each.rule_id, each.scope, each.severity) for each in found] == [
        (BANNED, "model=b", 5),
        (UNREGISTERED, "model=c", 4),
    ]
    assert found[1].title == "model c is in use, and nobody has registered it"
    assert "AML.T0103" in found[1].attacks


def test_without_a_register_nothing_is_missing() -> None:
    assert news(used("a")) == []


def test_an_asset_is_one_finding_a_day_of_use_whatever_currencies_it_costs_in() -> None:
    [first] = news(used(), used(currency="EUR", events=4), x="registered")
    [later] = news(used(last=NOON + timedelta(hours=3)), x="registered")
    [tomorrow] = news(used(last=NOON + DAY), x="registered")
    assert first.observed == 7.0
    assert first.finding_id == later.finding_id != tomorrow.finding_id


def test_a_first_use_is_told_and_is_high_where_it_is_missing_in_a_register() -> None:
    known = KnownAssets.of([used()], WELL_KNOWN)
    [found] = news(used(), known=known)
    assert (found.rule_id, found.severity) == (FIRST_SEEN, 2)
    assert [each.severity for each in news(used(), known=known, x="registered")] == [4, 4]
    [again] = news(used(last=NOON + DAY), known=known)
    assert again.finding_id == found.finding_id


@pytest.mark.parametrize(
    ("tenants", "before"),
    [
        ({}, []),
        ({"acme": (NOON - 6 * DAY, LEARNS_EVENTS)}, []),
        ({"acme": (NOON - 8 * DAY, LEARNS_EVENTS - 1)}, []),
        (WELL_KNOWN, [used(first=NOON - 2 * DAY)]),
    ],
)
def test_a_tenant_that_is_not_known_well_and_an_asset_that_is_are_silent(
    tenants: dict[str, tuple[datetime, int]], before: list[Used]
) -> None:
    assert news(used(), known=KnownAssets.of([*before, used()], tenants)) == []


def test_the_first_use_of_a_host_is_not_told_because_its_history_is_not_known() -> None:
    host = used("api.example", asset_type="host")
    assert news(host, known=KnownAssets.of([host], WELL_KNOWN)) == []


def test_a_tenant_with_too_many_assets_is_silent_and_costs_no_memory_and_others_are_told() -> None:
    known = KnownAssets.of(
        [used(f"m{number}") for number in range(MOST_KNOWN + 5)],
        WELL_KNOWN | {"globex": WELL_KNOWN["acme"]},
    )
    known.add(used("m", tenant="globex"))
    assert len(known.first) == MOST_KNOWN + 1
    assert news(used(f"m{MOST_KNOWN + 1}"), known=known) == []
    assert [each.rule_id for each in news(used("m", tenant="globex"), known=known)] == [FIRST_SEEN]

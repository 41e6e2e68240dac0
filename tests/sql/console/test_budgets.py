"""Budgets in console and API: said by whom may, judged as documents, seen before they hold, told of first."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.errors import RetryableError
from tests.support.budget_pages import NEW, ONE, budget, faults, rows, send, shown
from tests.support.console_house import OWN, ConsoleHouse, form_token

API = "/api/v1/budgets"
LATER = {"valid_from": "2026-02-01"}
BODY = {"tenant_id": "acme", "period": "day", "amount": "7.5", "currency": "USD"}


def test_a_budget_is_seen_before_it_is_set_and_told_of_before_it_holds(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        preview = send(browser, "preview", **NEW)
        assert budget(house, "search-day") is None
        answer = send(browser, "apply", **shown(preview.text))
        page = browser.get(answer.headers["location"]).text

    assert preview.status_code == 200
    assert rows(preview.text)["Amount"] == ("–", "7.5")
    assert rows(preview.text)["Scope"] == ("–", "model acme-model")
    assert "Nothing has changed yet" in preview.text
    # 30 events of half a dollar are more than the amount, which is said before gateways are told.
    assert "200.0 %" in preview.text
    assert "Gateways would be asked to fallback" in preview.text
    set_ = budget(house, "search-day")
    assert set_ is not None
    assert (set_.tenant_id, set_.amount, set_.scope) == ("acme", Decimal("7.5"), {"model": "acme-model"})
    assert (set_.thresholds_pct, set_.reaction, set_.owner) == ((60, 90, 100), "fallback", "ann")
    (told,) = [each for each in house.told.events if each["event_type"] == "ai.config.change"]
    assert (told["change"]["object_type"], told["change"]["object_id"]) == ("budget", "search-day")
    assert told["change"]["before_hash"] is None
    assert "budgets set" in house.commands
    assert "The budget holds from now on" in page
    assert "search-day" in page


def test_a_change_says_what_it_changes_and_leaves_the_rest(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        send(browser, "apply", **shown(send(browser, "preview", **NEW).text))
        form = browser.get(f"{ONE}?id=search-day").text
        fields = dict(re.findall(r'<input class="input[^"]*" name="(\w+)" value="([^"]*)"', form))
        fields |= {"period": "day", "reaction": "fallback", "tenant_id": "acme", "amount": "9"}
        preview = send(browser, "preview", **fields).text
        send(browser, "apply", **shown(preview))
        again = send(browser, "preview", **fields).text

    assert rows(preview) == {"Amount": ("7.5", "9")}
    changed = budget(house, "search-day")
    assert changed is not None
    assert (changed.amount, changed.scope, changed.owner) == (Decimal(9), {"model": "acme-model"}, "ann")
    assert "It says so already" in again
    assert 'value="apply"' not in again


def test_an_end_is_seen_first_and_what_is_ended_is_listed_as_such(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        preview = send(browser, "end", budget_id="acme-month").text
        held = budget(house, "acme-month")
        answer = send(browser, "apply", **shown(preview))
        page = browser.get(answer.headers["location"]).text
        part = browser.get("/parts/budgets").text

    assert rows(preview) == {"Watched": ("yes", "no")}
    assert held is not None
    assert held.active
    ended = budget(house, "acme-month")
    assert ended is not None
    assert not ended.active
    assert ended.amount == held.amount
    assert "The budget is ended from now on" in page
    assert re.search(r'acme-month</a></th><td><span class="badge">ended', page)
    assert "acme-month" not in part


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("amount", "much", "Input should be a valid decimal."),
        ("amount", "0", "Input should be greater than 0."),
        ("currency", "usd", "String should match pattern '^[A-Z]{3}$'."),
        ("period", "fortnight", "Input should be 'hour', 'day', 'week', 'month', 'quarter' or 'year'."),
        ("thresholds_pct", "90, 50", "Must be at least one percentage, rising, none twice."),
        ("fallback_model", "", "Must be stated when the reaction is fallback."),
        ("valid_from", "soon", "Invalid isoformat string: 'soon'."),
        ("valid_from", "9999-12-31T23:59-12:00", "Must be between 1900 and 2299."),
        ("valid_to", "2020-01-01", "Must be later than valid_from."),
        ("tenant_id", "globex", "You may not say what tenant globex may spend; name one of your own."),
        ("tenant_id", "", "You may not say what all tenants may spend; name one of your own."),
        ("budget_id", "globex-month", "Is taken: an id is of one budget, whoever has it; choose another."),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_stays(
    house: ConsoleHouse, field: str, value: str, said: str
) -> None:
    with house.visitor("finops", "acme") as browser:
        revision = house.house.facts.newest()
        for step in ("preview", "apply"):
            answer = send(browser, step, **{**NEW, field: value})
            assert answer.status_code == 400
            assert faults(answer.text) == {field: said}
            assert 'value="acme-model"' in answer.text
            assert house.house.facts.newest() == revision


def test_a_scope_of_no_column_is_refused_and_markup_is_text(house: ConsoleHouse) -> None:
    with house.visitor("finops") as browser:
        page = send(
            browser, "preview", **{**NEW, "owner": "<script>alert(1)</script>", "tenant_id": "nobody"}
        )

    assert "<script>alert" not in page.text
    assert "No tenant &#39;nobody&#39; is known" in page.text, (
        "it is remarked, as `apply` does, and not refused"
    )


def test_what_was_changed_meanwhile_is_looked_at_again(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        seen = shown(send(browser, "preview", **{**NEW, "budget_id": "acme-month"}).text)
        send(browser, "apply", **shown(send(browser, "end", budget_id="acme-month").text))
        answer = send(browser, "apply", **seen)

    assert answer.status_code == 400
    assert "Somebody changed the budget meanwhile" in answer.text
    held = budget(house, "acme-month")
    assert held is not None
    assert not held.active


def test_nothing_is_set_that_cannot_be_told_of(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        fields = shown(send(browser, "preview", **NEW).text)
        token = form_token(browser)
        house.told.refuses = RetryableError("kafka: away")
        answer = browser.post(ONE, data={**fields, "step": "apply", "form_token": token}, headers=OWN)

    assert answer.status_code == 503
    assert budget(house, "search-day") is None


@pytest.mark.parametrize("role", ["viewer", "analyst", "security", "auditor"])
def test_other_roles_are_offered_no_change_and_can_make_none(house: ConsoleHouse, role: str) -> None:
    with house.visitor(role, "acme") as browser:
        page = browser.get("/usage/budgets")
        form = browser.get(f"{ONE}?id=acme-month")
        answer = send(browser, "apply", **NEW)

    assert ONE not in page.text
    assert page.status_code == (403 if role == "viewer" else 200)
    assert (form.status_code, answer.status_code) == (403, 403)
    assert budget(house, "search-day") is None


def test_another_tenants_budget_is_not_there(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        page = browser.get("/usage/budgets").text
        form = browser.get(f"{ONE}?id=globex-month")
        end = send(browser, "end", budget_id="globex-month")

    assert "acme-month" in page
    assert "globex" not in page
    assert (form.status_code, end.status_code) == (404, 404)
    held = budget(house, "globex-month")
    assert held is not None
    assert held.active


def test_a_form_of_another_page_changes_nothing(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        answer = browser.post(ONE, data={**NEW, "step": "apply", "form_token": "0" * 64}, headers=OWN)
        elsewhere = browser.post(ONE, data={**NEW, "step": "apply"}, headers={"origin": "http://evil"})

    assert (answer.status_code, elsewhere.status_code) == (403, 403)
    assert budget(house, "search-day") is None


def test_the_api_sets_changes_and_ends_as_the_console_does(house: ConsoleHouse) -> None:
    with house.house.client(house.house.token("finops", "acme")) as client:
        dry = client.put(f"{API}/search-day", params={"dry_run": True}, json=BODY).json()
        assert budget(house, "search-day") is None
        new = client.put(f"{API}/search-day", json=BODY).json()
        again = client.put(f"{API}/search-day", json=BODY).json()
        listed = client.get(API).json()["data"]
        ended = client.delete(f"{API}/search-day").json()
        client.put(f"{API}/later", json={**BODY, **LATER})
        called_off = client.delete(f"{API}/later").json()

    assert called_off["changes"] == [{"field": "active", "before": True, "after": False}]
    assert called_off["data"]["valid_from"] == "2026-02-01T00:00:00Z"
    assert dry["revision"] is None
    assert {"field": "amount", "before": None, "after": "7.5"} in dry["changes"]
    assert (new["data"]["budget_id"], again["revision"], again["changes"]) == (
        "search-day",
        new["revision"],
        [],
    )
    assert {each["budget_id"]: each["spent"] for each in listed} == {
        "acme-month": "15.000000000000",
        "search-day": "15.000000000000",
    }
    assert ended["changes"] == [{"field": "active", "before": True, "after": False}]
    held = budget(house, "search-day")
    assert held is not None
    assert not held.active
    assert [each["event_type"] for each in house.told.events].count("ai.config.change") == 4


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"amount": "0"}, 400, "amount"),
        ({"amount": 7}, 422, "amount"),
        ({"currency": "usd"}, 400, "currency"),
        ({"scope": {"colour": "red"}}, 400, "scope"),
        ({"reaction": "fallback"}, 400, "fallback_model"),
        ({"thresholds_pct": [100, 50]}, 400, "thresholds_pct"),
        ({"period": "fortnight"}, 422, "period"),
        ({"valid_from": "soon"}, 400, "valid_from"),
        ({"tenant_id": "globex"}, 400, "tenant_id"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_the_api_names_the_field_that_is_wrong(
    house: ConsoleHouse, body: dict[str, Any], status: int, field: str
) -> None:
    with house.house.client(house.house.token("finops", "acme")) as client:
        answer = client.put(f"{API}/search-day", json={**BODY, **body})

    assert (answer.status_code, answer.json()["field"].removeprefix("body.")) == (status, field)
    assert budget(house, "search-day") is None


def test_the_api_refuses_who_may_not_and_has_no_budget_of_others(house: ConsoleHouse) -> None:
    with house.house.client(house.house.token("security", "*")) as client:
        refused = [client.put(f"{API}/x", json=BODY), client.delete(f"{API}/acme-month")]
    with house.house.client(house.house.token("finops", "acme")) as client:
        others = client.delete(f"{API}/globex-month")
        taken = client.put(f"{API}/globex-month", json=BODY)

    assert [each.status_code for each in refused] == [403, 403]
    assert (others.status_code, taken.status_code, taken.json()["field"]) == (404, 400, "budget_id")
    assert "globex" not in taken.text.replace("/globex-month", "")

"""Budgets that are yet to come, and those whose time is over: changed, called off and taken up again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.testclient import TestClient

from auditstream.reference.limits import Budget
from tests.support.budget_pages import NEW, ONE, budget, faults, rows, send, shown
from tests.support.console_house import ConsoleHouse

LATER = {"valid_from": "2026-02-01"}


def planned(browser: TestClient, **more: str) -> Any:
    return send(browser, "apply", **shown(send(browser, "preview", **{**NEW, **LATER, **more}).text))


def form_of(browser: TestClient, id_: str) -> dict[str, str]:
    """Return the fields of a budget's form, as a browser would send them back."""
    form = browser.get(f"{ONE}?id={id_}")
    assert form.status_code == 200
    fields = dict(re.findall(r'<input class="input[^"]*" name="(\w+)" value="([^"]*)"', form.text))
    chosen = re.findall(
        r'<select[^>]* name="(\w+)".*?<option(?: value="\w+")?[^>]* selected>', form.text, re.DOTALL
    )
    assert {"period", "reaction"} <= set(chosen)
    return {**fields, "period": NEW["period"], "reaction": NEW["reaction"], "tenant_id": "acme"}


def test_a_budget_to_come_is_changed_and_called_off_before_it_begins(house: ConsoleHouse) -> None:
    facts, begins = house.house.facts, datetime(2026, 2, 1, tzinfo=UTC)

    def then() -> Budget | None:
        return facts.load(facts.newest()).find(Budget, "search-day", at=begins)

    with house.visitor("finops", "acme") as browser:
        said = browser.get(planned(browser).headers["location"]).text
        preview = send(browser, "preview", **{**form_of(browser, "search-day"), "amount": "9"}).text
        send(browser, "apply", **shown(preview))
        changed = then()
        off = send(browser, "end", budget_id="search-day").text
        page = browser.get(send(browser, "apply", **shown(off)).headers["location"]).text

    assert "holds from the time that it says" in said
    assert f'href="{ONE}?id=search-day"' in said
    assert rows(preview) == {"Amount": ("7.5", "9")}
    assert changed is not None
    assert (changed.amount, changed.active) == (Decimal(9), True)
    assert budget(house, "search-day") is None
    assert rows(off) == {"Watched": ("yes", "no")}
    called_off = then()
    assert called_off is not None
    assert not called_off.active
    assert "The budget will not begin" in page
    assert re.search(r'search-day</a></th><td><span class="badge">ended', page)


def test_a_budget_to_come_begins_earlier_and_is_not_put_off_unseen(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        planned(browser)
        form = form_of(browser, "search-day")
        later = send(browser, "preview", **{**form, "valid_from": "2026-03-01"})
        preview = send(browser, "preview", **{**form, "valid_from": ""}).text
        send(browser, "apply", **shown(preview))

    assert form["valid_from"] == "2026-02-01T00:00:00Z"
    assert later.status_code == 400
    assert "to have it begin later, end it first" in faults(later.text)["valid_from"]
    assert list(rows(preview)) == ["Holds from"]
    assert rows(preview)["Holds from"][0] == "01 Feb 2026 00:00:00 UTC"
    assert "It also replaces" not in preview
    assert budget(house, "search-day") is not None


def test_a_budget_whose_time_is_over_is_taken_up_again(house: ConsoleHouse) -> None:
    with house.visitor("finops", "acme") as browser:
        planned(browser, valid_from="2025-11-01", valid_to="2025-12-01")
        page = browser.get("/usage/budgets").text
        form = form_of(browser, "search-day")
        send(browser, "apply", **shown(send(browser, "preview", **form).text))

    assert re.search(r'search-day</a></th><td><span class="badge">ended', page)
    again = budget(house, "search-day")
    assert again is not None
    assert (again.active, again.valid_to) == (True, None)

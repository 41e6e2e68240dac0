"""The console's form of a budget, as tests fill and read it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from starlette.testclient import TestClient

from auditstream.reference.limits import Budget
from tests.support.console_house import OWN, ConsoleHouse, form_token

ONE = "/usage/budgets/one"
NEW = {
    "budget_id": "search-day", "tenant_id": "acme", "period": "day", "amount": "7.5", "currency": "USD",
    "thresholds_pct": "60 90,100%", "reaction": "fallback", "fallback_model": "gpt-4o-mini", "owner": "ann",
    "scope_model": "acme-model",
}  # fmt: skip
"""A budget that is no other one."""


def budget(house: ConsoleHouse, id_: str) -> Budget | None:
    facts = house.house.facts
    return facts.load(facts.newest()).find(Budget, id_, at=house.house.desk.now)


def send(browser: TestClient, step: str, **fields: str) -> Any:
    return browser.post(ONE, data={**fields, "step": step, "form_token": form_token(browser)}, headers=OWN)


def shown(page: str) -> dict[str, str]:
    """Return the hidden fields of a preview, which its button sends on."""
    (form,) = re.findall(rf'<form[^>]* action="{ONE}">.*?</form>', page, re.DOTALL)
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in found if name != "form_token"}


def rows(page: str) -> dict[str, tuple[str, str]]:
    """Return what a preview says that changes: before and after by field."""
    found = re.findall(
        r'<th scope="row">([^<]+)</th><td class="wrap">(.*?)</td><td class="wrap">(.*?)</td>', page, re.DOTALL
    )
    plain = [[re.sub(r"<[^>]+>", "", each).strip() for each in row] for row in found]
    return {name: (before, after) for name, before, after in plain}


def faults(page: str) -> dict[str, str]:
    """Return what is said at fields, by field."""
    found = re.findall(r'id="fault-(\w+)">.*?</svg>([^<]+)</span>', page, re.DOTALL)
    return {name: unescape(text) for name, text in found}

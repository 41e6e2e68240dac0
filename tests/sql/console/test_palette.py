"""The palette over real rows: where it leads each role and tenant, and what it never names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from auditstream.access.roles import Role
from auditstream.access.saved_searches import SavedSearches
from auditstream.core.errors import RetryableError
from auditstream.query.reader import Reader
from sinks.finding_rows import add_findings
from tests.support.api_house import findings_of_three_tenants
from tests.support.blocks import LOG, event_id_at
from tests.support.console_house import ConsoleHouse, submitted
from tests.support.stores import ClickHouseStore

OTHERS = ("globex", "initech")


@pytest.fixture(scope="module", autouse=True)
def _findings(recorded: Reader, migrated: ClickHouseStore) -> None:
    add_findings(migrated.client, findings_of_three_tenants())


@pytest.fixture
def house(recorded: Reader, tmp_path: Path) -> ConsoleHouse:
    return ConsoleHouse(recorded, searches=SavedSearches(tmp_path / "searches"))


def options(browser: TestClient, find: str) -> dict[str, str]:
    """Return what the dialog offers: addresses by what they are called."""
    answer = browser.get("/parts/palette", params={"find": find}, headers={"hx-request": "true"})
    assert answer.status_code == 200, answer.text
    found = re.findall(
        r'role="option"[^>]* href="([^"]*)">.*?<span class="text">([^<]*)</span>', answer.text, re.DOTALL
    )
    return {text: address.replace("&amp;", "&") for address, text in found}


@pytest.mark.parametrize("role", Role)
def test_every_offered_screen_opens_and_every_screen_of_the_rail_is_offered(
    house: ConsoleHouse, role: Role
) -> None:
    with house.visitor(role, "acme") as browser:
        offered = options(browser, "")
        rail = re.findall(r'<li><a href="([^"]+)"', browser.get("/searches").text)
        statuses = {path: browser.get(path).status_code for path in offered.values()}

    assert set(rail) <= set(offered.values())
    assert {path for path, status in statuses.items() if status != 200} == set()


def test_screens_are_found_by_their_words(house: ConsoleHouse) -> None:
    with house.visitor("admin") as browser:
        assert options(browser, "usage COST")["Usage and cost"] == "/usage"
        assert "Findings" in options(browser, "guard")
        assert "Findings" not in options(browser, "usage")


@pytest.mark.parametrize(
    ("find", "label", "address"),
    [
        (str(event_id_at(LOG, 0)), str(event_id_at(LOG, 0)), f"/events/{event_id_at(LOG, 0)}"),
        (f"{LOG}/0", f"{LOG}/0", f"/events/{LOG}/0"),
        (f"{0:032x}", f"{0:032x}", f"/runs/{0:032x}"),
        ("1" * 8, "acme-title", f"/findings/{'11' * 32}"),
        ("acme-title", "acme-title", f"/findings/{'11' * 32}"),
        ("SURGE acme", "acme-title", f"/findings/{'11' * 32}"),
        ("acm", "Events of acme", "/events?q=tenant%3Aacme"),
        ("acm", "Usage and cost of acme", "/usage?tenant=acme"),
    ],
)
def test_what_has_an_id_or_a_name_is_found_and_opens(
    house: ConsoleHouse, find: str, label: str, address: str
) -> None:
    with house.visitor("security", "acme") as browser:
        assert options(browser, find)[label] == address
        assert browser.get(address).status_code == 200


@pytest.mark.parametrize(
    "find", [str(event_id_at(LOG, 1)), f"{LOG}/1", "2" * 8, "title", "spend.surge", "glob", "init", "month"]
)
def test_another_tenants_things_are_neither_offered_nor_named(house: ConsoleHouse, find: str) -> None:
    with house.visitor("security", "acme") as browser:
        pages = [browser.get(path, params={"find": find}).text for path in ("/palette", "/parts/palette")]
    with house.visitor("security") as browser:
        whole = browser.get("/parts/palette", params={"find": find}).text

    assert not [other for other in OTHERS for page in pages if other in page]
    assert not re.search(r'href="/(?:events|findings)/', "".join(pages).replace(f"/findings/{'11' * 32}", ""))
    assert find == "month" or any(other in whole or find in whole for other in OTHERS)


def test_what_is_typed_can_be_searched_for_as_far_as_the_role_goes(house: ConsoleHouse) -> None:
    asked = ["/events", "/live", "/runs", "/searches"]
    with house.visitor("viewer", "acme") as browser:
        offered = options(browser, "outcome:failure refund")
        wrong = options(browser, 'modle:x "y')
    with house.visitor("analyst", "acme") as browser:
        more = options(browser, "outcome:failure")

    query = "?q=outcome%3Afailure+refund"
    assert list(offered.values()) == [f"{path}{query}" for path in asked]
    assert offered["Search events for outcome:failure refund"] == f"/events{query}"
    # What is no search is looked for as words, so that its page has no fault to show.
    assert wrong["Search events for &#34;modle:x \\&#34;y&#34;"] == "/events?q=%22modle%3Ax+%5C%22y%22"
    assert "Export events of outcome:failure" in more


def test_a_saved_search_is_found_by_whom_it_is_for(house: ConsoleHouse) -> None:
    with house.visitor("analyst", "acme") as browser:
        address = "/searches?q=outcome%3Afailure&since=7d"
        submitted(browser, address, "/searches", name="Night failures", q="outcome:failure", shared="")
        own = options(browser, "night")
    with house.visitor("viewer", "acme") as browser:
        other = options(browser, "night")

    assert own["Night failures"] == "/events?q=outcome%3Afailure&since=7d"
    assert "Night failures" not in other


def test_the_page_leads_without_script_where_the_dialog_does(house: ConsoleHouse) -> None:
    with house.visitor("viewer", "acme") as browser:
        page = browser.get("/palette", params={"find": "acme"}).text
        nothing = browser.get("/palette", params={"find": ""}).text
        hostile = browser.get("/palette", params={"find": "<script>alert(1)</script>"}).text

    assert 'href="/events?q=tenant%3Aacme"' in page
    assert 'name="find" value="acme"' in page
    assert 'class="row-link place" href="/events"' in nothing
    assert "<script>alert" not in hostile
    assert 'href="/palette" data-palette' in nothing, "a link leads there from every page"


def test_what_is_looked_for_in_the_record_is_told_of_and_screens_alone_are_not(house: ConsoleHouse) -> None:
    with house.visitor("security") as browser:
        options(browser, "")
        options(browser, "us")
        silent = list(house.commands)
        options(browser, str(event_id_at(LOG, 0)))
        told = list(house.commands)

    assert silent == []
    assert "show" in told


def test_without_a_store_screens_are_offered_and_the_rest_is_said(house: ConsoleHouse) -> None:
    with house.visitor("security") as browser:
        house.told.refuses = RetryableError("kafka: away")
        answer: Any = browser.get("/parts/palette", params={"find": "acme-title"})
        page = browser.get("/palette", params={"find": "acme-title"})

    assert answer.status_code == 200
    assert "Findings: cannot be looked for right now" in answer.text
    assert "Search events for acme-title" in page.text
    assert "Findings: cannot be looked for right now" in page.text

"""The console's screens of money, objectives and findings; and that no screen shows another tenant's rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from auditstream.access.reach import Reach
from auditstream.console.application import create_console
from auditstream.console.visits import Parts
from auditstream.core.errors import NotFoundError
from auditstream.core.settings import Settings
from auditstream.query.reader import Reader
from schemas.records.vocabulary import FindingStatus
from sinks.finding_rows import add_findings
from tests.support.api_house import TENANTS, ApiHouse, findings_of_three_tenants, rows_of_three_tenants
from tests.support.blocks import LOG, NOON, event_id_at
from tests.support.stores import ClickHouseStore, OpenClient, reading

ORIGIN = "http://testserver"
OTHERS = ("globex", "initech")
RANGE = "from=2026-01-02T11:00Z&to=2026-01-02T14:00Z"
PARTS = {"hx-request": "true"}

PATHS = {
    "/": "/",
    "/events": f"/events?since=all&peek={event_id_at(LOG, 1)}",
    "/parts/histogram": "/parts/histogram?since=all",
    "/parts/facets": "/parts/facets?since=all",
    "/parts/facet": "/parts/facet?since=all&field=agent",
    "/parts/event": f"/parts/event?id={event_id_at(LOG, 1)}",
    "/parts/raw": f"/parts/raw?id={event_id_at(LOG, 1)}",
    "/parts/proof": f"/parts/proof?id={event_id_at(LOG, 1)}",
    "/receipts/{id:path}": f"/receipts/{event_id_at(LOG, 1)}",
    "/events/{id:path}": f"/events/{event_id_at(LOG, 1)}",
    "/runs": "/runs?since=all",
    "/runs/{id}": f"/runs/{0:032x}",
    "/live": "/live",
    "/parts/stream": "/parts/stream?q=nonsense:1",  # a stream that is answered at once: it does not begin
    "/usage": f"/usage?{RANGE}&by=model",
    "/usage/units": f"/usage/units?{RANGE}&unit=feature",
    "/usage/wrapper": f"/usage/wrapper?{RANGE}",
    "/parts/series": f"/parts/series?{RANGE}&by=model",
    "/parts/budgets": "/parts/budgets",
    "/usage/budgets": "/usage/budgets",
    "/usage/budgets/one": "/usage/budgets/one?id=globex-month",
    "/slos": "/slos",
    "/parts/slos": "/parts/slos",
    "/findings": f"/findings?{RANGE}&status=all",
    "/findings/{id}": f"/findings/{'22' * 32}",
    "/health": "/health",
    "/parts/health/record": "/parts/health/record",
    "/parts/health/lag": "/parts/health/lag",
    "/parts/health/letters": "/parts/health/letters?since=all",
    "/health/dead-letters/{leaf:path}": f"/health/dead-letters/{LOG}/1",
    "/dead-letter-bytes/{leaf:path}": f"/dead-letter-bytes/{LOG}/1",
    "/health/replay": f"/health/replay?leaf={LOG}/1",
    "/integrity": "/integrity",
    "/parts/integrity/logs": "/parts/integrity/logs",
    "/parts/integrity/day": "/parts/integrity/day?day=2026-01-02",
    "/parts/integrity/checks": "/parts/integrity/checks",
    "/integrity/checks/{id}": "/integrity/checks/nonsense",
    "/integrity/verify": "",
    "/integrity/statement": "/integrity/statement?day=2026-01-01",
    "/integrity/statement/file": "/integrity/statement/file?day=2026-01-01",
    "/integrity/receipt": f"/integrity/receipt?id={event_id_at(LOG, 1)}",
    "/assets": "/assets?since=all",
    "/assets/one": "/assets/one?type=agent&id=globex-agent",
    "/prompts": "/prompts?since=all",
    "/accesses": "/accesses?since=all",
    "/exports": "/exports",
    "/parts/exports/own": "/parts/exports/own",
    "/parts/exports/record": "/parts/exports/record?since=all",
    "/exports/{id}/{name}": "/exports/nonsense/manifest.json",
    "/searches": "/searches",
    "/searches/{id}/delete": "",
    "/palette": "/palette?find=glob",
    "/parts/palette": "/parts/palette?find=title",
    "/sign-in": "/sign-in",
    "/sign-out": "",
    "/theme": "",
}
"""By the path of each route what is asked of it; an event or a finding that it names is another tenant's."""


@pytest.fixture(scope="module")
def three_tenants(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    migrated.empty()
    migrated.insert(rows_of_three_tenants())
    add_findings(migrated.client, findings_of_three_tenants())
    with reading(engine, migrated) as opened:
        yield opened


@pytest.fixture
def house(three_tenants: Reader) -> ApiHouse:
    return ApiHouse(three_tenants)


@pytest.fixture
def console(house: ApiHouse) -> Iterator[TestClient]:
    """The console, with somebody of all tenants who may do everything signed in."""
    with TestClient(_app(house), raise_server_exceptions=False, follow_redirects=False) as client:
        sign_in(client, house.token("admin", "*"))
        yield client


def _app(house: ApiHouse) -> Starlette:
    def no_evidence() -> Any:
        raise NotFoundError("no vkeys.txt is published")

    return create_console(
        Parts(
            desk=house.desk,
            entry=house.entry,
            evidence=no_evidence,
            publish=house.published.extend,
            settings=Settings(),
            reach=Reach(facts=house.lent_facts),
        )
    )


def sign_in(client: TestClient, token: str) -> None:
    answer = client.post("/sign-in", data={"token": token}, headers={"origin": ORIGIN})
    assert answer.status_code == 303, answer.text


def text(console: TestClient, path: str) -> str:
    answer = console.get(path, headers=PARTS if path.startswith("/parts/") else {})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_no_screen_shows_another_tenants_rows(house: ApiHouse) -> None:
    app = _app(house)
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as console:
        sign_in(console, house.token("security", "acme"))
        for route in app.routes:
            if not isinstance(route, Route) or not (path := PATHS[route.path]):
                continue
            for headers in ({}, PARTS):
                answer = console.get(path, headers=headers)
                assert answer.status_code in {200, 303, 307, 400, 403, 404, 503}, path
                # The asset and the budget that were asked for are said back.
                said = answer.text.replace("globex-agent", "").replace("globex-month", "")
                assert not [other for other in OTHERS if other in said], path


def test_every_screen_answers_who_may_see_all(console: TestClient) -> None:
    for path in filter(None, PATHS.values()):
        answer = console.get(path)
        if "stream" in path or "/lag" in path:  # what cannot be read, and Kafka, which is not there
            assert answer.status_code in {400, 503}, path
        elif answer.status_code == 404:
            # No evidence is published and no export kept here; there is no such dead letter and no such job.
            absent = "vkeys" in answer.text or str(LOG) in path
            assert absent or "nonsense" in path or path == "/parts/exports/own", path
        else:
            assert answer.status_code in {200, 307}, path


def test_money_is_told_by_key_with_its_share_and_its_total(console: TestClient) -> None:
    page = text(console, f"/usage?{RANGE}&by=tenant")

    assert re.findall(r'<a class="row-link" href="[^"]+">(\w+)</a>', page) == list(TENANTS)
    assert page.count("33.3 %") == 3
    assert '<span title="45.000000000000 USD">$45.00</span>' in page
    assert "02 Jan 2026 11:00 – 02 Jan 2026 14:00 UTC, whole hours" in page


def test_money_of_one_tenant_is_its_own(console: TestClient) -> None:
    page = text(console, f"/usage?{RANGE}&by=project&tenant=acme")

    assert re.findall(r'<a class="row-link" href="[^"]+">([\w-]+)</a>', page) == ["acme-project"]
    assert "$15.00" in page


def test_a_key_leads_to_its_events(console: TestClient) -> None:
    page = text(console, f"/usage?{RANGE}&by=model")
    link = re.search(r'<a class="row-link" href="([^"]+)">acme-model', page)

    assert link is not None
    found = text(console, link[1].replace("&amp;", "&"))
    assert len(re.findall("data-peek", found)) == 30


def test_money_over_time_adds_up_to_the_total(console: TestClient) -> None:
    part = text(console, f"/parts/series?{RANGE}&by=model")
    amounts = [Decimal(each) for each in re.findall(r'data-value="([^"]+)"', part)]

    assert sum(amounts) == 45
    assert [each for each in amounts if each] == [15, 15, 15]
    assert len(re.findall("data-at=", part)) == 3


def test_budgets_are_told_with_what_is_spent_the_fullest_first(console: TestClient) -> None:
    part = text(console, "/parts/budgets")

    assert re.findall(r"<strong>([\w-]+)</strong>", part) == ["acme-month", "globex-month", "initech-month"]
    assert "125.0 % of acme-month is spent" in part
    assert ">spent</span>" in part
    assert "15.0 % of this month" in part


def test_what_one_costs_is_told_by_group(console: TestClient) -> None:
    page = text(console, f"/usage/units?{RANGE}&unit=task")

    assert re.findall(r'<td class="long">([\w-]+-agent)</td>', page) == [f"{each}-agent" for each in TENANTS]
    assert page.count('<span title="0.500000000000 USD">') == 3  # a call
    assert console.get("/usage/units?unit=dozen").status_code == 400


def test_what_is_paid_around_inference_is_told_to_who_sees_all(console: TestClient, house: ApiHouse) -> None:
    page = text(console, f"/usage/wrapper?{RANGE}")

    assert re.findall(r"<header><h2>(\w+)</h2>", page) == list(TENANTS)
    assert page.count("Everything else is <strong>0 times</strong> inference") == 3
    one = text(console, f"/usage/wrapper?{RANGE}&tenant=acme")
    assert re.findall(r"<header><h2>(\w+)</h2>", one) == ["acme"]
    assert re.search(r'href="/usage\?[^"]*tenant=acme"', one), "the other pages of it stay with the tenant"
    sign_in(console, house.token("analyst", "acme"))
    assert console.get(f"/usage/wrapper?{RANGE}").status_code == 403


@pytest.mark.parametrize("asked", ["by=nonsense", "since=soon", "from=2026-01-03&to=2026-01-02"])
def test_money_that_cannot_be_told_is_refused_with_the_reason(console: TestClient, asked: str) -> None:
    answer = console.get(f"/usage?{asked}")

    assert answer.status_code == 400
    assert 'class="note bad" role="alert"' in answer.text


def test_objectives_are_told_with_what_is_left_of_their_budgets(console: TestClient) -> None:
    part = text(console, "/parts/slos")

    assert set(re.findall(r"<h2>([\w-]+)</h2>", part)) == {"acme-slo", "globex-slo", "initech-slo", "all-slo"}
    assert "Calls that are answered" in part
    assert "<strong>99 %</strong> over 30 days" in part
    assert "50.000 %" in part


def test_findings_are_listed_and_lead_to_their_evidence(console: TestClient) -> None:
    page = text(console, f"/findings?{RANGE}")
    finding = text(console, f"/findings/{'11' * 32}")

    assert "acme-title" in page
    assert page.count('<td><span class="badge bad">High</span></td>') == 3
    assert "q=tenant%3Aacme+model%3Aacme-model" in finding
    assert 'title="12.500000000000 USD"' in finding


def test_a_filter_of_findings_holds(console: TestClient) -> None:
    assert "Nothing was found" in text(console, f"/findings?{RANGE}&status=resolved")
    assert "Nothing was found" in text(console, f"/findings?{RANGE}&severity=critical")
    assert "globex-title" not in text(console, f"/findings?{RANGE}&tenant=acme")
    assert console.get("/findings?severity=awful").status_code == 400
    assert console.get("/findings?status=lost").status_code == 400


def form_token(console: TestClient, path: str) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', text(console, path))
    assert found is not None
    return found[1]


def test_an_act_on_a_finding_is_told_of_and_published(console: TestClient, house: ApiHouse) -> None:
    path = f"/findings/{'33' * 32}"
    said = {
        "form_token": form_token(console, path),
        "act": "assign",
        "assignee": "kim",
        "comment": "look <b>",
    }
    house.told.events.clear()
    answer = console.post(path, data=said, headers={"origin": ORIGIN})

    assert (answer.status_code, answer.headers["location"]) == (303, path)
    (made,) = house.published
    assert (made.act, made.actor, made.assignee, made.comment) == ("assign", "admin", "kim", "look <b>")
    assert made.status is FindingStatus.IN_PROGRESS
    assert "ai.finding" in [event["event_type"] for event in house.told.events]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("assign", "Assignee: must not be empty"),
        ("comment", "Comment: must not be empty"),
        ("burn", "is none of"),
    ],
)
def test_an_act_that_lacks_what_it_needs_changes_nothing(
    console: TestClient, house: ApiHouse, act: str, said: str
) -> None:
    path = f"/findings/{'33' * 32}"
    form = {"form_token": form_token(console, path), "act": act, "comment": ""}
    answer = console.post(path, data=form, headers={"origin": ORIGIN})

    assert answer.status_code == 400
    assert said in answer.text
    assert house.published == []


def test_a_form_without_the_token_of_its_session_changes_nothing(
    console: TestClient, house: ApiHouse
) -> None:
    for shown in ({}, {"form_token": "0" * 64}):
        form = {"act": "close", **shown}
        answer = console.post(f"/findings/{'33' * 32}", data=form, headers={"origin": ORIGIN})
        assert answer.status_code == 403

    assert house.published == []


def test_who_may_only_look_is_offered_no_act_and_can_do_none(house: ApiHouse) -> None:
    with TestClient(_app(house), follow_redirects=False) as console:
        until = house.entry.now + timedelta(days=1)
        sign_in(console, house.token("auditor", "acme", expires_at=until, sees_from=NOON - timedelta(days=1)))
        path = f"/findings/{'11' * 32}"
        assert "What to do" not in text(console, path)
        token = house.entry.sessions.form_token(
            house.entry.sessions.read(console.cookies["auditstream_session"], house.entry.now)
        )
        form = {"act": "close", "form_token": token}
        assert console.post(path, data=form, headers={"origin": ORIGIN}).status_code == 403

    assert house.published == []

"""Exports, saved searches and the access log over real rows."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from auditstream.access.export_jobs import ExportJobs, Job
from auditstream.access.saved_searches import SavedSearches
from auditstream.query.reader import Reader
from tests.support.console_house import OWN, ConsoleHouse, form_token, submitted

PART = {"hx-request": "true"}


@pytest.fixture
def rows() -> list[Job]:
    return []


@pytest.fixture
def house(recorded: Reader, tmp_path: Path, rows: list[Job]) -> Iterator[ConsoleHouse]:
    made = ConsoleHouse(recorded, searches=SavedSearches(tmp_path / "searches"))
    jobs = ExportJobs(tmp_path / "exports", made.parts.desk, rows.append)
    made.write_exports(jobs)
    yield made
    jobs.stop()


def exported(house: ConsoleHouse, browser: TestClient, **fields: str) -> str:
    """Return the part with one's own exports once the newest is over."""
    answer = submitted(browser, "/exports", "/exports", **{"since": "all", "form": "jsonl", **fields})
    assert answer.status_code == 303, answer.text
    house.finish_exports()
    return browser.get("/parts/exports/own").text


def test_an_export_holds_ones_own_events_and_no_others(house: ConsoleHouse, rows: list[Job]) -> None:
    with house.visitor("analyst", "acme") as browser:
        listed = exported(house, browser, q="outcome:failure", purpose="audit")
        (link,) = re.findall(r'href="(/exports/[^"]+\.jsonl)"', listed)
        data = browser.get(link)
        manifest = browser.get(link.rsplit("/", 1)[0] + "/manifest.json").json()

    events = [json.loads(line) for line in data.text.splitlines()]
    assert len(events) == 15
    assert {each["tenant_id"] for each in events} == {"acme"}
    assert manifest["files"][0]["sha256"] == hashlib.sha256(data.content).hexdigest()
    assert data.headers["content-disposition"].startswith("attachment")
    assert [(row.rows, row.requested_by, row.purpose) for row in rows] == [(15, "analyst", "audit")]
    assert "export fetch" in house.commands


def test_the_list_follows_what_is_under_way_and_stops_when_nothing_is(
    recorded: Reader, tmp_path: Path
) -> None:
    house, written, goes_on = ConsoleHouse(recorded), threading.Event(), threading.Event()

    def record(_: Job) -> None:
        written.set()
        assert goes_on.wait(60)

    jobs = ExportJobs(tmp_path / "exports", house.parts.desk, record)
    house.write_exports(jobs)
    try:
        with house.visitor("analyst", "acme") as browser:
            before = browser.get("/exports").text
            submitted(browser, "/exports", "/exports", since="all", form="jsonl")
            assert written.wait(60)
            page = browser.get("/exports").text
            (poll,) = re.findall(r'hx-get="([^"]*/own[^"]*)" hx-trigger="every 1s"', page)
            during = browser.get(poll, headers=PART).text
            goes_on.set()
            house.finish_exports()
            last = browser.get(poll, headers=PART).text
            after = browser.get("/exports").text
    finally:
        goes_on.set()
        jobs.stop()

    assert "every 1s" not in before
    # Without script the page is the list, and a link looks again.
    assert "running</span>" in page
    assert '<noscript><a class="button small" href="/exports">Look again</a></noscript>' in page
    assert f'hx-get="{poll}" hx-trigger="every 1s" hx-swap="outerHTML"' in during
    assert "hx-swap-oob" not in during
    # The last answer asks for no other, says that it is the last, and has the record of all exports follow.
    assert "every 1s" not in last
    assert 'id="exports-said" hx-swap-oob="innerHTML">Your exports are over.' in last
    assert (
        'hx-get="/parts/exports/record" hx-trigger="load" hx-swap="innerHTML" hx-target="#exports-record"'
        in last
    )
    assert "every 1s" not in after
    assert "Your exports are over." not in after


def test_another_ones_export_is_not_there(house: ConsoleHouse) -> None:
    with house.visitor("analyst", "acme") as browser:
        listed = exported(house, browser)
        (link,) = re.findall(r'href="(/exports/[^"]+\.jsonl)"', listed)
    with house.visitor("security") as browser:
        answer = browser.get(link)
        own = browser.get("/parts/exports/own").text

    assert answer.status_code == 404
    assert "No exports of yours" in own


@pytest.mark.parametrize("name", ["job.json", "..%2fjob.json", "manifest.json.bak"])
def test_no_other_file_leaves(house: ConsoleHouse, name: str) -> None:
    with house.visitor("analyst", "acme") as browser:
        listed = exported(house, browser)
        (link,) = re.findall(r'href="(/exports/[^"]+\.jsonl)"', listed)
        answer = browser.get(f"{link.rsplit('/', 1)[0]}/{name}")

    assert answer.status_code == 404


def test_a_wrong_query_is_pointed_at_and_what_was_typed_stays(house: ConsoleHouse) -> None:
    with house.visitor("analyst", "acme") as browser:
        answer = submitted(browser, "/exports", "/exports", q="modle:x", form="jsonl", purpose="audit")
        form = submitted(browser, "/exports", "/exports", form="<b>", since="all")

    assert answer.status_code == 400
    assert "<mark>" in answer.text
    assert 'value="modle:x"' in answer.text
    assert 'value="audit"' in answer.text
    assert form.status_code == 400
    assert "<b>" not in form.text


def test_a_viewer_may_not_export(house: ConsoleHouse) -> None:
    with house.visitor("viewer", "acme") as browser:
        assert browser.get("/exports").status_code == 403
        assert browser.get("/parts/exports/own").status_code == 403
        assert "/exports" not in browser.get("/searches").text


def test_a_search_is_saved_from_its_address_and_leads_back_to_it(house: ConsoleHouse) -> None:
    address = "/searches?q=outcome%3Afailure&since=7d&columns=time"
    with house.visitor("viewer", "acme") as browser:
        answer = submitted(browser, address, "/searches", name="Failures", q="outcome:failure", shared="1")
        listed = browser.get("/searches").text
        (delete,) = re.findall(r'action="(/searches/[^"]+/delete)"', listed)
        unnamed = submitted(browser, address, "/searches", name=" ")
    with house.visitor("analyst", "acme") as browser:
        shared = browser.get("/searches").text
        refused = browser.post(delete, data={"form_token": form_token(browser)}, headers=OWN).status_code

    assert answer.status_code == 303
    assert 'href="/events?q=outcome%3Afailure&amp;since=7d&amp;columns=time"' in listed
    assert unnamed.status_code == 400
    assert "Failures" in shared
    assert delete not in shared
    assert refused == 404


def test_the_access_log_of_a_store_without_questions_says_so(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        whole = browser.get("/accesses?since=all")
        refused = browser.get("/accesses?after=nonsense")
    with house.visitor("security", "acme") as browser:
        own = browser.get("/accesses?since=all").text
    with house.visitor("analyst", "acme") as browser:
        analyst = browser.get("/accesses")

    assert "Nobody asked" in whole.text
    assert refused.status_code == 400
    assert "No questions of your tenants" in own
    assert analyst.status_code == 403

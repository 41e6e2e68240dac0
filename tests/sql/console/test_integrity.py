"""Integrity over real rows without a published log, and the checks of every row with one."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.core.errors import NotFoundError
from auditstream.evidence.findings import Finding, Report
from auditstream.evidence.listing import Trust
from auditstream.evidence.published import PublishedFolder
from auditstream.ledger.vkeys import parse_vkeys
from auditstream.query.reader import Reader
from tests.support.console_house import ConsoleHouse, submitted


@pytest.fixture
def house(recorded: Reader, tmp_path: Any) -> ConsoleHouse:
    made = ConsoleHouse(recorded, verify=lambda advance: (advance(94, 94), damaged())[1])
    empty = PublishedFolder(tmp_path)
    made.evidence = lambda: (empty, Trust(parse_vkeys(b""), None, "here/test"))
    return made


def damaged() -> Report:
    report = Report(logs=1, leaves=94, remarks=["nobody's cosignature was asked for"])
    report.add([Finding("here/test/audit.events.v1/0/0a", "leaf", "aa", "<b>bb</b>", first=7)])
    return report


def test_logs_that_nobody_signed_say_so(house: ConsoleHouse) -> None:
    with house.visitor("viewer", "acme") as browser:
        page = browser.get("/integrity").text
        logs = browser.get("/parts/integrity/logs").text

    assert "audit.events.v1/0/0a1b2c3d" in logs
    assert "not yet" in logs
    assert "do not hold" in logs  # there is no signed list of logs
    assert "Verify now" not in page


def test_without_keys_the_rest_is_still_told(house: ConsoleHouse) -> None:
    def nothing() -> Any:
        raise NotFoundError("no vkeys.txt is published")

    house.evidence = nothing
    with house.visitor() as browser:
        logs = browser.get("/parts/integrity/logs")

    assert logs.status_code == 200
    assert "No vkeys.txt is published" in logs.text
    assert "<dt>Leaves</dt><dd>94</dd>" in logs.text


def test_a_day_is_told_by_source_and_of_ones_own_rows_alone(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        whole = browser.get("/parts/integrity/day?day=2026-01-02").text
    with house.visitor("viewer", "acme") as browser:
        own = browser.get("/parts/integrity/day?day=2026-01-02").text
        other = browser.get("/parts/integrity/day?day=2026-01-01").text

    assert "<dt>Recorded</dt><dd>90</dd>" in whole
    assert "<dt>Dead letters</dt><dd>4</dd>" in whole
    assert "<dt>Recorded</dt><dd>30</dd>" in own
    assert "Of your tenants alone" in own
    assert "Nothing recorded on this day" in other


@pytest.mark.parametrize("day", ["2026-02-30", "tomorrow", "9999-01-01", "0001-01-01", "<b>"])
def test_a_day_that_is_none_is_refused(house: ConsoleHouse, day: str) -> None:
    with house.visitor() as browser:
        answers = [
            browser.get(f"/{path}", params={"day": day}) for path in ("integrity", "parts/integrity/day")
        ]

    assert [each.status_code for each in answers] == [400, 400]
    assert all("<b>" not in each.text for each in answers)


def test_verify_now_is_a_job_whose_findings_are_shown(house: ConsoleHouse) -> None:
    with house.visitor("auditor") as browser:
        answer = submitted(browser, "/integrity", "/integrity/verify")
        house.finish_jobs()
        listed = browser.get("/parts/integrity/checks").text
        (job,) = house.parts.reach.jobs.of("verify")
        page = browser.get(f"/integrity/checks/{job.id}").text

    assert answer.headers["location"] == "/integrity"
    assert "does not hold" in listed
    assert "&lt;b&gt;bb&lt;/b&gt;" in page
    assert "94" in page
    assert "verify" in house.commands


def test_who_sees_a_part_cannot_check_the_whole(house: ConsoleHouse) -> None:
    with house.visitor("security", "acme") as browser:
        page = browser.get("/integrity").text
        listed = browser.get("/parts/integrity/checks").text

    assert "Verify now" not in page
    assert "Of the whole record alone" in listed
    assert house.parts.reach.jobs.of("verify") == []


def test_a_receipt_is_asked_for_by_id_and_a_wrong_one_is_told(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        missing = browser.get("/integrity/receipt?id=audit.events.v1/0/0a1b2c3d/5000")
        empty = browser.get("/integrity/receipt?id=")
        unsealed = browser.get("/integrity/receipt?id=audit.events.v1/0/0a1b2c3d/5")

    assert (missing.status_code, empty.status_code, unsealed.status_code) == (404, 400, 503)

"""The completeness statement in console and API: signed over real rows, for whom, and why there is none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from auditstream.api.app import create_app
from auditstream.core.errors import NotFoundError, RetryableError
from auditstream.evidence.listing import Trust
from auditstream.evidence.published import PublishedFolder
from auditstream.ledger.completeness import Completeness, open_completeness, sign_completeness
from auditstream.query.lag import PartitionLag
from auditstream.query.reader import Reader
from tests.support import bundles
from tests.support.api_house import ROWS
from tests.support.console_house import ConsoleHouse

DAY = "2026-01-02"  # of the rows; the house's clock says the day after
A_DAY_S = 24 * 60 * 60
SOURCE = "urn:test"
FILE = f"/integrity/statement/file?day={DAY}"


def sign(statement: Completeness) -> bytes:
    return sign_completeness(statement, bundles.DEPLOYMENT_KEY).to_bytes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two logs of which all is signed, and a published statement of the day before."""
    folder = tmp_path_factory.mktemp("bundle")
    bundles.make_bundle(folder / "published", folder / "memory")
    return folder / "published"


@pytest.fixture
def house(recorded: Reader, bundle: Path) -> ConsoleHouse:
    made = ConsoleHouse(recorded, sign=sign)
    made.evidence = lambda: (
        PublishedFolder(bundle),
        Trust(bundles.vkeys(), bundles.policy(), bundles.DEPLOYMENT),
    )
    made.house.clock.advance(A_DAY_S)
    return made


def opened(note: bytes) -> Completeness:
    return open_completeness(note, bundles.DEPLOYMENT_KEY.verifier)


def told(browser: TestClient, path: str) -> str:
    """Return why a page has no statement."""
    answer = browser.get(path)
    assert answer.status_code >= 400
    found = re.search(r'class="note bad" role="alert">.*?<p class="strong">([^<]*)', answer.text, re.DOTALL)
    assert found, answer.text
    return found[1]


def test_a_day_that_is_over_is_stated_signed_and_downloaded(house: ConsoleHouse) -> None:
    with house.visitor("auditor") as browser:
        page = browser.get(f"/integrity/statement?day={DAY}").text
        answer = browser.get(FILE)

    statement = opened(answer.content)
    assert (statement.day, statement.scope, statement.state) == (date(2026, 1, 2), "", "closed")
    assert sum(each.recorded for each in statement.unnumbered) == ROWS
    assert {each.size for each in statement.logs} == set(bundles.SIZES.values())
    assert not statement.is_complete, "dead letters are a difference"
    assert answer.headers["content-disposition"].endswith(f"completeness-{DAY}.note")
    assert "day 2026-01-02" in page
    assert "4 dead letters in" in page
    assert house.commands == ["evidence statement", "evidence statement"]


def test_one_source_is_stated_alone(house: ConsoleHouse) -> None:
    with house.visitor("security") as browser:
        answer = browser.get("/integrity/statement/file", params={"day": DAY, "source": SOURCE})

    statement = opened(answer.content)
    assert (statement.scope, statement.is_complete) == (SOURCE, True)
    assert "filename*=UTF-8''completeness-2026-01-02-" in answer.headers["content-disposition"]


def test_what_was_published_is_handed_out_as_it_is(house: ConsoleHouse, bundle: Path) -> None:
    with house.visitor("auditor") as browser:
        page = browser.get("/integrity/statement?day=2026-01-01").text
        answer = browser.get("/integrity/statement/file?day=2026-01-01")

    assert answer.content == (bundle / "statements" / "2026-01-01").read_bytes()
    assert "published beside the logs" in page


@pytest.mark.parametrize("path", ["/integrity/statement", "/integrity/statement/file"])
def test_why_there_is_no_statement_is_told_and_the_form_stays(house: ConsoleHouse, path: str) -> None:
    with house.visitor("auditor") as browser:
        today = told(browser, f"{path}?day=2026-01-03")
        unknown = told(browser, f"{path}?day={DAY}&source=urn:nobody")
        typed = browser.get(f"{path}?day={DAY}&source=urn:nobody<b>").text
        no_day = told(browser, f"{path}?day=yesterday")
        long = told(browser, f"{path}?day={DAY}&source={'x' * 1_025}")
        house.lags = [PartitionLag("audit.events.v1", 0, 5, 12, 7)]
        waiting = told(browser, f"{path}?day={DAY}")

    assert today == "Day: 2026-01-03 is not over, so that more may come."
    assert unknown == "Source: no event of &#39;urn:nobody&#39; is recorded."
    assert 'value="urn:nobody&lt;b&gt;"' in typed
    assert no_day == "Day: &#39;yesterday&#39; is not a day as 2026-01-31."
    assert long == "Source: is longer than 1024 characters."
    assert (
        waiting == f"Day: {DAY} is not complete yet: 7 records in Kafka may be of it, and are not recorded."
    )


def test_traffic_that_never_rests_keeps_no_day_open(house: ConsoleHouse) -> None:
    before = "/integrity/statement/file?day=2025-12-31"
    with house.visitor("auditor") as browser:
        house.lags = [PartitionLag("audit.events.v1", each, 5, 12, 7) for each in (0, 1)]
        past = browser.get(before)
        house.lags.append(PartitionLag("audit.events.v1", 2, 0, 3, 3))
        unknown = told(browser, before)
        of_the_day = told(browser, FILE)

    # What waits in a partition from which two days later are recorded is of no day before.
    assert opened(past.content).state == "closed"
    assert "3 records in Kafka may be of it" in unknown
    assert "17 records in Kafka may be of it" in of_the_day


def test_a_day_is_not_stated_while_kafka_does_not_say_what_it_holds(
    recorded: Reader, house: ConsoleHouse
) -> None:
    def away() -> list[PartitionLag]:
        raise RetryableError("kafka: away")

    deaf = ConsoleHouse(recorded, sign=sign, lags=away)
    deaf.evidence = house.evidence
    deaf.house.clock.advance(A_DAY_S)
    with deaf.visitor("auditor") as browser:
        assert "Kafka does not say" in told(browser, FILE)


def test_where_no_key_is_the_way_to_a_statement_is_told(recorded: Reader, house: ConsoleHouse) -> None:
    keyless = ConsoleHouse(recorded)
    keyless.evidence = house.evidence
    keyless.house.clock.advance(A_DAY_S)
    with keyless.visitor("auditor") as browser:
        answer = browser.get(FILE)
        published = browser.get("/integrity/statement/file?day=2026-01-01")

    assert answer.status_code == 404
    assert "This process has no key to sign a statement with." in answer.text
    assert "evidence statement --publish" in answer.text
    assert published.status_code == 200


@pytest.mark.parametrize("role", ["viewer", "analyst", "finops"])
def test_other_roles_are_offered_none_and_get_none(house: ConsoleHouse, role: str) -> None:
    with house.visitor(role) as browser:
        page = browser.get("/integrity").text
        answer = browser.get(FILE)

    assert "/integrity/statement" not in page
    assert answer.status_code == 403
    assert [each["outcome"] for each in house.told.events][-1] == "BLOCKED"


def test_who_sees_a_part_of_the_tenants_gets_no_statement_about_all(house: ConsoleHouse) -> None:
    with house.visitor("auditor", "acme") as browser:
        page = browser.get("/integrity").text
        answer = browser.get(FILE)

    assert "Download statement" not in page
    assert "you see a part of them" in page
    assert answer.status_code == 403


def test_what_cannot_be_told_of_is_not_stated(house: ConsoleHouse) -> None:
    with house.visitor("auditor") as browser:
        house.told.refuses = RetryableError("kafka: away")
        answer = browser.get(FILE)

    assert answer.status_code == 503
    assert b"auditstream-completeness" not in answer.content


def test_without_published_keys_there_is_none(house: ConsoleHouse) -> None:
    def nothing() -> Any:
        raise NotFoundError("no vkeys.txt is published")

    house.evidence = nothing
    with house.visitor("auditor") as browser:
        assert "No vkeys.txt is published" in told(browser, FILE)


def test_the_api_gives_the_same_statement_to_the_same_roles(house: ConsoleHouse) -> None:
    api = house.house
    parts = replace(api.parts, evidence=house.evidence, sign=sign, lags=lambda: house.lags)
    path = f"/api/v1/integrity/statements/{DAY}"
    with TestClient(create_app(parts)) as client:
        for role, tenant, status in (("auditor", "*", 200), ("analyst", "*", 403), ("auditor", "acme", 403)):
            client.headers["authorization"] = f"Bearer {api.token(role, tenant)}"
            assert client.get(path).status_code == status, (role, tenant)
        client.headers["authorization"] = f"Bearer {api.token('auditor', '*')}"
        whole, one = client.get(path), client.get(path, params={"source": SOURCE})
        today = client.get("/api/v1/integrity/statements/2026-01-03")
        unknown = client.get(path, params={"source": "urn:nobody"})
        no_day = client.get("/api/v1/integrity/statements/yesterday")

    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert opened(whole.content).scope == ""
    assert opened(one.content).scope == SOURCE
    assert (today.status_code, today.json()["field"]) == (400, "day")
    assert (unknown.status_code, unknown.json()["field"]) == (404, "source")
    assert (no_day.status_code, no_day.json()["field"]) == (422, "day")

"""Who may ask over HTTP: tokens, cookies, form tokens, rates; and what is open to everybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from auditstream.access.roles import LIMITS, Role
from auditstream.access.sessions import COOKIE
from auditstream.api.parts import FORM_TOKEN_HEADER
from auditstream.core.errors import RetryableError
from tests.support.access_house import HERE
from tests.support.api_house import ApiHouse

ACT = f"/api/v1/findings/{'1' * 64}/acts"


def test_without_a_sign_in_nothing_is_answered(house: ApiHouse) -> None:
    with house.client() as client:
        answer = client.get("/api/v1/events")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["field"] == "authorization"


def test_a_token_that_has_expired_is_refused(house: ApiHouse) -> None:
    with house.client(house.token("viewer", expires_at=house.entry.now + timedelta(hours=1))) as client:
        assert client.get("/api/v1/events").status_code == 200
        house.clock.advance(3_600)
        assert client.get("/api/v1/events").status_code == 401


def test_an_auditor_sees_the_period_of_the_token(house: ApiHouse) -> None:
    seen_from = house.entry.now - timedelta(hours=1) + timedelta(seconds=30)
    token = house.token("auditor", sees_from=seen_from, sees_to=seen_from + timedelta(seconds=30))
    with house.client(token) as client:
        rows = client.get("/api/v1/events?limit=1000").json()["data"]
        counted = client.get("/api/v1/histogram").json()["events"]

    assert len(rows) == counted == 10
    assert {row["event_time"][14:19] for row in rows} <= {f"00:{second}" for second in range(30, 60)}


def test_a_cookie_reads_and_changes_with_its_form_token_alone(house: ApiHouse) -> None:
    session, cookie = house.entry.sign_in(house.token("security"), HERE)
    with house.client() as client:
        client.cookies.set(COOKIE, cookie)
        assert client.get("/api/v1/events").status_code == 200
        refused = client.post(ACT, json={"act": "acknowledge"})
        shown = {FORM_TOKEN_HEADER: house.entry.sessions.form_token(session)}
        done = client.post(ACT, json={"act": "acknowledge"}, headers=shown)

    assert (refused.status_code, refused.json()["field"]) == (403, FORM_TOKEN_HEADER)
    assert done.status_code == 201


def test_too_many_requests_wait_as_long_as_they_are_told(house: ApiHouse) -> None:
    most = int(10 * LIMITS[Role.VIEWER].requests_per_s)
    with house.client(house.token("viewer")) as client:
        statuses = [client.get("/api/v1/events?limit=0").status_code for _ in range(most)]
        refused = client.get("/api/v1/events")
        house.clock.advance(float(refused.headers["retry-after"]))
        again = client.get("/api/v1/events")

    assert set(statuses) == {422}
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert again.status_code == 200


def test_what_cannot_be_told_of_is_not_answered(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        assert client.get("/api/v1/events").status_code == 200
        house.told.refuses = RetryableError("Kafka at 10.1.2.3 is away")
        answer = client.get("/api/v1/events")

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "10.1.2.3" not in answer.text


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*"])
def test_a_form_that_there_is_not_is_refused(house: ApiHouse, accept: str) -> None:
    with house.client(house.token("viewer")) as client:
        answer = client.get("/api/v1/events", headers={"accept": accept})

    assert (answer.status_code, answer.json()["field"]) == (406, "accept")


def test_health_and_metrics_ask_nobody_who_they_are(house: ApiHouse) -> None:
    with house.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}
        assert "auditstream_" in client.get("/metrics").text
        assert client.get("/api/openapi.json").json()["openapi"].startswith("3.")
        unknown = client.get("/api/v1/nothing")
        wrong = client.delete("/api/v1/events")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


def test_answers_are_nobodys_to_keep_and_are_counted_by_route(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        answers = [client.get("/api/v1/events"), client.get("/api/v1/events/nobody"), client.get("/api/v1/x")]
        counted = client.get("/metrics").text

    for each in answers:
        assert each.headers["cache-control"] == "no-store"
        assert each.headers["x-content-type-options"] == "nosniff"
    for route, status in (("/events", "2xx"), ("/events/{event_id}", "4xx"), ("other", "4xx")):
        assert f'auditstream_api_requests_total{{route="{route}",status="{status}"}} 1.0' in counted


@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_that_is_too_large_is_refused(house: ApiHouse, is_told: bool) -> None:
    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 10_000] * 100

    body: Any = b"x" * 1_000_000 if is_told else pieces()
    with house.client(house.token("security")) as client:
        answer = client.post(ACT, content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

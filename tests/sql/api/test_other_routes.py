"""Costs, objectives, integrity, findings and the live tail over the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.access_house import HERE, TENANTS
from tests.support.api_house import ROWS, ApiHouse
from tests.support.blocks import NOON, OTHER_LOG, block_of
from tests.support.stores import ClickHouseStore

OWN = ROWS // 3


@pytest.fixture
def client(house: ApiHouse) -> Iterator[TestClient]:
    with house.client(house.token("security")) as lent:
        yield lent


def test_costs_are_of_ones_own_tenant_and_add_up(client: TestClient) -> None:
    said = client.get("/api/v1/costs", params={"by": "tenant,model", "period": "2026-01-02"}).json()

    lines = {(row["line"], row["tenant_id"], row["model"]): row["cost_effective"] for row in said["data"]}
    assert lines[("key", "acme", "acme-model")] == lines[("total", "", "")] == "15.000000000000"
    assert {tenant for _, tenant, _ in lines} == {"acme", ""}


def test_costs_of_events_that_no_rollup_has_are_of_ones_own_tenant_too(client: TestClient) -> None:
    said = client.get("/api/v1/costs", params={"by": "tool", "period": "2026-01-02"}).json()

    assert {row["tool_name"] for row in said["data"]} == {"acme-tool", ""}


def test_a_viewer_may_not_ask_for_costs_nor_findings(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        for path in ("costs", "findings", "findings/11111111"):
            answer = client.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")

    assert [each["outcome"] for each in house.told.events].count("BLOCKED") == 3


def test_objectives_are_those_of_ones_own_tenants(house: ApiHouse) -> None:
    for tenants, wanted in (
        (("acme",), {"acme-slo"}),
        (("acme", "globex"), {"acme-slo", "globex-slo"}),
        (("*",), {f"{each}-slo" for each in (*TENANTS, "all")}),
    ):
        with house.client(house.token("viewer", *tenants)) as client:
            rows = client.get("/api/v1/slos").json()["data"]
        assert {row["slo_id"] for row in rows} == wanted
        counted = {row["slo_id"]: row["valid"] for row in rows}
        assert counted["acme-slo"] == OWN
        assert counted.get("all-slo", ROWS) == ROWS


def test_the_logs_are_everybodys(client: TestClient) -> None:
    said = client.get("/api/v1/integrity").json()

    (log,) = said["data"]
    assert (log["recorded"], log["dense"], log["checkpoint_size"]) == (ROWS, True, None)


def test_findings_are_listed_and_shown_and_acted_on(house: ApiHouse, client: TestClient) -> None:
    (row,) = client.get("/api/v1/findings").json()["data"]
    shown = client.get(f"/api/v1/findings/{row['finding_id'][:8]}").json()
    made = client.post(
        f"/api/v1/findings/{row['finding_id']}/acts",
        json={"act": "assign", "assignee": "kim", "comment": "x"},
    )

    assert (row["title"], row["severity"], row["severity_id"]) == ("acme-title", "High", 4)
    assert shown["data"]["title"] == "acme-title"
    assert [each["version"] for each in shown["versions"]] == [0]
    assert made.status_code == 201
    assert made.json()["data"]["status"] == "IN_PROGRESS"
    (published,) = house.published
    assert (published.act, published.actor, published.assignee) == ("assign", "security", "kim")
    assert [each["event_type"] for each in house.told.events][-1] == "ai.finding"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"act": "comment"}, 400),
        ({"act": "assign"}, 400),
        ({"act": "delete"}, 422),
        ({"act": "close", "other": 1}, 422),
        ({"act": "comment", "comment": "x" * 2_001}, 422),
        ([], 422),
    ],
)
def test_an_act_that_lacks_what_it_needs_is_refused(client: TestClient, body: Any, status: int) -> None:
    answer = client.post(f"/api/v1/findings/{'1' * 64}/acts", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_finding_of_another_tenant_is_not_there_to_act_on(house: ApiHouse, client: TestClient) -> None:
    answer = client.post(f"/api/v1/findings/{'2' * 64}/acts", json={"act": "close"})

    assert answer.status_code == 404
    assert house.published == []


def messages_of(text: str) -> list[dict[str, str]]:
    """Return the messages of a stream, as the standard reads them."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append(fields)
    return found


def test_a_tail_has_what_arrives_and_goes_on_where_it_ended(
    house: ApiHouse, migrated: ClickHouseStore
) -> None:
    with house.client(house.token("viewer")) as client:
        (begun,) = messages_of(client.get("/api/v1/tail?looks=1").text)
        migrated.insert(
            block_of(
                OTHER_LOG,
                rows=30,
                event_time=[NOON + timedelta(seconds=number) for number in range(30)],
                tenant_id=[TENANTS[number % 3] for number in range(30)],
            )
        )
        _, *events = messages_of(
            client.get("/api/v1/tail?looks=2", headers={"last-event-id": begun["id"]}).text
        )
        again = messages_of(
            client.get("/api/v1/tail?looks=2", headers={"last-event-id": events[-1]["id"]}).text
        )
    migrated.client.command(
        f"ALTER TABLE events DELETE WHERE log_id = '{OTHER_LOG}' SETTINGS mutations_sync = 2"
    )
    migrated.client.command(
        f"ALTER TABLE segment_ranges DELETE WHERE log_id = '{OTHER_LOG}' SETTINGS mutations_sync = 2"
    )

    assert [each["event"] for each in events] == ["event"] * 10
    assert {json.loads(each["data"])["tenant_id"] for each in events} == {"acme"}
    assert [each for each in again if "event" in each] == []


@pytest.mark.parametrize("position", ["x", "AAAA", "eJw=", "a" * 20_000, "eJyrrgUAAXUA-Q%3D"])
def test_a_position_that_no_tail_gave_is_refused(client: TestClient, position: str) -> None:
    answer = client.get("/api/v1/tail?looks=1", headers={"last-event-id": position})

    assert (answer.status_code, answer.json()["field"]) == (400, "last-event-id")


def test_a_tail_ends_with_the_sign_in(house: ApiHouse) -> None:
    token = house.token("viewer", expires_at=house.entry.now + timedelta(seconds=1))
    with house.client(token) as client:
        house.parts.entry.still = lambda _: False  # type: ignore[method-assign]
        messages = messages_of(client.get("/api/v1/tail").text)

    assert messages[-1]["event"] == "end"


def test_more_tails_than_the_role_may_have_are_refused(house: ApiHouse) -> None:
    token = house.token("viewer")
    who = house.entry.admit(f"Bearer {token}", None, HERE).who
    closing = [house.parts.tails.open(who) for _ in range(who.limits.tails)]
    with house.client(token) as client:
        answer = client.get("/api/v1/tail?looks=1")
        for _ in range(2):  # it is counted off once
            closing[0]()
        ended = [client.get("/api/v1/tail?looks=1").status_code for _ in range(3)]

    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert ended == [200, 200, 200], "each counts itself off"

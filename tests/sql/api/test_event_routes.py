"""Events over the API: pages, forms, counts, one event, one trace."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.sql.test_current_views import adjust
from tests.support.api_house import ROWS, ApiHouse
from tests.support.blocks import LOG, event_id_at
from tests.support.stores import ClickHouseStore

OWN = ROWS // 3


def test_pages_hold_every_event_once(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        ids: list[str] = []
        url: str | None = "/api/v1/events?limit=7"
        while url is not None:
            answer = client.get(url)
            ids += [row["event_id"] for row in answer.json()["data"]]
            url = answer.links["next"]["url"] if "next" in answer.links else None

    assert len(ids) == len(set(ids)) == OWN


def test_ndjson_and_csv_hold_the_rows_of_json(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        plain = client.get("/api/v1/events?limit=5").json()
        lines = client.get("/api/v1/events?limit=5", headers={"accept": "application/x-ndjson"})
        table = client.get("/api/v1/events?limit=5", headers={"accept": "text/csv"})

    assert [json.loads(line) for line in lines.text.splitlines()] == plain["data"]
    assert lines.headers["x-next-cursor"] == table.headers["x-next-cursor"] == plain["next"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["event_id"] for row in rows] == [row["event_id"] for row in plain["data"]]
    assert rows[0]["cost_effective"] == plain["data"][0]["cost_effective"] == "0.500000000000"


def test_the_histograms_total_is_the_number_of_events(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        for query in ("", "outcome:failure", "model:acme-model -outcome:success", "tool:nobody"):
            counted = client.get("/api/v1/histogram", params={"q": query}).json()
            listed = client.get("/api/v1/events", params={"q": query, "limit": 10_000}).json()["data"]
            assert counted["events"] == sum(each["events"] for each in counted["data"]) == len(listed)


def test_facets_count_the_values_of_what_is_found(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        found = client.get("/api/v1/facets?field=outcome&field=tenant").json()["data"]

    assert {each["field"]: {v["value"]: v["events"] for v in each["values"]} for each in found} == {
        "outcome": {"SUCCESS": OWN // 2, "FAILURE": OWN // 2},
        "tenant": {"acme": OWN},
    }


def test_an_event_has_its_bytes_for_security_and_not_for_viewers(house: ApiHouse) -> None:
    mine = event_id_at(LOG, 0)
    for role, has in (("security", True), ("viewer", False)):
        with house.client(house.token(role)) as client:
            (row,) = client.get(f"/api/v1/events/{mine}").json()["data"]
        assert ("raw" in row) is has
        assert row["agent_id"] == "acme-agent"


def test_an_event_of_another_tenant_is_as_one_that_is_not_there(house: ApiHouse) -> None:
    others, nobodys = event_id_at(LOG, 1), event_id_at(LOG, 10_000)
    with house.client(house.token("security")) as client:
        answers = [client.get(f"/api/v1/events/{each}") for each in (others, nobodys)]

    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].text.replace(str(others), "") == answers[1].text.replace(str(nobodys), "")


def test_a_trace_has_the_steps_of_ones_own_tenant(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        found = client.get(f"/api/v1/traces/{0:032x}").json()

    assert found["events"] == len(found["data"]) == 3
    assert found["costs"] == {"USD": "1.500000000000"}
    assert {step["agent_id"] for step in found["data"]} == {"acme-agent"}


@pytest.mark.parametrize(
    ("path", "field", "status"),
    [
        ("events?q=nosuch:1", "q", 400),
        ('events?q="open', "q", 400),
        ("events?since=soon", "since", 400),
        ("events?since=1h&from=2026-01-01", "since", 400),
        ("events?from=never", "from", 400),
        ("events?from=2026-02-01&to=2026-01-01", "from", 400),
        ("events?limit=0", "limit", 422),
        ("events?limit=10001", "limit", 422),
        ("events?cursor=AAAA", "cursor", 400),
        ("events/nobody", "event_id", 400),
        ("histogram?spans=0", "spans", 422),
        ("facets?field=raw", "field", 400),
        ("facets?q=time>9999-12-31T23:59:59-12:00", "q", 400),
        ("histogram?from=9999-12-31T23:59:59-12:00", "from", 400),
        ("facets?values=101", "values", 422),
        (f"traces/{'a' * 65}", "trace_id", 400),
    ],
)
def test_what_is_wrong_is_refused_with_field_and_reason(
    house: ApiHouse, path: str, field: str, status: int
) -> None:
    with house.client(house.token("viewer")) as client:
        answer = client.get(f"/api/v1/{path}")

    said = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, said["status"], said["field"]) == (status, status, field)
    assert said["detail"]
    assert "--" not in said["detail"], "options are of the command line"


def test_an_event_that_was_attributed_anew_is_its_new_tenants(
    house: ApiHouse, migrated: ClickHouseStore
) -> None:
    """Its row is shown to the tenant that it is found by, and no other row of the same id."""
    moved = event_id_at(LOG, 1)
    adjust(migrated, 1, "attribution", tenant="globex", events=-1)
    adjust(migrated, 1, "attribution", tenant="acme", events=1)
    try:
        with house.client(house.token("security", "acme")) as client:
            found = client.get("/api/v1/events", params={"q": f"id:{moved}"}).json()["data"]
            shown = client.get(f"/api/v1/events/{moved}")
        with house.client(house.token("security", "initech")) as client:
            others = client.get(f"/api/v1/events/{moved}")
    finally:
        migrated.client.command("TRUNCATE TABLE cost_adjustments")

    assert [row["tenant_id"] for row in found] == ["acme"]
    assert shown.status_code == 200
    assert [row["event_id"] for row in shown.json()["data"]] == [str(moved)]
    assert others.status_code == 404

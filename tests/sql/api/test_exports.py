"""Exports over the API: asked for, written, fetched; each of one's own tenants, and of nobody else's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from httpx import Response
from starlette.testclient import TestClient

from auditstream.access import export_jobs
from auditstream.access.export_jobs import KEPT, ExportJobs
from auditstream.access.roles import LIMITS
from auditstream.core.errors import RetryableError
from tests.support.access_house import HERE
from tests.support.api_house import ROWS, ApiHouse
from tests.support.api_leaks import leaks

OWN = ROWS // 3
FORMS = ("parquet", "csv", "jsonl", "ocsf", "cloudevents")


@pytest.fixture
def client(house: ApiHouse) -> Iterator[TestClient]:
    with house.client(house.token("security")) as lent:
        yield lent


def exported(house: ApiHouse, client: TestClient, **body: Any) -> dict[str, Any]:
    """Ask for an export, wait, and return what is said of it."""
    taken = client.post("/api/v1/exports", json=body)
    assert taken.status_code == 202, taken.text
    assert house.exports is not None
    house.exports.wait(taken.json()["data"]["export_id"], 60)
    said: dict[str, Any] = client.get(taken.headers["location"]).json()["data"]
    return said


def files_of(client: TestClient, said: dict[str, Any]) -> dict[str, Response]:
    base = f"/api/v1/exports/{said['export_id']}/files"
    return {name: client.get(f"{base}/{name}") for name in said["files"]}


@pytest.mark.parametrize("form", FORMS)
def test_an_export_has_every_event_of_ones_own_and_none_of_others(
    house: ApiHouse, client: TestClient, form: str
) -> None:
    said = exported(house, client, form=form, purpose="audit 7")
    files = files_of(client, said)

    assert (said["status"], said["rows"], said["error"]) == ("done", OWN, "")
    manifest = files.pop("manifest.json")
    assert hashlib.sha256(manifest.content).hexdigest() == said["manifest_sha256"]
    listed = {each["file"]: each["sha256"] for each in manifest.json()["files"]}
    assert {name: hashlib.sha256(each.content).hexdigest() for name, each in files.items()} == listed
    for each in (manifest, *files.values()):
        assert b"globex" not in each.content
        assert b"initech" not in each.content
    assert [leaks(each) for each in files.values() if form != "parquet"] in ([], [[]])


def test_a_parquet_file_has_the_rows_of_the_search(house: ApiHouse, client: TestClient) -> None:
    said = exported(house, client, form="parquet", q="outcome:failure", **{"from": "2026-01-02T12:00:30Z"})
    (data,) = [each.content for name, each in files_of(client, said).items() if name != "manifest.json"]

    frame = pl.read_parquet(data)
    assert set(frame["tenant_id"]) == {"acme"}
    assert set(frame["outcome"]) == {"FAILURE"}
    found = client.get("/api/v1/events?q=outcome:failure&from=2026-01-02T12:00:30Z&limit=100").json()["data"]
    assert set(frame["event_id"]) == {row["event_id"] for row in found}


def test_an_export_is_told_of_at_its_beginning_and_its_end_and_recorded(
    house: ApiHouse, client: TestClient
) -> None:
    said = exported(house, client, form="csv", q="outcome:success", purpose="audit 7")
    files_of(client, said)

    told = [each for each in house.told.events if each["event_type"] == "ai.data_access"]
    began, ended, *fetched = told
    assert began["data_access"]["purpose"] == ended["data_access"]["purpose"] == "audit 7"
    assert (began["data_access"]["rows"], ended["data_access"]["rows"]) == (0, OWN // 2)
    assert len(fetched) == len(said["files"])
    (row,) = house.recorded
    assert (row.rows, row.query, row.requested_by) == (OWN // 2, "outcome:success", "security")


def test_a_part_of_a_file_is_fetched_where_it_was_broken_off(house: ApiHouse, client: TestClient) -> None:
    said = exported(house, client, form="jsonl")
    url = f"/api/v1/exports/{said['export_id']}/files/{said['files'][1]}"
    whole = client.get(url).content

    rest = client.get(url, headers={"range": "bytes=100-"})

    assert (rest.status_code, rest.content) == (206, whole[100:])


def test_an_export_of_somebody_else_is_not_there(house: ApiHouse, client: TestClient) -> None:
    said = exported(house, client, form="csv")
    with house.client(house.token("security")) as other:
        answers = [
            other.get(f"/api/v1/exports/{said['export_id']}"),
            other.get(f"/api/v1/exports/{said['export_id']}/files/manifest.json"),
        ]
        listed = other.get("/api/v1/exports").json()["data"]

    assert [each.status_code for each in answers] == [404, 404]
    assert listed == []
    assert [each["export_id"] for each in client.get("/api/v1/exports").json()["data"]] == [said["export_id"]]


@pytest.mark.parametrize("name", ["job.json", "..%2Fjob.json", "nothing", ".job.json", "manifest.json%00"])
def test_only_files_of_the_export_are_fetched(house: ApiHouse, client: TestClient, name: str) -> None:
    said = exported(house, client, form="csv")

    assert client.get(f"/api/v1/exports/{said['export_id']}/files/{name}").status_code == 404


def test_a_role_that_may_not_export_is_refused(house: ApiHouse) -> None:
    with house.client(house.token("viewer")) as client:
        assert client.post("/api/v1/exports", json={}).status_code == 403
        assert client.get("/api/v1/exports").status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"form": "xml"}, 422, "form"),
        ({"q": "nosuch:1"}, 400, "q"),
        ({"from": "never"}, 400, "from"),
        ({"other": 1}, 422, "other"),
    ],
)
def test_what_is_wrong_with_an_export_is_said(
    client: TestClient, body: dict[str, Any], status: int, field: str
) -> None:
    answer = client.post("/api/v1/exports", json=body)

    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_more_rows_than_the_role_may_export_fail_with_a_reason(
    house: ApiHouse, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    small = {role: replace(limits, export_rows=10) for role, limits in LIMITS.items()}
    monkeypatch.setattr("auditstream.access.principal.LIMITS", small)

    said = exported(house, client, form="csv")

    assert (said["status"], said["files"]) == ("failed", [])
    assert "30 events" in said["error"]
    assert house.recorded == []


def test_an_export_that_cannot_be_told_of_is_not_taken(house: ApiHouse, client: TestClient) -> None:
    client.get("/api/v1/events")
    house.told.refuses = RetryableError("Kafka is away")

    assert client.post("/api/v1/exports", json={}).status_code == 503
    house.told.refuses = None
    assert client.get("/api/v1/exports").json()["data"] == []


def test_exports_are_gone_after_a_week(house: ApiHouse, client: TestClient, tmp_path: Path) -> None:
    said = exported(house, client, form="csv")
    assert (tmp_path / "exports" / said["export_id"]).exists()
    house.clock.advance(KEPT.total_seconds())
    token = house.token("security")
    with house.client(token) as later:
        assert later.get("/api/v1/exports").json()["data"] == []

    assert not (tmp_path / "exports" / said["export_id"]).exists()


def test_after_a_restart_exports_are_there_and_what_was_broken_off_says_so(
    house: ApiHouse, client: TestClient, tmp_path: Path
) -> None:
    said = exported(house, client, form="csv")
    broken = tmp_path / "exports" / "0" / "job.json"
    broken.parent.mkdir()
    kept = json.loads((tmp_path / "exports" / said["export_id"] / "job.json").read_text())
    broken.write_text(json.dumps({**kept, "export_id": "0", "status": "running", "files": []}))
    (tmp_path / "exports" / "rubbish").mkdir()
    (tmp_path / "exports" / "rubbish" / "job.json").write_text("{")

    again = ExportJobs(tmp_path / "exports", house.desk, house.recorded.append)
    again.start()
    who = house.entry.admit(client.headers["authorization"], None, HERE).who

    found = {each.export_id: each for each in again.list(who)}
    again.stop()
    assert found[said["export_id"]].status == "done"
    assert (found["0"].status, "ended" in found["0"].error) == ("failed", True)
    assert len(found) == 2


def test_nobody_has_more_exports_waiting_than_may_be(
    house: ApiHouse, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_jobs, "_MOST_OPEN", 0)

    answer = client.post("/api/v1/exports", json={})

    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)

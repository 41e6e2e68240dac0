"""The gateway of a deployment, from its first request to the row in the store; keys made and revoked."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from auditstream.core.ids import uuid7
from tests.support.commands import Command, ran, started
from tests.support.forked_programs import ForkedPrograms

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
REVOKED_WITHIN_S = 5.0

Run = Callable[..., subprocess.CompletedProcess[str]]


def event(**changes: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid7()),
        "event_type": "ai.inference",
        "event_time": datetime.now(UTC).isoformat(),
        "source": "svc://checkout",
    } | changes


def posted(url: str, key: str, *events: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{url}/v1/events",
        data="\n".join(map(json.dumps, events)).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def receipt_of(url: str, key: str, value_sha256: str, event_id: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/v1/receipts/{value_sha256}?id={event_id}", headers={"authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        found: dict[str, Any] = json.load(response)
    return found


def rows(run: Run, sql: str) -> list[dict[str, Any]]:
    done = run("sql", sql, "--output", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def await_rows(up: Command, run: Run, sql: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def there() -> bool:
        nonlocal found
        found = rows(run, sql)
        return len(found) >= count

    up.wait_until(there, within_s=60, what=f"{count} rows of {sql}")
    return found


def asked(runtime: dict[str, Any], path: str, token: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"{runtime['api_url']}/api/v1/{path}", headers={"authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def exported(up: Command, runtime: dict[str, Any], token: str) -> None:
    """Have the API of the deployment write an export, and find it in the record of exports."""
    request = urllib.request.Request(
        f"{runtime['api_url']}/api/v1/exports",
        data=json.dumps({"form": "jsonl", "q": "type:ai.inference", "purpose": "test"}).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        export_id = json.load(response)["data"]["export_id"]

    def done() -> bool:
        said = json.loads(asked(runtime, f"exports/{export_id}", token)[1])["data"]
        assert said["status"] != "failed", said
        return bool(said["status"] == "done" and said["rows"])

    up.wait_until(done, within_s=60, what="the export")


def shown_by_the_api(up: Command, run: Run, event_id: str) -> None:
    """Look at an event over the API of the deployment, prove it, and make a token that may see less."""
    runtime = up.wait_ready()
    mine = runtime["api_token"]
    status, body = asked(runtime, f"events/{event_id}", mine)
    assert (status, json.loads(body)["data"][0]["event_id"]) == (200, event_id)

    proof = up.data_dir / "event.tlog-proof"

    def sealed() -> bool:
        status, body = asked(runtime, f"events/{event_id}/proof", mine)
        proof.write_bytes(body)
        return status == 200

    up.wait_until(sealed, within_s=60, what="a checkpoint over the event")
    assert run("verify", "--receipt", str(proof)).returncode == 0

    made = run(
        "tokens", "create", "--role", "viewer", "--tenant", "default", "--name", "ann", "--output", "json"
    )
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["token"]
    up.wait_until(lambda: asked(runtime, "events", token)[0] == 200, within_s=10, what="the new token")
    assert asked(runtime, "costs", token)[0] == 403
    exported(up, runtime, mine)
    assert asked(runtime, "events", "ast_nobody_" + "a" * 43)[0] == 401
    told = await_rows(
        up, run, "SELECT 1 FROM events WHERE event_type = 'ai.data_access' AND actor_id = 'ann'", 2
    )
    assert told


def test_events_come_through_the_gateway_into_the_store(
    programs: ForkedPrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test, because a start takes seconds."""
    monkeypatch.setenv(
        "AUDITSTREAM_GATEWAY__RECEIPTS", "0"
    )  # as one that has just begun: it remembers nothing
    with started("up", "--broker", "embedded", data_dir=tmp_path / "data", programs=programs) as up:
        runtime = up.wait_ready()
        run = partial(ran, data_dir=up.data_dir, programs=programs)
        url, key = runtime["gateway_url"], runtime["gateway_key"]

        first = event()
        status, told = posted(url, key, first, event(severity=9))
        assert (status, told["ids"], len(told["rejected"])) == (202, [first["event_id"]], 1)
        receipt = told["receipts"][0]
        (row,) = await_rows(
            up,
            run,
            "SELECT tenant_id, credential_id, kafka_offset, log_id, leaf_index, "
            "lower(hex(SHA256(raw))) AS value_sha256 "
            f"FROM events WHERE event_id = '{first['event_id']}'",
            1,
        )
        assert (row["tenant_id"], row["value_sha256"]) == ("default", receipt["value_sha256"])
        assert int(row["kafka_offset"]) == receipt["offset"]
        recorded = receipt_of(url, key, receipt["value_sha256"], first["event_id"])
        assert {name: recorded[name] for name in receipt} == receipt
        assert (recorded["recorded"]["log_id"], recorded["recorded"]["leaf_index"]) == (
            row["log_id"],
            int(row["leaf_index"]),
        )
        shown_by_the_api(up, run, first["event_id"])

        made = run("keys", "create", "--tenant", "default", "--name", "ci")
        assert made.returncode == 0, made.stderr
        second = json.loads(made.stdout)
        until = time.monotonic() + REVOKED_WITHIN_S
        while posted(url, second["key"], event())[0] != 202:
            assert time.monotonic() < until, "a new key counts within seconds"
        listed = run("keys", "list").stdout
        assert second["credential_id"] in listed
        assert second["key"] not in listed
        assert run("keys", "revoke", second["credential_id"]).returncode == 0
        until = time.monotonic() + REVOKED_WITHIN_S
        while posted(url, second["key"], event())[0] != 401:
            assert time.monotonic() < until, "a revoked key counts for seconds at most"
        told_of = await_rows(up, run, "SELECT outcome FROM events WHERE event_type = 'ai.key.lifecycle'", 3)
        assert len(told_of) == 3, "ann's token, and the key that was made and revoked"
        assert run("keys", "revoke", "nobody").returncode == 4
        assert run("keys", "create", "--tenant", "nobody").returncode == 4

        lines = [event() for _ in range(1_200)]
        file = tmp_path / "events.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in [*lines, event(severity=9)]))
        emitted = run("emit", "--via", "gateway", "--file", str(file))
        assert emitted.returncode == 7, emitted.stderr
        summary = json.loads(emitted.stdout)
        assert (summary["read"], summary["produced"], summary["refused"]) == (1_201, 1_200, 1)
        cloud = {"specversion": "1.0", "id": "o-1", "source": "svc://shop", "type": "com.example.order.v1"}
        file.write_text(json.dumps(cloud) + "\n")
        emitted = run("emit", "--via", "gateway", "--format", "cloudevents", "--file", str(file))
        assert emitted.returncode == 0, emitted.stderr
        await_rows(up, run, "SELECT event_id FROM events WHERE event_type = 'com.example.order.v1'", 1)

        log = (up.data_dir / "gateway.log").read_text()
        assert key not in log
        assert second["key"] not in log

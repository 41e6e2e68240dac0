"""A finding from the topic to a webhook, and to its end by commands, each act of which is an event."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from auditstream.cli import findings
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings, load
from auditstream.embedded.mock_kafka import PARTITIONS
from auditstream.emit.findings import publish_findings
from auditstream.emit.notifying import notifying
from schemas.codec import decode
from schemas.packaged import schema_json
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from schemas.schema_thread import start_schema_store
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of
from tests.support.processes import wait_until
from tests.support.webhook_receivers import webhook_receiver

NOW = datetime.now(UTC).replace(microsecond=0)
FINDING = Finding(
    finding_id="ab" * 32,
    tenant_id="acme",
    rule_id="spend.surge",
    title="spend.surge: credential=key-1 of acme",
    status=FindingStatus.NEW,
    severity=4,
    scope="credential=key-1",
    window_start=NOW - timedelta(minutes=5),
    window_end=NOW,
)
PREFIX_BYTES = 5


def events_of(broker: Broker, settings: Settings, count: int) -> list[dict[str, Any]]:
    """Return the events but for those that tell of readings, in order of time; waits for that many in all."""
    messages = broker.consume(settings.kafka.events_topic, count)
    found = [decode((each.value() or b"")[PREFIX_BYTES:], schema_json("audit_event")) for each in messages]
    found.sort(key=lambda each: each["event_time"])
    return [each for each in found if each["event_type"] != "ai.data_access"]


def has_place(settings: Settings, group: str) -> bool:
    """Return whether a group has a place in the topic of findings."""
    consumer = Consumer({"bootstrap.servers": settings.kafka.brokers, "group.id": group})
    with closing(consumer):
        asked = [TopicPartition(settings.kafka.findings_topic, each) for each in range(PARTITIONS)]
        return all(place.offset >= 0 for place in consumer.committed(asked, timeout=10))


@pytest.fixture
def run(
    deployed: None, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    monkeypatch.setenv("AUDITSTREAM_KAFKA__FINDINGS_TOPIC", f"{topic}-findings")
    monkeypatch.setenv("AUDITSTREAM_ACTOR", "kim")
    command: Run = command_line(monkeypatch, findings)

    def running(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
        found = command("--output", "jsonl", *arguments)
        out, err = capsys.readouterr()
        assert found == code, err
        # The notifying thread of this process logs between a command's lines.
        lines = "\n".join(line for line in out.splitlines() if line.startswith("{"))
        return rows_of(lines) if not code else [{"error": err}]

    return running


@pytest.mark.long
def test_a_finding_is_told_of_taken_on_and_closed(
    run: Callable[..., list[dict[str, Any]]],
    broker: Broker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One test, because tables and topics take a while to be made."""
    with webhook_receiver() as receiver:
        file = tmp_path / "channels.yaml"
        file.write_text(f"channels: [{{channel_id: pager, url: '{receiver.url}', tenants: [acme]}}]")
        file.chmod(0o600)
        monkeypatch.setenv("AUDITSTREAM_NOTIFY__CHANNELS_FILE", f"{file}")
        settings = load()
        metrics = Metrics(CollectorRegistry())
        clients = ClientPool(lambda: http_client(settings.clickhouse))
        reference = ReferenceStore(clients)
        schemas = start_schema_store(settings.registry)
        group = f"{settings.worker.app_id}-notify-pager"

        def told() -> tuple[str, str]:
            came = json.loads(receiver.next().body)
            return came["type"], came["data"]["finding_id"][:2]

        def publish(*found: Finding) -> None:
            publish_findings(settings, clients, found)

        publish(replace(FINDING, finding_id="99" * 32))  # before the channel was there; makes the topic
        with closing(clients), closing(schemas), notifying(settings, metrics, schemas, reference.newest):
            wait_until(lambda: has_place(settings, group), within_s=60, what="a place in the topic")
            publish(replace(FINDING, finding_id="00" * 32, tenant_id="other"), FINDING)
            assert told() == ("finding.opened", "ab")

            (_, listed) = run("findings", "list", "--tenant", "acme")
            assert (listed["finding_id"], listed["severity"], listed["status"]) == ("ab" * 32, "High", "NEW")
            (taken,) = run("findings", "assign", "abababab", "--to", "lee", "--comment", "please look")
            assert (taken["status"], taken["version"], taken["actor"]) == ("IN_PROGRESS", 1, "kim")
            publish(replace(FINDING, version=1_000, suppressed_by="told"))
            (muted,) = run("findings", "mute", "abababab", "--for", "1h", "--reason", "load test")
            assert (muted["rule_id"], muted["scope"]) == ("spend.surge", "credential=key-1")
            publish(replace(FINDING, version=2_000, severity=5))  # made before the detector knew of the mute
            publish(replace(FINDING, finding_id="cd" * 32, scope="credential=key-2"))
            assert told() == ("finding.opened", "cd")

            (shown,) = run("findings", "show", "abababab")
            assert (shown["status"], shown["assignee"], shown["severity"]) == (
                "IN_PROGRESS",
                "lee",
                "Critical",
            )
            assert [each["act"] for each in shown["versions"]] == ["", "assign", "", ""]
            (over,) = run("findings", "close", "cdcdcdcd", "--comment", "known")
            assert over["status"] == "RESOLVED"
            assert told() == ("finding.resolved", "cd")
            assert {each["finding_id"][:2] for each in run("findings", "list")} == {"00", "99", "ab"}

            receiver.answers = [(400, {})]
            publish(replace(FINDING, finding_id="ef" * 32, scope="credential=key-3"))
            assert told() == ("finding.opened", "ef")
            events = events_of(broker, settings, 10)
            (resent,) = run("findings", "resend", "efefefef", "--channel", "pager")
            assert (told(), resent["answer"]) == (("finding.opened", "ef"), "http 204")

        assert receiver.received.empty()

    by_type = [(each["event_type"], each["outcome"], each["attributes"].get("act")) for each in events]
    assert by_type == [
        ("ai.finding", "SUCCESS", "assign"),
        ("ai.config.change", "SUCCESS", None),
        ("ai.finding", "SUCCESS", "close"),
        ("ai.finding", "FAILURE", "notify"),
    ]
    assert events[0]["actor_id"] == "kim"
    assert events[3]["attributes"] == {
        "act": "notify",
        "attempts": "1",
        "channel": "pager",
        "finding_id": "ef" * 32,
        "reason": "http 400",
        "scope": "credential=key-3",
        "version": "0",
    }
    counted = {
        reason: metrics.registry.get_sample_value("auditstream_notifications_total", {"reason": reason})
        for reason in ("delivered", "dead", "muted")
    }
    assert counted == {"delivered": 3, "dead": 1, "muted": 1}

    assert "auditstream findings list" in run("findings", "show", "12345678", code=4)[0]["error"]
    assert "hex digits" in run("findings", "close", "nonsense", code=4)[0]["error"]
    assert "over already" in run("findings", "acknowledge", "cdcdcdcd", code=2)[0]["error"]
    assert "--for" in run("findings", "mute", "cdcdcdcd", "--for", "91d", "--reason", "r", code=2)[0]["error"]
    assert "pager" in run("findings", "resend", "cdcdcdcd", "--channel", "mail", code=4)[0]["error"]
    assert "--severity" in run("findings", "list", "--severity", "grave", code=2)[0]["error"]
    assert "--status" in run("findings", "list", "--status", "done", code=2)[0]["error"]

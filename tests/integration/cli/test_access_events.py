"""Before a store that does not tell of readings itself, the command does, and reads nothing otherwise."""

from __future__ import annotations

import getpass
import uuid
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import sql
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.registry import RunningRegistry
from schemas.codec import decode
from schemas.packaged import schema_json
from tests.support.brokers import Broker
from tests.support.clickhouse_fronts import TOKENS
from tests.support.command_line import Run, command_line

PREFIX_BYTES = 5


@pytest.fixture
def topic() -> str:
    return f"audit.events.{uuid.uuid4().hex[:8]}"


@pytest.fixture
def run(
    clickhouse: RunningClickHouse,
    broker: Broker,
    registry: RunningRegistry,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    settings = {
        "CLICKHOUSE__HOST": clickhouse.host,
        "CLICKHOUSE__PORT": str(clickhouse.port),
        "CLICKHOUSE__USER": "analyst",
        "CLICKHOUSE__PASSWORD": TOKENS["analyst"],
        "KAFKA__BROKERS": broker.bootstrap,
        "KAFKA__EVENTS_TOPIC": topic,
        "REGISTRY__URL": registry.url,
        "DATA_DIR": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
    return command_line(monkeypatch, sql)


def events_on(broker: Broker, topic: str) -> list[dict[str, Any]]:
    count = sum(broker.end_offsets(topic).values())
    values = [message.value() or b"" for message in broker.consume(topic, count)]
    return [decode(value[PREFIX_BYTES:], schema_json("audit_event")) for value in values]


def test_a_query_is_an_event_with_who_and_what(
    run: Run, broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sql", "SELECT 42 AS x") == 0

    assert capsys.readouterr().out == '{"x": 42}\n'
    (event,) = events_on(broker, topic)
    assert event["event_type"] == "ai.data_access"
    assert event["source"] == "urn:auditstream:cli"
    assert event["actor_id"] == getpass.getuser()
    assert event["credential_id"] == "analyst"
    assert event["attributes"]["command"] == "sql"
    assert event["outcome"] == "SUCCESS"


def test_the_actor_may_be_set(run: Run, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITSTREAM_ACTOR", "ada")

    assert run("sql", "SELECT 1") == 0

    assert [event["actor_id"] for event in events_on(broker, topic)] == ["ada"]


def test_what_the_server_refuses_is_a_second_event(run: Run, broker: Broker, topic: str) -> None:
    assert run("sql", "DROP TABLE events") == 5

    # Each may be on another partition.
    assert sorted(event["outcome"] for event in events_on(broker, topic)) == ["BLOCKED", "SUCCESS"]


@pytest.mark.parametrize("away", ["KAFKA__BROKERS", "REGISTRY__URL"])
def test_when_nobody_hears_of_it_nothing_is_read(
    run: Run, away: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv(f"AUDITSTREAM_{away}", nobody if away.startswith("K") else f"http://{nobody}")
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WITHIN_S", "1")

    assert run("sql", "SELECT 42") == 6

    out, err = capsys.readouterr()
    assert out == ""
    assert "access_not_recorded" in err
    assert "AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY" in err


def test_with_a_spool_it_is_read_and_told_of_later(
    run: Run,
    broker: Broker,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY", "spool")
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WITHIN_S", "1")
    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", f"127.0.0.1:{free_port()}")
    assert run("sql", "SELECT 42 AS x") == 0
    assert capsys.readouterr().out == '{"x": 42}\n'
    assert (tmp_path / "access" / "cli.spool").stat().st_size > 0

    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", broker.bootstrap)
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WITHIN_S", "10")
    assert run("sql", "SELECT 43") == 0

    told = [event["event_type"] for event in events_on(broker, topic)]
    assert sorted(told) == ["ai.data_access", "ai.data_access", "ai.source.heartbeat"]
    assert (tmp_path / "access" / "cli.spool").stat().st_size == 0

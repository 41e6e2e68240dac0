"""`auditstream forward` on a store, a broker and a receiver: what is sent, remembered and told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import forward
from auditstream.core.metrics import Metrics
from auditstream.core.settings import load
from schemas.codec import decode
from schemas.packaged import schema_json
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.brokers import Broker
from tests.support.certificates import certificate
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S
from tests.support.syslog_receivers import SyslogReceiver, syslog_receiver


def record(lo: int, rows: int, **columns: Any) -> None:
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    insert_by_s = datetime.now(UTC).timestamp() + 60
    sink.insert(block_of(lo=lo, rows=rows, **columns), insert_by_s=insert_by_s, timeout_s=TIMEOUT_S)
    sink.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[SyslogReceiver]:
    with syslog_receiver(*certificate(tmp_path, "receiver")) as running:
        yield running


@pytest.fixture
def run(deployed: None, receiver: SyslogReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    forwards = tmp_path / "forwards.yaml"
    forwards.touch(0o600)
    forwards.write_text(f"""
forwards:
- forward_id: siem
  to: syslog+tls://127.0.0.1:{receiver.port}
  ca_file: {tmp_path}/receiver.pem
  query: -tool:quiet
  tenant: acme
  start: beginning
""")
    monkeypatch.setenv("AUDITSTREAM_FORWARD__FILE", str(forwards))
    monkeypatch.setattr("auditstream.core.metrics.process_metrics", Metrics)
    return command_line(monkeypatch, forward)


def sent(receiver: SyslogReceiver) -> list[str]:
    return [json.loads(each.split(b" ", 7)[7])["metadata"]["uid"] for each in receiver.messages]


def test_chosen_events_are_sent_once_each_and_told_of(
    run: Run, receiver: SyslogReceiver, broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenants = ["acme", "globex", "acme", "acme"]
    record(0, 4, tenant_id=tenants, tool_name=["", "", "quiet", "browser"], event_time=NOON)
    capsys.readouterr()
    assert run("forward", "--once") == 0
    first = rows_of(capsys.readouterr().out)
    record(4, 2, event_time=NOON - timedelta(days=3))  # late, and new all the same
    assert run("forward", "--once") == 0
    second = rows_of(capsys.readouterr().out)
    assert run("forward", "--once") == 0
    third = rows_of(capsys.readouterr().out)

    assert sent(receiver) == [str(event_id_at(LOG, offset)) for offset in (0, 3, 4, 5)]
    assert [row["events"] for (row,) in (first, second, third)] == [2, 2, 0]
    messages = broker.consume(topic, sum(broker.end_offsets(topic).values()))
    told = [decode((each.value() or b"")[5:], schema_json("audit_event")) for each in messages]
    assert {each["attributes"]["command"] for each in told} == {"forward siem"}
    accesses = [each["data_access"] for each in told]
    assert sorted(each["rows"] for each in accesses) == [0, 0, 0, 2, 2]
    assert {each["destination"] for each in accesses} == {f"syslog+tls://127.0.0.1:{receiver.port}"}
    assert sum(each["bytes"] for each in accesses) == sum(row["bytes"] for (row,) in (first, second))


def test_without_a_file_of_forwards_the_setting_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AUDITSTREAM_FORWARD__FILE")

    assert run("forward") == 78
    assert "forward.file" in capsys.readouterr().err

"""What the watch finds is on Kafka and in the table; what an operator takes for right is an event first."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from auditstream.cli import migrate
from auditstream.core.settings import load
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.registry import RunningRegistry
from auditstream.emit.findings import publish_findings
from auditstream.emit.store_watching import memory_of
from auditstream.query.reader import Reader
from auditstream.query.watches.store_watch import StoreWatch
from auditstream.query.watches.watch_loop import watch_until
from schemas.codec import decode
from schemas.packaged import schema_json
from schemas.records.detection import Finding
from sinks.clients import ClientPool, http_client
from tests.support.brokers import Broker
from tests.support.clickhouse_fronts import TOKENS
from tests.support.command_line import Run, command_line, rows_of

PREFIX_BYTES = 5


@pytest.fixture
def run(
    clickhouse: RunningClickHouse,
    broker: Broker,
    registry: RunningRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    settings = {
        "CLICKHOUSE__HOST": clickhouse.host,
        "CLICKHOUSE__PORT": str(clickhouse.port),
        "CLICKHOUSE__PASSWORD": TOKENS["default"],
        "CLICKHOUSE__DATABASE": "watched",
        "KAFKA__BROKERS": broker.bootstrap,
        "REGISTRY__URL": registry.url,
        "DATA_DIR": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
    return command_line(monkeypatch, migrate)


def test_a_change_is_found_made_known_and_taken_for_right(
    run: Run, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """One test, because tables and topics take a while to be made."""
    assert run("migrate", "apply") == 0
    capsys.readouterr()
    settings = load()
    memory = memory_of(settings)
    assert memory.path.exists(), "a migration says what the tables are"
    clients = ClientPool(lambda: http_client(settings.clickhouse))
    with clients.borrow() as client:
        client.command("ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 5")

    stopping = Event()

    def publish(findings: list[Finding]) -> None:
        publish_findings(settings, clients, findings)
        stopping.set()  # one look is enough

    lines: list[str] = []
    watch = StoreWatch(Reader(clients), memory)
    watch_until(stopping, watch, publish, every_s=0.1, say=lines.append)  # type: ignore[arg-type]

    (message,) = broker.consume(settings.kafka.findings_topic, 1)
    told = decode((message.value() or b"")[PREFIX_BYTES:], schema_json("finding"))
    with clients.borrow() as client:
        ((finding_id, status),) = client.query("SELECT finding_id, status FROM findings").result_rows
    assert told["rule_id"] == "store.tables"
    assert (finding_id, status) == (told["finding_id"], "NEW")
    assert [line.partition(":")[0] for line in lines] == ["finding store.tables (NEW)"]
    assert dict(message.headers() or [])["finding_id"] == told["finding_id"].encode()

    assert run("migrate", "remember") == 0

    assert [row["scope"] for row in rows_of(capsys.readouterr().out)] == ["table=events"]
    (event,) = broker.consume(settings.kafka.events_topic, 1)
    change = decode((event.value() or b"")[PREFIX_BYTES:], schema_json("audit_event"))["change"]
    assert change["object_type"] == "table memory"
    assert run("migrate", "remember") == 0
    assert rows_of(capsys.readouterr().out) == []
    clients.close()

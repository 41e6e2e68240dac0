"""Programs that are not ours on both sides: Confluent's serializers in front, ClickHouse's clients behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from auditstream.cli import emit
from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.registry import start_registry
from schemas.packaged import schema_text
from tests.conftest import MakeGroup, MakeTopic
from tests.support.brokers import Broker
from tests.support.command_line import command_line, rows_of
from tests.support.databases import migrated_database
from tests.support.fork_server import ForkServer
from tests.support.parts import skip_part
from tests.support.processes import Child, Children, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

TRACE = b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n" + b"".join(
    f"2023-11-16 18:{minute:02}:46.6805900,{minute},{2 * minute}\r\n".encode() for minute in range(40)
)


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    with start_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


class Site:
    """A topic, a database and a registry port of one test; the worker is started by the test."""

    def __init__(
        self,
        kafka: Broker,
        store: ClickHouseSettings,
        children: Children,
        *,
        topic: str,
        dead_letter_topic: str,
        group: str,
        folder: Path,
    ) -> None:
        self.kafka = kafka
        self.topic = topic
        self.dead_letter_topic = dead_letter_topic
        self.usage_topic, self.findings_topic = f"{topic}.usage", f"{topic}.findings"
        for derived in (self.usage_topic, self.findings_topic):
            kafka.create_topic(derived)
        self.folder = folder
        self.registry_port = free_port()
        self.store = store
        self._children = children
        self._group = group

    @property
    def registry_url(self) -> str:
        return f"http://127.0.0.1:{self.registry_port}"

    def client(self) -> Any:
        """Return clickhouse-connect's ordinary HTTP client."""
        return clickhouse_connect.get_client(
            host=self.store.host,
            port=self.store.port,
            username=self.store.user,
            password=self.store.password.get_secret_value(),
            database=self.store.database,
            autogenerate_session_id=False,
        )

    def settings(self) -> dict[str, str]:
        """Return the environment of a process that belongs to the site."""
        return {
            "AUDITSTREAM_KAFKA__BROKERS": self.kafka.bootstrap,
            "AUDITSTREAM_KAFKA__EVENTS_TOPIC": self.topic,
            "AUDITSTREAM_KAFKA__DEAD_LETTER_TOPIC": self.dead_letter_topic,
            "AUDITSTREAM_KAFKA__USAGE_TOPIC": self.usage_topic,
            "AUDITSTREAM_KAFKA__FINDINGS_TOPIC": self.findings_topic,
            "AUDITSTREAM_REGISTRY__URL": self.registry_url,
            "AUDITSTREAM_REGISTRY__TIMEOUT_S": "2",
            "AUDITSTREAM_CLICKHOUSE__HOST": self.store.host,
            "AUDITSTREAM_CLICKHOUSE__PORT": str(self.store.port),
            "AUDITSTREAM_CLICKHOUSE__USER": self.store.user,
            "AUDITSTREAM_CLICKHOUSE__PASSWORD": self.store.password.get_secret_value(),
            "AUDITSTREAM_CLICKHOUSE__DATABASE": self.store.database,
            "AUDITSTREAM_WORKER__APP_ID": self._group,
            "AUDITSTREAM_WORKER__SESSION_TIMEOUT_S": "6",
            "AUDITSTREAM_WORKER__HEARTBEAT_S": "1",
            "AUDITSTREAM_WORKER__LEASE_S": "4",
            "AUDITSTREAM_WORKER__MIN_DELAY_S": "0.3",
            "AUDITSTREAM_WORKER__MAX_DELAY_S": "0.5",
            "AUDITSTREAM_DATA_DIR": str(self.folder / "worker"),
        }

    def ready_worker(self) -> Child:
        """Start a worker and wait until it has its partitions."""
        worker = self._children.fork("worker", "tests.support.registry_worker", self.settings())
        worker.wait_for_line("lanes_begun", within_s=60)
        return worker

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.client() as client:
            return [tuple(row) for row in client.query(sql).result_rows]

    def wait_for_rows(self, count: int, *, within_s: float = 60) -> None:
        with self.client() as client:
            wait_until(
                lambda: client.query("SELECT count() FROM events").result_rows[0][0] >= count,
                within_s=within_s,
                what=f"{count} rows",
            )


@pytest.fixture
def site(
    kafka: Broker,
    clickhouse: RunningClickHouse,
    topic: MakeTopic,
    group: MakeGroup,
    fork_server: ForkServer,
    tmp_path: Path,
) -> Iterator[Site]:
    with migrated_database(clickhouse) as store, Children(tmp_path, fork_server) as children:
        yield Site(
            kafka,
            store,
            children,
            topic=topic(partitions=2),
            dead_letter_topic=topic(partitions=1),
            group=group(),
            folder=tmp_path,
        )


def an_event(number: int, conversation: str = "c-1") -> dict[str, Any]:
    return {
        "event_id": uuid.UUID(int=number | 7 << 76 | 2 << 62),
        "event_type": "ai.inference",
        "event_time": datetime(2026, 3, 1, 12, 0, 0, number, UTC),
        "source": "svc://outside",
        "tenant_id": "acme",
        "conversation_id": conversation,
        "inference": {"provider": "openai", "request_model": "gpt-4o"},
        "usage": {"input_tokens": 100 + number, "output_tokens": 10},
    }


def produce_as_confluent(site: Site, numbers: range, place: Any) -> None:
    """Write events as any program with Confluent's client and default settings does."""
    producer = Producer({"bootstrap.servers": site.kafka.bootstrap, "acks": "all"})
    with SchemaRegistryClient({"url": site.registry_url}) as client:
        serializer = AvroSerializer(client, schema_text("audit_event"), conf={"schema.id.serializer": place})
        for number in numbers:
            headers: list[tuple[str, Any]] = []
            context = SerializationContext(site.topic, MessageField.VALUE, headers)
            value = serializer(an_event(number), context)
            producer.produce(site.topic, value, f"acme|c-{number}", headers=headers)
    assert producer.flush(30) == 0


@pytest.mark.parametrize(
    "place", [prefix_schema_id_serializer, header_schema_id_serializer], ids=["prefix", "header"]
)
def test_what_confluents_serializer_writes_is_read_by_clickhouses_client(site: Site, place: Any) -> None:
    with start_registry(site.folder, port=site.registry_port):
        site.ready_worker()
        produce_as_confluent(site, range(20), place)
        site.wait_for_rows(20)
        rows = site.ask(
            "SELECT event_id, toUnixTimestamp64Micro(event_time), inference_request_model, input_tokens,"
            " leaf_kind FROM events ORDER BY event_time"
        )

    assert rows == [
        (
            an_event(number)["event_id"],
            1_772_366_400_000_000 + number,
            "gpt-4o",
            100 + number,
            0,
        )
        for number in range(20)
    ]


def test_curl_reads_the_rows(site: Site) -> None:
    curl = shutil.which("curl")
    if curl is None:
        skip_part("curl", "not on PATH", can_be_installed=True)
    with start_registry(site.folder, port=site.registry_port):
        site.ready_worker()
        produce_as_confluent(site, range(5), prefix_schema_id_serializer)
        site.wait_for_rows(5)

    url = f"http://{site.store.host}:{site.store.port}/?database={site.store.database}"
    query = "SELECT sum(input_tokens) AS tokens, uniqExact(event_id) AS events FROM events FORMAT JSONEachRow"
    answer = subprocess.run(
        [
            curl,
            "--silent",
            "--fail",
            "--user",
            f"{site.store.user}:{site.store.password.get_secret_value()}",
            "-d",
            query,
            url,
        ],
        capture_output=True,
        timeout=30,
        check=True,
    )

    assert {name: int(value) for name, value in json.loads(answer.stdout).items()} == {
        "tokens": 510,
        "events": 5,
    }


@pytest.mark.long
def test_a_worker_without_its_registry_waits_and_makes_no_dead_letter(site: Site) -> None:
    with start_registry(site.folder, port=site.registry_port):
        produce_as_confluent(site, range(10), prefix_schema_id_serializer)
    worker = site.ready_worker()
    worker.wait_for_line("schema registry .* does not answer", times=2, within_s=60)
    waiting = site.ask("SELECT count() FROM events")
    assert worker.is_running

    with start_registry(site.folder, port=site.registry_port):
        site.wait_for_rows(10, within_s=90)

    assert waiting == [(0,)]
    assert site.ask("SELECT leaf_kind, count() FROM events GROUP BY leaf_kind") == [(0, 10)]
    assert set(site.kafka.end_offsets(site.dead_letter_topic).values()) == {0}


def test_a_file_that_is_emitted_twice_is_recorded_as_duplicates(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site.folder / "trace.csv"
    path.write_bytes(TRACE)
    for name, value in site.settings().items():
        monkeypatch.setenv(name, value)
    run = command_line(monkeypatch, emit)
    with start_registry(site.folder, port=site.registry_port):
        site.ready_worker()
        codes = [
            run("emit", "--file", path, "--format", "azure-llm", "--tenant", "acme", "--quiet")
            for _ in range(2)
        ]
        first, second = rows_of(capsys.readouterr().out)
        site.wait_for_rows(80)

    assert codes == [0, 0]
    assert (first["read"], first["produced"], first["refused"]) == (40, 40, 0)
    assert first["first_event_id"] == second["first_event_id"]
    assert site.ask(
        "SELECT countIf(duplicate_of IS NULL), countIf(duplicate_of IS NOT NULL), uniqExact(event_id),"
        " sumIf(input_tokens, duplicate_of IS NULL), sumIf(output_tokens, duplicate_of IS NULL) FROM events"
    ) == [(40, 40, 40, 780, 1560)]

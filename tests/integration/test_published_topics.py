"""What the worker publishes, read as any program would: from the topic, by the registry, through fastavro."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Message
from confluent_kafka.schema_registry import SchemaRegistryClient

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from auditstream.embedded.mock_kafka import start_mock_kafka
from auditstream.embedded.registry import RunningRegistry, start_registry
from schemas.framing import prefix
from sinks.clients import http_client
from tests.support.bad_messages import EVENT_SCHEMA_ID
from tests.support.brokers import Broker
from tests.support.databases import migrated_database
from tests.support.fork_server import ForkServer
from tests.support.processes import Children, wait_until
from tests.support.usage import events_of_all_kinds, summed_deltas, usage_1m

pytestmark = pytest.mark.timeout(180)

EVENTS, USAGE, FINDINGS = "audit.events.v1", "audit.usage.v1", "audit.findings.v1"


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    with start_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


class Site:
    """Embedded parts and a worker on them; each test has its own broker, registry and database."""

    def __init__(
        self, broker: Broker, registry: RunningRegistry, database: ClickHouseSettings, store: Client
    ) -> None:
        self.broker = broker
        self.registry = registry
        self._database = database
        self._store = store

    def start_worker(self, children: Children, folder: Path, **settings: str) -> None:
        """Start a worker and wait until it has its partitions."""
        environment = {
            "KAFKA__BROKERS": self.broker.bootstrap,
            "KAFKA__EPOCH": "0a1b2c3d",
            "REGISTRY__URL": self.registry.url,
            "CLICKHOUSE__HOST": self._database.host,
            "CLICKHOUSE__PORT": str(self._database.port),
            "CLICKHOUSE__USER": self._database.user,
            "CLICKHOUSE__PASSWORD": self._database.password.get_secret_value(),
            "CLICKHOUSE__DATABASE": self._database.database,
            "WORKER__LEASE_S": "4",
            "WORKER__MIN_DELAY_S": "0.3",
            "WORKER__MAX_DELAY_S": "0.5",
            "DATA_DIR": str(folder / "worker"),
            **settings,
        }
        prefixed = {f"AUDITSTREAM_{name}": value for name, value in environment.items()}
        worker = children.fork("worker", "tests.support.registry_worker", prefixed)
        worker.wait_for_line("lanes_begun", within_s=60)

    def produce(self, values: list[bytes], *, partition: int = -1) -> None:
        """Write values, framed with the id of the events' schema where they are framed at all."""
        with SchemaRegistryClient({"url": self.registry.url}) as client:
            own = prefix(client.get_latest_version(f"{EVENTS}-value").schema_id)
        framed = prefix(EVENT_SCHEMA_ID)
        values = [own + value[len(framed) :] if value.startswith(framed) else value for value in values]
        self.broker.produce(EVENTS, values, partition=partition)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._store.query(sql).result_rows]

    def wait_for_rows(self, count: int) -> None:
        wait_until(lambda: self.ask("SELECT count() FROM events") == [(count,)], within_s=60, what="all rows")

    def published(self, topic: str) -> list[tuple[Message, dict[str, Any]]]:
        """Return everything on a topic, decoded with what the registry says of it."""
        count = sum(self.broker.end_offsets(topic).values())
        with SchemaRegistryClient({"url": self.registry.url}) as client:
            return [(message, _decoded(message, client)) for message in self.broker.consume(topic, count)]

    def told(self, *rules: str) -> list[tuple[Message, dict[str, Any]]]:
        """Return the findings of some rules."""
        return [each for each in self.published(FINDINGS) if each[1]["rule_id"] in rules]


def _decoded(message: Message, client: SchemaRegistryClient) -> dict[str, Any]:
    value = message.value()
    assert value is not None
    magic, schema_id = struct.unpack(">BI", value[:5])
    assert magic == 0
    schema = fastavro.parse_schema(json.loads(client.get_schema(schema_id).schema_str or ""))
    body = io.BytesIO(value[5:])
    datum: Any = fastavro.schemaless_reader(body, schema, None)
    assert body.read() == b""
    return dict(datum)


@pytest.fixture
def site(clickhouse: RunningClickHouse, tmp_path: Path) -> Iterator[Site]:
    with (
        start_mock_kafka() as kafka,
        start_registry(tmp_path) as registry,
        migrated_database(clickhouse) as database,
        closing(http_client(database)) as store,
    ):
        yield Site(Broker("embedded", kafka.bootstrap), registry, database, store)


@pytest.fixture
def children(tmp_path: Path, fork_server: ForkServer) -> Iterator[Children]:
    with Children(tmp_path, fork_server) as started:
        yield started


def test_usage_deltas_add_up_to_the_rollup(site: Site, children: Children, tmp_path: Path) -> None:
    site.start_worker(children, tmp_path, WORKER__SEGMENT_ROWS="200")
    values = events_of_all_kinds(range(1_000))
    site.produce(values)
    site.produce(values[:100])
    site.wait_for_rows(1_100)
    wait_until(  # a rollup has a block's sums a moment after the events are there
        lambda: summed_deltas(delta for _, delta in site.published(USAGE)) == usage_1m(site.ask),
        within_s=100,
        what="deltas of every segment",
    )
    published = [each for each in site.published(USAGE) if each[1]["segment_id"]]  # the others are heartbeats
    ids = [dict(message.headers() or [])["usage_delta_id"] for message, _ in published]
    segments = {row[0] for row in site.ask("SELECT DISTINCT segment_id FROM events")}

    assert len(usage_1m(site.ask)) > 100
    assert len(ids) == len(set(ids))
    assert {delta["segment_id"] for _, delta in published} <= segments
    assert {(message.key() or b"").decode() for message, _ in published} == {"acme", "globex", "unattributed"}
    assert all((message.key() or b"").decode() == delta["tenant_id"] for message, delta in published)
    assert site.told("attribution.disputed", "dead_letters.limit") == []


def test_a_partition_that_is_paused_is_one_finding(site: Site, children: Children, tmp_path: Path) -> None:
    site.start_worker(children, tmp_path, WORKER__DEAD_LETTER_PAUSE_S="1")
    site.produce([b"not an event"] * 1_500, partition=2)
    site.produce(events_of_all_kinds(range(6, 20)), partition=1)
    site.wait_for_rows(1_514)
    wait_until(lambda: site.told("dead_letters.limit") != [], within_s=100, what="a finding")
    site.produce([b"not an event"] * 150, partition=2)  # a probe that fails, and what comes after it
    site.wait_for_rows(1_664)
    [(message, finding)] = site.told("dead_letters.limit")

    assert message.key() == b"unattributed"
    assert dict(message.headers() or [])["finding_id"] == finding["finding_id"].encode()
    assert finding["scope"] == f"log={EVENTS}/2/0a1b2c3d"
    assert finding["contributors"] == {"bad_framing": 1.0}

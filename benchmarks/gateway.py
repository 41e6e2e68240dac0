"""The gateway on a real Kafka: single posts, batches, an empty route, a client faster than Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.jvm_kafka import start_kafka
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.registry import start_registry
from auditstream.embedded.topics import TopicSpec, create_topics
from auditstream.emit.gateway_keys import create_key
from auditstream.reference.kinds import Entry
from auditstream.reference.owners import Tenant
from benchmarks.bed import PARTITIONS, Bed
from schemas.subjects import SUBJECTS, ingest_subject
from sinks.reference import connect_reference

_CONNECTIONS = {1: 256, 500: 16}
"""Callers at a time by events of a request: a gateway has many callers of single events."""

_FLOOD_CONNECTIONS = 64
_BATCH = 500
_READY_S = 60.0
_SETTLE_S = 12.0


@dataclass(frozen=True, slots=True)
class Rate:
    """One kind of request.

    Attributes:
        requests_per_s: Requests that were answered 202.
        events_per_s: Events in them.
        cpu_us: Processor microseconds of the server for one event.
        others: Answers of other statuses.
    """

    requests_per_s: float
    events_per_s: float
    cpu_us: float
    others: int


@dataclass(frozen=True, slots=True)
class GatewayFigures:
    """What was measured in one run.

    Attributes:
        empty: Single posts to an empty route.
        singles: Single posts to the gateway.
        batches: NDJSON requests of 500 events.
        singles_of_empty: Single posts as a share of the empty route's.
        batches_of_singles: Events a second in batches, as a multiple of those in single posts.
        before_mb: Memory of the gateway before Kafka stood still.
        early_mb: The most in the first third of the time without Kafka, under load.
        late_mb: The most in the last third.
        refused: Requests that were refused meanwhile.
    """

    empty: Rate
    singles: Rate
    batches: Rate
    singles_of_empty: float
    batches_of_singles: float
    before_mb: float
    early_mb: float
    late_mb: float
    refused: int


def measure_gateway(bed: Bed, *, seconds: float = 8.0, still_s: float = 20.0) -> GatewayFigures:
    """Run everything one after the other; Kafka is one of the run's own, so that it may stand still."""
    folder = bed.folder / f"gateway-{uuid.uuid4().hex[:6]}"
    topic = "bench-gateway"
    with start_kafka(folder / "kafka") as kafka:
        events = TopicSpec(topic, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
        create_topics(AdminClient({"bootstrap.servers": kafka.bootstrap}), [events])
        registry = start_registry(folder / "registry", subjects=(*SUBJECTS, ingest_subject(topic)))
        with registry:
            database = bed.new_database()
            key = _key(bed, database)
            told = bed.environment(topic, database, 0) | {
                "AUDITSTREAM_KAFKA__BROKERS": kafka.bootstrap,
                "AUDITSTREAM_REGISTRY__URL": registry.url,
                "AUDITSTREAM_LOG_LEVEL": "ERROR",
            }
            with _served(told, "empty") as (url, server):
                empty = _rate(url, key, server, batch=1, seconds=seconds)
            with _served(told, "gateway") as (url, server):
                singles = _rate(url, key, server, batch=1, seconds=seconds)
                batches = _rate(url, key, server, batch=_BATCH, seconds=seconds)
                before_mb = server.memory_info().rss / 1e6
                early, late, refused = _flooded(url, key, server, psutil.Process(kafka.pid), still_s)
    return GatewayFigures(
        empty=empty,
        singles=singles,
        batches=batches,
        singles_of_empty=singles.requests_per_s / empty.requests_per_s,
        batches_of_singles=batches.events_per_s / singles.events_per_s,
        before_mb=before_mb,
        early_mb=early,
        late_mb=late,
        refused=refused,
    )


def _key(bed: Bed, database: str) -> str:
    store = connect_reference(
        ClickHouseSettings(
            host=bed.clickhouse.host,
            port=bed.clickhouse.port,
            user=bed.clickhouse.user,
            password=SecretStr(bed.clickhouse.password),
            database=database,
        )
    )
    try:
        now = datetime.now(UTC)
        tenant = Tenant(tenant_id="acme", name="Acme", valid_from=now - timedelta(days=1))
        store.append([Entry(tenant, "bench")], base=store.newest(), actor="bench")
        return create_key(store, tenant="acme", name="bench", actor="bench", now=now, announce=None).secret
    finally:
        store.close()


@contextmanager
def _served(told: Mapping[str, str], what: str) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    if what == "gateway":
        command = ["-c", "from auditstream.cli.main import main; main()", "gateway"]
        told = {**told, "AUDITSTREAM_GATEWAY__LISTEN": f"127.0.0.1:{port}"}
    else:
        command = ["-m", "benchmarks.empty_route", str(port)]
    root = Path(__file__).parents[1]
    told = {**told, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    process = subprocess.Popen([sys.executable, *command], env=dict(told))
    url = f"http://127.0.0.1:{port}"
    try:
        _await(f"{url}/readyz")
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(40)
        if process.poll() is None:
            process.kill()


def _await(url: str) -> None:
    """Wait until a server takes requests; a 404 is an answer too."""
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} does not answer")
        time.sleep(0.1)


def _rate(url: str, key: str, server: psutil.Process, *, batch: int, seconds: float) -> Rate:
    found = json.loads(_load(url, key, batch, _CONNECTIONS[batch], seconds, server).communicate()[0])
    accepted = found["statuses"].get("202", 0)
    return Rate(
        requests_per_s=accepted / found["seconds"],
        events_per_s=accepted * batch / found["seconds"],
        cpu_us=found["cpu_s"] * 1e6 / max(1, accepted * batch),
        others=sum(found["statuses"].values()) - accepted,
    )


def _load(
    url: str, key: str, batch: int, connections: int, seconds: float, server: psutil.Process
) -> subprocess.Popen[str]:
    content_type = "application/json" if batch == 1 else "application/x-ndjson"
    command = ["-m", "benchmarks.http_load", url, key, content_type, str(batch)]
    return subprocess.Popen(
        [sys.executable, *command, str(connections), str(seconds), str(server.pid)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _flooded(
    url: str, key: str, server: psutil.Process, kafka: psutil.Process, still_s: float
) -> tuple[float, float, int]:
    """Let Kafka stand still under load; return the most memory early and late, and what was refused."""
    kafka.suspend()
    try:
        load = _load(url, key, _BATCH, _FLOOD_CONNECTIONS, still_s, server)
        seen = []
        while load.poll() is None:
            seen.append(server.memory_info().rss / 1e6)
            time.sleep(0.1)
        found = json.loads(load.communicate()[0])
    finally:
        kafka.resume()
    time.sleep(_SETTLE_S)
    third = len(seen) // 3
    refused = sum(count for status, count in found["statuses"].items() if status != "202")
    return max(seen[:third]), max(seen[-third:]), refused

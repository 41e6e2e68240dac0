"""One fault run's deployment: what workers are told, and what must hold when the run is over."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditstream.core.settings import ClickHouseSettings
from schemas.codec import encode
from schemas.framing import prefix
from schemas.records.event import AuditEvent
from sinks.clients import http_client
from tests.support.bad_messages import EVENT_SCHEMA_ID
from tests.support.brokers import Broker
from tests.support.checker import COUNTED, Checker, Rollup, Verdict
from tests.support.fault_worker import FAULT_AT
from tests.support.faulty_store import FaultyStore
from tests.support.journal import Journal
from tests.support.processes import Child, Children

LEASE_S = 4.0
SESSION_S = 6.0  # the shortest that a broker with default settings admits
PARTITIONS = 4

# ClickHouse shows an insert's rows before its views have theirs; the insert is not over until they do.
_VIEWS_S = 10.0

EVENTS_PER_MINUTE = Rollup(
    "usage_1m",
    "SELECT minute, sum(events) FROM usage_1m GROUP BY minute",
    f"SELECT toStartOfMinute(event_time), count() FROM events WHERE {COUNTED} GROUP BY 1",
)


def framed_event(event_id: uuid.UUID, number: int) -> bytes:
    """Return a small AuditEvent as a producer would frame it."""
    event = AuditEvent(
        event_id=event_id,
        event_type="ai.inference",
        event_time=datetime(2026, 1, 1, tzinfo=UTC),
        source="urn:test",
        source_seq=number,
    )
    return prefix(EVENT_SCHEMA_ID) + encode(event)


class Deployment:
    """A topic, a group, a database of their own, and workers that may be harmed; close it at the end."""

    def __init__(
        self,
        *,
        kafka: Broker,
        database: ClickHouseSettings,
        proxy: FaultyStore,
        children: Children,
        folder: Path,
        topic: str,
        dead_letter_topic: str,
        group: str,
    ) -> None:
        self.kafka = kafka
        self.proxy = proxy
        self.topic = topic
        self.group = group
        self.database = database
        self._children = children
        self._folder = folder
        self.dead_letter_topic = dead_letter_topic
        self.usage_topic, self.findings_topic = f"{topic}.usage", f"{topic}.findings"
        for derived in (self.usage_topic, self.findings_topic):
            kafka.create_topic(derived, PARTITIONS)
        self._workers = 0
        self.store = http_client(database)

    def close(self) -> None:
        """End every worker, and let go of the store."""
        self._children.end()
        self.store.close()

    def worker(self, *, fault_at: str = "", **settings: str) -> Child:
        """Start a worker; `settings` are more AUDITSTREAM_ variables without their prefix."""
        self._workers += 1
        name = f"worker-{self._workers}"
        env = {
            "AUDITSTREAM_KAFKA__BROKERS": self.kafka.bootstrap,
            "AUDITSTREAM_KAFKA__EVENTS_TOPIC": self.topic,
            "AUDITSTREAM_KAFKA__DEAD_LETTER_TOPIC": self.dead_letter_topic,
            "AUDITSTREAM_KAFKA__USAGE_TOPIC": self.usage_topic,
            "AUDITSTREAM_KAFKA__FINDINGS_TOPIC": self.findings_topic,
            "AUDITSTREAM_CLICKHOUSE__HOST": self.proxy.host,
            "AUDITSTREAM_CLICKHOUSE__PORT": str(self.proxy.port),
            "AUDITSTREAM_CLICKHOUSE__USER": self.database.user,
            "AUDITSTREAM_CLICKHOUSE__PASSWORD": self.database.password.get_secret_value(),
            "AUDITSTREAM_CLICKHOUSE__DATABASE": self.database.database,
            "AUDITSTREAM_CLICKHOUSE__TIMEOUT_S": "2",
            "AUDITSTREAM_WORKER__APP_ID": self.group,
            "AUDITSTREAM_WORKER__LEASE_S": str(LEASE_S),
            "AUDITSTREAM_WORKER__SESSION_TIMEOUT_S": str(SESSION_S),
            "AUDITSTREAM_WORKER__HEARTBEAT_S": "1",
            "AUDITSTREAM_WORKER__SEGMENT_ROWS": "200",
            "AUDITSTREAM_WORKER__MIN_DELAY_S": "0.3",
            "AUDITSTREAM_WORKER__MAX_DELAY_S": "0.5",
            "AUDITSTREAM_DATA_DIR": str(self._folder / name),
            **{f"AUDITSTREAM_{key}": value for key, value in settings.items()},
        }
        if fault_at:
            env[FAULT_AT] = fault_at
        return self._children.fork(name, "tests.support.fault_worker", env)

    def ready_worker(self, *, fault_at: str = "", **settings: str) -> Child:
        """Start a worker and wait until it has its partitions."""
        worker = self.worker(fault_at=fault_at, **settings)
        worker.wait_for_line("lanes_begun", within_s=60)
        return worker

    def journal(self, *, rate_per_s: float = 300, seed: int = 0, **options: Any) -> Journal:
        """Return a producer of events for the run's topic; not started."""
        return Journal(
            self.kafka.bootstrap,
            self.topic,
            partitions=PARTITIONS,
            rate_per_s=rate_per_s,
            encode=framed_event,
            seed=seed,
            **options,
        )

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        """Run a SELECT past the proxy."""
        rows: Sequence[Sequence[Any]] = self.store.query(sql).result_rows
        return rows

    def rows(self) -> int:
        """Return how many rows there are now."""
        return int(self.ask("SELECT count() FROM events")[0][0])

    def verdict(self, journal: Journal, *, within_s: float = 60.0, stall_s: float = 30.0) -> Verdict:
        """Wait until everything acknowledged has arrived, and return what an inspection finds."""
        checker = Checker(journal, self.ask, rollups=[EVENTS_PER_MINUTE])
        checker.wait(within_s=within_s, stall_s=stall_s)
        verdict = checker.check()
        deadline = time.monotonic() + _VIEWS_S
        while set(verdict.complaints) == {"wrong_rollups"} and time.monotonic() < deadline:
            verdict = checker.check()
        return verdict

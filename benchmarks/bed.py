"""What all cases of one run share: one broker, one store, topics filled once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_connect
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from auditstream.embedded.jvm_kafka import start_kafka
from auditstream.embedded.topics import TopicSpec, create_topics
from benchmarks.endings import ended_by_signal
from benchmarks.events import Feeder, Size, values
from benchmarks.measured import Figures
from sinks.migrate import apply
from streams.allocator import keep_pages

PARTITIONS = 4
_CASE_LIMIT_S = 300.0
_WITHOUT_STORE = frozenset({"stock-nothing", "stock-decode", "batch-nothing", "detect"})


@dataclass(slots=True)
class Bed:
    """A broker and a store on this machine."""

    bootstrap: str
    clickhouse: RunningClickHouse
    folder: Path
    sizes: dict[str, float] = field(default_factory=dict)

    def fill(self, size: Size, count: int) -> str:
        """Create a topic with `count` events; return its name."""
        return self.fill_with(f"{size}-{count}", values(size), count)

    def fill_with(self, name: str, events: Iterator[bytes], count: int) -> str:
        """Create a topic with the first `count` of these events; return its name."""
        topic = self.new_topic(name)
        feeder = Feeder(self.bootstrap, topic, events, partitions=PARTITIONS)
        feeder.write(count)
        feeder.flush()
        self.sizes[topic] = feeder.bytes / count
        return topic

    def new_topic(self, name: str) -> str:
        """Create an empty topic of the run's own, with those that the worker's messages about it go to."""
        topic = f"bench-{name}-{uuid.uuid4().hex[:6]}"
        events = TopicSpec(topic, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
        derived = [TopicSpec(f"{topic}.{kind}", PARTITIONS, {}) for kind in ("usage", "findings")]
        create_topics(AdminClient({"bootstrap.servers": self.bootstrap}), [events, *derived])
        return topic

    def new_database(self) -> str:
        """Create a database with the product's tables."""
        database = f"bench_{uuid.uuid4().hex[:10]}"
        self.client("default").command(f"CREATE DATABASE {database}")
        apply(self.client(database), "MergeTree")
        return database

    def client(self, database: str) -> Any:
        """Return a ClickHouse client."""
        return clickhouse_connect.get_client(
            host=self.clickhouse.host,
            port=self.clickhouse.port,
            username=self.clickhouse.user,
            password=self.clickhouse.password,
            database=database,
            autogenerate_session_id=False,
        )

    def environment(self, topic: str, database: str, events: int) -> dict[str, str]:
        """Return what a measured process is told."""
        told = dict(os.environ)
        keep_pages(told)
        return {
            **told,
            "BENCH_BROKER": self.bootstrap,
            "BENCH_TOPIC": topic,
            "BENCH_EVENTS": str(events),
            "AUDITSTREAM_KAFKA__BROKERS": self.bootstrap,
            "AUDITSTREAM_KAFKA__EVENTS_TOPIC": topic,
            "AUDITSTREAM_KAFKA__USAGE_TOPIC": f"{topic}.usage",
            "AUDITSTREAM_KAFKA__FINDINGS_TOPIC": f"{topic}.findings",
            "AUDITSTREAM_CLICKHOUSE__HOST": self.clickhouse.host,
            "AUDITSTREAM_CLICKHOUSE__PORT": str(self.clickhouse.port),
            "AUDITSTREAM_CLICKHOUSE__USER": self.clickhouse.user,
            "AUDITSTREAM_CLICKHOUSE__PASSWORD": self.clickhouse.password,
            "AUDITSTREAM_CLICKHOUSE__DATABASE": database,
            "AUDITSTREAM_WORKER__APP_ID": f"bench-{uuid.uuid4().hex[:8]}",
            "AUDITSTREAM_CLICKHOUSE__TIMEOUT_S": "10",
            "AUDITSTREAM_DATA_DIR": str(self.folder / uuid.uuid4().hex[:8]),
        }

    def await_lanes(self, group: str, topic: str) -> None:
        """Wait until every partition has its lane: a lane without a committed state commits its first one.

        Raises:
            TimeoutError: They have not, within two minutes.
        """
        looker = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        try:
            for _ in range(1200):
                # A broker that has just started does not know yet who coordinates the group.
                with suppress(KafkaException):
                    if all(each.offset >= 0 for each in looker.committed(partitions, timeout=10)):
                        return
                time.sleep(0.1)
        finally:
            looker.close()
        raise TimeoutError(f"group {group}: not every partition has a committed state")

    def run(self, case: str, topic: str, events: int) -> Figures:
        """Run one case as a process of its own and return its figures."""
        command = [sys.executable, "-m", "benchmarks.cases", case]
        if case in _WITHOUT_STORE:
            return self._run(command, topic, events, "default")
        database = self.new_database()
        try:
            return self._run(command, topic, events, database)
        finally:
            # Or the merges of its parts would take processor time of the case after it.
            self.client("default").command(f"DROP DATABASE {database} SYNC")

    def alternate(self, cases: Sequence[str], topic: str, events: int, *, rounds: int) -> list[list[Figures]]:
        """Run cases in turn, several times, the order turned round each time; return the figures by round.

        What the machine does beside meets each of them alike, which two runs one after the other cannot say.

        Returns:
            For each round the figures in the order of `cases`.
        """
        found: list[list[Figures]] = []
        for number in range(rounds):
            order = range(len(cases)) if number % 2 == 0 else range(len(cases) - 1, -1, -1)
            figures = {at: self.run(cases[at], topic, events) for at in order}
            found.append([figures[at] for at in range(len(cases))])
        return found

    def _run(self, command: list[str], topic: str, events: int, database: str) -> Figures:
        environment = {**self.environment(topic, database, events), "BENCH_SIZE": topic.split("-")[1]}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, timeout=_CASE_LIMIT_S, check=False
        )
        if not done.stdout.strip():
            raise RuntimeError(f"case {command[-1]} printed no figures and ended with {done.returncode}")
        return Figures(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def made_bed() -> Iterator[Bed]:
    """Start a broker and a store in a temporary folder; stop both afterwards, however the block ends."""
    with (
        ended_by_signal(),
        tempfile.TemporaryDirectory(prefix="auditstream-bench-") as name,
        start_kafka(Path(name) / "kafka", heap_mb=1024, quick_start=False) as kafka,
        start_clickhouse(Path(name) / "clickhouse") as clickhouse,
    ):
        yield Bed(kafka.bootstrap, clickhouse, Path(name))

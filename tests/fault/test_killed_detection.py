"""Detection that is killed, and whose partitions move, in mid-stream finds what an undisturbed one finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.clients import http_client
from streams.detecting.partition import PartitionDetection
from tests.conftest import MakeGroup, MakeTopic
from tests.support.brokers import Broker
from tests.support.databases import migrated_database
from tests.support.processes import Child, Children, wait_until
from tests.support.usage_logs import DAWN, Jump, Sent, beat, line, segment

pytestmark = pytest.mark.timeout(180)

LOGS = ("audit.events.v1/0/e", "audit.events.v1/1/e")
PARTITIONS = 2
MINUTES = 60
SESSION_S = 6.0
"""The broker allows no shorter one."""


class Site:
    """A usage topic, a store, and processes that detect."""

    def __init__(
        self, kafka: Broker, database: ClickHouseSettings, store: Client, children: Children, folder: Path
    ) -> None:
        self.kafka = kafka
        self.usage = self.findings = self.group = ""
        self._database = database
        self._store = store
        self._children = children
        self._folder = folder
        self._started = 0
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all", "log_level": 2})

    def start(self) -> Child:
        self._started += 1
        settings = {
            "KAFKA__BROKERS": self.kafka.bootstrap,
            "KAFKA__USAGE_TOPIC": self.usage,
            "KAFKA__FINDINGS_TOPIC": self.findings,
            "KAFKA__EPOCH": "0a1b2c3d",
            "CLICKHOUSE__HOST": self._database.host,
            "CLICKHOUSE__PORT": str(self._database.port),
            "CLICKHOUSE__USER": self._database.user,
            "CLICKHOUSE__PASSWORD": self._database.password.get_secret_value(),
            "CLICKHOUSE__DATABASE": self._database.database,
            "WORKER__APP_ID": self.group,
            "WORKER__SESSION_TIMEOUT_S": str(SESSION_S),
            "DETECTION__FOLDER": str(self._folder / "snapshots"),
            "DETECTION__SNAPSHOT_S": "0.5",
        }
        environment = {f"AUDITSTREAM_{name}": value for name, value in settings.items()}
        child = self._children.fork(
            f"detection-{self._started}", "tests.support.detecting_process", environment
        )
        child.wait_for_line("detection_begun", within_s=60)
        return child

    def rows(self) -> list[tuple[str, int]]:
        """Return id and version of every row of the table."""
        return [
            tuple(row) for row in self._store.query("SELECT finding_id, version FROM findings").result_rows
        ]

    def told(self) -> set[str]:
        """Return the ids on the topic."""
        count = sum(self.kafka.end_offsets(self.findings).values())
        messages = self.kafka.consume(self.findings, count)
        return {str(dict(each.headers() or [])["finding_id"], "ascii") for each in messages}

    def produce(self, sent: list[tuple[int, Sent]]) -> None:
        for partition, message in sent:
            stamp_ms = message.at_us // 1_000
            self._producer.produce(self.usage, message.value, partition=partition, timestamp=stamp_ms)
        assert self._producer.flush(30) == 0


@pytest.fixture
def site(
    kafka: Broker,
    clickhouse: RunningClickHouse,
    topic: MakeTopic,
    group: MakeGroup,
    children: Children,
    tmp_path: Path,
) -> Iterator[Site]:
    with (
        migrated_database(clickhouse) as database,
        closing(http_client(database)) as store,
    ):
        made = Site(kafka, database, store, children, tmp_path)
        # The events are of some past day: the topic shall not forget them at once.
        made.usage = topic(partitions=PARTITIONS, **{"retention.ms": "-1"})
        made.findings, made.group = topic(partitions=1), group()
        yield made


def messages() -> list[tuple[int, Sent]]:
    """Return an hour of two logs and a tenant a partition, in the order of writing."""
    random = Random(7)
    found: list[tuple[int, Sent]] = []
    for partition in range(PARTITIONS):
        found += [(partition, beat(log, 0, at_s=0)) for log in LOGS]
        for minute in range(MINUTES):
            jump = 40 if minute % 15 == 10 + partition else 1
            for place, log in enumerate(LOGS):
                at_s = minute * 60 + 30 + place
                lines = [
                    line(DAWN + minute, credential_id=f"k{number}", events=random.randrange(3, 6) * jump)
                    for number in range(3)
                ]
                found.append(
                    (partition, segment(log, minute, lines, at_s=at_s, tenant=f"tenant-{partition}"))
                )
        found += [(partition, beat(log, MINUTES, quiet_s=MINUTES * 60 + 600)) for log in LOGS]
    return sorted(found, key=lambda each: each[1].at_us)


def expected(sent: list[tuple[int, Sent]]) -> set[tuple[str, int]]:
    """Return id and version of what one process finds that nobody disturbs."""
    found: set[tuple[str, int]] = set()
    for partition in range(PARTITIONS):
        detection = PartitionDetection([Jump()])
        for of, message in sent:
            if of == partition:
                found |= {(each.finding_id, each.version) for each in detection.apply(message.delta)}
    return found


def test_kills_and_moved_partitions_leave_the_findings_of_an_undisturbed_run_each_once(site: Site) -> None:
    sent = messages()
    wanted = expected(sent)
    assert len(wanted) > 20
    third = len(sent) // 3

    first = site.start()
    site.produce(sent[:third])
    wait_until(lambda: len(site.rows()) > 3, within_s=60, what="the first findings")
    first.kill()
    second = site.start()
    third_one = site.start()  # takes a partition from the second in mid-stream
    known = len(site.rows())
    site.produce(sent[third : 2 * third])
    wait_until(lambda: len(site.rows()) > known, within_s=60, what="more findings")
    second.kill()
    site.produce(sent[2 * third :])
    wait_until(lambda: set(site.rows()) >= wanted, within_s=60, what="all findings")

    third_one.terminate()
    assert third_one.wait(within_s=30) == 0
    assert Counter(site.rows()) == dict.fromkeys(wanted, 1)
    assert site.told() == {finding_id for finding_id, _ in wanted}

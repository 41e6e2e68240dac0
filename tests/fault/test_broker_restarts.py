"""A broker that stops, and one that is killed, while workers write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.jvm_kafka import RunningKafka
from tests.support.brokers import Broker
from tests.support.databases import migrated_database
from tests.support.deployment import PARTITIONS, Deployment
from tests.support.faulty_store import FaultyStore
from tests.support.processes import Children

pytestmark = [pytest.mark.long, pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(480)]


@pytest.fixture
def own_deployment(
    own_kafka: RunningKafka, clickhouse: RunningClickHouse, children: Children, tmp_path: Path
) -> Iterator[Deployment]:
    """A deployment on a broker that only this test uses."""
    broker = Broker("jvm", own_kafka.bootstrap, own_kafka)
    broker.create_topic("events", PARTITIONS)
    broker.create_topic("dead-letters", 1)
    with (
        migrated_database(clickhouse) as database,
        FaultyStore((clickhouse.host, clickhouse.port)) as proxy,
        closing(
            Deployment(
                kafka=broker,
                database=database,
                proxy=proxy,
                children=children,
                folder=tmp_path,
                topic="events",
                dead_letter_topic="dead-letters",
                group="workers",
            )
        ) as made,
    ):
        yield made


def test_a_broker_that_stops_and_one_that_is_killed_cost_time_and_nothing_else(
    own_deployment: Deployment, own_kafka: RunningKafka
) -> None:
    worker = own_deployment.ready_worker()
    with own_deployment.journal() as journal:
        worker.wait_until(lambda: own_deployment.rows() >= 300, within_s=60, what="rows arrive")
        for end in (own_kafka.stop, own_kafka.kill):
            end()
            own_kafka.restart()
            more = own_deployment.rows() + 600
            worker.wait_until(lambda more=more: own_deployment.rows() >= more, within_s=90, what="rows flow")
    verdict = own_deployment.verdict(journal, within_s=90)

    assert verdict.holds, verdict
    assert worker.is_running

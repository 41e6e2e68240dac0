"""Every kind of bad message on a real Kafka: each a dead letter with its bytes, its neighbours unharmed."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from tests.support.bad_messages import BadMessage, framed, kinds
from tests.support.deployment import Deployment
from tests.support.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(300)]


def produce_with_neighbours(deployment: Deployment, bad: list[BadMessage]) -> None:
    """Write each bad message between two good ones, all into one partition."""
    settings = {"bootstrap.servers": deployment.kafka.bootstrap, "message.max.bytes": 2 * 1024 * 1024}
    producer = Producer({**settings, "acks": "all", "enable.idempotence": True})
    for number, message in enumerate(bad):
        producer.produce(deployment.topic, framed(2 * number), partition=0)
        producer.produce(deployment.topic, message.value, partition=0, headers=list(message.headers))
        producer.produce(deployment.topic, framed(2 * number + 1), partition=0)
    assert producer.flush(30) == 0


def test_each_of_thirty_kinds_of_bad_message_is_a_dead_letter_and_its_neighbours_are_events(
    deployment: Deployment,
) -> None:
    bad = kinds()
    assert len(bad) >= 30
    deployment.ready_worker()
    produce_with_neighbours(deployment, bad)
    wait_until(lambda: deployment.rows() >= 3 * len(bad), within_s=60, what="every record has its row")
    rows = deployment.ask(
        "SELECT leaf_kind, reject_reason, reject_detail, hex(raw), raw_null, leaf_index"
        " FROM events ORDER BY kafka_offset"
    )
    letters = deployment.kafka.consume(deployment.dead_letter_topic, len(bad), timeout_s=30)

    assert [(0, ""), (1, None), (0, "")] * len(bad) == [
        (kind, None if kind else reason) for kind, reason, *_ in rows
    ]
    assert [index for *_, index in rows] == list(range(3 * len(bad)))
    for message, row in zip(bad, rows[1::3], strict=True):
        _, reason, detail, raw, raw_null, _ = row
        stored = None if raw_null else bytes.fromhex(raw)
        assert (message.reason, message.value) == (reason, stored), f"{message}: {detail}"
        assert detail
    sent = {dict(letter.headers() or [])["source_offset"]: letter for letter in letters}
    for number, message in enumerate(bad):
        letter = sent[str(3 * number + 1).encode()]
        assert (message.value, message.reason.encode()) == (letter.value(), dict(letter.headers())["reason"])

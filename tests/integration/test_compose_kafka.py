"""The Kafka of the compose file, on the local JVM: its settings start, its set-up gives the rights."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from auditstream.core.settings import KafkaSettings
from auditstream.embedded.jvm_kafka import start_kafka
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.topics import product_topics, topic_differences
from tests.support import brokers, kafka_scripts
from tests.support.forked_programs import ForkedPrograms
from tests.support.parts import skip_part
from tests.support.patience import patient
from tests.support.processes import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
EVENTS, DIRECT = "audit.events.v1", "audit.direct.acme.v1"
NOT_YET = {
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
}
_IMAGE_ONLY = {"CLUSTER_ID", "KAFKA_LOG_DIRS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENERS"}


def password(user: str) -> str:
    return f"{user}-0123456789"


def broker_settings(port: int) -> dict[str, str]:
    """Return the compose file's settings of Kafka by their Kafka names, with ports of this machine."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    settings = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): re.sub(
            r"\$\{KAFKA_(\w+)_PASSWORD:\?[^}]*\}", lambda found: password(found[1].lower()), str(value)
        )
        for name, value in compose["services"]["kafka"]["environment"].items()
        if name not in _IMAGE_ONLY
    }
    controller = free_port(but=port)
    inner = free_port(but=port)
    # The start looks for an answer without credentials, hence one listener more.
    settings["listener.security.protocol.map"] += ",PROBE:PLAINTEXT"
    return settings | {
        "listeners": f"PROBE://127.0.0.1:{port},INTERNAL://127.0.0.1:{inner}"
        f",CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PROBE://127.0.0.1:{port},INTERNAL://127.0.0.1:{inner}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }


@pytest.fixture(scope="module")
def address(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The INTERNAL listener of a broker on which the set-up script has run, twice."""
    if (reason := brokers.missing_jvm()) is not None:
        skip_part("Apache Kafka on the local JVM", reason, can_be_installed=True)
    folder = tmp_path_factory.mktemp("kafka")
    port = free_port()
    settings = broker_settings(port)
    internal = re.search(r"INTERNAL://([^,]+)", settings["advertised.listeners"])
    assert internal is not None
    scripts = kafka_scripts.install(programs, folder / "bin")
    with start_kafka(folder / "node", port=port, overrides=settings):
        for _ in range(2):
            run_setup(internal[1], scripts)
        yield internal[1]


def run_setup(address: str, programs: Path) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/kafka/setup.sh")],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "BOOTSTRAP": address,
            "KAFKA_BIN": str(programs),
            "KAFKA_ADMIN_PASSWORD": password("admin"),
            "DIRECT_TENANTS": "acme,globex",
        },
        capture_output=True,
        text=True,
        timeout=patient(110),
    )
    assert done.returncode == 0, done.stderr


def connection(address: str, user: str) -> dict[str, str | int]:
    return {
        "bootstrap.servers": address,
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password(user),
        "log_level": 0,
    }


def outcome_of_writing(address: str, user: str, topic: str) -> int:
    """Return the error code of a write, 0 when it was acknowledged."""
    codes: list[int] = []

    def settle(error: KafkaError | None, _message: Message) -> None:
        codes.append(0 if error is None else error.code())

    producer = Producer(
        {**connection(address, user), "enable.idempotence": True, "delivery.timeout.ms": 60_000}
    )
    producer.produce(topic, b"value", on_delivery=settle)
    producer.flush(65)
    return codes[0]


def is_committed(consumer: Consumer) -> bool:
    """Commit; False where the broker only begins to look after its groups."""
    try:
        consumer.commit(offsets=[TopicPartition(EVENTS, 0, 0)], asynchronous=False)
    except KafkaException as refusal:
        if refusal.args[0].code() not in NOT_YET:
            raise
        return False
    return True


@pytest.mark.parametrize("user", ["gateway", "operator"])
def test_gateways_and_operators_write_events_with_an_idempotent_producer(address: str, user: str) -> None:
    assert outcome_of_writing(address, user, EVENTS) == 0


@pytest.mark.parametrize(
    ("user", "topic"),
    [("worker", EVENTS), ("registry", EVENTS), ("gateway", DIRECT), ("gateway", "audit.dlq.v1")],
)
def test_nobody_else_does_and_the_gateway_writes_nothing_else(address: str, user: str, topic: str) -> None:
    assert outcome_of_writing(address, user, topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_workers_write_what_they_derive_and_read_events_in_their_group(address: str) -> None:
    consumer = Consumer(
        {**connection(address, "worker"), "group.id": "auditstream-record", "enable.auto.commit": False}
    )
    try:
        wait_until(lambda: is_committed(consumer), within_s=30, what="the group's coordinator is there")
        assert consumer.get_watermark_offsets(TopicPartition(EVENTS, 0), 20)[0] == 0
    finally:
        consumer.close()

    derived = ("audit.dlq.v1", "audit.usage.v1", "audit.findings.v1")
    assert [outcome_of_writing(address, "worker", topic) for topic in derived] == [0, 0, 0]


def test_the_topics_are_as_the_product_needs_them(address: str) -> None:
    kafka = KafkaSettings(direct_topics=(DIRECT, "audit.direct.globex.v1"))
    admin = AdminClient(connection(address, "admin"))

    assert topic_differences(admin, product_topics(kafka)) == []

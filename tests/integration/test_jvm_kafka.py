"""The launcher of Apache Kafka: what is acknowledged stays, on the same port, through stops and crashes."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaException

from auditstream.core.errors import ConfigError
from auditstream.embedded.jvm_kafka import RunningKafka, start_kafka
from auditstream.embedded.kafka_classes import archive_of
from auditstream.embedded.kafka_jars import java_command, kafka_jars
from auditstream.embedded.loopback_ports import PortTakenError
from auditstream.embedded.topics import topic_epoch
from tests.support import brokers
from tests.support.brokers import Broker
from tests.support.parts import skip_part
from tests.support.processes import wait_until

pytestmark = pytest.mark.kafka
VALUES = [b"first", b"second", b"third"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """A broker of this module's own."""
    if (reason := brokers.missing_jvm()) is not None:
        skip_part("Apache Kafka on the local JVM", reason, can_be_installed=True)
    with start_kafka(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def own_kafka(node: RunningKafka) -> RunningKafka:
    """The broker of this module, running; a test may stop and kill it."""
    if not node.is_running:
        node.restart()
    return node


def broker_at(running: RunningKafka) -> Broker:
    return Broker("jvm", running.bootstrap, running)


def read(running: RunningKafka, topic: str) -> set[bytes]:
    return {message.value() for message in broker_at(running).consume(topic, len(VALUES))}


def test_records_are_stamped_with_the_time_of_the_broker(kafka, topic):
    before_ms = time.time() * 1000
    name = topic(partitions=2, **{"message.timestamp.type": "LogAppendTime"})

    kafka.produce(name, VALUES, timestamp_ms=1)

    for message in kafka.consume(name, len(VALUES)):
        kind, stamp_ms = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME
        assert before_ms - 1000 < stamp_ms < time.time() * 1000 + 1000


def test_a_misspelt_topic_is_not_created(kafka):
    with pytest.raises(KafkaException, match=r"UNKNOWN_TOPIC_OR_PART|_UNKNOWN_TOPIC"):
        kafka.produce("audit.evnets.v1", VALUES, settings={"topic.metadata.propagation.max.ms": 1000})


def test_a_group_may_expire_its_members_within_a_second(kafka, topic, group):
    name = topic(partitions=1)
    kafka.produce(name, VALUES)
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": group(),
            "session.timeout.ms": 1000,
            "heartbeat.interval.ms": 300,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([name])
    try:
        assert [message.value() for message in consumer.consume(len(VALUES), 10)] == VALUES
    finally:
        consumer.close()


def kept_topic(running: RunningKafka, name: str) -> str:
    """Make a topic with the values."""
    broker = broker_at(running)
    broker.create_topic(name)
    broker.produce(name, VALUES)
    return name


def test_a_stopped_broker_comes_back_on_its_port_with_its_records(own_kafka):
    address = own_kafka.bootstrap
    topic = kept_topic(own_kafka, "kept-through-a-stop")

    own_kafka.stop()
    assert not own_kafka.is_running
    own_kafka.restart()

    assert own_kafka.bootstrap == address
    assert read(own_kafka, topic) == set(VALUES)


def test_a_killed_broker_has_kept_what_it_acknowledged(own_kafka):
    topic = kept_topic(own_kafka, "kept-through-a-kill")
    killed = own_kafka.pid

    own_kafka.kill()
    assert not psutil.pid_exists(killed)
    own_kafka.restart()

    assert own_kafka.pid != killed
    assert read(own_kafka, topic) == set(VALUES)


def test_its_classes_come_from_the_archive_that_the_first_start_has_left(own_kafka):
    archive = archive_of(kafka_jars(), Path(java_command()))
    assert archive is not None

    assert str(archive) in Path(f"/proc/{own_kafka.pid}/maps").read_text(encoding="utf-8")


def test_another_start_in_the_same_folder_continues_on_a_new_port(own_kafka):
    topic = kept_topic(own_kafka, "kept-for-another-start")
    own_kafka.stop()

    with start_kafka(own_kafka.folder) as continued:
        assert continued.bootstrap != own_kafka.bootstrap
        assert read(continued, topic) == set(VALUES)


def test_a_folder_or_port_in_use_is_refused_with_its_reason_and_its_owner_lives(own_kafka, tmp_path):
    port = int(own_kafka.bootstrap.rpartition(":")[2])

    with pytest.raises(PortTakenError, match=f"port {port} "):
        start_kafka(tmp_path / "other", port=port)
    with pytest.raises(ConfigError, match="another Kafka uses"):
        start_kafka(own_kafka.folder)

    assert own_kafka.is_running
    own_kafka.restart()
    assert own_kafka.bootstrap.endswith(f":{port}")


def test_a_topic_that_is_made_again_is_another_log(own_kafka):
    broker = broker_at(own_kafka)
    epochs = set()
    for _ in range(2):
        broker.create_topic("made-again", partitions=1)
        epoch = topic_epoch(broker.admin, "made-again")
        assert epoch == epoch_on_disk(own_kafka.folder, "made-again")
        epochs.add(epoch)
        broker.delete_topic("made-again")

    assert len(epochs) == 2


def epoch_on_disk(folder: Path, topic: str) -> str:
    """Return the epoch from the file in which the broker itself notes a partition's topic id."""
    noted = folder / "log" / f"{topic}-0" / "partition.metadata"
    # The broker tells of a topic before it has its folder.
    wait_until(lambda: noted.exists() and "topic_id: " in noted.read_text(), within_s=30, what=str(noted))
    text = noted.read_text(encoding="ascii")
    topic_id = text.split("topic_id: ")[1].strip()
    return base64.urlsafe_b64decode(topic_id + "==").hex()[:8]


STARTS_KAFKA_AND_WAITS = """
import pathlib, sys, threading
from auditstream.embedded.jvm_kafka import start_kafka
started = []
thread = threading.Thread(target=lambda: started.append(start_kafka(pathlib.Path(sys.argv[1]))))
thread.start()
thread.join()
print(started[0].pid, flush=True)
sys.stdin.read()
"""


def test_the_broker_ends_with_a_killed_parent_but_not_with_the_thread_that_started_it(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_KAFKA_AND_WAITS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        broker = psutil.Process(int(parent.stdout.readline()))
        assert broker.is_running()
        parent.kill()

    gone, _ = psutil.wait_procs([broker], timeout=10)
    assert gone == [broker]

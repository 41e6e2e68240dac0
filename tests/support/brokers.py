"""The Kafka that the tests run against, and what tests ask of it.

The best of these is taken: one that the environment names (AUDITSTREAM_TEST_KAFKA=host:port), Apache Kafka in
Docker, Apache Kafka on the local JVM, librdkafka's in-process broker. A real Kafka or none at all is
required by tests that are marked `kafka`.
"""

from __future__ import annotations

import gc
import os
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from auditstream.core.errors import AuditStreamError
from auditstream.embedded import mock_kafka
from auditstream.embedded.jvm_kafka import RunningKafka, start_kafka
from auditstream.embedded.kafka_jars import KAFKA_VERSION, java_command, kafka_jars
from auditstream.embedded.kafka_node import node_properties
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.topics import TopicSpec, create_topics
from tests.support.parts import skip_part

Kind = Literal["environment", "docker", "jvm", "embedded"]
ADDRESSES = "AUDITSTREAM_TEST_KAFKA"
_QUIET = {"log_level": 2}  # stopped brokers are part of the tests
_CONTAINER_PORT = 9092
NAMES: dict[Kind, str] = {
    "environment": f"the Kafka of {ADDRESSES}",
    "docker": f"Apache Kafka {KAFKA_VERSION} in Docker",
    "jvm": f"Apache Kafka {KAFKA_VERSION} on the local JVM",
    "embedded": "librdkafka's in-process broker",
}


@dataclass(slots=True)
class Choice:
    """Which broker is used, and why none of the better ones is."""

    kind: Kind
    passed_over: list[str]

    def __str__(self) -> str:
        return "; ".join([NAMES[self.kind], *self.passed_over])


class Broker:
    """A broker under test.

    Attributes:
        kind: What it is.
        bootstrap: Comma-separated host:port pairs.
        node: The process, where it is one of ours that can be stopped, killed and restarted.
    """

    def __init__(self, kind: Kind, bootstrap: str, node: RunningKafka | None = None) -> None:
        self.kind = kind
        self.bootstrap = bootstrap
        self.node = node
        self.admin = AdminClient({"bootstrap.servers": bootstrap, **_QUIET})

    def create_topic(self, name: str, partitions: int = 4, config: Mapping[str, str] | None = None) -> None:
        """Create a topic and wait until all its partitions can be written; the in-process broker has four."""
        if not self.is_real:
            if partitions != mock_kafka.PARTITIONS or config:
                skip_part("Apache Kafka", f"no such topic on {NAMES[self.kind]}", can_be_installed=True)
            return
        create_topics(self.admin, [TopicSpec(name, partitions, config or {})])

    def delete_topic(self, name: str, timeout_s: float = 30.0) -> None:
        """Delete a topic and wait until the broker no longer knows it."""
        self.admin.delete_topics([name], request_timeout=timeout_s)[name].result(timeout_s)
        deadline = time.monotonic() + timeout_s
        while name in self.admin.list_topics(timeout=timeout_s).topics:
            if time.monotonic() > deadline:
                raise TimeoutError(f"topic {name} is still there after {timeout_s} s")

    @property
    def is_real(self) -> bool:
        """Whether it is Apache Kafka, with topic ids, broker timestamps and a log on disk."""
        return self.kind != "embedded"

    def produce(
        self,
        topic: str,
        values: Sequence[bytes | None],
        *,
        partition: int = -1,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int = 0,
        timeout_s: float = 30.0,
        settings: Mapping[str, str | int] | None = None,
    ) -> list[tuple[int, int]]:
        """Write records with acks=all and return partition and offset of each, in the order of `values`.

        Raises:
            KafkaException: One was refused.
            TimeoutError: Not all were acknowledged in time.
        """
        options = {"bootstrap.servers": self.bootstrap, "acks": "all", "enable.idempotence": self.is_real}
        producer = Producer({**options, **_QUIET, **(settings or {})})
        book: dict[int, tuple[int, int] | KafkaError] = {}

        def settle(number: int, error: KafkaError | None, message: Message) -> None:
            book[number] = error or (message.partition() or 0, message.offset() or 0)

        for number, value in enumerate(values):
            producer.produce(
                topic,
                value,
                key,
                partition,
                on_delivery=lambda error, message, number=number: settle(number, error, message),
                headers=list(headers),
                timestamp=timestamp_ms,
            )
            producer.poll(0)
        if producer.flush(timeout_s):
            raise TimeoutError(f"{len(values) - len(book)} records were not acknowledged in {timeout_s} s")
        places = [book[number] for number in range(len(values))]
        for place in places:
            if isinstance(place, KafkaError):
                raise KafkaException(place)
        return places

    def consume(self, topic: str, count: int, *, timeout_s: float = 30.0) -> list[Message]:
        """Read the first `count` records of a topic, all its partitions together, without a group.

        Raises:
            TimeoutError: There were fewer in time.
        """
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"reader-{uuid.uuid4()}",
                "enable.auto.commit": False,
                **_QUIET,
            }
        )
        try:
            partitions = consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            messages: list[Message] = []
            deadline = time.monotonic() + timeout_s
            while len(messages) < count:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{len(messages)} of {count} records in {timeout_s} s")
                messages += [m for m in consumer.consume(count - len(messages), 0.2) if m.error() is None]
            return messages
        finally:
            consumer.close()

    def end_offsets(self, topic: str, *, timeout_s: float = 30.0) -> dict[int, int]:
        """Return the offset after the last record of each partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "ends", **_QUIET})
        try:
            partitions = consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
            return {
                number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout_s)[1]
                for number in partitions
            }
        finally:
            consumer.close()

    def committed(self, group: str, *, timeout_s: float = 30.0) -> dict[tuple[str, int], TopicPartition]:
        """Return what a group has committed, offset and metadata, by topic and partition."""
        future = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
        partitions = future.result(timeout_s).topic_partitions
        return {(p.topic, p.partition): p for p in partitions if p.offset >= 0}


def choose() -> Choice:
    """Say which broker will be used, without starting it; fetches the jars of Kafka when they are wanted."""
    if os.environ.get(ADDRESSES):
        return Choice("environment", [])
    passed_over: list[str] = []
    if (reason := missing_docker()) is None:
        return Choice("docker", passed_over)
    passed_over.append(reason)
    if (reason := missing_jvm()) is None:
        return Choice("jvm", passed_over)
    return Choice("embedded", [*passed_over, reason])


@contextmanager
def opened(choice: Choice, folder: Path) -> Iterator[Broker]:
    """Start the chosen broker and stop it at the end.

    Args:
        choice: Which; changed where a container did not start and the next best had to be taken.
        folder: Where a broker of ours keeps its log.
    """
    with ExitStack() as stack:
        bootstrap = _enter_container(choice, stack) if choice.kind == "docker" else None
        if bootstrap is not None:
            yield Broker("docker", bootstrap)
        elif choice.kind == "environment":
            yield Broker("environment", os.environ[ADDRESSES])
        elif choice.kind == "jvm":
            node = stack.enter_context(start_kafka(folder))
            yield Broker("jvm", node.bootstrap, node)
        else:
            yield Broker("embedded", stack.enter_context(mock_kafka.start_mock_kafka()).bootstrap)


def _enter_container(choice: Choice, stack: ExitStack) -> str | None:
    import docker

    try:
        return stack.enter_context(_container())
    except (docker.errors.DockerException, TimeoutError) as error:
        choice.passed_over.append(f"no container: {error}")
        without = missing_jvm()
        choice.kind = "jvm" if without is None else "embedded"
        choice.passed_over += [without] if without else []
        return None


def missing_docker() -> str | None:
    """Return why containers cannot be used, None when a Docker engine answers."""
    import docker

    answers = True
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # its client leaves the socket open that did not connect
        try:
            docker.from_env(timeout=5).close()
        except docker.errors.DockerException:
            answers = False
        gc.collect()
    return None if answers else "no Docker engine answers"


def missing_jvm() -> str | None:
    """Return why Apache Kafka cannot run on the local JVM, None when it can."""
    try:
        java_command()
        kafka_jars()
    except AuditStreamError as error:
        return error.message
    return None


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(_CONTAINER_PORT, port)
    host = container.get_container_host_ip()
    listeners = {
        "listeners": f"PLAINTEXT://0.0.0.0:{_CONTAINER_PORT},CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "log.dirs": "/tmp/kafka",
    }
    for line in node_properties(_CONTAINER_PORT, 9093, listeners).splitlines():
        name, value = line.split("=", 1)
        container = container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    with container:
        bootstrap = f"{host}:{port}"
        _await_answer(bootstrap, timeout_s=60.0)
        yield bootstrap


def _await_answer(bootstrap: str, timeout_s: float) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, **_QUIET})
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if admin.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            continue
    raise TimeoutError(f"Kafka at {bootstrap} did not answer in {timeout_s:.0f} s")

"""Which Kafka an embedded deployment runs on: one that exists, one on the local JVM, or one in process."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from auditstream.core.errors import AuditStreamError, RequestError
from auditstream.core.settings import KafkaSettings
from auditstream.embedded.jvm_kafka import start_kafka
from auditstream.embedded.kafka_jars import KAFKA_VERSION, java_command, kafka_jars
from auditstream.embedded.mock_kafka import start_mock_kafka
from auditstream.embedded.topics import create_topics, product_topics
from streams.kafka_security import librdkafka_settings

URL_PREFIX = "kafka://"

Say = Callable[[str], None]
"""Takes one line for the person who started the deployment."""


@dataclass(frozen=True, slots=True)
class ChosenBroker:
    """A Kafka that answers and has the product's topics.

    Attributes:
        kind: `jvm`, `embedded` or `kafka`.
        settings: How to reach it; with an epoch where the broker itself has no topic ids.
        is_running: Whether it is there still, as far as this process can know.
        keeps_bytes: How many unread bytes a partition keeps, None without such a bound.
    """

    kind: str
    settings: KafkaSettings
    is_running: Callable[[], bool]
    keeps_bytes: int | None = None


def check_choice(broker: str | None) -> None:
    """Refuse a broker that is none of the choices.

    Raises:
        RequestError: It is not `jvm`, `embedded`, `kafka://host:port` or None.
    """
    if broker in {None, "jvm", "embedded"}:
        return
    _, _, port = (broker or "").removeprefix(URL_PREFIX).rpartition(":")
    if not (broker or "").startswith(URL_PREFIX) or not port.isdigit():
        raise RequestError(
            f"broker: {broker!r} is not a choice", hint="Say embedded, jvm or kafka://HOST:PORT."
        )


@contextmanager
def chosen_broker(
    choice: str | None, kafka: KafkaSettings, folder: Path, *, port: int = 0, cache_dir: Path, say: Say
) -> Iterator[ChosenBroker]:
    """Run, or reach, a Kafka with the product's topics for the length of the block.

    Args:
        choice: `jvm`, `embedded`, `kafka://host:port`, or None for the JVM's where it can be had.
        kafka: Names of the topics, and how to sign in to a Kafka that exists.
        folder: Where a Kafka on the JVM keeps its log.
        port: Port of a Kafka on the JVM; 0 for a free one.
        cache_dir: Where its jars are.
        say: Is told which one it is, and why not a better one.

    Raises:
        ConfigError: `jvm` was asked for and Java, or Maven and the jars, are missing.
        RetryableError: It did not start, or does not answer.
    """
    if choice is not None and choice.startswith(URL_PREFIX):
        settings = kafka.model_copy(update={"brokers": choice.removeprefix(URL_PREFIX)})
        say(f"kafka: {settings.brokers}")
        _make_topics(settings, say)
        yield ChosenBroker("kafka", settings, lambda: True)
        return
    missing = None if choice == "embedded" else _missing_jvm(cache_dir)
    if choice == "jvm" and missing is not None:
        raise missing
    if choice == "embedded" or missing is not None:
        with _in_process(kafka, say, missing) as chosen:
            yield chosen
    else:
        with _on_jvm(kafka, folder, port, cache_dir, say) as chosen:
            yield chosen


@contextmanager
def _in_process(kafka: KafkaSettings, say: Say, missing: AuditStreamError | None) -> Iterator[ChosenBroker]:
    because = f" ({missing.message})" if missing is not None else ""
    say(f"kafka: librdkafka's in-process broker, which forgets everything at the end{because}")
    with start_mock_kafka() as broker:
        own = {"brokers": broker.bootstrap, "security": "plaintext", "epoch": secrets.token_hex(4)}
        yield ChosenBroker("embedded", kafka.model_copy(update=own), lambda: True, keeps_bytes=5_000_000)


@contextmanager
def _on_jvm(
    kafka: KafkaSettings, folder: Path, port: int, cache_dir: Path, say: Say
) -> Iterator[ChosenBroker]:
    say(f"kafka: Apache Kafka {KAFKA_VERSION} on the local JVM, log in {folder}")
    with start_kafka(folder, port=port, cache_dir=cache_dir) as broker:
        own = {"brokers": broker.bootstrap, "security": "plaintext", "epoch": ""}
        settings = kafka.model_copy(update=own)
        _make_topics(settings, say)
        yield ChosenBroker("jvm", settings, lambda: broker.is_running)


def _missing_jvm(cache_dir: Path) -> AuditStreamError | None:
    """Return why Kafka cannot run on the JVM here; fetches the jars when Maven can."""
    try:
        java_command()
        kafka_jars(cache_dir)
    except AuditStreamError as error:
        return error
    return None


def _make_topics(settings: KafkaSettings, say: Say) -> None:
    admin = AdminClient({**librdkafka_settings(settings), "log_level": 3})
    for difference in create_topics(admin, product_topics(settings)):
        say(f"warning: {difference}")

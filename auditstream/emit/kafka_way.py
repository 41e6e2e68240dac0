"""The way to Kafka: messages acknowledged by all replicas, never more of them in memory than fit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditstream.core.errors import RetryableError
from auditstream.core.ports import Outbound
from auditstream.emit.reading import BadLineError

_MOST_MESSAGES = 20_000
_MOST_KBYTES = 32 * 1024
_MAX_MESSAGE_BYTES = 1_000_000
_PAUSE_S = 0.1
_BY_KEY = -1  # librdkafka's RD_KAFKA_PARTITION_UA

SETTINGS: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "zstd",
    "message.max.bytes": _MAX_MESSAGE_BYTES,
    "queue.buffering.max.messages": _MOST_MESSAGES,
    "queue.buffering.max.kbytes": _MOST_KBYTES,
    # Java's partitioner, so that an event of any producer's finds its conversation's partition.
    "partitioner": "murmur2_random",
    "log_level": 2,
}


class KafkaWay:
    """Sends messages and counts acknowledgements.

    Args:
        connection: librdkafka's settings that reach the brokers.
        timeout_s: How long a message may wait for its acknowledgement.
        linger_ms: How long a message may wait for others to travel with.

    Attributes:
        acknowledged: Messages that all in-sync replicas have.
    """

    def __init__(
        self, connection: Mapping[str, Any], *, timeout_s: float = 30.0, linger_ms: int = 20
    ) -> None:
        self._timeout_s = timeout_s
        self._failure: KafkaError | None = None
        self.acknowledged = 0
        self._producer = Producer(
            {
                **SETTINGS,
                **connection,
                "linger.ms": linger_ms,
                "delivery.timeout.ms": int(timeout_s * 1_000),
                "error_cb": _ignored,
            }
        )

    def send(self, message: Outbound, *, partition: int = _BY_KEY) -> None:
        """Hand a message over; waits while as many as fit are on their way.

        Args:
            message: The message; an empty key is none.
            partition: Where to; by its key when not given.

        Raises:
            BadLineError: The message is too large for Kafka.
            RetryableError: The broker did not acknowledge an earlier message in time, or refused it.
        """
        deadline = time.monotonic() + self._timeout_s + 1
        while not self._enqueued(message, partition):
            self._producer.poll(_PAUSE_S)
            self._check()
            if time.monotonic() > deadline:
                raise _unanswered("the broker takes no messages", self.acknowledged)
        self._producer.poll(0)
        self._check()

    def finish(self) -> None:
        """Return once every message is acknowledged.

        Raises:
            RetryableError: One was not in time, or was refused.
        """
        waiting = self._producer.flush(self._timeout_s + 1)
        self._check()
        if waiting:
            raise _unanswered(f"{waiting} messages were not acknowledged", self.acknowledged)

    def abandon(self) -> None:
        """Drop what was not sent, so that the process can end at once."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _enqueued(self, message: Outbound, partition: int) -> bool:
        try:
            self._producer.produce(
                message.topic,
                message.value,
                message.key or None,
                partition,
                headers=list(message.headers),
                on_delivery=self._settle,
            )
        except BufferError:
            return False
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise BadLineError("event", f"is larger than {_MAX_MESSAGE_BYTES:,} bytes") from error
            raise RetryableError(f"Kafka: {cause.str()}") from error
        return True

    def _settle(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self._failure is None:
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise _unanswered(f"a message was not acknowledged: {self._failure.str()}", self.acknowledged)


def _unanswered(what: str, acknowledged: int) -> RetryableError:
    return RetryableError(
        f"Kafka: {what}; {acknowledged} were",
        hint="Emitting the file again is safe: an event that arrives twice is one event.",
    )


def _ignored(_error: KafkaError) -> None:
    """Leave connection errors to the acknowledgements: librdkafka would print them."""

"""librdkafka's in-process Kafka broker: the real protocol on loopback where there is no Java.

Its limits: nothing is kept on disk and everything is forgotten at `stop`; a partition keeps its newest 5 MB
or 100,000 records and drops older ones unread; a topic exists from its first mention, with four partitions;
record timestamps are the producer's (no LogAppendTime); admin calls are never answered, so that there are no
topic ids, settings or group deletions. Do not use it to test delivery, timestamps or operations.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException, Producer

from auditstream.core.errors import RetryableError

PARTITIONS = 4  # librdkafka's constant; Python cannot reach the call that creates topics with another number
_START_TIMEOUT_S = 10.0


class RunningMockKafka:
    """A broker that lives in this process for as long as this object.

    Attributes:
        bootstrap: `127.0.0.1:port`; other processes may connect to it too.
    """

    def __init__(self) -> None:
        # The client is only the handle of the broker: librdkafka starts it with its first client.
        self._handle: Producer | None = Producer(
            {"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 3}
        )
        try:
            brokers = self._handle.list_topics(timeout=_START_TIMEOUT_S).brokers.values()
        except KafkaException as error:
            raise RetryableError(f"librdkafka's broker did not start: {error}") from error
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    @property
    def pid(self) -> int:
        """This process's id: there is no other process to kill."""
        return os.getpid()

    @property
    def is_running(self) -> bool:
        """Whether the broker is there."""
        return self._handle is not None

    def stop(self) -> None:
        """End the broker and forget everything in it."""
        self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_mock_kafka() -> RunningMockKafka:
    """Start librdkafka's broker on a free loopback port.

    Raises:
        RetryableError: It did not answer in ten seconds.
    """
    return RunningMockKafka()

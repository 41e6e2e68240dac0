"""Findings as they are published, with a place in the topic that outlives the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from auditstream.core.errors import RejectError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.settings import KafkaSettings
from schemas.codec import DatumReader
from schemas.framing import SchemaRef, framing_of
from schemas.packaged import AvroSchema, schema_json
from schemas.records.detection import Finding
from schemas.schema_store import SchemaStore
from streams.kafka_security import librdkafka_settings

log = get_logger(__name__)

_ANSWER_S = 10.0


class FindingsFeed:
    """Follows the findings topic as a member of a group; for one thread.

    A group that is new begins with what is published from then on. One whose place is older than what Kafka
    keeps goes on with the oldest there is.

    Args:
        kafka: Where the topic is.
        group: Group whose place is kept.
        schemas: Knows the schemas that findings are written with.
        session_timeout_s: After how long without a heartbeat another member takes over.
        poll_s: How long `next` waits for a finding.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        schemas: SchemaStore,
        *,
        session_timeout_s: float,
        poll_s: float = 0.5,
    ) -> None:
        self._schemas = schemas
        self._poll_s = poll_s
        self._readers: dict[SchemaRef, DatumReader] = {}
        self._held: Message | None = None
        self._read: dict[tuple[str, int], int] = {}
        self._kept: dict[tuple[str, int], int] = {}
        self._consumer = Consumer(
            {
                **librdkafka_settings(kafka),
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": int(session_timeout_s * 1_000),
                "heartbeat.interval.ms": int(session_timeout_s * 100),
                "log_level": 2,
                "error_cb": _ignored,
            }
        )
        self._consumer.subscribe(
            [kafka.findings_topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def next(self) -> Finding | None:
        """Return the next finding, None when none came within `poll_s`.

        Raises:
            RetryableError: Kafka or the registry does not answer.
        """
        try:
            message = self._held or self._consumer.poll(self._poll_s)
        except KafkaException as error:
            raise RetryableError(f"Kafka: {error}") from error
        self._held = None
        if message is None:
            return None
        refusal = message.error()
        if refusal is not None:
            raise RetryableError(f"Kafka: {refusal.str()}")
        topic, partition, offset = (
            str(message.topic()),
            int(message.partition() or 0),
            int(message.offset() or 0),
        )
        try:
            found = self._decoded(message)
        except RejectError as error:  # somebody else writes to our topic; what it is nobody can tell
            log.warning("finding_not_readable", partition=partition, offset=offset, reason=error.message)
            found = None
        except BaseException:
            self._held = message
            raise
        self._read[topic, partition] = offset + 1
        return found

    @property
    def has_place(self) -> bool:
        """Whether any partition is this member's, so that what is published from now on is read."""
        return bool(self._consumer.assignment())

    def place(self) -> Mapping[tuple[str, int], int]:
        """Return the next offset of each partition that something was returned of, for a later `settle`."""
        return dict(self._read)

    def settle(self, place: Mapping[tuple[str, int], int] | None = None) -> None:
        """Keep a place, by default that after everything that was returned.

        A place that was kept before is not kept again. A partition without one in `place` keeps its own, and
        so does one that is another member's, or was since: that one may be further.

        Raises:
            RetryableError: Kafka does not answer, or another member has taken over.
        """
        wanted = self._read if place is None else place
        new = {of: at for of, at in wanted.items() if self._kept.get(of, at) < at}
        if not new:
            return
        offsets = [TopicPartition(topic, partition, at) for (topic, partition), at in new.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise RetryableError(f"Kafka: {error}") from error
        self._kept |= new

    def wait(self, within_s: float) -> None:
        """Stay a member of the group for a while without reading on.

        Raises:
            RetryableError: Kafka does not answer.
        """
        try:
            self._consumer.pause(self._consumer.assignment())
            message = self._consumer.poll(within_s)
            if message is not None and message.error() is None and self._held is None:
                self._held = message  # of a partition that came to us just now
            self._consumer.resume(self._consumer.assignment())
        except KafkaException as error:
            raise RetryableError(f"Kafka: {error}") from error

    def close(self) -> None:
        """Leave the group; what was not settled is read again."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        kept = _begin_at_end_when_new(consumer, partitions)
        self._kept |= {(each.topic, each.partition): each.offset for each in kept}

    def _revoked(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Forget what was read of partitions; whoever has them next reads on from the place that is kept."""
        for of in ((each.topic, each.partition) for each in partitions):
            self._read.pop(of, None)
            self._kept.pop(of, None)
            if self._held is not None and of == (self._held.topic(), self._held.partition()):
                self._held = None

    def _decoded(self, message: Message) -> Finding:
        value = message.value()
        data = value.encode() if isinstance(value, str) else value
        framing = framing_of(data, None)
        reader = self._readers.get(framing.schema)
        if reader is None:
            ours: AvroSchema = schema_json("finding")
            reader = self._readers[framing.schema] = DatumReader(self._schemas.get(framing.schema), ours)
        return Finding.from_datum(reader.read((data or b"")[framing.payload_offset :]))


def _begin_at_end_when_new(
    consumer: Consumer, partitions: Sequence[TopicPartition]
) -> Sequence[TopicPartition]:
    """Give partitions without a place that of their end, and keep it at once; return all with their places.

    Otherwise a process that ends before its first finding would leave no place, and the next one would miss
    what came in between.
    """
    kept = consumer.committed(list(partitions), timeout=_ANSWER_S)
    new = [each for each in kept if each.offset < 0]
    for each in new:
        _, each.offset = consumer.get_watermark_offsets(each, timeout=_ANSWER_S)
    if new:
        consumer.commit(offsets=new, asynchronous=False)
    consumer.assign(kept)
    return kept


def _ignored(_error: KafkaError) -> None:
    """Leave connection errors to librdkafka, which reconnects by itself."""

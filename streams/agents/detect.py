"""The detect agent: follows the usage topic, keeps detection of each partition, makes its findings known.

A plain consumer beside the record agent, not one of Faust's: detection is one fold a partition, with its
state in arrays and its place in the log written down together in one snapshot. Faust would keep offsets of
its own, and a table whose changelog holds every key's every change (a few thousand a minute, and all of it is
replayed at a start). Messages are few: one a segment and tenant, and heartbeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from threading import Event
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from auditstream.core.errors import DecodeError, InvariantError, RetryableError, SchemaError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import KafkaSettings
from auditstream.detection.money_gate import Stakes
from auditstream.detection.suppression import Suppression
from schemas.records.detection import Finding
from streams.detecting.delta import DeltaReader
from streams.detecting.event_time import NEVER
from streams.detecting.partition import PartitionDetection
from streams.detecting.snapshots import SnapshotFolder
from streams.kafka_security import librdkafka_settings

log = get_logger(__name__)

_MOST_AT_ONCE = 500
_WAIT_S = 0.2  # how soon the agent notices that it is to end
_ANSWER_S = 10.0
_SNAPSHOT_FACTOR = 30.0  # snapshots of very many keys take a thirtieth of the time at most
_STATED_S = 1.0  # how soon a mute or a gate holds
_MOST_QUEUED_KBYTES = 16 * 1024
"""Messages that librdkafka fetches ahead, of a partition's backlog."""


@dataclass(slots=True)
class _Part:
    """One partition that is ours."""

    detection: PartitionDetection
    next_offset: int
    saved_offset: int
    left: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectServices:
    """What the agent is given from outside.

    Attributes:
        new_detection: Returns detection without history, for one partition.
        reader: Reads messages.
        tell: Makes findings known, and returns when they are; raises `RetryableError` when they may not be.
            The same finding may come again after a restart.
        metrics: Where it is counted.
        snapshot_s: Time between snapshots.
        suppression: Gives the mutes of now; may block, and raise `RetryableError`.
        stated: Gives what tenants say that money means to them, by tenant and currency; likewise.
    """

    new_detection: Callable[[], PartitionDetection]
    reader: DeltaReader
    tell: Callable[[Sequence[Finding]], object]
    metrics: Metrics
    snapshot_s: float
    suppression: Callable[[], Suppression] = Suppression
    stated: Callable[[], Mapping[tuple[str, str], Stakes]] = dict


class DetectAgent:
    """A member of the detect agents' group; for one thread.

    What a partition's messages say is applied, and its findings are known, before its offset goes into a
    snapshot. So whoever takes up a snapshot finds again what may not be known yet, under the same ids.

    Args:
        kafka: Where the topic is.
        group: Group whose members share the partitions.
        session_timeout_s: After how long without a heartbeat a member's partitions go to others.
        services: What it is given.
        snapshots: Where snapshots are.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        services: DetectServices,
        snapshots: SnapshotFolder,
        *,
        session_timeout_s: float,
    ) -> None:
        self._services = services
        self._snapshots = snapshots
        self._topic = kafka.usage_topic
        self._parts: dict[int, _Part] = {}
        self._snapshot_at_s = time.monotonic() + services.snapshot_s
        self._stated_at_s = 0.0
        self._assignments = 0
        self._consumer = Consumer(
            {
                **librdkafka_settings(kafka),
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": int(session_timeout_s * 1_000),
                "heartbeat.interval.ms": int(session_timeout_s * 100),
                "queued.max.messages.kbytes": _MOST_QUEUED_KBYTES,
                "log_level": 2,
                "error_cb": _ignored,
            }
        )
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def run(self, stopping: Event) -> None:
        """Detect until told to stop.

        Raises:
            RetryableError: Kafka, registry or store do not answer; a new agent goes on from the snapshots.
        """
        try:
            while not stopping.is_set():
                self.step()
        except KafkaException as error:
            raise RetryableError(f"Kafka: {error}") from error

    def step(self) -> None:
        """Take in what came, make its findings known, and keep snapshots when it is time."""
        messages = self._came()
        came_s = time.monotonic()
        if came_s >= self._stated_at_s:
            self._set_what_is_stated()
        findings = [finding for message in messages for finding in self._taken(message)]
        if findings:
            self._services.tell(findings)
            self._services.metrics.count("auditstream_detected_findings_total", len(findings))
            self._services.metrics.observe("auditstream_detection_seconds", time.monotonic() - came_s)
        if (begun_s := time.monotonic()) >= self._snapshot_at_s:
            self._keep(self._parts)
            self._count()
            now_s = time.monotonic()
            pause_s = max(self._services.snapshot_s, _SNAPSHOT_FACTOR * (now_s - begun_s))
            self._snapshot_at_s = now_s + pause_s

    def close(self) -> None:
        """Keep snapshots, and leave the group."""
        try:
            self._keep(self._parts)
        finally:
            self._parts = {}
            self._consumer.close()

    def abandon(self) -> None:
        """Leave the group without keeping anything: the state may be ahead of what is known."""
        self._parts = {}
        self._consumer.close()

    def _came(self) -> list[Message]:
        """Return what came, at once when something did: to wait for more is to be late with this.

        A rebalance between the two calls gives every partition anew, the first message included.
        """
        first = self._consumer.consume(1, _WAIT_S)
        if not first:
            return []
        before = self._assignments
        others = self._consumer.consume(_MOST_AT_ONCE - 1, 0)
        return others if self._assignments != before else first + others

    def _taken(self, message: Message) -> list[Finding]:
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is not None:
            raise RetryableError(f"Kafka: {error.str()}")
        part = None if partition is None else self._parts.get(partition)
        if part is None or offset is None or offset < part.next_offset:
            return []
        part.next_offset = offset + 1
        value: Any = message.value()
        headers: Any = message.headers()
        try:
            delta = self._services.reader.read(value, headers, message.timestamp()[1])
        except (DecodeError, SchemaError) as refusal:
            log.warning("usage_delta_left_out", partition=partition, offset=offset, reason=refusal.message)
            self._services.metrics.count("auditstream_detection_left_out_total", reason="unreadable")
            return []
        return part.detection.apply(delta)

    def _set_what_is_stated(self) -> None:
        suppression, stated = self._services.suppression(), self._services.stated()
        for part in self._parts.values():
            part.detection.episodes.suppression = suppression
            part.detection.episodes.stated = stated
        self._stated_at_s = time.monotonic() + _STATED_S

    def _keep(self, partitions: Iterable[int]) -> None:
        """Keep snapshots of what moved, and tell the group how far that is, for those who look at its lag."""
        begun_s = time.monotonic()
        kept: list[TopicPartition] = []
        for partition in partitions:
            part = self._parts.get(partition)
            if part is not None and part.next_offset > part.saved_offset:
                self._snapshots.save(partition, part.next_offset, part.detection.state())
                part.saved_offset = part.next_offset
                kept.append(TopicPartition(self._topic, partition, part.next_offset))
        if kept:
            self._consumer.commit(offsets=kept, asynchronous=True)
            self._services.metrics.observe(
                "auditstream_detection_snapshot_seconds", time.monotonic() - begun_s
            )

    def _count(self) -> None:
        metrics = self._services.metrics
        for part in self._parts.values():
            left = asdict(part.detection.left)
            for reason, count in left.items():
                if count > part.left.get(reason, 0):
                    metrics.count(
                        "auditstream_detection_left_out_total",
                        count - part.left.get(reason, 0),
                        reason=reason,
                    )
            part.left = left
        metrics.set(
            "auditstream_detection_keys", sum(each.detection.key_count for each in self._parts.values())
        )
        closed_us = [each.detection.closed_until_us for each in self._parts.values()]
        known = [each for each in closed_us if each > NEVER]
        metrics.set("auditstream_detection_time_seconds", min(known, default=0) / 1e6)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assignments += 1
        for each in partitions:
            low, high = consumer.get_watermark_offsets(each, timeout=_ANSWER_S)
            part = self._begun(each.partition, low, high)
            self._parts[each.partition] = part
            self._stated_at_s = 0.0  # before anything of it is judged
            each.offset = part.next_offset if part.next_offset > 0 else OFFSET_BEGINNING
        consumer.assign(partitions)
        begins = {each.partition: self._parts[each.partition].next_offset for each in partitions}
        log.info("detection_begun", topic=self._topic, partitions=begins)

    def _begun(self, partition: int, low: int, high: int) -> _Part:
        """Return a partition as its newest snapshot has it, else without history."""
        detection = self._services.new_detection()
        found = self._snapshots.newest(partition, until=high)
        if found is None:
            return _Part(detection, low, -1)
        try:
            detection.restore(found.state)
        except InvariantError as refusal:  # of another release: what it knew is learnt anew from the topic
            log.warning("snapshot_left_out", partition=partition, reason=refusal.message)
            return _Part(self._services.new_detection(), low, -1)
        if found.next_offset < low:
            log.warning("usage_deltas_lost", partition=partition, first=found.next_offset, last=low - 1)
        left = asdict(detection.left)
        return _Part(detection, max(found.next_offset, low), found.next_offset, left)

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Keep what is ours to keep: every finding of it is known."""
        gone = [each.partition for each in partitions]
        self._keep(gone)
        self._lost(_consumer, partitions)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Forget partitions that others have already."""
        for each in partitions:
            self._parts.pop(each.partition, None)


def _ignored(_error: KafkaError) -> None:
    """Leave connection errors to librdkafka, which reconnects by itself."""

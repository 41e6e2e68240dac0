"""Record batches as a broker sends them, made with aiokafka's own builder, and a fetcher that holds them.

What only a broker writes (base offset, LogAppendTime, control batches, the last offset of a compacted batch)
is set in the header afterwards, with the CRC made anew. Format: version 2 of Kafka's protocol guide.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from streams.transport.record_batches import FetchedRecords

CODECS = {
    "none": DefaultRecordBatch.CODEC_NONE,
    "gzip": DefaultRecordBatch.CODEC_GZIP,
    "snappy": DefaultRecordBatch.CODEC_SNAPPY,
    "lz4": DefaultRecordBatch.CODEC_LZ4,
    "zstd": DefaultRecordBatch.CODEC_ZSTD,
}
_CRC_AT, _ATTRIBUTES_AT, _LAST_DELTA_AT, _MAX_TIMESTAMP_AT = 17, 21, 23, 35
_LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x08, 0x10, 0x20
NO_PRODUCER = -1


@dataclass(frozen=True, slots=True)
class Rec:
    """A record to build: value, and where it matters the rest."""

    value: bytes | None = b"value"
    key: bytes | None = None
    timestamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


def batch(
    base_offset: int,
    records: Iterable[Rec],
    *,
    codec: str = "none",
    deltas: Sequence[int] | None = None,
    last_delta: int | None = None,
    producer_id: int = NO_PRODUCER,
    transactional: bool = False,
    append_time: int | None = None,
    control: bool = False,
) -> bytes:
    """Return one batch.

    Args:
        base_offset: Offset of its first record as it was produced.
        records: Its records.
        codec: A key of `CODECS`; aiokafka leaves a batch alone that would not become smaller.
        deltas: Offsets of the records from the base, where compaction has removed some.
        last_delta: Last offset that the batch covers, from the base; beyond the last record after compaction.
        producer_id: Producer, for transactions.
        transactional: Whether it belongs to a transaction.
        append_time: The broker's stamp for all its records.
        control: Whether it is a control batch.
    """
    present = list(records)
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], int(transactional), producer_id, 0, 0, 1 << 30)
    for delta, record in zip(deltas or range(len(present)), present, strict=True):
        builder.append(delta, record.timestamp, record.key, record.value, list(record.headers))
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base_offset)
    (attributes,) = struct.unpack_from(">h", data, _ATTRIBUTES_AT)
    attributes |= (_CONTROL if control else 0) | (0 if append_time is None else _LOG_APPEND_TIME)
    struct.pack_into(">h", data, _ATTRIBUTES_AT, attributes)
    if last_delta is not None:
        struct.pack_into(">i", data, _LAST_DELTA_AT, last_delta)
    if append_time is not None:
        struct.pack_into(">q", data, _MAX_TIMESTAMP_AT, append_time)
    struct.pack_into(">I", data, _CRC_AT, calc_crc32c(bytes(data[_ATTRIBUTES_AT:])))
    return bytes(data)


def marker(base_offset: int, producer_id: int, *, commit: bool) -> bytes:
    """Return the control batch that ends a transaction."""
    record = Rec(key=struct.pack(">hh", 0, int(commit)), value=struct.pack(">hi", 0, 0))
    return batch(base_offset, [record], producer_id=producer_id, transactional=True, control=True)


def damaged(data: bytes) -> bytes:
    """Return a batch with one bit of its last record's value flipped: it reads well, but not as written."""
    return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]


class FetcherWith:
    """aiokafka's real fetcher, without a broker: a test puts in what a fetch response would bring.

    Use as an async context manager.

    Args:
        tps: Partitions that are assigned.
        isolation_level: As the consumer's.
        reader: Reads the bytes of a fetch: ours, or aiokafka's own `MemoryRecords`.
    """

    def __init__(
        self,
        *tps: TopicPartition,
        isolation_level: str = "read_committed",
        reader: Callable[[bytes], Any] = FetchedRecords,
    ) -> None:
        self._tps = tps
        self._reader = reader
        self._isolation_level = isolation_level

    async def __aenter__(self) -> FetcherWith:
        loop = asyncio.get_running_loop()
        self.subscriptions = SubscriptionState()
        self.subscriptions.assign_from_user(set(self._tps))
        client = SimpleNamespace(_loop=loop, _metadata_max_age_ms=1000)
        self.fetcher: Any = Fetcher(client, self.subscriptions, isolation_level=self._isolation_level)
        # Nothing is to be fetched behind the test's back.
        self.fetcher._fetch_task.cancel()
        await asyncio.gather(self.fetcher._fetch_task, return_exceptions=True)
        for tp in self._tps:
            self.subscriptions.seek(tp, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for waiter in list(self.fetcher._fetch_waiters):
            waiter.cancel()

    @property
    def assignment(self) -> Any:
        """aiokafka's state of the assigned partitions."""
        return self.subscriptions.subscription.assignment

    def position(self, tp: TopicPartition) -> int:
        """Return the offset that would be fetched next."""
        position: int = self.assignment.state_value(tp).position
        return position

    def receive(
        self,
        tp: TopicPartition,
        *batches: bytes,
        position: int | None = None,
        aborted: Sequence[tuple[int, int]] = (),
        check_crcs: bool = True,
    ) -> None:
        """Put in a fetch response.

        Args:
            tp: Of which partition.
            batches: Its record batches.
            position: Offset that was asked for; the partition's position when None.
            aborted: Producer id and first offset of each aborted transaction, as the broker lists them.
            check_crcs: Whether the consumer is to check them.
        """
        if position is not None:
            self.subscriptions.seek(tp, position)
        records = PartitionRecords(
            tp,
            self._reader(b"".join(batches)),
            list(aborted),
            self.position(tp),
            None,
            None,
            check_crcs,
            self.fetcher._isolation_level,
        )
        self.fetcher._records[tp] = FetchResult(
            tp, assignment=self.assignment, partition_records=records, backoff=0
        )
        for waiter in self.fetcher._fetch_waiters:
            self.fetcher._notify(waiter)

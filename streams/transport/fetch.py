"""Fetched record batches as slabs.

aiokafka's `getmany()` makes one Python object of nine fields an event (1.5 µs); draining what it fetched
batch by batch costs a third and keeps everything that matters: checksums, control batches, aborted
transactions, fetch errors, the position after a seek into a batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchError
from aiokafka.errors import CorruptRecordException

from auditstream.core.ports import Headers, Slab
from streams.transport.record_batches import batches

# Kafka's code for "the broker stamped the whole batch at append" (LogAppendTime).
_LOG_APPEND_TIME = 1


async def drain_fetched(
    fetcher: Any,
    batch_topics: frozenset[str],
    active: set[Any] | None,
    wait_s: float,
    max_records: int | None,
) -> dict[Any, list[Any]]:
    """Return what has been fetched: a list of one slab for batch topics, stock records for others.

    Waits up to `wait_s` seconds when nothing is there. Must run on the consumer's own loop, inside its fetch
    context.

    Raises:
        KafkaError: A fetch failed in a way that the caller must see.
    """
    if fetcher._subscriptions.reassignment_in_progress:
        await fetcher._subscriptions.wait_for_assignment()
    for last_look in (False, True):
        drained = _drain(fetcher, batch_topics, active, max_records)
        if drained or last_look:
            return drained
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=wait_s)
        if not done:
            waiter.cancel()
            return {}
        waiter.result()  # raises what authorization errors there were
    return {}


def _drain(
    fetcher: Any, batch_topics: frozenset[str], active: set[Any] | None, max_records: int | None
) -> dict[Any, list[Any]]:
    """Take what is there. An error is raised before anything is taken, so that it costs nobody's records."""
    _raise_error(fetcher, active)
    drained: dict[Any, list[Any]] = {}
    for tp in list(fetcher._records):
        if active and tp not in active:
            if not fetcher._subscriptions.is_assigned(tp):
                del fetcher._records[tp]
            continue
        records = _take(fetcher, tp, batch_topics, max_records)
        if records:
            drained[tp] = records
    if not drained:
        _raise_error(fetcher, active)  # damage that was met just now
    return drained


def _raise_error(fetcher: Any, active: set[Any] | None) -> None:
    """Raise the first error that a fetch of an active partition brought, once."""
    for tp, result in list(fetcher._records.items()):
        if isinstance(result, FetchError) and (not active or tp in active):
            _consumed(fetcher, tp)
            result.check_raise()


def _take(
    fetcher: Any, tp: TopicPartition, batch_topics: frozenset[str], max_records: int | None
) -> list[Any] | None:
    """Remove and return what was fetched of one partition, or None when there is nothing to hand on."""
    result = fetcher._records[tp]
    if tp.topic not in batch_topics:
        records = result.getall(max_records)
        if not result.has_more():
            _consumed(fetcher, tp)
        return records or None
    _break_cycle(result._partition_records)
    if not result.check_assignment(tp) or not result.has_more():
        _consumed(fetcher, tp)
        return None
    try:
        slab = _slab(tp, result._partition_records)
    except CorruptRecordException as error:
        # The position stays where it was, and nothing of this fetch is handed on: all of it is fetched again.
        fetcher._records[tp] = FetchError(error=error, backoff=0)
        return None
    result._update_position()
    _consumed(fetcher, tp)
    return [slab] if slab.next_offset > slab.first_offset else None


def _consumed(fetcher: Any, tp: TopicPartition) -> None:
    """Let the fetcher ask for more of the partition."""
    del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)


def _break_cycle(fetched: Any) -> None:
    """Let go of aiokafka's own iterator: with it, a fetch's bytes would live until a full garbage collection.

    It refers to what it iterates over, which refers to it, until it is exhausted; ours never begins.
    """
    if fetched is not None:
        fetched._records_iterator = None


def _slab(tp: TopicPartition, fetched: Any) -> Slab:
    """Return everything that one fetch brought of one partition; moves its position to the end."""
    first = position = fetched.next_fetch_offset
    columns = _Columns()
    for batch, is_intact in batches(fetched._records, checked=fetched._check_crcs):
        if not is_intact:
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        if not _is_skipped(fetched, batch):
            # A fetch may begin in the middle of a batch: what lies below the position was seen before.
            whole = batch.base_offset >= position
            records = list(batch) if whole else [record for record in batch if record.offset >= position]
            append_time = batch.max_timestamp if batch.timestamp_type == _LOG_APPEND_TIME else None
            columns.extend(records, append_time)
        position = batch.next_offset
    fetched.next_fetch_offset = position
    return columns.slab(tp, first, position)


def _is_skipped(fetched: Any, batch: Any) -> bool:
    """Whether the batch is a control batch or belongs to an aborted transaction."""
    if fetched._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        fetched._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and fetched._contains_abort_marker(batch):
            fetched._aborted_producers.discard(batch.producer_id)
        elif batch.is_transactional and batch.producer_id in fetched._aborted_producers:
            return True
    return bool(batch.is_control_batch)


class _Columns:
    """The parts of records that a slab keeps.

    Taken batch by batch: a record is an object that the garbage collector follows, and millions of them alive
    at once cost ten times their making.
    """

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.stamps: list[int] = []
        self.headers: list[Headers] | None = None
        self.offsets: Sequence[int] = range(0)

    def extend(self, records: list[Any], append_time: int | None) -> None:
        """Take one batch's records; `append_time` is the broker's stamp for all of them, if it gave one."""
        if not records:
            return
        self._extend_headers([record.headers for record in records])
        self._extend_offsets(records)
        self.values += [record.value for record in records]
        if append_time is None:
            self.stamps += [record.timestamp for record in records]
        else:
            self.stamps += [append_time] * len(records)

    def _extend_headers(self, headers: list[Headers]) -> None:
        if self.headers is None:
            if not any(headers):
                return
            self.headers = [()] * len(self.values)
        self.headers += headers

    def _extend_offsets(self, records: list[Any]) -> None:
        first, last = records[0].offset, records[-1].offset
        contiguous = last - first + 1 == len(records)
        known = self.offsets
        if contiguous and isinstance(known, range) and (not known or known.stop == first):
            self.offsets = range(known.start if known else first, last + 1)
        else:
            self.offsets = [*known, *(record.offset for record in records)]

    def slab(self, tp: TopicPartition, first: int, position: int) -> Slab:
        """Return what was taken, as covering `[first, position)`."""
        return Slab(
            topic=tp.topic,
            partition=tp.partition,
            first_offset=first,
            next_offset=position,
            offsets=self.offsets,
            values=self.values,
            timestamps_ms=self.stamps,
            headers=self.headers,
            size_bytes=sum(map(len, filter(None, self.values))),
        )

"""The transport on a real Kafka: what faust and aiokafka must go on doing for it to lose and double nothing.

A new release of either that passes these tests may be taken; the private names are checked by unit tests.
"""

from __future__ import annotations

import asyncio
import collections
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from faust.types import TP

from auditstream.core.ports import NOTHING_REFUSED, Block, LogId, Outbound, Plan, Segment, StoredRange, Trip
from auditstream.core.settings import KafkaSettings, Settings, WorkerSettings
from streams.plan import Closed, from_commit, to_commit
from streams.worker import WorkerParts, new_worker_app
from tests.support.brokers import Broker
from tests.support.slab_apps import COMMIT_S, Received, batch_app, collect, committed, running, until

pytestmark = pytest.mark.kafka

MakeTopic = Callable[..., str]
MakeGroup = Callable[[], str]


def numbered(count: int, prefix: str = "v", *, start: int = 0) -> list[bytes]:
    return [f"{prefix}{number}".encode() for number in range(start, start + count)]


def by_partition(
    values: Sequence[bytes | None], places: list[tuple[int, int]]
) -> dict[int, list[tuple[int, bytes | None]]]:
    """Return offset and value of what was produced, by partition and in offset order."""
    found: dict[int, list[tuple[int, bytes | None]]] = collections.defaultdict(list)
    for value, (partition, offset) in zip(values, places, strict=True):
        found[partition].append((offset, value))
    return {partition: sorted(records, key=lambda record: record[0]) for partition, records in found.items()}


def in_transaction(broker: Broker, topic: str, values: Sequence[bytes], *, commit: bool, name: str) -> None:
    """Produce values to partition 0 in one transaction that is committed or aborted."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": name, "log_level": 2})
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


def commit_from_outside(broker: Broker, group: str, topic: str, offset: int) -> None:
    """Commit an offset of partition 0 for a group that has no members."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "log_level": 2,
        }
    )
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


async def offset_is(broker: Broker, group: str, topic: str, offset: int, partition: int = 0) -> bool:
    found = await committed(broker, group, topic, partition)
    return found is not None and found[0] == offset


class TestSlabs:
    async def test_every_record_arrives_once_and_in_order(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name = topic(4)
        values: list[bytes | None] = [*numbered(3_000), None, b""]
        app = batch_app(kafka, group(), tmp_path, name)
        received = collect(app, name)
        places = kafka.produce(name, values[:1_500])
        async with running(app):
            await until(lambda: received.count == 1_500, "the records that were there before")
            for first in range(1_500, len(values), 400):
                places += await asyncio.to_thread(kafka.produce, name, values[first : first + 400])
            await until(lambda: received.count >= len(values), "the records that came meanwhile")
        for partition, records in by_partition(values, places).items():
            assert received.records(partition) == records
            assert received.covered_to(partition) == records[-1][0] + 1

    async def test_slabs_are_larger_than_records(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        # Else the transport would be no faster than the stock one.
        name = topic(1)
        kafka.produce(name, numbered(5_000))
        app = batch_app(kafka, group(), tmp_path, name)
        received = collect(app, name)
        async with running(app):
            await until(lambda: received.count == 5_000, "all records")
        assert len(received.slabs) < 50

    async def test_headers_and_broker_times_arrive(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name = topic(1, **{"message.timestamp.type": "LogAppendTime"})
        kafka.produce(name, numbered(3), headers=[("schema", b"\x01\x02")], timestamp_ms=1_000)
        kafka.produce(name, numbered(2))
        app = batch_app(kafka, group(), tmp_path, name)
        received = collect(app, name)
        async with running(app):
            await until(lambda: received.count == 5, "all records")
        stamps = [stamp for slab in received.slabs for stamp in slab.timestamps_ms]
        headers = [tuple(each) for slab in received.slabs for each in slab.headers or [()] * len(slab.values)]
        oracle = kafka.consume(name, 5)
        assert stamps == [message.timestamp()[1] for message in oracle]
        assert headers == [tuple(message.headers() or ()) for message in oracle]

    async def test_every_codec_of_producers_is_read(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name = topic(1)
        values = [b"compressible " * 40 + b"%d" % number for number in range(300)]
        codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
        for codec in codecs:
            kafka.produce(name, values, settings={"compression.type": codec, "linger.ms": 50})
        app = batch_app(kafka, group(), tmp_path, name)
        received = collect(app, name)
        async with running(app):
            await until(lambda: received.count == 300 * len(codecs), "all records")
        assert received.records(0) == [*enumerate(values * len(codecs))]

    async def test_aborted_transactions_are_covered_but_not_delivered(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name = topic(1)
        received = await self._transactions(kafka, name, group(), tmp_path)
        oracle = [(m.offset(), m.value()) for m in kafka.consume(name, 12)]  # read_committed by default
        assert received.records(0) == oracle
        # The marker of the last transaction is covered, too: there lies the next fetch.
        await until(lambda: received.covered_to(0) == kafka.end_offsets(name)[0], "the last marker")

    @staticmethod
    async def _transactions(kafka: Broker, name: str, group: str, tmp_path: Path) -> Received:
        app = batch_app(kafka, group, tmp_path, name)
        received = collect(app, name)
        in_transaction(kafka, name, numbered(4, "a"), commit=True, name=f"{name}-1")
        in_transaction(kafka, name, numbered(5, "aborted"), commit=False, name=f"{name}-2")
        async with running(app):
            await until(lambda: received.count == 4, "the first transaction")
            kafka.produce(name, numbered(3, "b"), partition=0)
            for number in (3, 4):
                await asyncio.to_thread(
                    in_transaction, kafka, name, numbered(3, "aborted"), commit=False, name=f"{name}-{number}"
                )
            await asyncio.to_thread(
                in_transaction, kafka, name, numbered(5, "c"), commit=True, name=f"{name}-5"
            )
            await until(lambda: received.count == 12, "the last transaction")
            await until(lambda: received.slabs[-1].next_offset == kafka.end_offsets(name)[0], "the markers")
        return received

    async def test_a_batch_topic_and_a_stock_topic_share_an_application(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        slabs, stock, name = topic(2), topic(2), group()
        app = batch_app(kafka, name, tmp_path, slabs)
        received, events = collect(app, slabs), []

        @app.agent(app.topic(stock, value_type=bytes, value_serializer="raw"), name="stock")
        async def agent(stream: Any) -> None:
            async for event in stream.events():
                events.append(event.value)

        async with running(app):
            await asyncio.to_thread(kafka.produce, slabs, numbered(500))
            await asyncio.to_thread(kafka.produce, stock, numbered(200, "s"))
            await until(lambda: received.count == 500 and len(events) == 200, "both topics")
            for each in (slabs, stock):
                for partition, end in kafka.end_offsets(each).items():
                    if end:
                        done = partial(offset_is, kafka, name, each, end, partition)
                        await until(done, f"the commit of {each}/{partition}")
        assert sorted(events) == sorted(numbered(200, "s"))


class TestPosition:
    async def test_acknowledged_slabs_stay_behind_after_a_restart(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name, members = topic(1), group()
        kafka.produce(name, numbered(50))
        first = batch_app(kafka, members, tmp_path, name)
        before = collect(first, name)
        async with running(first):
            await until(lambda: before.count == 50, "the records")
            await until(lambda: offset_is(kafka, members, name, 50), "their commit")
        kafka.produce(name, numbered(30, start=50))
        second = batch_app(kafka, members, tmp_path, name)
        after = collect(second, name)
        async with running(second):
            await until(lambda: after.count >= 30, "the rest")
        assert after.records(0) == [*enumerate(numbered(30, start=50), start=50)]

    async def test_only_the_longest_acknowledged_prefix_is_committed(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name, members = topic(1), group()
        stuck, seen = asyncio.Event(), Received()
        app = batch_app(kafka, members, tmp_path, name)

        @app.agent(app.slab_topic(name), name="stuck")
        async def agent(stream: Any) -> None:
            async for event in stream.events():
                seen.take(event.value)
                if event.value.first_offset == 10:
                    stuck.set()
                    await asyncio.Event().wait()

        async with running(app):
            await asyncio.to_thread(kafka.produce, name, numbered(10))
            await until(lambda: offset_is(kafka, members, name, 10), "the commit of the first slab")
            await asyncio.to_thread(kafka.produce, name, numbered(10, start=10))
            await stuck.wait()
            await asyncio.to_thread(kafka.produce, name, numbered(10, start=20))
            await until(lambda: app.consumer._in_flight[TP(name, 0)] == deque([19, 29]), "the third slab")
            await app.consumer.commit()
            assert await offset_is(kafka, members, name, 10)

    async def test_a_committed_offset_in_the_middle_of_a_batch_is_where_the_fetch_begins(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name, members = topic(1), group()
        kafka.produce(name, numbered(40), settings={"linger.ms": 200, "compression.type": "lz4"})
        commit_from_outside(kafka, members, name, 17)
        app = batch_app(kafka, members, tmp_path, name)
        received = collect(app, name)
        async with running(app):
            await until(lambda: received.count >= 23, "the rest of the batch")
        assert received.records(0) == [*enumerate(numbered(40))][17:]
        assert received.slabs[0].first_offset == 17


class TestBackPressure:
    async def test_a_full_partition_does_not_stop_the_others(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name = topic(2)
        full = TP(name, 0)
        app = batch_app(kafka, group(), tmp_path, name)
        received = collect(app, name)
        async with running(app):
            for partition in (0, 1):
                await asyncio.to_thread(kafka.produce, name, numbered(5), partition=partition)
            await until(lambda: received.count == 10, "the first records")
            app.consumer.on_buffer_full(full)
            # One fetch may be on its way; after the next of the other partition it has come and gone.
            for number in range(2):
                await asyncio.to_thread(kafka.produce, name, numbered(5), partition=1)
                wanted = 5 * (number + 2)
                await until(lambda wanted=wanted: len(received.records(1)) == wanted, "the other partition")
            await asyncio.to_thread(kafka.produce, name, numbered(5), partition=0)
            await asyncio.to_thread(kafka.produce, name, numbered(5), partition=1)
            await until(lambda: len(received.records(1)) == 20, "the other partition again")
            assert len(received.records(0)) == 5
            app.consumer.on_buffer_drop(full)
            await until(lambda: len(received.records(0)) == 10, "the partition that is drained")
        assert received.covered_to(0) == 10

    async def test_when_every_partition_is_full_one_that_drains_is_fetched(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name = topic(2)
        app = batch_app(kafka, group(), tmp_path, name)
        received = collect(app, name)
        async with running(app):
            await asyncio.to_thread(kafka.produce, name, numbered(5), partition=0)
            await until(lambda: received.count == 5, "the first records")
            for partition in (0, 1):
                app.consumer.on_buffer_full(TP(name, partition))
            await asyncio.to_thread(kafka.produce, name, numbered(5), partition=1)
            app.consumer.on_buffer_drop(TP(name, 1))
            await until(lambda: len(received.records(1)) == 5, "the partition that is drained")


class GatedSink:
    """A store in memory whose inserts wait for a gate.

    Attributes:
        gate: Inserts wait until it is set.
        waiting: Set while one waits.
        rows: Offset and index of every row.
    """

    def __init__(self) -> None:
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.rows: list[tuple[int, int]] = []

    def insert(self, block: Block, *, insert_by_s: float, timeout_s: float) -> None:
        self.waiting.set()
        assert self.gate.wait(30), "the test forgot the gate"
        self.rows += list(zip(block.frame["kafka_offset"], block.frame["leaf_index"], strict=True))

    def stored(self, log: LogId, from_offset: int) -> StoredRange:
        rows = [row for row in self.rows if row[0] >= from_offset]
        indexes = [index for _, index in rows]
        return StoredRange(len(rows), min(indexes), max(indexes), max(rows)[0]) if rows else StoredRange(0)

    def last_plan(self, log: LogId) -> Plan | None:
        raise AssertionError("every log here has a committed state")

    def views_lacking(self, segment_id: str) -> list[str]:
        raise AssertionError("no token is forgotten here")

    def token_window(self) -> int:
        return 1000


class RangeRecorder:
    """One row a record."""

    def build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        first = segment.plan.first_index
        indexes = list(range(first, first + len(segment)))
        return Block(segment.id, pl.DataFrame({"kafka_offset": list(segment.offsets), "leaf_index": indexes}))

    def pause_finding(self, log: LogId, trip: Trip) -> Outbound:
        raise AssertionError("no record here is a dead letter")

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Remember nothing, so forget nothing."""

    def worn_out(self) -> str | None:
        return None


class TestLanes:
    def app(self, broker: Broker, group: str, topic: str, folder: Path, sink: GatedSink) -> Any:
        settings = Settings(
            data_dir=folder,
            kafka=KafkaSettings(brokers=broker.bootstrap, events_topic=topic),
            worker=WorkerSettings(app_id=group, lease_s=4.0, min_delay_s=0.05, inserts_per_s=20.0),
        )
        app = new_worker_app(settings, WorkerParts(sink, RangeRecorder()))
        app.conf.broker_commit_interval = COMMIT_S
        return app

    async def state(self, broker: Broker, group: str, topic: str) -> Plan | Closed | None:
        return from_commit(*(await committed(broker, group, topic) or (-1, "")))

    async def is_closed_at(self, broker: Broker, group: str, topic: str, number: int) -> bool:
        return await self.state(broker, group, topic) == Closed(number, number)

    async def test_an_open_plan_survives_fausts_own_commits(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name, members, sink = topic(1), group(), GatedSink()
        app = self.app(kafka, members, name, tmp_path, sink)
        async with running(app):
            await until(lambda: self.is_closed_at(kafka, members, name, 0), "the beginning")
            await asyncio.to_thread(kafka.produce, name, numbered(20))
            await until(sink.waiting.is_set, "the insert")
            plan = await self.state(kafka, members, name)
            assert isinstance(plan, Plan)
            assert (plan.lo, plan.first_index) == (0, 0)
            for _ in range(3):
                await app.consumer.commit()
                await asyncio.sleep(COMMIT_S)
            assert await committed(kafka, members, name) == to_commit(plan)
            sink.gate.set()
            # Nothing follows, so that it is the timer that says the segment is closed.
            await until(lambda: self.is_closed_at(kafka, members, name, 20), "the closed state")
        assert sink.rows == [(n, n) for n in range(20)]

    async def test_a_restarted_worker_goes_on_where_the_committed_state_ends(
        self, kafka: Broker, topic: MakeTopic, group: MakeGroup, tmp_path: Path
    ) -> None:
        name, members, sink = topic(1), group(), GatedSink()
        sink.gate.set()
        for round_ in range(2):
            app = self.app(kafka, members, name, tmp_path, sink)
            async with running(app):
                await asyncio.to_thread(kafka.produce, name, numbered(10))
                wanted = 10 * (round_ + 1)
                await until(lambda wanted=wanted: len(sink.rows) == wanted, "the rows")
            assert await self.is_closed_at(kafka, members, name, wanted)  # the drain committed it
        assert sink.rows == [(n, n) for n in range(20)]

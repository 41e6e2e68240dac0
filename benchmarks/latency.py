"""From produce to queryable, at a steady rate, as a client of the store sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer

from benchmarks.bed import PARTITIONS, Bed
from benchmarks.events import values
from benchmarks.workers import running

_POLL_S = 0.02  # resolution of the measurement
_DRAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the call of produce to the first query that sees the row."""

    events: int
    rate_per_s: float
    p50_s: float
    p99_s: float
    max_s: float


def measure(bed: Bed, *, rate_per_s: int = 2_000, seconds: int = 20) -> Latency:
    """Run one worker and a producer at `rate_per_s`; look at the store every 20 ms."""
    topic, database = bed.new_topic("latency"), bed.new_database()
    count = rate_per_s * seconds
    produced = [_Partition() for _ in range(PARTITIONS)]
    with running(bed, topic, database, count, 1):
        _produce_and_watch(bed, topic, database, produced, count=count, rate_per_s=rate_per_s)
    delays = sorted(delay for partition in produced for delay in partition.delays())
    return Latency(
        events=len(delays),
        rate_per_s=rate_per_s,
        p50_s=delays[len(delays) // 2],
        p99_s=delays[int(len(delays) * 0.99)],
        max_s=delays[-1],
    )


class _Partition:
    """When each event of a partition was produced, and when it was first seen."""

    def __init__(self) -> None:
        self.produced: list[float] = []
        self.seen: list[float] = []

    def delays(self) -> list[float]:
        return [seen - produced for produced, seen in zip(self.produced, self.seen, strict=True)]


def _produce_and_watch(
    bed: Bed, topic: str, database: str, partitions: list[_Partition], *, count: int, rate_per_s: int
) -> None:
    producer = Producer({"bootstrap.servers": bed.bootstrap, "acks": "all", "linger.ms": 5})
    client = bed.client(database)
    events = iter(enumerate(values("small", count)))
    begun = time.monotonic()
    sent = 0
    while sum(len(partition.seen) for partition in partitions) < count:
        now = time.monotonic()
        if now - begun > count / rate_per_s + _DRAIN_S:
            raise TimeoutError("the worker does not keep up")
        due = min(count, int((now - begun) * rate_per_s))
        for number, value in (next(events) for _ in range(due - sent)):
            partitions[number % PARTITIONS].produced.append(time.monotonic())
            producer.produce(topic, value, partition=number % PARTITIONS)
        sent = due
        producer.poll(0)
        _look(client, partitions)
        time.sleep(_POLL_S)


def _look(client: Any, partitions: list[_Partition]) -> None:
    rows = client.query("SELECT kafka_partition, count() FROM events GROUP BY 1").result_rows
    now = time.monotonic()
    for number, stored in rows:
        seen = partitions[number].seen
        seen += [now] * (stored - len(seen))

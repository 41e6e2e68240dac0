"""`python -m benchmarks.detection.latency`: from the watermark's passing of a minute to findings in Kafka.

One detect agent, a broker on the JVM and a store. Minutes of event time are sent faster than they pass, so
that there are many of them; what is measured is none of that, for it begins with the message that makes the
watermark pass. Which message that is, and what is found then, is told by the same detection in this process.
Both ends are by the broker's clock: when the topic of usage got the message, and that of findings the record.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from auditstream.detection.known_detectors import watched_detectors
from auditstream.embedded.topics import TopicSpec, create_topics
from benchmarks.bed import PARTITIONS, Bed, made_bed
from benchmarks.detection.agent import USAGE_PREFIX
from benchmarks.detection.usage import Message, heartbeat, line, segment
from schemas.codec import decode
from schemas.packaged import schema_json
from streams.detecting.partition import PartitionDetection

_DAWN = 29_000_000
_LOGS = ("bench/0/e", "bench/1/e")
_KEYS = 20
"""Keys of a tenant that are always active."""
_REFUSED = 3
"""Keys of a tenant of which everything is refused, other ones each minute: each minute has findings."""
_SETTLE_S = 12.0
"""How long detection waits for logs to tell that they are there, and two seconds."""
_DRAIN_S = 30.0
_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class FindingLatency:
    """Seconds from the message with which the watermark passed a minute to the finding's record.

    Attributes:
        findings: How many there were, updates and endings included; those of the first minute left out.
        minutes: Minutes of event time, by partition.
        p50_s: Median.
        p99_s: 99th percentile.
        max_s: Longest.
        first_s: Longest of the first minute that has findings: what an insert needs is imported with it.
        cpu_us: Processor microseconds of the agent a message of usage.
    """

    findings: int
    minutes: int
    p50_s: float
    p99_s: float
    max_s: float
    first_s: float
    cpu_us: float


@dataclass(slots=True)
class _Sent:
    """Messages of a partition, and when the broker got each, in microseconds."""

    messages: list[Message] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)


def measure(bed: Bed, *, minutes: int = 120, every_s: float = 0.25) -> FindingLatency:
    """Send so many minutes of event time, one at a time, and look when their findings are there."""
    topic, database = bed.new_topic("findings"), bed.new_database()
    usage, findings = f"{topic}.u", f"{topic}.f"
    stamped = {"message.timestamp.type": "LogAppendTime"}
    create_topics(
        AdminClient({"bootstrap.servers": bed.bootstrap}),
        [TopicSpec(name, PARTITIONS, stamped) for name in (usage, findings)],
    )
    environment = {
        **bed.environment(topic, database, 0),
        "AUDITSTREAM_KAFKA__USAGE_TOPIC": usage,
        "AUDITSTREAM_KAFKA__FINDINGS_TOPIC": findings,
    }
    with _agent(environment) as agent:
        sent, cpu_s = _send(bed, usage, agent, minutes, every_s)
        expected = {name: at_us for each in sent for name, at_us in _passing(each).items()}
        delays = _delays(bed, findings, expected)
    first_until_us = min(expected.values()) + every_s * 1e6 / 2
    first = [delay for name, delay in delays.items() if expected[name] < first_until_us]
    later = [delay for name, delay in delays.items() if expected[name] >= first_until_us]
    times = np.array(sorted(later)) / 1e6
    return FindingLatency(
        findings=len(times),
        minutes=minutes,
        p50_s=float(np.quantile(times, 0.5)),
        p99_s=float(np.quantile(times, 0.99)),
        max_s=float(times[-1]),
        first_s=max(first) / 1e6,
        cpu_us=cpu_s / sum(len(each.messages) for each in sent) * 1e6,
    )


@contextmanager
def _agent(environment: dict[str, str]) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "benchmarks.detection.agent"]
    started = subprocess.Popen(command, env=environment)
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(30)


def _minute(tenant: str, minute: int) -> list[Message]:
    """Return what one minute says of a tenant: a segment a log, and the heartbeats behind them."""
    usual = [
        line(minute, credential_id=f"k{key}", model="m", events=5, spend_usd=0.01) for key in range(_KEYS)
    ]
    refused = [
        line(minute, credential_id=f"r{minute}-{key}", events=30, blocked=30, outcome="BLOCKED")
        for key in range(_REFUSED)
    ]
    beats = [heartbeat(log, minute + 1) for log in _LOGS]
    return [segment(_LOGS[0], minute, tenant, usual), segment(_LOGS[1], minute, tenant, refused), *beats]


def _send(
    bed: Bed, topic: str, agent: psutil.Process, minutes: int, every_s: float
) -> tuple[list[_Sent], float]:
    """Send the minutes; return what was sent, and the agent's processor time from the first of them on."""
    producer = Producer({"bootstrap.servers": bed.bootstrap, "acks": "all", "linger.ms": 0})
    sent = [_Sent() for _ in range(PARTITIONS)]

    def send(partition: int, message: Message) -> None:
        def acknowledged(error: Any, got: Any) -> None:
            if error is not None:
                raise RuntimeError(f"the broker refuses a message: {error}")
            sent[partition].at_us.append(got.timestamp()[1] * 1_000)

        sent[partition].messages.append(message)
        value = message.encoded(USAGE_PREFIX)
        producer.produce(
            topic, value, key=message.tenant.encode(), partition=partition, on_delivery=acknowledged
        )

    for partition in range(PARTITIONS):
        for log in _LOGS:
            send(partition, heartbeat(log, 0))
    producer.flush()
    time.sleep(_SETTLE_S)
    begun_s = _cpu_s(agent)
    next_s = time.monotonic()
    for minute in range(_DAWN, _DAWN + minutes):
        for partition in range(PARTITIONS):
            for message in _minute(f"tenant-{partition}", minute):
                send(partition, message)
        producer.flush()
        next_s += every_s
        time.sleep(max(0.0, next_s - time.monotonic()))
    return sent, _cpu_s(agent) - begun_s


def _passing(sent: _Sent) -> dict[tuple[str, int], int]:
    """Return, by id and version of each finding, when the message came with which it could be found."""
    detection = PartitionDetection(watched_detectors())
    found: dict[tuple[str, int], int] = {}
    for message, at_us in zip(sent.messages, sent.at_us, strict=True):
        for each in detection.apply(message.delta(at_us)):
            found[each.finding_id, each.version] = at_us
    return found


def _delays(bed: Bed, topic: str, expected: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Return how long after its message each finding was there, in microseconds.

    Raises:
        TimeoutError: Not all of them came.
    """
    consumer = Consumer({"bootstrap.servers": bed.bootstrap, "group.id": f"{topic}.look"})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    delays: dict[tuple[str, int], int] = {}
    until_s = time.monotonic() + _DRAIN_S
    try:
        while len(delays) < len(expected):
            if time.monotonic() > until_s:
                raise TimeoutError(f"{len(expected) - len(delays)} of {len(expected)} findings did not come")
            for message in consumer.consume(500, 0.5):
                value: Any = message.value()
                found = decode(value[len(USAGE_PREFIX) :], schema_json("finding"))
                name = found["finding_id"], found["version"]
                if name in expected:
                    delays.setdefault(name, message.timestamp()[1] * 1_000 - expected[name])
    finally:
        consumer.close()
    return delays


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.latency")
    parser.add_argument("--minutes", type=int, default=60, help="minutes of event time")
    parser.add_argument("--every", type=float, default=1.0, help="seconds from one to the next")
    options = parser.parse_args()
    with made_bed() as bed:
        found = measure(bed, minutes=options.minutes, every_s=options.every)
    print(
        f"{found.findings} findings of {found.minutes} minutes in {PARTITIONS} partitions: "
        f"from the watermark to Kafka median {found.p50_s:.3f} s, 99th percentile {found.p99_s:.3f} s, "
        f"longest {found.max_s:.3f} s; of the first minute {found.first_s:.3f} s; "
        f"{found.cpu_us:.0f} us of processor a message"
    )


if __name__ == "__main__":
    main()

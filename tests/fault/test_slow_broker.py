"""Callers that are faster than Kafka: the gateway holds back, its memory does not grow, nothing is lost.

AUDITSTREAM_TEST_SLOW_BROKER_S says for how many seconds they push.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from auditstream.core.ids import uuid7
from auditstream.core.settings import GatewaySettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.gateway_part import GatewayPart
from auditstream.embedded.jvm_kafka import RunningKafka
from tests.support.brokers import Broker
from tests.support.gateway_callers import Place
from tests.support.gateway_process import running_gateway
from tests.support.gateways import NDJSON, event

FLOOD_S = float(os.environ.get("AUDITSTREAM_TEST_SLOW_BROKER_S", "20"))
CONNECTIONS, EVENTS = 48, 500
ROOM_BYTES = 8 * 1024 * 1024
"""How much may be read at a time, and how much may wait for Kafka."""

STOPPED_S, GOES_S = 3.0, 1.0
"""How long the broker stands still, and runs in between."""

WITHIN_S = 1.5
"""How long a caller waits at most: less than the broker stands still."""

MOST_GROWTH_MB = 24.0
"""What the second half of the time may add: pieces of the allocator's, not of the callers'."""

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(240 + FLOOD_S)]


@dataclass(slots=True)
class Books:
    """What the callers were told, and what the gateway took for it.

    Attributes:
        statuses: Answers by status.
        hints: Values of Retry-After that came with refusals.
        places: Where the receipts say that events are, by event id.
        memory_mb: Resident memory of the gateway, every tenth of a second.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    hints: set[str] = field(default_factory=set)
    places: dict[str, Place] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)


async def push(gateway: GatewayPart, books: Books, until_s: float) -> None:
    """Send batches over one connection, one after the other, whatever the answers are."""
    loop, parts = asyncio.get_running_loop(), urlsplit(gateway.url)
    head = "POST /v1/events HTTP/1.1\r\nhost: x\r\n"
    head += f"authorization: Bearer {gateway.key}\r\ncontent-type: {NDJSON}\r\n"
    template = json.dumps(event(event_id="%s", attributes={"padding": "x" * 500}))
    while loop.time() < until_s:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            while loop.time() < until_s:
                body = "\n".join([template % uuid7() for _ in range(EVENTS)])
                writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
                status, headers, answer = await read_answer(reader)
                books.statuses[status] += 1
                note(books, status, headers, answer)
        except (OSError, asyncio.IncompleteReadError):
            books.statuses[0] += 1  # the gateway closed a connection whose body it did not want to read
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def note(books: Books, status: int, headers: dict[str, str], answer: bytes) -> None:
    if status == 202:
        told = json.loads(answer)
        for event_id, receipt in zip(told["ids"], told["receipts"], strict=True):
            books.places[event_id] = (receipt["partition"], receipt["offset"])
    else:
        books.hints.add(headers.get("retry-after", ""))


async def flood(gateway: GatewayPart, server: psutil.Process) -> Books:
    books, loop = Books(), asyncio.get_running_loop()
    until_s = loop.time() + FLOOD_S
    callers = [asyncio.create_task(push(gateway, books, until_s)) for _ in range(CONNECTIONS)]
    while not all(caller.done() for caller in callers):
        books.memory_mb.append(server.memory_info().rss / 1e6)
        await asyncio.wait(callers, timeout=0.1)
    for caller in callers:
        caller.result()
    return books


@contextmanager
def slow(kafka: RunningKafka) -> Iterator[None]:
    """Let a broker stand still most of the time."""
    broker, over = psutil.Process(kafka.pid), threading.Event()

    def hold_up() -> None:
        while not over.is_set():
            broker.suspend()
            over.wait(STOPPED_S)
            broker.resume()
            over.wait(GOES_S)

    thread = threading.Thread(target=hold_up, name="slow-broker")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.long
def test_a_gateway_whose_callers_are_faster_than_kafka_refuses_and_grows_no_further(
    own_kafka: RunningKafka, clickhouse: RunningClickHouse, tmp_path: Path
) -> None:
    broker = Broker("jvm", own_kafka.bootstrap, own_kafka)
    broker.create_topic("events", 4)
    limits = GatewaySettings(
        within_s=WITHIN_S, reading_bytes=ROOM_BYTES, sending_bytes=ROOM_BYTES, receipts=1_000
    )
    with running_gateway(
        tmp_path / "gateway",
        bootstrap=own_kafka.bootstrap,
        topic="events",
        clickhouse=clickhouse,
        gateway=limits,
    ) as gateway:
        server = psutil.Process(gateway.process.pid)
        before_mb = server.memory_info().rss / 1e6
        with slow(own_kafka):
            books = asyncio.run(flood(gateway, server))
    found = {
        (message.partition() or 0, message.offset() or 0): message.value() or b""
        for message in broker.consume("events", sum(broker.end_offsets("events").values()))
    }
    half = len(books.memory_mb) // 2
    early_mb, late_mb = max(books.memory_mb[:half]), max(books.memory_mb[half:])
    logging.getLogger(__name__).info(
        "%.0f MB before, %.0f MB in the first half, %.0f MB in the second; answers %s; %d events accepted",
        before_mb,
        early_mb,
        late_mb,
        dict(books.statuses),
        len(books.places),
    )

    assert books.places, "nothing was accepted at all"
    assert set(books.statuses) <= {0, 202, 429, 503}
    assert books.statuses[503] > 0, "the broker was not slow"
    assert all(hint.isdigit() and int(hint) >= 1 for hint in books.hints)
    assert late_mb < early_mb + MOST_GROWTH_MB
    assert all(event_id.encode() in found[place] for event_id, place in books.places.items())

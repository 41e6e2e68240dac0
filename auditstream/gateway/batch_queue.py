"""The queue of mode `batch`: bounded, in memory, emptied into Kafka as fast as it takes events.

What is queued is not accepted. What the process ends with is lost: it is counted by tenant in a file, and
told of by a heartbeat event of each tenant when the gateway runs again.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from auditstream.core.errors import RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.ports import Outbound, Placed
from auditstream.emit.announcements import Said, announcement

log = get_logger(__name__)

HEARTBEAT = "ai.source.heartbeat"
_AT_ONCE = 2_000
_PAUSE_S = 0.5


Told = Callable[[Sequence[int], Sequence[Placed] | RetryableError], None]


class Producer(Protocol):
    """What sends messages; `streams.event_producer.EventProducer` is one."""

    async def send(
        self, messages: Sequence[Outbound], *, within_s: float, patiently: bool = False
    ) -> list[Placed | None]:
        """Return where the messages are, None for one that was not acknowledged in time.

        `patiently` waits on for what was handed over in time.

        Raises:
            RetryableError: None was.
        """
        ...

    def send_now(self, messages: Sequence[Outbound], *, within_s: float, told: Told) -> bool:
        """Send messages if nothing has to be waited for first; return whether they are under way.

        `told` is called for each of them once, in portions: with their indexes and places, or with the error.
        """
        ...


class BatchQueue:
    """Messages that somebody was told are queued; for one event loop.

    Args:
        producer: Where they go.
        most_bytes: Size at which the queue is full.
        within_s: How long Kafka may take for one portion before it counts as away.
    """

    def __init__(self, producer: Producer, *, most_bytes: int, within_s: float) -> None:
        self._producer = producer
        self._most_bytes = most_bytes
        self._within_s = within_s
        self._waiting: deque[Outbound] = deque()
        self._on_the_way: list[Outbound] = []
        self._bytes = 0
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._on_the_way)

    def start(self) -> None:
        """Empty the queue from now on."""
        self._task = asyncio.create_task(self._run(), name="batch-queue")

    def put(self, messages: Sequence[Outbound]) -> bool:
        """Queue all of the messages, or none when they do not fit; return whether they did."""
        size = sum(message.size_bytes for message in messages)
        if self._bytes and self._bytes + size > self._most_bytes:
            return False
        self._waiting += messages
        self._bytes += size
        self._filled.set()
        self._empty.clear()
        return True

    async def stop(self, *, within_s: float) -> Counter[str]:
        """Wait until the queue is empty; return by tenant how many events never left it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within_s)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        return Counter(_tenant_of(message) for message in (*self._on_the_way, *self._waiting))

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            while self._waiting or self._on_the_way:
                if not self._on_the_way:
                    count = min(_AT_ONCE, len(self._waiting))
                    self._on_the_way = [self._waiting.popleft() for _ in range(count)]
                await self._send()
            self._filled.clear()
            self._empty.set()

    async def _send(self) -> None:
        """Send what is on the way; what is not acknowledged stays, and is sent again."""
        try:
            # What the producer has it sends when Kafka is back; given it again, it would send both.
            placed = await self._producer.send(self._on_the_way, within_s=self._within_s, patiently=True)
        except RetryableError:
            await asyncio.sleep(_PAUSE_S)
            return
        sent = [message for message, place in zip(self._on_the_way, placed, strict=True) if place is not None]
        self._on_the_way = [
            message for message, place in zip(self._on_the_way, placed, strict=True) if place is None
        ]
        self._bytes -= sum(message.size_bytes for message in sent)


def _tenant_of(message: Outbound) -> str:
    """Return the tenant in a message's key, which has no `|` of its own in front of the conversation."""
    return message.key.decode().partition("|")[0]


class LossFile:
    """How many queued events were lost, by tenant, from the end of one process to the start of the next.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, lost: Mapping[str, int]) -> None:
        """Add to what the file counts.

        Raises:
            OSError: It cannot be written.
        """
        counts = Counter(self.read()) + Counter(lost)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(counts), encoding="utf-8")
        partial.replace(self._path)

    def read(self) -> dict[str, int]:
        """Return what the file counts; nothing where there is none, or none that can be read."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(tenant): int(count) for tenant, count in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            log.warning("losses_unread", error=str(error)[:300], path=str(self._path))
            return {}

    def clear(self) -> None:
        """Forget, once everybody was told."""
        self._path.unlink(missing_ok=True)


def loss_events(lost: Mapping[str, int], *, instance: str, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield the heartbeat of each tenant that lost queued events."""
    for tenant, count in sorted(lost.items()):
        said = Said(by="gateway", actor=instance, at=at, tenant_id=tenant, actor_type="SERVICE")
        yield announcement(
            HEARTBEAT,
            said,
            heartbeat={"interval_us": 0, "last_seq": 0, "dropped": count},
            attributes={"lost": "queued in mode batch and never acknowledged"},
        )

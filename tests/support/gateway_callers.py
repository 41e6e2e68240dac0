"""Callers of a gateway that never stop, and keep the books of what they sent and what they were told."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auditstream.core.ids import uuid7
from auditstream.core.settings import Mode
from auditstream_sdk import AuditClient, NotAcknowledgedError

RECORDED = "recorded"
ACKNOWLEDGED = "acknowledged"
RAISED = "raised"
_EVENTS = 5
_POST_S = 30.0
_END_S = 60.0

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, and what its caller was told.

    Attributes:
        ids: The events that it sent.
        begun_s: When it began, by the monotonic clock.
        ended_s: When it was over.
        answer: Of a post, its HTTP status. Of the SDK: RECORDED in mode `batch`, where there is nothing more
            to tell; ACKNOWLEDGED; or RAISED.
        retry_after: The header of that name.
        places: Where the receipts say that events are, by event id.
    """

    ids: tuple[str, ...]
    begun_s: float
    ended_s: float
    answer: str
    retry_after: str = ""
    places: dict[str, Place] = field(default_factory=dict)

    @property
    def took_s(self) -> float:
        """How long the caller waited."""
        return self.ended_s - self.begun_s


class Caller:
    """A thread that makes one call after the other.

    Args:
        call: Makes one, and returns what is known of it.
        pause_s: How long it rests in between.
    """

    def __init__(self, call: Callable[[], Call], pause_s: float) -> None:
        self.calls: list[Call] = []
        self._call = call
        self._pause_s = pause_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Let the call under way be the last."""
        self._over.set()

    def end(self) -> None:
        """Wait for the last call."""
        self._over.set()
        self._thread.join(_END_S)
        assert not self._thread.is_alive(), f"a call was not over within {_END_S} s"

    def _run(self) -> None:
        while not self._over.wait(self._pause_s):
            self.calls.append(self._call())


class Crowd:
    """Callers of one kind.

    Args:
        call: Makes a call; several threads use it.
        count: How many callers.
        pause_s: How long each rests between two calls.
    """

    def __init__(self, call: Callable[[], Call], *, count: int, pause_s: float) -> None:
        self._callers = [Caller(call, pause_s) for _ in range(count)]

    @property
    def calls(self) -> list[Call]:
        """What was called so far."""
        return [call for caller in self._callers for call in caller.calls]

    def between(self, begin_s: float, end_s: float) -> list[Call]:
        """Return the calls that were wholly between two moments."""
        return [call for call in self.calls if begin_s < call.begun_s and call.ended_s < end_s]

    def count(self, answer: str, *, since_s: float = 0.0) -> int:
        """Return how many calls that began since a moment were answered so."""
        return sum(call.answer == answer and call.begun_s > since_s for call in self.calls)

    @property
    def sent(self) -> set[str]:
        """Every event that was sent."""
        return {each for call in self.calls for each in call.ids}

    @property
    def promised(self) -> set[str]:
        """The events that have a receipt, and those that the SDK said it has, in its spool at the least."""
        with_receipt = {each for call in self.calls for each in call.places}
        kept = {each for call in self.calls if call.answer in {RECORDED, RAISED} for each in call.ids}
        return with_receipt | kept

    def start(self) -> None:
        """Let all of them begin."""
        for caller in self._callers:
            caller.start()

    def end(self) -> None:
        """Let all of them end, and wait for that; again, it does nothing."""
        for caller in self._callers:
            caller.ask_to_end()
        for caller in self._callers:
            caller.end()


@contextmanager
def calling(*crowds: Crowd) -> Iterator[None]:
    """Let crowds call for the length of the block, or until they are told to end."""
    with ExitStack() as ends:
        for crowd in crowds:
            crowd.start()
            ends.callback(crowd.end)
        yield


def recording(client: AuditClient) -> Callable[[], Call]:
    """Return a call that records a model's inference with the SDK."""

    def record() -> Call:
        answer = RECORDED
        begun_s = time.monotonic()
        call = client.inference(provider="openai", request_model="gpt-4o", operation="chat")
        try:
            with call:
                call.usage(input_tokens=1_200, output_tokens=80)
        except NotAcknowledgedError:
            answer = RAISED
        ended_s = time.monotonic()
        receipt = call.receipt
        if receipt is None:
            return Call((call.event_id,), begun_s, ended_s, answer)
        places = {receipt.event_id: (receipt.partition, receipt.offset)}
        return Call((call.event_id,), begun_s, ended_s, ACKNOWLEDGED, places=places)

    return record


def posting(url: str, key: str, mode: Mode, *, source: str) -> Callable[[], Call]:
    """Return a call that posts a few events without the SDK."""

    def post() -> Call:
        ids = tuple(str(uuid7()) for _ in range(_EVENTS))
        begun_s = time.monotonic()
        request = urllib.request.Request(
            f"{url}/v1/events?mode={mode}",
            data=_lines(ids, source),
            headers={"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_POST_S) as response:
                told = json.load(response)
                places = {
                    event_id: (receipt["partition"], receipt["offset"])
                    for event_id, receipt in zip(told["ids"], told["receipts"], strict=True)
                }
                return Call(ids, begun_s, time.monotonic(), f"{response.status}", places=places)
        except urllib.error.HTTPError as error:
            with error:
                retry_after = error.headers.get("retry-after", "")
                return Call(ids, begun_s, time.monotonic(), f"{error.code}", retry_after)

    return post


def _lines(ids: Sequence[str], source: str) -> bytes:
    now = datetime.now(UTC).isoformat()
    events = (
        {"event_id": each, "event_type": "ai.inference", "event_time": now, "source": source} for each in ids
    )
    return "\n".join(map(json.dumps, events)).encode()

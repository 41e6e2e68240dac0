"""A proxy between workers and ClickHouse's HTTP port that makes inserts go wrong on order.

It runs on a thread of the test's own process, so that it outlives every worker and is ordered about by plain
calls. What no fault strikes passes unchanged, byte for byte, as it arrives: keep-alive, chunked bodies,
compressed bodies, streamed answers.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from tests.support.faults import (
    AnswerError,
    AnswerThenCut,
    CutAfterApply,
    CutMidBody,
    Delay,
    Fault,
    GoDown,
    Hold,
    InsertRequest,
    Refuse,
    Reset,
    Schedule,
    Withhold,
)
from tests.support.http_framing import PIECE_BYTES, Body, Head, decoded_prefix, read_head
from tests.support.patience import patient
from tests.support.relay import BROKEN, Peer, Relay, receive, reset

_INSERT = re.compile(rb"\s*(?:/\*.*?\*/\s*)*insert\b", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r"insert_deduplication_token\s*=\s*'([^']*)'")
_CALL_S = 10.0  # bound on an order from the test's thread; none waits for a peer

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that the proxy did to one insert.

    Attributes:
        at_s: Monotonic time of the decision.
        kind: The fault's kind; "pass" for an insert that was left alone.
        token: Deduplication token of the insert, "" when it has none.
    """

    at_s: float
    kind: str
    token: str


_TURNS = 3  # of the loop, from accept to the callback of the server


class FaultyStore(Schedule):
    """The proxy and its orders; use it as a context manager.

    Attributes:
        host: Loopback address that workers are given.
        port: Port that workers are given; the same for the proxy's whole life, also across `go_down`.
        upstream: Address of the store; may be changed while the proxy runs.
    """

    def __init__(self, upstream: tuple[str, int], *, host: str = "127.0.0.1") -> None:
        super().__init__()
        self.upstream = upstream
        self.host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty-store", daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._up_again: asyncio.TimerHandle | None = None
        self._turning = asyncio.Lock()  # two that come up at once would leave one listener without an owner
        self._happened: list[Happening] = []
        self._news = threading.Condition()
        # Holds the port while the listener is away: bound, but not listening, so connections are refused.
        self._placeholder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._placeholder.bind((host, 0))
        self.port: int = self._placeholder.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        self._loop.close()
        self._placeholder.close()

    def go_down(self, for_s: float | None = None) -> None:
        """Reset all connections and refuse new ones, for `for_s` or until `come_up`.

        Inserts that are delayed or held are in the network and not in the store: they still reach it.
        """
        self._call(self._go_down(for_s))

    def come_up(self) -> None:
        """Accept connections again."""
        self._call(self._listen())

    @property
    def happened(self) -> list[Happening]:
        """What was done to each insert so far, in order of decision."""
        with self._news:
            return list(self._happened)

    @property
    def counts(self) -> Counter[str]:
        """How many inserts met each kind of fault, and "pass"."""
        return Counter(happening.kind for happening in self.happened)

    def await_happening(self, kind: str, *, times: int = 1, within_s: float) -> Happening:
        """Wait until `kind` has happened `times` times since the start; return the last of them.

        Raises:
            TimeoutError: It did not within `within_s`; says what did.
        """
        within_s = patient(within_s)
        with self._news:
            self._news.wait_for(lambda: len(self._of(kind)) >= times, within_s)
            if len(found := self._of(kind)) >= times:
                return found[times - 1]
        raise TimeoutError(f"{kind} x {times} not seen in {within_s} s; seen: {dict(self.counts)}")

    def _of(self, kind: str) -> list[Happening]:
        return [happening for happening in self._happened if happening.kind == kind]

    def _note(self, kind: str, token: str) -> None:
        with self._news:
            self._happened.append(Happening(time.monotonic(), kind, token))
            self._news.notify_all()

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S)

    async def _listen(self) -> None:
        async with self._turning:
            self._forget_the_time()
            if self._server is None:
                self._server = await asyncio.start_server(
                    self._accept, self.host, self.port, reuse_port=True, limit=PIECE_BYTES
                )

    async def _go_down(self, for_s: float | None) -> None:
        async with self._turning:
            self._forget_the_time()
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in list(self._writers):
                reset(writer)
            if for_s is not None:
                self._up_again = self._loop.call_later(for_s, lambda: self._start(self._listen()))

    def _forget_the_time(self) -> None:
        if self._up_again is not None:
            self._up_again.cancel()
            self._up_again = None

    async def _stop(self) -> None:
        await self._go_down(None)
        # A connection that was accepted just now is with a task of asyncio that has to begin before it can
        # be ended, or its socket is nobody's.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await self._go_down(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # What was closed while its peer took nothing waits for that with its socket.
        for writer in self._writers:
            writer.transport.abort()
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._start(self._serve(Relay((reader, writer), self._open_upstream)))

    async def _open_upstream(self) -> Peer:
        reader, writer = await asyncio.open_connection(*self.upstream, limit=PIECE_BYTES)
        self._writers.add(writer)
        return reader, writer

    async def _serve(self, relay: Relay) -> None:
        reader, writer = relay.client
        try:
            while (head := await read_head(reader)) is not None:
                if not await self._exchange(relay, head):
                    break
        except BROKEN:
            reset(writer)
        finally:
            await relay.close()

    async def _exchange(self, relay: Relay, head: Head) -> bool:
        body = Body(relay.client[0], head)
        if head.method != "POST":
            return await relay.pass_on(head, body, b"")
        statement, first = head.parameters.get("query", "").encode(), b""
        if not statement:
            head = relay.invite(head)
            first = await body.read()
            statement = decoded_prefix(body.payload, head.headers.get("content-encoding", ""))
        request = _insert_request(head, statement)
        fault = None if request is None else self.take(request)
        if request is not None:
            self._note("pass" if fault is None else fault.kind, request.token)
        if fault is None:
            return await relay.pass_on(head, body, first)
        return await self._strike(fault, relay, head, body, first)

    async def _strike(self, fault: Fault, relay: Relay, head: Head, body: Body, first: bytes) -> bool:
        if isinstance(fault, GoDown):
            await self._go_down(fault.seconds)
            return False
        if isinstance(fault, Reset):
            reset(relay.client[1])
            return False
        head = relay.invite(head)
        whole = await receive(body, first)
        match fault:
            case Refuse():
                return await relay.answer(fault.status, b"refused\n")
            case AnswerError():
                header = f"X-ClickHouse-Exception-Code: {fault.code}\r\n"
                return await relay.answer(500, fault.text.encode(), header)
            case Delay():
                await asyncio.sleep(fault.seconds)
                return await relay.exchange(head, whole, to_client=True)
            case Hold():
                await self._released(fault)
                return await relay.exchange(head, whole, to_client=True)
            case Withhold():
                await relay.exchange(head, whole, to_client=False)
                await relay.client[0].read()  # until the client gives up
            case CutMidBody():
                await relay.send_share(head, whole, fault.share)
            case AnswerThenCut():
                await relay.exchange(head, whole, to_client=True)
                return False
            case CutAfterApply():
                await relay.exchange(head, whole, to_client=False)
        reset(relay.client[1])
        return False

    async def _released(self, hold: Hold) -> None:
        opened = asyncio.Event()
        hold.when_released(lambda: self._loop.call_soon_threadsafe(opened.set))
        await opened.wait()


def _insert_request(head: Head, statement: bytes) -> InsertRequest | None:
    if not _INSERT.match(statement):
        return None
    text = statement[:4096].decode("utf-8", "replace")
    token = head.parameters.get("insert_deduplication_token")
    if token is None:
        found = _TOKEN.search(text)
        token = found.group(1) if found else ""
    return InsertRequest(text.split("\n", 1)[0], token)

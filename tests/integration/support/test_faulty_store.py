"""What the proxy passes is unchanged, and each fault does to both sides what its name says."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import aiohttp
import lz4.frame
import pytest
import zstandard
from aiohttp import web

from tests.support.faults import (
    AnswerError,
    AnswerThenCut,
    CutAfterApply,
    CutMidBody,
    Delay,
    Fault,
    GoDown,
    Hold,
    Refuse,
    Reset,
    Withhold,
)
from tests.support.faulty_store import FaultyStore

BOUND_S = 5.0
INSERT = "INSERT INTO events FORMAT ArrowStream"
CUT = (aiohttp.ClientError, ConnectionError)


@dataclass
class Upstream:
    """A store that notes every request whose body arrived whole, and every one that broke off."""

    applied: list[tuple[str, bytes]] = field(default_factory=list)
    broken: int = 0
    port: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.StreamResponse:
        token = request.query.get("insert_deduplication_token", "")
        try:
            body = await request.read()
        except Exception:
            self.broken += 1
            raise
        else:
            self.applied.append((token, body))
        finally:
            async with self.news:
                self.news.notify_all()
        return web.Response(text="stored", headers={"X-ClickHouse-Summary": "{}"})

    async def wait(self, *, applied: int = 0, broken: int = 0) -> None:
        async with asyncio.timeout(BOUND_S), self.news:
            await self.news.wait_for(lambda: len(self.applied) >= applied and self.broken >= broken)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    store = Upstream()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_route("*", "/", store.take)
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.port = runner.addresses[0][1]
    yield store
    await runner.cleanup()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultyStore]:
    with FaultyStore(("127.0.0.1", upstream.port)) as store:
        yield store


@pytest.fixture
async def client(proxy: FaultyStore) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=BOUND_S)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{proxy.port}", timeout=timeout) as session:
        yield session


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and wait until it is: one that outlives its loop is some other test's warning."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def insert(
    client: aiohttp.ClientSession, token: str = "t", data: bytes = b"x" * 100_000
) -> tuple[int, str]:
    params = {"query": INSERT, "insert_deduplication_token": token}
    async with client.post("/", params=params, data=data) as answer:
        return answer.status, await answer.text()


async def test_an_insert_without_a_fault_reaches_the_store_and_its_answer_the_client(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    assert await insert(client, "t1", b"block") == (200, "stored")
    assert upstream.applied == [("t1", b"block")]
    assert [(h.kind, h.token) for h in proxy.happened] == [("pass", "t1")]


async def test_only_inserts_meet_faults(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(Refuse(), times=None)
    async with client.post("/", params={"query": "SELECT 1"}) as read:
        assert read.status == 200
    async with client.get("/", params={"query": "SELECT 1"}) as read:
        assert read.status == 200
    assert (await insert(client))[0] == 503
    assert len(upstream.applied) == 2


async def test_a_refused_insert_never_reaches_the_store_and_the_next_one_does(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(Refuse())
    assert await insert(client, "t1") == (503, "refused\n")
    assert await insert(client, "t2") == (200, "stored")
    assert [token for token, _ in upstream.applied] == ["t2"]


async def test_an_error_code_is_answered_as_clickhouse_answers_it(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(AnswerError(252))
    async with client.post("/", params={"query": INSERT}, data=b"x") as answer:
        assert answer.headers["X-ClickHouse-Exception-Code"] == "252"
        assert "(TOO_MANY_PARTS)" in await answer.text()
    assert upstream.applied == []


async def test_a_delayed_insert_is_applied_though_its_client_has_given_up(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(Delay(0.2))
    impatient = asyncio.ensure_future(insert(client, "late"))
    delayed = await asyncio.to_thread(proxy.await_happening, "delay", within_s=BOUND_S)
    impatient.cancel()
    await upstream.wait(applied=1)
    assert time.monotonic() - delayed.at_s >= 0.2
    assert upstream.applied[0][0] == "late"


async def test_a_held_insert_waits_for_its_release_while_others_pass(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    hold = Hold()
    proxy.inject(hold)
    held = asyncio.ensure_future(insert(client, "held"))
    await asyncio.to_thread(proxy.await_happening, "hold", within_s=BOUND_S)
    await insert(client, "other")
    assert [token for token, _ in upstream.applied] == ["other"]
    hold.release()
    assert await held == (200, "stored")
    assert [token for token, _ in upstream.applied] == ["other", "held"]


async def test_a_withheld_answer_leaves_the_client_waiting_for_what_was_applied(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(Withhold())
    withheld = asyncio.ensure_future(insert(client, "t1"))
    await upstream.wait(applied=1)
    assert [token for token, _ in upstream.applied] == ["t1"]
    await insert(client, "after")
    assert not withheld.done()
    withheld.cancel()


async def test_an_answer_then_cut_answers_in_full_and_ends_the_connection(
    proxy: FaultyStore, upstream: Upstream
) -> None:
    proxy.inject(AnswerThenCut())
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"POST /?query=INSERT+INTO+t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    answer = await asyncio.wait_for(reader.read(), BOUND_S)
    await closed(writer)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"stored")
    assert upstream.applied == [("", b"abc")]


async def test_a_cut_after_applying_looks_like_a_broken_connection(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(CutAfterApply())
    with pytest.raises(CUT):
        await insert(client, "t1")
    assert [token for token, _ in upstream.applied] == ["t1"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_cut_in_mid_body_gives_the_store_a_part_and_no_end(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession, chunked: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"y" * 10_000

    proxy.inject(CutMidBody(0.5))
    with pytest.raises(CUT):
        async with client.post("/", params={"query": INSERT}, data=pieces() if chunked else b"y" * 200_000):
            pass
    await upstream.wait(broken=1)
    assert upstream.applied == []


async def test_a_reset_comes_before_the_store_sees_anything(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(Reset())
    with pytest.raises(CUT):
        await insert(client)
    assert (upstream.applied, upstream.broken) == ([], 0)


async def test_a_store_that_is_down_refuses_connections_and_comes_back_on_the_same_port(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    proxy.inject(GoDown(0.3))
    with pytest.raises(CUT):
        await insert(client, "t1")
    with pytest.raises(aiohttp.ClientConnectorError):
        await insert(client, "t2")
    async with asyncio.timeout(BOUND_S):
        while True:
            with contextlib.suppress(*CUT):
                assert await insert(client, "t3") == (200, "stored")
                break
            await asyncio.sleep(0.05)
    assert [token for token, _ in upstream.applied] == ["t3"]


async def test_a_down_on_order_lasts_until_the_store_is_told_to_come_up(
    proxy: FaultyStore, upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    await asyncio.to_thread(proxy.go_down)
    with pytest.raises(aiohttp.ClientConnectorError):
        await insert(client)
    await asyncio.to_thread(proxy.come_up)
    assert (await insert(client))[0] == 200


async def test_a_store_told_to_come_up_several_times_at_once_still_goes_down_whole(
    proxy: FaultyStore, client: aiohttp.ClientSession
) -> None:
    await asyncio.to_thread(proxy.go_down)
    await asyncio.gather(*[asyncio.to_thread(proxy.come_up) for _ in range(8)])
    assert (await insert(client))[0] == 200
    await asyncio.to_thread(proxy.go_down)
    with pytest.raises(aiohttp.ClientConnectorError):
        await insert(client)


async def test_a_client_killed_in_mid_body_is_cut_in_mid_body_for_the_store(
    proxy: FaultyStore, upstream: Upstream
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(
        b"POST /?query=INSERT+INTO+t HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b"z" * 999
    )
    await writer.drain()
    await asyncio.to_thread(proxy.await_happening, "pass", within_s=BOUND_S)
    await closed(writer)
    await upstream.wait(broken=1)
    assert upstream.applied == []


async def test_an_order_can_skip_repeat_and_choose_by_token(
    proxy: FaultyStore, client: aiohttp.ClientSession
) -> None:
    proxy.inject(Refuse(), times=2, skip=1, where=lambda request: request.token.startswith("a"))
    statuses = [(await insert(client, token))[0] for token in ("a1", "b1", "a2", "b2", "a3", "a4")]
    assert statuses == [200, 200, 503, 200, 503, 200]


async def test_an_order_by_time_begins_and_lapses(proxy: FaultyStore, client: aiohttp.ClientSession) -> None:
    proxy.inject(Refuse(), times=None, after_s=0.2, for_s=0.3)
    started_s = time.monotonic()
    seen: list[tuple[float, int]] = []
    while (elapsed_s := time.monotonic() - started_s) < 0.8:
        seen.append((elapsed_s, (await insert(client, data=b"x"))[0]))
    refused_s = [at for at, status in seen if status == 503]
    assert min(refused_s) > 0.15
    assert max(refused_s) < 0.65
    assert {seen[0][1], seen[-1][1]} == {200}


async def test_random_faults_are_the_same_for_the_same_seed(upstream: Upstream) -> None:
    weights: dict[Fault, float] = {Refuse(): 1, AnswerError(241): 2}

    async def run(seed: int) -> list[int]:
        with FaultyStore(("127.0.0.1", upstream.port)) as store:
            store.draw(weights, share=0.5, seed=seed)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{store.port}") as session:
                return [(await insert(session, data=b"x"))[0] for _ in range(40)]

    first = await run(1)
    assert await run(1) == first
    assert await run(2) != first
    assert set(first) == {200, 500, 503}


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd"])
async def test_an_insert_statement_is_found_at_the_start_of_a_compressed_body(
    proxy: FaultyStore, client: aiohttp.ClientSession, encoding: str
) -> None:
    text = b"INSERT INTO t SETTINGS insert_deduplication_token='tok' FORMAT Native\n" + b"\0" * 100_000
    compress = {"gzip": gzip.compress, "lz4": lz4.frame.compress, "zstd": zstandard.compress}[encoding]
    proxy.inject(Refuse())
    async with client.post("/", data=compress(text), headers={"Content-Encoding": encoding}) as answer:
        assert answer.status == 503
    assert [(h.kind, h.token) for h in proxy.happened] == [("refuse", "tok")]


async def test_every_byte_of_both_directions_passes_unchanged() -> None:
    """Chunk sizes, extensions, trailers, 100-continue, header case, and two requests on one connection."""
    request = (
        b"POST /?query=INSERT+INTO+t&a=%20b HTTP/1.1\r\nhOsT: x\r\nExpect: 100-continue\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    body = b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n"
    answer = b"HTTP/1.1 200 Fine\r\nX-Z: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    second = b"HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n"
    second_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"
    received, is_served = bytearray(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readexactly(len(request)))
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        received.extend(await reader.readexactly(len(body)))
        writer.write(answer)
        received.extend(await reader.readexactly(len(second)))
        writer.write(second_answer)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        await closed(writer)
        is_served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        with FaultyStore(server.sockets[0].getsockname()[:2]) as store:
            reader, writer = await asyncio.open_connection("127.0.0.1", store.port)
            async with asyncio.timeout(BOUND_S):
                writer.write(request)
                assert await reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(body)
                assert await reader.readexactly(len(answer)) == answer
                writer.write(second)
                assert await reader.readexactly(len(second_answer)) == second_answer
            await closed(writer)
        await asyncio.wait_for(is_served.wait(), BOUND_S)
    assert bytes(received) == request + body + second


async def test_an_answer_streams_through_before_it_is_complete() -> None:
    go_on, is_served = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await go_on.wait()
        writer.write(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        await closed(writer)
        is_served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        with FaultyStore(server.sockets[0].getsockname()[:2]) as store:
            reader, writer = await asyncio.open_connection("127.0.0.1", store.port)
            async with asyncio.timeout(BOUND_S):
                writer.write(b"GET /?query=SELECT HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.readuntil(b"ab\r\n")).endswith(b"2\r\nab\r\n")
                go_on.set()
                assert await reader.readexactly(5) == b"0\r\n\r\n"
            await closed(writer)
        await asyncio.wait_for(is_served.wait(), BOUND_S)

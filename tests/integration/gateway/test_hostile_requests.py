"""Two hundred hostile requests on real sockets: refused in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from backports import zstd

from auditstream.core.settings import GatewaySettings
from tests.support.gateway_server import ServedGateway, served
from tests.support.gateways import ACME, GLOBEX, KeptMessages, event, text

TIMEOUT_S = 15.0
SLOW_S = 1.0
BUSY = {408, 503}
"""What is told of megabytes as well, on a machine too busy to take them in time or with others' in hand."""
SETTINGS = GatewaySettings(header_s=SLOW_S, body_s=SLOW_S)
MB = 1 << 20

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ServedGateway]:
    with served(tmp_path, KeptMessages, SETTINGS) as running:
        yield running


def head(gate: ServedGateway, **more: object) -> bytes:
    """Return a request's head; names with _ for -."""
    given = {"authorization": f"Bearer {gate.keys[ACME]}", "content_type": "application/json"} | more
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value is not None]
    return "\r\n".join(["POST /v1/events HTTP/1.1", "host: gateway", *lines, "", ""]).encode("latin-1")


def whole(gate: ServedGateway, body: bytes, **more: object) -> bytes:
    return head(gate, content_length=len(body), **more) + body


def asked(gate: ServedGateway, *pieces: bytes, pause_s: float = 0.0) -> int:
    """Return the status of the answer to bytes on a connection of their own, 0 when it was closed."""
    with socket.create_connection((gate.host, gate.port), timeout=TIMEOUT_S) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
                if pause_s:
                    time.sleep(pause_s)
        except OSError:
            pass  # the answer is there already
        try:
            while b"\r\n\r\n" not in answer and (more := connection.recv(65_536)):
                answer += more
        except ConnectionError:
            return int(answer[9:12]) if answer else 0
    return int(answer[9:12]) if answer else 0


def trickle(data: bytes, count: int) -> list[bytes]:
    return [data[begin : begin + 1] for begin in range(count)]


def hostile(gate: ServedGateway) -> list[tuple[set[int], tuple[bytes, ...], float]]:
    """Return requests with the statuses that refuse them, in pieces with a pause between them."""
    bomb = gzip.compress(b'{"event_id":"' + b"x" * (200 * MB), 9)
    zbomb = zstd.compress(b"[" * (200 * MB))
    good = text(event())
    megabyte = b"100000\r\n" + b" " * MB + b"\r\n"
    kinds: list[tuple[set[int], tuple[bytes, ...], float]] = [
        ({413}, (whole(gate, bomb, content_encoding="gzip"),), 0),
        ({413}, (whole(gate, zbomb, content_encoding="zstd"),), 0),
        ({400, *BUSY}, (whole(gate, b'{"a":' * 500_000),), 0),
        ({400, *BUSY}, (whole(gate, b"[" * 4_000_000),), 0),
        ({400, *BUSY}, (whole(gate, b"9" * 1_000_000),), 0),
        ({400}, (whole(gate, b'{"a":NaN}'),), 0),
        ({400}, (whole(gate, b"\xff\xfe" * 1_000),), 0),
        ({422}, (whole(gate, json.dumps({"event_id": [1], "event_type": {}}).encode()),), 0),
        ({403}, (whole(gate, text(event(tenant_id=GLOBEX))),), 0),
        ({415}, (whole(gate, good, content_type="image/png"),), 0),
        ({415}, (whole(gate, good, content_encoding="br"),), 0),
        ({401}, (whole(gate, good, authorization="Bearer ask_globex-1_" + "B" * 43),), 0),
        ({413}, (head(gate, content_length=10**12), b"x" * MB), 0),
        ({400, 413}, (head(gate, content_length="-1"),), 0),
        ({413, *BUSY}, (head(gate, transfer_encoding="chunked"), *[megabyte] * 12), 0),
        ({431}, (head(gate, x_long="y" * (4 * MB)),), 0),
        ({431}, (head(gate, **{f"x_{number}": "y" * 100 for number in range(5_000)}),), 0),
        ({400}, (b"\x16\x03\x01 not http at all\r\n\r\n",), 0),
        ({408}, tuple(trickle(head(gate), 8)), SLOW_S / 5),
        ({408}, (head(gate, content_length=500), *trickle(good, 8)), SLOW_S / 5),
    ]
    return kinds


def test_two_hundred_hostile_requests_are_refused_in_bounded_time_and_memory(gateway: ServedGateway) -> None:
    kinds = hostile(gateway)
    honest: list[tuple[int, float]] = []
    over = threading.Event()

    def be_honest() -> None:
        while not over.is_set():
            begun = time.monotonic()
            status = asked(gateway, whole(gateway, text(event())))
            honest.append((status, time.monotonic() - begun))
            over.wait(0.02)

    caller = threading.Thread(target=be_honest)
    process = psutil.Process()
    before = process.memory_info().rss
    peak = before
    caller.start()
    begun = time.monotonic()
    try:
        with ThreadPoolExecutor(40) as pool:
            work = [
                (expected, pool.submit(asked, gateway, *pieces, pause_s=pause_s))
                for expected, pieces, pause_s in kinds
                for _ in range(10)
            ]
            assert len(work) == 200
            while not all(done.done() for _, done in work):
                peak = max(peak, process.memory_info().rss)
                over.wait(0.05)
        took_s = time.monotonic() - begun
    finally:
        over.set()
        caller.join()

    wrong = Counter(
        (tuple(expected), done.result()) for expected, done in work if done.result() not in expected
    )
    assert not wrong
    assert took_s < 60
    assert peak - before < 250 * MB, f"{(peak - before) / MB:.0f} MB"
    assert {status for status, _ in honest} == {202}
    assert max(seconds for _, seconds in honest) < 5


def test_more_connections_than_there_may_be_are_told_so(tmp_path: Path) -> None:
    with served(tmp_path, KeptMessages, GatewaySettings(connections=3)) as gate:
        held = [socket.create_connection((gate.host, gate.port), timeout=5) for _ in range(3)]
        try:
            assert asked(gate, whole(gate, text(event()))) == 503
        finally:
            for each in held:
                each.close()


def test_requests_one_after_the_other_on_a_connection_are_all_answered(gateway: ServedGateway) -> None:
    with socket.create_connection((gateway.host, gateway.port), timeout=5) as connection:
        connection.sendall(whole(gateway, text(event())) * 3 + whole(gateway, b"{", connection="close"))
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    assert (answer.count(b"HTTP/1.1 202"), answer.count(b"HTTP/1.1 400")) == (3, 1)


def test_what_is_under_way_is_finished_when_the_gateway_ends(tmp_path: Path) -> None:
    gate_opens: list[KeptMessages] = []

    def slow() -> KeptMessages:
        import asyncio

        producer = KeptMessages()
        producer.gate = asyncio.Event()
        gate_opens.append(producer)
        return producer

    with served(tmp_path, slow) as gate, ThreadPoolExecutor(1) as pool:
        pending = pool.submit(asked, gate, whole(gate, text(event())))
        producer = gate_opens[0]
        while not producer.waiting:
            time.sleep(0.01)
        gate.server.should_exit = True
        while not refuses(gate):
            time.sleep(0.01)
        producer.open()

        assert pending.result(10) == 202


def refuses(gate: ServedGateway) -> bool:
    try:
        socket.create_connection((gate.host, gate.port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_caller_that_sends_a_body_for_nothing_sees_why_and_not_a_reset(gateway: ServedGateway) -> None:
    body = text(event(attributes={"padding": "x" * MB}))
    refused = head(gateway, content_length=len(body), authorization="Bearer ask_nobody")
    with socket.create_connection((gateway.host, gateway.port), timeout=TIMEOUT_S) as connection:
        connection.sendall(refused + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65_536):  # a reset is an error here
            answer += more

    assert int(answer[9:12]) == 401
    assert b"unauthenticated" in answer

"""Large answers and large inserts pass through without being held: the process does not grow with them."""

from __future__ import annotations

import gzip
import http.client
import threading
from collections.abc import Iterator

import psutil
import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse
from tests.support.clickhouse_fronts import Asker, authorization, connected, start

_MB = 1 << 20
_ROWS = 1_000_000
# Half a gigabyte, to be told from what the engine itself takes for a query; that is less with small blocks.
_WIDE = f"SELECT number, randomPrintableASCII(490) AS text FROM numbers({_ROWS})"
_BLOCKS = {"max_block_size": 8_192}
# The engine gathers rows into blocks of a million or 256 MB, unless told otherwise.
_SMALL_BLOCKS = (
    "max_insert_block_size=10000&min_insert_block_size_rows=10000&min_insert_block_size_bytes=10000000"
)
_BOUND = 250 * _MB


class Peak(threading.Thread):
    """The highest resident memory of a process while the `with` block runs."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.before = self.highest = self._process.memory_info().rss

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.highest = max(self.highest, self._process.memory_info().rss)

    @property
    def grown(self) -> int:
        return self.highest - self.before

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    """A front of this file's own, warmed up, so that others' queries do not count."""
    with start(tmp_path_factory.mktemp("clickhouse")) as running:
        ask = Asker(running)
        ask("SELECT number, randomPrintableASCII(490) AS text FROM numbers(100000)")
        yield running


@pytest.mark.parametrize("format_name", ["Native", "JSONEachRow", "ArrowStream"])
def test_a_million_rows_leave_in_constant_memory(front: RunningClickHouse, format_name: str) -> None:
    connection = http.client.HTTPConnection(front.host, front.port, timeout=60)
    size = 0
    with Peak(front.pid) as peak:
        connection.request(
            "POST", "/?max_block_size=8192", f"{_WIDE} FORMAT {format_name}", authorization("default")
        )
        answer = connection.getresponse()
        while piece := answer.read(_MB):
            size += len(piece)
    connection.close()

    assert size > 300 * _MB
    assert peak.grown < _BOUND


def test_clickhouse_connect_streams_a_million_rows(front: RunningClickHouse) -> None:
    rows = 0
    with (
        connected(front) as client,
        Peak(front.pid) as peak,
        client.query_row_block_stream(_WIDE, settings=_BLOCKS) as blocks,
    ):
        for block in blocks:
            rows += len(block)

    assert rows == _ROWS
    assert peak.grown < _BOUND


def test_a_slow_reader_holds_the_engine_back(front: RunningClickHouse) -> None:
    connection = http.client.HTTPConnection(front.host, front.port, timeout=60)
    endless = "SELECT number, randomPrintableASCII(490) FROM system.numbers FORMAT RowBinary"
    with Peak(front.pid) as peak:
        connection.request("POST", "/?max_block_size=8192", endless, authorization("default"))
        answer = connection.getresponse()
        for _ in range(20):
            assert len(answer.read(_MB)) == _MB
            peak.join(0.05)
    connection.close()

    assert peak.grown < _BOUND


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_large_insert_enters_in_constant_memory(front: RunningClickHouse, coding: str) -> None:
    ask = Asker(front)
    ask("CREATE OR REPLACE TABLE void (id UInt64, text String) ENGINE = Null")
    line = b'%d,"' + b"x" * 1_000 + b'"\n'
    lines = b"".join(line % number for number in range(1_000))
    pieces = [gzip.compress(lines, 1) if coding == "gzip" else lines] * 400

    with Peak(front.pid) as peak:
        connection = http.client.HTTPConnection(front.host, front.port, timeout=60)
        headers = {**authorization("default"), "Content-Encoding": coding}
        url = f"/?{_SMALL_BLOCKS}&query=INSERT+INTO+void+FORMAT+CSV"
        connection.request("POST", url, iter(pieces), headers, encode_chunked=True)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()

    assert (answer.status, body) == (200, b"")
    assert '"written_rows":"400000"' in answer.headers["X-ClickHouse-Summary"]
    assert peak.grown < _BOUND

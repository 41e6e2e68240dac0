"""The process that owns a data path: its start, its end in every way, and what is left for the next one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from auditstream.core.errors import ConfigError, RetryableError
from auditstream.embedded.clickhouse_admission import AdmissionLimits
from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_lock import PathOwnedError
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from tests.support.clickhouse_fronts import TOKENS, Asker, connected, start
from tests.support.processes import wait_until

_DDL = (
    "CREATE TABLE IF NOT EXISTS numbers_kept (id UInt64) ENGINE = MergeTree ORDER BY id"
    " SETTINGS non_replicated_deduplication_window = 10000"
)
_ROWS = 1_000
_BOUND_S = 60
# A parent that starts a front, says its pid, and waits to be killed.
_PARENT = """
import sys, time
from pathlib import Path
from auditstream.embedded.clickhouse_process import start_clickhouse
running = start_clickhouse(Path(sys.argv[1]))
print(running.pid, running.port, flush=True)
time.sleep(600)
"""


def wait(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition that another process brings about."""
    wait_until(holds, within_s=_BOUND_S, what=what)


def is_alive(pid: int) -> bool:
    """Return whether a process that is no child of ours still exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def listens(port: int) -> bool:
    """Return whether somebody answers on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Writer(threading.Thread):
    """Inserts blocks one after the other under tokens until the store is gone."""

    def __init__(self, running: RunningClickHouse, first: int) -> None:
        super().__init__()
        self._running = running
        self._next = first
        self.acknowledged: list[int] = []
        self.unanswered: int | None = None

    def run(self) -> None:
        with connected(self._running, query_retries=0) as client:
            while True:
                block = self._next
                self._next += 1
                try:
                    insert(client, block)
                except (OperationalError, DatabaseError):
                    self.unanswered = block
                    return
                self.acknowledged.append(block)


def insert(client: object, block: int) -> None:
    """Insert one block of rows under its token."""
    rows = [[block * _ROWS + row] for row in range(_ROWS)]
    client.insert(  # type: ignore[attr-defined]
        "numbers_kept", rows, ["id"], settings={"insert_deduplication_token": f"block-{block}"}
    )


def test_a_killed_store_has_every_acknowledged_insert_once(tmp_path: Path) -> None:
    running = start(tmp_path)
    sent: set[int] = set()
    try:
        Asker(running)(_DDL)
        for life in range(4):
            writers = [Writer(running, 100_000 * life + 10_000 * lane) for lane in range(3)]
            for writer in writers:
                writer.start()
            wait(lambda: all(len(each.acknowledged) > 2 for each in writers), "all write")  # noqa: B023
            assert running.kill() == -signal.SIGKILL
            for writer in writers:
                writer.join(30)
            port = running.port
            running = start(tmp_path, port=port)
            with connected(running) as client:
                for writer in writers:
                    sent.update(writer.acknowledged)
                    if writer.unanswered is not None:
                        sent.add(writer.unanswered)
                        insert(client, writer.unanswered)
        counts = Asker(running)("SELECT count(), uniqExact(id), sum(id) FROM numbers_kept").text
        rows = len(sent) * _ROWS
        total = sum(sum(range(block * _ROWS, (block + 1) * _ROWS)) for block in sent)
        assert counts == f"{rows}\t{rows}\t{total}"
        assert running.stop() == 0
    finally:
        running.kill()


def test_a_second_owner_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        with pytest.raises(PathOwnedError, match=f"is owned by process {running.pid}$"):
            start(tmp_path)

        assert Asker(running)("SELECT 1").text == "1"


def test_it_stops_cleanly_and_starts_again(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        ask = Asker(running)
        ask("CREATE TABLE kept (id UInt64) ENGINE = MergeTree ORDER BY id")
        ask("INSERT INTO kept VALUES (7)")
        assert running.stop() == 0
        assert not running.is_running
        assert not listens(running.port)

    with start(tmp_path) as running:
        assert Asker(running)("SELECT id FROM kept").text == "7"


def test_stopping_waits_for_a_short_query(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        ask = Asker(running)
        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(ask("SELECT sleep(2), 'done'").text))
        thread.start()
        sql = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep%'"
        wait(lambda: ask(sql).text == "1", "the query runs")
        code = running.stop()
        thread.join()

    assert code == 0
    assert answers == ["0\tdone"]


def test_stopping_kills_an_endless_query(tmp_path: Path) -> None:
    endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 0"
    with start(tmp_path) as running:
        ask = Asker(running)
        errors: list[int] = []
        thread = threading.Thread(target=lambda: errors.append(ask(endless).error))
        thread.start()
        sql = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers%'"
        wait(lambda: ask(sql).text == "1", "the query runs")
        code = running.stop()
        thread.join()

    assert code == 0
    assert errors == [394]


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid, port = map(int, parent.stdout.readline().split())
    assert listens(port)
    parent.kill()
    parent.communicate()

    wait(lambda: not is_alive(pid), "the front has ended")
    assert not listens(port)
    with start(tmp_path) as running:
        assert Asker(running)("SELECT 1").text == "1"


def test_secrets_are_in_neither_arguments_nor_environment(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        seen = b"".join(Path(f"/proc/{running.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        seen += b"".join(path.read_bytes() for path in files)

    assert not any(token.encode() in seen for token in TOKENS.values())


def test_the_log_names_queries_and_not_their_text(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        Asker(running)("SELECT 'a secret prompt' + nonsense", query_id="q-1")
    lines = (tmp_path / "clickhouse.log").read_text().splitlines()

    assert [json.loads(line)["query_id"] for line in lines if "query_failed" in line] == ["q-1"]
    assert "secret prompt" not in "".join(lines)


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot listen on"):
            start(tmp_path, port=taken.getsockname()[1])


def test_a_front_without_an_owner_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has to be an owner"):
        start_clickhouse(tmp_path, credentials=[Credential("a", "b", "reader")])


def test_a_damaged_path_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "status").mkdir()  # where chDB wants a file

    with pytest.raises(ConfigError, match="chDB cannot open"):
        start(tmp_path)


def test_a_start_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="did not answer"):
        start_clickhouse(tmp_path, timeout_s=0.001)


def test_by_default_there_is_one_owner_with_a_secret_of_his_own(tmp_path: Path) -> None:
    with start_clickhouse(tmp_path, databases=["audit", "other"]) as running:
        assert running.user == "default"
        assert len(running.password) >= 32
        headers = {"X-ClickHouse-User": running.user, "X-ClickHouse-Key": running.password}
        answer = Asker(running)("SELECT currentDatabase()", headers=headers)

    assert answer.text == "audit"


def test_queries_beyond_the_limit_wait_and_then_are_refused(tmp_path: Path) -> None:
    limits = AdmissionLimits(running=1, waiting=1, wait_s=0.5)
    with start_clickhouse(tmp_path, admission=limits) as running:
        headers = {"X-ClickHouse-User": running.user, "X-ClickHouse-Key": running.password}
        ask = Asker(running)
        thread = threading.Thread(target=ask, args=("SELECT sleep(3)",), kwargs={"headers": headers})
        thread.start()
        wait(lambda: ask("SELECT 1", headers=headers).error == 202, "a query is refused")
        answer = ask("SELECT 1", headers=headers)
        thread.join()

        assert (answer.status, answer.error) == (503, 202)
        assert ask("SELECT 1", headers=headers).text == "1"


def test_a_client_that_sends_nothing_more_is_left(tmp_path: Path) -> None:
    with start_clickhouse(tmp_path, patience_s=0.5) as running:
        headers = {"X-ClickHouse-User": running.user, "X-ClickHouse-Key": running.password}
        ask = Asker(running)
        ask("CREATE TABLE kept (id UInt64) ENGINE = MergeTree ORDER BY id", headers=headers)
        connection = http.client.HTTPConnection(running.host, running.port, timeout=_BOUND_S)
        connection.putrequest("POST", "/?query=INSERT+INTO+kept+FORMAT+CSV")
        for name, value in {**headers, "Content-Length": "1000"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"1\n2\n")
        answer = connection.getresponse()
        connection.close()

        assert answer.headers["X-ClickHouse-Exception-Code"] == "209"
        assert ask("SELECT count() FROM kept", headers=headers).text == "0"


def test_a_client_that_takes_nothing_more_is_left(tmp_path: Path) -> None:
    with start_clickhouse(tmp_path, patience_s=0.5) as running:
        headers = {"X-ClickHouse-User": running.user, "X-ClickHouse-Key": running.password}
        ask = Asker(running)
        connection = http.client.HTTPConnection(running.host, running.port, timeout=_BOUND_S)
        connection.request("POST", "/?query_id=stuck", "SELECT * FROM system.numbers", headers)
        answer = connection.getresponse()
        sql = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'stuck'"
        wait(lambda: ask(sql, headers=headers).text == "0", "the query has ended")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        connection.close()

"""What any HTTP client finds: routes, headers, statuses, codings, sessions, limits."""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
import socket
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from clickhouse_connect.driver.httpclient import HttpClient

from auditstream.embedded.clickhouse_process import RunningClickHouse
from tests.support.clickhouse_fronts import TOKENS, Answer, Asker, authorization
from tests.support.parts import skip_part
from tests.support.processes import wait_until

MakeTable = Callable[[str], str]
_BOUND_S = 20
_ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 0"


def is_running(ask: Asker, query_id: str) -> bool:
    """Return whether the engine is at work on a query."""
    sql = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = {id:String}"
    return ask(sql, param_id=query_id).text == "1"


def wait_for_start(ask: Asker, query_id: str) -> None:
    """Wait until the engine is at work on a query."""
    wait_until(lambda: is_running(ask, query_id), within_s=_BOUND_S, what=f"{query_id} runs")


def wait_for_end(ask: Asker, query_id: str) -> None:
    """Wait until the engine is no longer at work on a query."""
    wait_until(lambda: not is_running(ask, query_id), within_s=_BOUND_S, what=f"{query_id} has ended")


@contextmanager
def running(ask: Asker, sql: str, **parameters: object) -> Iterator[None]:
    """Run a statement on a thread; yield when the engine is at work on it, leave when it has ended."""
    given = {"query_id": "at-work", **parameters}
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(ask, sql, **given)
        wait_for_start(ask, str(given["query_id"]))
        yield
        assert work.result().status == 200


def test_ping_needs_no_credentials(clickhouse: RunningClickHouse) -> None:
    connection = http.client.HTTPConnection(clickhouse.host, clickhouse.port, timeout=10)
    answers = []
    for path in ("/ping", "/"):
        connection.request("GET", path)
        answers.append(connection.getresponse().read())
    connection.close()

    assert answers == [b"Ok.\n", b"Ok.\n"]


def test_an_answer_has_the_headers_of_clickhouse(ask: Asker) -> None:
    answer = ask("SELECT number FROM numbers(3)", query_id="mine", default_format="JSONEachRow")

    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Timezone"] == ask("SELECT timezone()").text
    assert answer.headers["X-ClickHouse-Server-Display-Name"] == socket.gethostname()
    summary = json.loads(answer.headers["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"], summary["written_rows"]) == ("3", "3", "0")
    assert answer.text == '{"number":0}\n{"number":1}\n{"number":2}'


@pytest.mark.parametrize(
    ("sql", "parameters", "headers", "expected"),
    [
        ("SELECT 1, 2", {}, {}, "1\t2"),
        ("SELECT 1, 2 FORMAT CSV", {"default_format": "TSV"}, {}, "1,2"),
        ("SELECT 1, 2", {"default_format": "CSV"}, {}, "1,2"),
        ("SELECT 1, 2", {}, {"X-ClickHouse-Format": "CSV"}, "1,2"),
        ("SELECT 1, 2 -- FORMAT JSON", {}, {}, "1\t2"),
        ("SELECT 1, 2 FORMAT CSV; -- the end", {}, {}, "1,2"),
        ("SELECT 1, 2 SETTINGS max_threads = 1", {}, {}, "1\t2"),
        ("SELECT 1, 2 FORMAT CSV SETTINGS max_threads = 1", {}, {}, "1,2"),
        ("SELECT 'x' AS format FORMAT CSV", {}, {}, '"x"'),
    ],
)
def test_the_format_is_the_statements_or_the_default(
    ask: Asker, sql: str, parameters: Mapping[str, str], headers: Mapping[str, str], expected: str
) -> None:
    answer = ask(sql, headers={**authorization("default"), **headers}, **parameters)

    assert answer.text == expected


@pytest.mark.parametrize("query_id", ["", "with blank", "with\nbreak", "ü", "x" * 257])
def test_a_query_id_that_fits_into_no_header_is_replaced(ask: Asker, query_id: str) -> None:
    answer = ask("SELECT 1", query_id=query_id)

    assert answer.text == "1"
    assert len(answer.headers["X-ClickHouse-Query-Id"]) == 36


@pytest.mark.parametrize("user", ["default", "analyst"])
def test_bytes_that_are_no_text_are_bytes_in_a_statement(ask: Asker, user: str) -> None:
    assert ask(b"SELECT hex('\xff\xfe')", user=user).text == "FFFE"


def test_bytes_that_are_no_text_are_refused_in_parameters(ask: Asker) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT {x:String}\r\n'
        b'--x\r\nContent-Disposition: form-data; name="param_x"\r\n\r\n\xff\r\n--x--\r\n'
    )
    headers = {**authorization("default"), "Content-Type": "multipart/form-data; boundary=x"}

    assert ask(form, headers=headers).error == 36
    assert ask(form[:20], headers=headers).error == 36
    assert ask("SELECT {x:String}", param_x=b"\xff").error == 36


def test_query_and_body_are_joined(ask: Asker) -> None:
    assert ask("+ 1", query="SELECT 1").text == "2"
    assert ask("", query="SELECT 1 -- a comment ends with the parameter").text == "1"


def test_the_database_is_a_parameter_or_a_header(ask: Asker) -> None:
    given = {**authorization("default"), "X-ClickHouse-Database": "system"}

    assert ask("SELECT currentDatabase()").text == "default"
    assert ask("SELECT currentDatabase()", database="system").text == "system"
    assert ask("SELECT currentDatabase()", headers=given).text == "system"
    assert ask("SELECT 1", database="no`such").error == 81


def test_settings_cannot_break_out_of_their_statement(ask: Asker, make_table: MakeTable) -> None:
    table = make_table("id UInt64")
    hostile = f"x', max_threads = 1; DROP TABLE {table}; -- \\"

    assert ask("SELECT getSetting('log_comment')", log_comment=hostile, query_id="q").status == 200
    assert ask("SELECT 1", **{f"a = 1; DROP TABLE {table} --": "1"}).error == 115
    assert ask("SELECT 1", database=f"default`; DROP TABLE {table} --").error == 81
    assert ask("SELECT 1", default_format=f"CSV; DROP TABLE {table}").error == 36
    assert ask(f"EXISTS TABLE {table}").text == "1"


def test_a_clients_log_comment_follows_the_query_id(ask: Asker) -> None:
    answer = ask("SELECT getSetting('log_comment')", query_id="q", log_comment="it's \\ mine")

    assert answer.text == "q it\\'s \\\\ mine"


@pytest.mark.parametrize(
    ("sql", "status", "number"),
    [
        ("SELEC 1", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT 1 +", 400, 62),
        ("SELECT FROM WHERE FORMAT CSV", 400, 62),
        ("", 400, 62),
        ("SELECT 'unclosed", 400, 62),
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT nonsense()", 404, 46),
        ("SELECT toDate('x')", 400, 38),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT sleep(2) SETTINGS max_execution_time = 0.1", 408, 159),
        ("SELECT 1 INTO OUTFILE '/nowhere/x'", 500, 358),
        ("INSERT INTO t FROM INFILE '/etc/hostname' FORMAT CSV", 404, 78),
        ("INSERT INTO t FORMAT CSV;", 400, 62),
        ("INSERT INTO t SELECT x FROM input('x UInt8') FORMAT CSV\n1", 501, 48),
        ("DROP TABLE nowhere", 404, 60),
    ],
)
def test_errors_have_status_number_and_text(ask: Asker, sql: str, status: int, number: int) -> None:
    answer = ask(sql)

    assert (answer.status, answer.error) == (status, number)
    assert answer.text.startswith(f"Code: {number}. DB::Exception: ")
    assert "/dev/fd" not in answer.text


def test_an_error_that_quotes_binary_rows_is_readable(ask: Asker, make_table: MakeTable) -> None:
    table = make_table("id UInt64, text String")

    answer = ask(b"INSERT INTO %b FORMAT CSV\n\xe8\xff\xfe\n" % table.encode())

    assert answer.error == 27
    assert "\\xe8" in answer.text
    assert "/dev/fd" not in answer.text


def test_a_get_only_reads(ask: Asker, make_table: MakeTable) -> None:
    table = make_table("id UInt64")

    assert ask(method="GET", query=f"SELECT count() FROM {table}").text == "0"
    assert ask(method="GET", query=f"INSERT INTO {table} VALUES (1)").error == 164
    assert ask(method="GET", query=f"DROP TABLE {table}").error == 164
    assert ask(method="HEAD", query=f"DROP TABLE {table}").error == 164


@pytest.mark.parametrize(
    "compress",
    [
        pytest.param(("gzip", gzip.compress), id="gzip"),
        pytest.param(
            ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])), id="two members"
        ),
        pytest.param(("deflate", zlib.compress), id="deflate"),
        pytest.param(("lz4", lz4.frame.compress), id="lz4"),
        pytest.param(("zstd", zstd.compress), id="zstd"),
        pytest.param(("identity", bytes), id="identity"),
    ],
)
def test_a_compressed_body_is_a_body(
    ask: Asker, make_table: MakeTable, compress: tuple[str, Callable[[bytes], bytes]]
) -> None:
    table = make_table("id UInt64")
    coding, code = compress
    body = code(f"INSERT INTO {table} FORMAT CSV\n".encode() + b"".join(b"%d\n" % n for n in range(1_000)))

    answer = ask(body, headers={**authorization("default"), "Content-Encoding": coding})

    assert answer.status == 200
    assert ask(f"SELECT count(), sum(id) FROM {table}").text == "1000\t499500"


@pytest.mark.parametrize(
    ("coding", "body", "number"),
    [("gzip", b"not gzip", 271), ("gzip", gzip.compress(b"1\n2\n", mtime=0)[:-4], 271), ("snappy", b"", 89)],
)
def test_a_body_that_cannot_be_decoded_stores_nothing(
    ask: Asker, make_table: MakeTable, coding: str, body: bytes, number: int
) -> None:
    table = make_table("id UInt64")
    headers = {**authorization("default"), "Content-Encoding": coding}

    answer = ask(body, headers=headers, query=f"INSERT INTO {table} FORMAT CSV")

    assert answer.error == number
    assert ask(f"SELECT count() FROM {table}").text == "0"


@pytest.mark.parametrize(
    ("offered", "coding", "decode"),
    [
        ("gzip", "gzip", gzip.decompress),
        ("deflate", "deflate", zlib.decompress),
        ("zstd, gzip", "zstd", zstd.decompress),
        ("gzip, lz4, zstd", "lz4", lz4.frame.decompress),
        ("lz4;q=0, gzip;q=0.5", "gzip", gzip.decompress),
        ("br", None, bytes),
    ],
)
def test_an_answer_is_compressed_as_the_client_offers(
    ask: Asker, offered: str, coding: str | None, decode: Callable[[bytes], bytes]
) -> None:
    headers = {**authorization("default"), "Accept-Encoding": offered}
    sql = "SELECT number FROM numbers(300000)"

    small = ask("SELECT 1", headers=headers, enable_http_compression=1)
    large = ask(sql, headers=headers, enable_http_compression=1)
    unasked = ask(sql, headers=headers)

    assert small.headers.get("Content-Encoding") == large.headers.get("Content-Encoding") == coding
    assert decode(small.body) == b"1\n"
    assert decode(large.body) == unasked.body
    assert "Content-Encoding" not in unasked.headers


@pytest.mark.parametrize("format_name", ["Parquet", "Arrow", "ArrowStream", "JSON", "CSVWithNames"])
def test_formats_with_headers_and_footers_stream_whole(ask: Asker, format_name: str) -> None:
    body = ask(f"SELECT number AS n FROM numbers(400000) FORMAT {format_name}").body
    readers: dict[str, Callable[[], int]] = {
        "Parquet": lambda: pq.read_table(pa.BufferReader(body)).num_rows,
        "Arrow": lambda: pa.ipc.open_file(body).read_all().num_rows,
        "ArrowStream": lambda: pa.ipc.open_stream(body).read_all().num_rows,
        "JSON": lambda: len(json.loads(body)["data"]),
        "CSVWithNames": lambda: body.count(b"\n") - 1,
    }

    assert readers[format_name]() == 400_000


def test_a_parquet_body_is_inserted(ask: Asker, make_table: MakeTable) -> None:
    table = make_table("id UInt64")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": pa.array(range(1_000), pa.uint64())}), sink)

    answer = ask(sink.getvalue().to_pybytes(), query=f"INSERT INTO {table} FORMAT Parquet")

    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "1000"
    assert ask(f"SELECT sum(id) FROM {table}").text == "499500"


def test_a_late_error_is_marked_and_the_body_cut(clickhouse: RunningClickHouse) -> None:
    connection = http.client.HTTPConnection(clickhouse.host, clickhouse.port, timeout=30)
    sql = "SELECT number, throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 1000"
    connection.request("POST", "/", sql, authorization("default"))
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    connection.close()
    tag = answer.headers["X-ClickHouse-Exception-Tag"].encode()
    start, _, rest = caught.value.partial.rpartition(b"\r\n__exception__\r\n" + tag + b"\r\n")
    text, _, end = rest.partition(b"\n")

    assert answer.status == 200
    assert start.startswith(b"0\t0\n")
    assert text.startswith(b"Code: 395. DB::Exception: ")
    assert end == b"%d %b\r\n__exception__\r\n" % (len(text) + 1, tag)


def test_a_client_that_waits_gets_the_error_as_status(ask: Asker) -> None:
    sql = "SELECT number, throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 1000"

    answer = ask(sql, wait_end_of_query=1)

    assert (answer.status, answer.error) == (500, 395)


def test_a_statement_that_is_too_long_is_refused(ask: Asker) -> None:
    answer = ask("SELECT '" + "x" * 300_000 + "'")

    assert answer.error == 62
    assert "Max query size exceeded" in answer.text


def test_a_long_list_of_columns_fits_into_the_url(ask: Asker, make_table: MakeTable) -> None:
    names = [f"a_long_name_of_a_column_{number}" for number in range(400)]
    table = make_table(", ".join(f"{name} UInt8" for name in names))

    answer = ask("1," * 399 + "1\n", query=f"INSERT INTO {table} ({', '.join(names)}) FORMAT CSV")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "parameters", "status", "number"),
    [
        ({}, {}, 401, 194),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"}, {}, 403, 516),
        ({"X-ClickHouse-User": "nobody", "X-ClickHouse-Key": TOKENS["default"]}, {}, 403, 516),
        ({"Authorization": "Bearer wrong"}, {}, 403, 516),
        ({"Authorization": "Basic ***"}, {}, 403, 516),
        ({}, {"user": "default", "password": "wrong"}, 403, 516),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": TOKENS["default"]}, {}, 200, 0),
        ({"Authorization": f"Bearer {TOKENS['default']}"}, {}, 200, 0),
        ({}, {"user": "default", "password": TOKENS["default"]}, 200, 0),
        ({}, {"password": TOKENS["default"]}, 200, 0),
    ],
)
def test_credentials_are_taken_in_every_form_and_only_right_ones(
    ask: Asker, headers: Mapping[str, str], parameters: Mapping[str, str], status: int, number: int
) -> None:
    answer = ask("SELECT 1", headers=headers, **parameters)

    assert (answer.status, answer.error) == (status, number)
    assert TOKENS["default"] not in answer.text


@pytest.mark.parametrize(
    ("parameters", "number"),
    [
        ({"session_id": "never made", "session_check": 1}, 372),
        ({"session_id": "x", "session_timeout": "4000"}, 374),
        ({"session_id": "x", "session_timeout": "-1"}, 374),
        ({"role": "admin"}, 48),
        ({"compress": 1}, 48),
    ],
)
def test_what_cannot_be_had_is_refused(ask: Asker, parameters: Mapping[str, object], number: int) -> None:
    assert ask("SELECT 1", **parameters).error == number


def test_a_session_is_used_by_one_request_at_a_time(ask: Asker) -> None:
    with running(ask, "SELECT sleep(2)", session_id="one"):
        assert ask("SELECT 1", session_id="one").error == 373
        assert ask("SELECT 1", session_id="two").text == "1"

    assert ask("SELECT 1", session_id="one").text == "1"


def test_a_session_ends_when_it_is_closed(ask: Asker) -> None:
    ask("CREATE TEMPORARY TABLE scratch (id UInt8)", session_id="brief")
    assert ask("SELECT count() FROM scratch", session_id="brief", close_session=1).text == "0"

    assert ask("SELECT count() FROM scratch", session_id="brief").error == 60


def test_a_query_id_is_used_once_at_a_time(ask: Asker) -> None:
    with running(ask, "SELECT sleep(2)", query_id="same"):
        assert ask("SELECT 1", query_id="same").error == 216

    assert ask("SELECT 1", query_id="same").text == "1"


def test_a_reader_that_leaves_stops_its_query(clickhouse: RunningClickHouse, ask: Asker) -> None:
    connection = http.client.HTTPConnection(clickhouse.host, clickhouse.port)
    connection.request("POST", "/?query_id=left", _ENDLESS, authorization("default"))
    wait_for_start(ask, "left")
    connection.close()

    wait_for_end(ask, "left")


def test_an_insert_whose_client_leaves_in_the_middle_stores_nothing(
    clickhouse: RunningClickHouse, ask: Asker, make_table: MakeTable
) -> None:
    table = make_table("id UInt64")
    connection = http.client.HTTPConnection(clickhouse.host, clickhouse.port)
    connection.putrequest("POST", f"/?query_id=cut&query=INSERT+INTO+{table}+FORMAT+CSV")
    for name, value in {**authorization("default"), "Content-Length": "1000000"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"1\n2\n3\n")
    wait_for_start(ask, "cut")
    connection.close()

    wait_for_end(ask, "cut")
    assert ask(f"SELECT count() FROM {table}").text == "0"


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ("Content-Length: 100", b"1\n2\n"),
        ("Transfer-Encoding: chunked", b"4\r\n1\n2\n\r\n"),
        ("Transfer-Encoding: chunked", b"4\r\n1\n2\n\r\nzz\r\n"),
    ],
)
def test_a_body_without_its_proper_end_stores_nothing(
    clickhouse: RunningClickHouse, ask: Asker, make_table: MakeTable, framing: str, body: bytes
) -> None:
    table = make_table("id UInt64")
    head = f"POST /?query=INSERT+INTO+{table}+FORMAT+CSV&query_id=ends HTTP/1.1\r\nHost: x\r\n{framing}\r\n"
    head += f"Authorization: {authorization('default')['Authorization']}\r\n\r\n"
    with socket.create_connection((clickhouse.host, clickhouse.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1_000)
    wait_for_end(ask, "ends")

    assert b" 200 OK" not in answer
    assert ask(f"SELECT count() FROM {table}").text == "0"


def test_an_insert_that_fails_early_answers_though_its_body_goes_on(ask: Asker) -> None:
    answer = ask(b"1,2\n" * 2_000_000, query="INSERT INTO nowhere FORMAT CSV")

    assert (answer.status, answer.error) == (404, 60)


def test_connections_are_kept_between_requests(clickhouse: RunningClickHouse) -> None:
    connection = http.client.HTTPConnection(clickhouse.host, clickhouse.port, timeout=10)
    connection.connect()
    first = connection.sock
    for number in range(3):
        connection.request("POST", "/", f"SELECT {number}", authorization("default"))
        assert connection.getresponse().read() == b"%d\n" % number
    kept = connection.sock
    connection.close()

    assert kept is first


def test_an_answer_without_rows_still_has_its_format(ask: Asker) -> None:
    assert ask("SELECT 1 WHERE 0").headers["X-ClickHouse-Format"] == "TabSeparated"
    assert "X-ClickHouse-Format" not in ask("SYSTEM FLUSH LOGS").headers


def curl(clickhouse: RunningClickHouse, *arguments: str, data: bytes = b"") -> Answer:
    """Run curl; status and body of what it got."""
    program = shutil.which("curl")
    if program is None:
        skip_part("curl", "it is not on PATH", can_be_installed=True)
    url = f"http://{clickhouse.host}:{clickhouse.port}/"
    command = [program, "-sS", "--max-time", "30", "-w", "%{stderr}%{http_code}", *arguments]
    command = [each.replace("URL", url) for each in command]
    done = subprocess.run(command, input=data, capture_output=True, timeout=40, check=False)
    return Answer(int(done.stderr[-3:]), {}, done.stdout)


def test_curl_sends_parameters_as_a_form(clickhouse: RunningClickHouse) -> None:
    user = f"default:{TOKENS['default']}"

    answer = curl(clickhouse, "URL", "-u", user, "-F", "query=SELECT {x:UInt8} + 1", "-F", "param_x=3")
    file = curl(clickhouse, "URL", "-u", user, "-F", "query=SELECT 1", "-F", "t=@-", data=b"1")

    assert answer.body == b"4\n"
    assert file.status == 501


def test_curl_asks(clickhouse: RunningClickHouse) -> None:
    user = f"default:{TOKENS['default']}"

    assert curl(clickhouse, "URL", "-u", user, "--data-binary", "SELECT 1").body == b"1\n"
    assert curl(clickhouse, "URL?query=SELECT%202", "-u", user).body == b"2\n"
    assert curl(clickhouse, "URL", "--data-binary", "SELECT 1").status == 401
    assert curl(clickhouse, "URLping").body == b"Ok.\n"


def test_curl_inserts_what_it_reads_from_standard_input(
    clickhouse: RunningClickHouse, client: HttpClient, make_table: MakeTable
) -> None:
    table = make_table("id UInt64")
    rows = b"".join(b"%d\n" % number for number in range(500_000))
    url = f"URL?deduplicate_insert=disable&query=INSERT%20INTO%20{table}%20FORMAT%20CSV"
    user = f"default:{TOKENS['default']}"

    by_size = curl(clickhouse, url, "-u", user, "--data-binary", "@-", data=rows)
    by_chunk = curl(clickhouse, url, "-u", user, "-X", "POST", "-T", "-", data=rows)

    assert (by_size.status, by_chunk.status) == (200, 200)
    assert client.command(f"SELECT count() FROM {table}") == 1_000_000


def test_curl_uncompresses_an_answer(clickhouse: RunningClickHouse) -> None:
    user = f"default:{TOKENS['default']}"
    sql = "SELECT count() FROM numbers(10)"

    answer = curl(
        clickhouse, "URL?enable_http_compression=1", "-u", user, "--compressed", "--data-binary", sql
    )

    assert answer.body == b"10\n"

"""The engine's own second look at statements, which no request reaches while the first one works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: chDB holds one data path a process, and other tests hold another.
_SCRIPT = """
import os, sys
from pathlib import Path
from auditstream.embedded.clickhouse_connections import Query
from auditstream.embedded.clickhouse_engine import Engine
from auditstream.embedded.clickhouse_errors import QueryError
from auditstream.embedded.clickhouse_grants import write_config
from auditstream.embedded.clickhouse_lexer import tokens
from auditstream.embedded.clickhouse_statements import Statement

folder = Path(sys.argv[1])
engine = Engine(folder / "data", write_config(folder, ["default"]))
for sql in sys.argv[2:]:
    text = sql.encode()
    statement = Statement(text, tuple(tokens(text)))
    read_fd, write_fd = os.pipe()
    try:
        engine.answer_into(Query(id="x", statement=statement, statements="reader", readonly=1), write_fd)
        print(os.read(read_fd, 1_000).decode().strip())
    except QueryError as error:
        print(error.number)
    os.close(read_fd)
engine.close()
"""


@pytest.fixture
def outfile(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_only_one_statement_that_reads_is_run_for_a_reader(tmp_path: Path, outfile: Path) -> None:
    statements = [
        "SELECT 42",
        f"SELECT 1 INTO OUTFILE '{outfile}'",
        "SELECT 1; SELECT 2",
        "KILL QUERY WHERE 1",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
        "USE system",
    ]

    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path), *statements],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.split() == ["42", "497", "497", "497", "497", "497"], done.stderr
    assert not outfile.exists()

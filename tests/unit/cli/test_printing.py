"""The four forms of rows and documents."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from auditstream.cli.context import Context, Output
from auditstream.cli.printing import FORMS, print_document, print_rows
from auditstream.core.errors import RequestError

COLUMNS = ("name", "cost", "at", "tags", "rate")
ROWS = [
    ("a", Decimal("0.100"), datetime(2026, 3, 1, 12, tzinfo=UTC), ["x", "y"], 0.5),
    ("wörld,\n\x1b[31m", None, None, [], float("nan")),
]


@pytest.mark.parametrize("form", [Output.JSON, Output.JSONL])
def test_json_keeps_digits_and_has_no_nan(form: Output, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(Context(output=form), COLUMNS, ROWS)
    out = capsys.readouterr().out

    rows = json.loads(out) if form is Output.JSON else [json.loads(line) for line in out.splitlines()]
    assert rows == [
        {"name": "a", "cost": "0.100", "at": "2026-03-01T12:00:00Z", "tags": ["x", "y"], "rate": 0.5},
        {"name": "wörld,\n\x1b[31m", "cost": None, "at": None, "tags": [], "rate": None},
    ]


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(Context(output=Output.CSV), COLUMNS, ROWS)

    read = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert read == [
        list(COLUMNS),
        ["a", "0.100", "2026-03-01T12:00:00Z", '["x", "y"]', "0.5"],
        ["wörld,\n\x1b[31m", "", "", "[]", ""],
    ]


def test_a_table_lines_up_and_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(Context(output=Output.TABLE), ("name", "n\x1b"), [("日本", 1), ("a\x1b[31m\n", 2)])

    assert capsys.readouterr().out == "name         n\\x1b\n日本         1\na\\x1b[31m\\n  2\n"


@pytest.mark.parametrize("form", FORMS)
def test_no_rows_is_an_answer_too(form: Output, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(Context(output=form), ("a", "b"), [])

    assert capsys.readouterr().out == {"json": "[]\n", "jsonl": "", "csv": "a,b\n", "table": "a  b\n"}[form]


@pytest.mark.parametrize("form", [Output.HTML, Output.MARKDOWN])
def test_a_command_without_pages_says_which_forms_it_has(form: Output) -> None:
    with pytest.raises(RequestError, match=f"--output {form}: this command has no such form") as refused:
        print_rows(Context(output=form), COLUMNS, ROWS)
    assert refused.value.hint == "It has table, json, jsonl, csv."


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_printed_before_the_last_is_known(form: Output, capsys: pytest.CaptureFixture[str]) -> None:
    class EndOfPatienceError(Exception):
        pass

    def rows() -> Iterator[tuple[int]]:
        yield from zip(range(1000))
        raise EndOfPatienceError

    with pytest.raises(EndOfPatienceError):
        print_rows(Context(output=form), ("n",), itertools.chain(rows()))

    assert "999" in capsys.readouterr().out


def test_a_document_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"cost": Decimal("1.10"), "logs": [{"n": 1}], "rate": float("nan"), "raw": b"\x01"}
    plain = {"cost": "1.10", "logs": [{"n": 1}], "rate": None, "raw": "01"}

    print_document(Context(output=Output.JSONL), document)
    line = capsys.readouterr().out
    print_document(Context(output=Output.JSON), document)

    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(capsys.readouterr().out) == plain

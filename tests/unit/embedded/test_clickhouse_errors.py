"""Errors keep ClickHouse's number and text, and get the HTTP status that goes with them."""

from __future__ import annotations

import pytest

from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError, from_engine, refusal


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (62, 400),
        (36, 400),
        (194, 401),
        (497, 403),
        (516, 403),
        (60, 404),
        (115, 404),
        (159, 408),
        (48, 501),
        (202, 503),
        (209, 503),
        (241, 500),
        (252, 500),
        (469, 500),
    ],
)
def test_the_status_goes_with_the_number(number: int, status: int) -> None:
    assert QueryError(number, "").status == status


def test_a_refusal_is_worded_like_the_engines_errors() -> None:
    error = refusal(ErrorNumber.READONLY, "Cannot do this.")

    assert error.text == "Code: 164. DB::Exception: Cannot do this. (READONLY)"


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        (
            "Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)",
            60,
            "Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)",
        ),
        (
            "Failed: Code: 73. DB::Exception: Code: 73. DB::Exception: Code: 73. DB::Exception: x. (Y)\n",
            73,
            "Code: 73. DB::Exception: x. (Y)",
        ),
        (
            "Code: 27. DB::Exception: Bad: (in file/uri /dev/fd/17): (at row 1)\n"
            ": While executing CSV: data for INSERT was parsed from file. (Z)",
            27,
            "Code: 27. DB::Exception: Bad: (at row 1)\n"
            ": While executing CSV: data for INSERT was parsed from query. (Z)",
        ),
        ("out of words", 1002, "Code: 1002. DB::Exception: out of words (UNKNOWN_EXCEPTION)"),
    ],
)
def test_the_engines_text_is_kept_without_traces_of_the_pipe(text: str, number: int, expected: str) -> None:
    error = from_engine(RuntimeError(text))

    assert (error.number, error.text) == (number, expected)


def test_a_message_that_is_no_text_is_still_read() -> None:
    message = b"Code: 27. DB::Exception: Cannot parse input: '\xe8\xff'. (CANNOT_PARSE_INPUT)"
    with pytest.raises(UnicodeDecodeError) as caught:
        message.decode()

    error = from_engine(caught.value)

    assert error.number == 27
    assert "'\\xe8\\xff'" in error.text

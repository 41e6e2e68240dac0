"""Errors in ClickHouse's own words: number, name and text, and the HTTP status that goes with the number."""

from __future__ import annotations

import re
from enum import IntEnum

from auditstream.core.errors import RequestError


class ErrorNumber(IntEnum):
    """The numbers that the front itself answers with, by ClickHouse's names (`system.errors`)."""

    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    UNKNOWN_TYPE_OF_QUERY = 78
    UNKNOWN_COMPRESSION_METHOD = 89
    UNKNOWN_SETTING = 115
    READONLY = 164
    REQUIRED_PASSWORD = 194
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    SOCKET_TIMEOUT = 209
    NETWORK_ERROR = 210
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216
    CANNOT_DECOMPRESS = 271
    INTO_OUTFILE_NOT_ALLOWED = 358
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    INVALID_SESSION_TIMEOUT = 374
    QUERY_WAS_CANCELLED = 394
    ACCESS_DENIED = 497
    AUTHENTICATION_FAILED = 516
    UNKNOWN_EXCEPTION = 1002


# ClickHouse's own table (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp), where every number that is not
# listed is 500; with one difference: 202 is 503, because nothing was run and clients retry 503.
_BAD_REQUEST = frozenset(
    {
        6,
        8,
        15,
        25,
        26,
        27,
        36,
        37,
        38,
        41,
        44,
        53,
        62,
        72,
        117,
        123,
        167,
        168,
        223,
        321,
        376,
        427,
        441,
        675,
        676,
    }
)
_FORBIDDEN = frozenset({192, 193, 497, 512, 516})
_NOT_FOUND = frozenset({46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511})
_UNAVAILABLE = frozenset({76, 202, 209, 439})
_STATUS = {
    **dict.fromkeys(_BAD_REQUEST, 400),
    194: 401,
    **dict.fromkeys(_FORBIDDEN, 403),
    **dict.fromkeys(_NOT_FOUND, 404),
    159: 408,
    381: 411,
    229: 413,
    779: 415,
    48: 501,
    **dict.fromkeys(_UNAVAILABLE, 503),
}
_NUMBER_IN_TEXT = re.compile(r"Code: (\d+)\. DB::")
# How the engine names the pipe that rows reach it through; a server says that they came with the query.
_PIPE_IN_TEXT = re.compile(r"(?:: )?\(in file/uri /dev/fd/\d+\)")
_FROM_FILE = ("data for INSERT was parsed from file", "data for INSERT was parsed from query")
# An error that passed through several parts repeats its number: "Code: 73. DB::Exception: Code: 73. ...".
_WRAPPED = re.compile(r"(Code: \d+\. DB::Exception: )\1+")


class QueryError(RequestError):
    """A statement that the store refused or failed at.

    Attributes:
        number: ClickHouse's error number.
        text: The answer's body: `Code: N. DB::Exception: ... (NAME)`.
    """

    code = "query"

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status that goes with the number."""
        return _STATUS.get(self.number, 500)


def refusal(number: ErrorNumber, message: str) -> QueryError:
    """Return an error of the front itself, worded like the engine's."""
    return QueryError(number, f"Code: {number.value}. DB::Exception: {message} ({number.name})")


def from_engine(error: Exception) -> QueryError:
    """Return the engine's error without traces of how the statement was carried to it.

    The binding decodes messages as UTF-8 and fails at those that quote binary rows; the message is then in
    the UnicodeDecodeError.
    """
    if isinstance(error, UnicodeDecodeError):
        text = bytes(error.object).decode("utf-8", "backslashreplace")
    else:
        text = str(error)
    text = _WRAPPED.sub(r"\1", _PIPE_IN_TEXT.sub("", text.strip())).replace(*_FROM_FILE)
    found = _NUMBER_IN_TEXT.search(text)
    if found is None:
        return refusal(ErrorNumber.UNKNOWN_EXCEPTION, text)
    return QueryError(int(found.group(1)), text[found.start() :])

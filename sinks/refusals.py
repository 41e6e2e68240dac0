"""What the store's errors mean for a caller: one of our dispositions a ClickHouse error code.

Codes: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError, Error
from urllib3.exceptions import HTTPError, NewConnectionError

from auditstream.core.errors import (
    AuditStreamError,
    ConfigError,
    LeaseExpiredError,
    RejectError,
    StoreBusyError,
    StoreSchemaError,
    StoreTimeoutError,
)

VIOLATED_CONSTRAINT = 469

# Refused before anything was written.
_BUSY = frozenset({
    164,  # READONLY
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    242,  # TABLE_IS_READ_ONLY
    252,  # TOO_MANY_PARTS
    285,  # TOO_FEW_LIVE_REPLICAS
    286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
})  # fmt: skip

# The rows may be there or not.
_UNKNOWN = frozenset({
    159,  # TIMEOUT_EXCEEDED
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    241,  # MEMORY_LIMIT_EXCEEDED
    243,  # NOT_ENOUGH_SPACE
    319,  # UNKNOWN_STATUS_OF_INSERT
    394,  # QUERY_WAS_CANCELLED
    999,  # KEEPER_EXCEPTION
})  # fmt: skip

# Wrong user, password or rights.
_ACCESS = frozenset({
    192,  # UNKNOWN_USER
    193,  # WRONG_PASSWORD
    194,  # REQUIRED_PASSWORD
    497,  # ACCESS_DENIED
    516,  # AUTHENTICATION_FAILED
})  # fmt: skip

# A value that its column cannot hold. The columns are known to be there, so it is the row that is wrong.
_DATA = frozenset({
    6,    # CANNOT_PARSE_TEXT
    27,   # CANNOT_PARSE_INPUT_ASSERTION_FAILED
    38,   # CANNOT_PARSE_DATE
    41,   # CANNOT_PARSE_DATETIME
    69,   # ARGUMENT_OUT_OF_BOUND
    72,   # CANNOT_PARSE_NUMBER
    117,  # INCORRECT_DATA
    131,  # TOO_LARGE_STRING_SIZE
    321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376,  # CANNOT_PARSE_UUID
    407,  # DECIMAL_OVERFLOW
})  # fmt: skip


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise what the store's own exceptions mean instead of them.

    Args:
        doing: What was attempted, for the message: `insert of a/0/e/1-2`.
    """
    try:
        yield
    except (ClickHouseError, HTTPError) as error:
        raise meaning_of(error, doing) from error


def meaning_of(error: ClickHouseError | HTTPError, doing: str) -> AuditStreamError:
    """Return our error for one of the driver's.

    An error from a view comes after the rows themselves are durable: it is never `RejectError` or
    `StoreBusyError`, which promise that nothing was applied. A code that is not known here stops the worker.
    """
    code = error.code if isinstance(error, Error) else None
    text = f"{doing}: {error}"
    if code is None:
        return StoreBusyError(text) if _was_never_connected(error) else StoreTimeoutError(text)
    if "while pushing to view" in str(error):
        return _of_a_view(code, text)
    if code == VIOLATED_CONSTRAINT and "`fresh`" in text:
        return LeaseExpiredError(text, clickhouse_code=code)
    return _of_a_table(code, text)


def _of_a_view(code: int, text: str) -> AuditStreamError:
    if code in _UNKNOWN or code in _BUSY:
        return StoreTimeoutError(text, clickhouse_code=code)
    hint = "The rows are durable, the view missed them. Mend the view; the replay of the plan fills it."
    return StoreSchemaError(text, hint=hint, clickhouse_code=code)


def _of_a_table(code: int, text: str) -> AuditStreamError:
    if code in _UNKNOWN:
        return StoreTimeoutError(text, clickhouse_code=code)
    if code in _BUSY:
        return StoreBusyError(text, clickhouse_code=code)
    if code in _ACCESS:
        hint = "Check AUDITSTREAM_CLICKHOUSE__USER, its password and its role (sinks/migrations/grants.sql)."
        return ConfigError(text, hint=hint, clickhouse_code=code)
    if code in _DATA or code == VIOLATED_CONSTRAINT:
        return RejectError(text, reason="unstorable", clickhouse_code=code)
    return StoreSchemaError(text, clickhouse_code=code)


def _was_never_connected(error: BaseException | None) -> bool:
    """Return whether nobody listened: what never had a connection was never applied."""
    while error is not None:
        if isinstance(error, NewConnectionError) or isinstance(
            getattr(error, "reason", None), NewConnectionError
        ):
            return True
        error = error.__cause__ or error.__context__
    return False

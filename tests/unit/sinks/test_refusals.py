"""Each ClickHouse error becomes the error that says what to do, and none promises more than it can."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ReadTimeoutError

from auditstream.core.errors import (
    AuditStreamError,
    ConfigError,
    LeaseExpiredError,
    RejectError,
    StoreBusyError,
    StoreSchemaError,
    StoreTimeoutError,
)
from sinks.refusals import meaning_of, translated

FRESH = "Constraint `fresh` for table default.events (uuid) is violated at row 1. (VIOLATED_CONSTRAINT)"


def refused(code: int, text: str = "no") -> AuditStreamError:
    return meaning_of(DatabaseError(f"Code: {code}. DB::Exception: {text}", code=code), "insert of a/0/e/1-2")


@pytest.mark.parametrize("code", [164, 202, 242, 252])
def test_refusals_before_anything_is_written_may_be_tried_again(code: int) -> None:
    assert isinstance(refused(code), StoreBusyError)


@pytest.mark.parametrize("code", [159, 209, 210, 241, 319, 999])
def test_what_may_be_durable_is_told_from_what_is_not(code: int) -> None:
    assert isinstance(refused(code), StoreTimeoutError)


def test_a_lease_that_ran_out_is_known_by_its_constraint() -> None:
    assert isinstance(refused(469, FRESH), LeaseExpiredError)
    assert isinstance(refused(469, "Constraint `other` for table x is violated"), RejectError)


@pytest.mark.parametrize("code", [38, 69, 131, 321, 349, 407])
def test_a_value_that_a_column_cannot_hold_rejects_the_row(code: int) -> None:
    error = refused(code)

    assert isinstance(error, RejectError)
    assert error.reason == "unstorable"


@pytest.mark.parametrize("code", [16, 47, 53, 60, 81, 115, 395, 1002])
def test_anything_else_stops_the_worker(code: int) -> None:
    assert isinstance(refused(code), StoreSchemaError)


@pytest.mark.parametrize("code", [193, 497, 516])
def test_missing_rights_are_a_matter_of_settings(code: int) -> None:
    assert isinstance(refused(code), ConfigError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(252, StoreTimeoutError), (241, StoreTimeoutError), (407, StoreSchemaError), (60, StoreSchemaError)],
)
def test_after_a_view_failed_nothing_promises_that_the_rows_are_absent(
    code: int, kind: type[AuditStreamError]
) -> None:
    error = refused(code, "boom: while pushing to view default.usage_1m_feed. (SOME_NAME)")

    assert type(error) is kind


def test_a_connection_that_was_never_made_is_told_from_one_that_was_lost() -> None:
    refused_connection = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]
    unreachable = OperationalError("Error executing HTTP request")
    unreachable.__cause__ = MaxRetryError(None, "/", refused_connection)  # type: ignore[arg-type]
    cut = OperationalError("Error executing HTTP request")
    cut.__cause__ = ReadTimeoutError(None, "/", "Read timed out")  # type: ignore[arg-type]

    assert isinstance(meaning_of(unreachable, "insert"), StoreBusyError)
    assert isinstance(meaning_of(cut, "insert"), StoreTimeoutError)
    assert isinstance(meaning_of(HTTPError("odd"), "insert"), StoreTimeoutError)


def test_the_message_says_what_was_attempted_and_what_the_store_said() -> None:
    with (
        pytest.raises(StoreSchemaError, match=r"insert of a/0/e/1-2: .*UNKNOWN_TABLE") as caught,
        translated("insert of a/0/e/1-2"),
    ):
        raise DatabaseError("Code: 60. DB::Exception: gone (UNKNOWN_TABLE)", code=60)

    assert caught.value.context == {"clickhouse_code": 60}
    assert isinstance(caught.value.__cause__, DatabaseError)


def test_our_own_errors_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), translated("insert"):
        raise ZeroDivisionError

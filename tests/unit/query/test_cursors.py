"""A cursor says which event a page ended with, and nothing that is not one is taken for one."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditstream.query.cursors import Cursor, CursorError, read_cursor

LAST = Cursor(datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), uuid.UUID(int=7))


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2299, 12, 31), timezones=st.just(UTC)), st.uuids()
)  # the store's own range of times
def test_a_cursor_comes_back_as_it_was(event_time: datetime, event_id: uuid.UUID) -> None:
    cursor = Cursor(event_time, event_id)
    assert read_cursor(cursor.text()) == cursor


def test_a_cursor_needs_no_quoting_in_an_address() -> None:
    assert all(letter.isalnum() or letter in "-_" for letter in LAST.text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é" * 20,
        "A" * 65,
        "A" * 36,
        LAST.text()[:-1],
        LAST.text() + "A",
        LAST.text()[:-1] + "=",
        " " + LAST.text(),
    ],
)
def test_another_text_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(CursorError) as refused:
        read_cursor(text)
    assert "first page" in (refused.value.hint or "")


def test_the_same_bytes_in_another_spelling_are_refused() -> None:
    """The last letter of 25 bytes in base64 carries four bits that say nothing."""
    text = LAST.text()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]
    assert base64.urlsafe_b64decode(twin + "==") == base64.urlsafe_b64decode(text + "==")
    with pytest.raises(CursorError):
        read_cursor(twin)

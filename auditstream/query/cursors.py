"""Where a page of events ended: an opaque text that the next request hands back.

A cursor names the last row and not a number of rows to skip, so that what is recorded meanwhile neither
repeats an event nor hides one, and the thousandth page costs what the first did.
"""

from __future__ import annotations

import base64
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditstream.core.errors import RequestError

_FORM = struct.Struct(">Bq16s")
_VERSION = 1  # another order of events would be another version: old links then say so
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = 64  # characters; one has 36


class CursorError(RequestError):
    """A cursor that no page of ours ended with."""

    code = "cursor"
    hint = "Start at the first page again: leave the cursor out."


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event of a page.

    Attributes:
        event_time: Its time, UTC, to the microsecond.
        event_id: Its id.
    """

    event_time: datetime
    event_id: uuid.UUID

    def text(self) -> str:
        """Return it as it travels: base64url without padding."""
        micros = (self.event_time - _EPOCH) // _MICROSECOND
        packed = _FORM.pack(_VERSION, micros, self.event_id.bytes)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")


def read_cursor(text: str) -> Cursor:
    """Return a cursor from its text.

    Raises:
        CursorError: It is not one of ours.
    """
    cursor = _unpacked(text) if len(text) <= _LONGEST else None
    if cursor is None or cursor.text() != text:  # base64 knows several texts of the same bytes
        raise CursorError("the cursor is not one that a page ended with")
    return cursor


def _unpacked(text: str) -> Cursor | None:
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, micros, event_id = _FORM.unpack(packed)
        moment = _EPOCH + micros * _MICROSECOND
    except (ValueError, struct.error, OverflowError):  # binascii's error is a ValueError
        return None
    return Cursor(moment, uuid.UUID(bytes=event_id)) if version == _VERSION else None

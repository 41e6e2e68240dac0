"""Errors of our own inside somebody else's call: counted, logged once, and never the caller's.

One error does pass: in mode `blocking-strict` a call is not to go on without its acknowledgement.
"""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager
from types import TracebackType

from auditstream_sdk.errors import AuditError

_log = logging.getLogger("auditstream_sdk.integrations")


class Faults(AbstractContextManager[None]):
    """A block whose errors are ours to swallow: `with FAULTS: ...`.

    Attributes:
        count: Errors swallowed since the start of the process.
    """

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.RLock()  # the garbage collector may end a stream while this is held

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, AuditError) or not isinstance(error, Exception):
            return False
        self.note(error)
        return True

    def note(self, error: BaseException) -> None:
        """Count an error; log the first by class and place, as its text may be content."""
        with self._lock:
            self.count += 1
            first = self.count == 1
        if first:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "?"
            _log.warning(
                "instrumentation failed with %s at %s; the call went on; more failures are only counted",
                type(error).__qualname__,
                where,
            )


FAULTS = Faults()
"""The process's own."""


def instrumentation_errors() -> int:
    """Return how many errors of the instrumentation were swallowed since the start of the process."""
    return FAULTS.count

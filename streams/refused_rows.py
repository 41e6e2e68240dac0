"""Rows that the store refuses as data: found among their neighbours without anything being applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from auditstream.core.errors import LeaseExpiredError, RejectError
from auditstream.core.ports import Block, Sink

MOST = 64
"""More of them in one segment are not the rows' fault."""

# A lease that ended long ago: the store reads every value, and then applies nothing.
_LONG_AGO_S = 0.0


def find_refused(sink: Sink, block: Block, refusal: RejectError, *, timeout_s: float) -> Mapping[int, str]:
    """Return the positions of the rows that the store refuses, each with what it says about the row.

    Halves the block again and again, and sends each half under a lease that has run out. Blocks.

    Args:
        sink: The store.
        block: What was refused.
        refusal: What the store said about the whole.
        timeout_s: Bound on one attempt.

    Raises:
        RejectError: There are more than `MOST`, or none is refused alone; `refusal` itself.
        RetryableError: No answer; nothing was applied.
    """
    found: dict[int, str] = {}
    halves = [(0, len(block))]
    while halves:
        begin, end = halves.pop()
        said = _refusal_of(sink, block, begin, end, timeout_s)
        if said is None:
            continue
        if end - begin > 1:
            middle = (begin + end) // 2
            halves += [(middle, end), (begin, middle)]
            continue
        found[begin] = said
        if len(found) > MOST:
            raise refusal
    if not found:
        raise refusal
    return found


def _refusal_of(sink: Sink, block: Block, begin: int, end: int, timeout_s: float) -> str | None:
    part = replace(block, frame=block.frame.slice(begin, end - begin))
    try:
        sink.insert(part, insert_by_s=_LONG_AGO_S, timeout_s=timeout_s)
    except LeaseExpiredError:
        return None
    except RejectError as error:
        return error.message
    raise AssertionError(f"{block.segment_id}: the store took rows under a lease that had run out")

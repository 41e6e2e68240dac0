"""What a transport says about a batch, and how the gateway's HTTP answers are read as that."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from time import time
from typing import Any

from auditstream_sdk.recording import Receipt
from auditstream_sdk.records import Record

_MOST_RETRY_AFTER_S = 300.0
"""A longer Retry-After is cut to this: an hour's silence is more often a mistake than a wish."""
_UNACKNOWLEDGED = "unavailable"
"""Code of an event that the gateway sent to Kafka and that was not acknowledged: it is not refused."""


class Course(Enum):
    """What to do with a batch."""

    SETTLED = auto()
    """Every event has its outcome; those without one are sent again."""
    AGAIN = auto()
    """Send it again after a pause: nobody is there, or they are busy."""
    SPLIT = auto()
    """Send less at once: the gateway refused something in it as a whole, or somebody its size."""
    HELD = auto()
    """Keep it and try again slowly: key or address are wrong, which people repair."""


_JUDGED = frozenset({400, 422})
"""Statuses that say that an event is wrong, where the gateway says them: its answer has a code."""


@dataclass(frozen=True)
class Refusal:
    """Why an event is refused.

    Attributes:
        code: The gateway's word for it.
        detail: Field and reason, for a person; may repeat a part of the value.
        field: Field at fault; empty where none is named.
    """

    code: str
    detail: str
    field: str = ""


Outcome = Receipt | Refusal


@dataclass(frozen=True)
class Answer:
    """What is known about a batch after it was sent.

    Attributes:
        course: What to do with it.
        outcomes: Of SETTLED: outcome of each event by its place; a place that is missing has none yet.
        reason: Of the others: why; of a SPLIT down to one event, why that one is refused.
        retry_after_s: How long the other side asked to wait; None where it did not say.
        is_queued_only: Of SETTLED: the gateway has it in memory and did not acknowledge it.
    """

    course: Course
    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    reason: Refusal = Refusal("", "")
    retry_after_s: float | None = None
    is_queued_only: bool = False


def again(code: str, detail: str, retry_after_s: float | None = None) -> Answer:
    """Return the answer that nobody was there."""
    return Answer(Course.AGAIN, reason=Refusal(code, detail), retry_after_s=retry_after_s)


def answer_of(status: int, headers: Mapping[str, str], body: bytes, sent: Sequence[Record]) -> Answer:
    """Return what a gateway's HTTP answer means.

    Args:
        status: HTTP status.
        headers: Header fields by lower-case name.
        body: Content of the answer.
        sent: The events, in the order in which they were sent.
    """
    told = _object(body)
    rejected = {
        index: refusal
        for index, refusal in _rejected(told, len(sent)).items()
        if refusal.code != _UNACKNOWLEDGED
    }
    if 200 <= status < 300:
        return _accepted(told, rejected, sent)
    code = str(told.get("code") or f"http_{status}")
    is_gateways = "code" in told
    reason = Refusal(code, _detail(told, status), str(told.get("field") or ""))
    if len(rejected) == len(sent):
        return Answer(Course.SETTLED, rejected)
    if status in {408, 425, 429} or status >= 500:
        return again(reason.code, reason.detail, _retry_after(headers))
    if status == 413 or (status in _JUDGED and is_gateways) or reason.code == "tenant_mismatch":
        return Answer(Course.SPLIT, reason=reason)
    return Answer(Course.HELD, reason=reason, retry_after_s=_retry_after(headers))


def _accepted(told: Mapping[str, Any], rejected: Mapping[int, Refusal], sent: Sequence[Record]) -> Answer:
    ids, queued = told.get("ids"), told.get("queued")
    if isinstance(queued, int) and queued and not told.get("accepted"):
        taken: dict[int, Outcome] = {index: Receipt(each.event_id) for index, each in enumerate(sent)}
        return Answer(Course.SETTLED, {**taken, **rejected}, is_queued_only=True)
    if not isinstance(ids, list):
        return again("unreadable_answer", "the answer does not say what was accepted")
    listed = told.get("receipts")
    receipts = listed if isinstance(listed, list) else []
    found = {
        str(event_id): _receipt(str(event_id), receipts[place] if place < len(receipts) else None)
        for place, event_id in enumerate(ids)
    }
    outcomes: dict[int, Outcome] = {
        index: found[record.event_id] for index, record in enumerate(sent) if record.event_id in found
    }
    return Answer(
        Course.SETTLED, {**outcomes, **rejected}, reason=Refusal("no_outcome", "the answer leaves events out")
    )


def _receipt(event_id: str, told: Any) -> Receipt:
    if not isinstance(told, dict):
        return Receipt(event_id)
    partition, offset = told.get("partition"), told.get("offset")
    return Receipt(
        event_id,
        str(told.get("value_sha256", "")),
        str(told.get("topic", "")),
        partition if isinstance(partition, int) else -1,
        offset if isinstance(offset, int) else -1,
    )


def _rejected(told: Mapping[str, Any], count: int) -> dict[int, Refusal]:
    found: dict[int, Refusal] = {}
    listed = told.get("rejected")
    for each in listed if isinstance(listed, list) else ():
        index = each.get("index") if isinstance(each, dict) else None
        if isinstance(index, int) and 0 <= index < count:
            found[index] = Refusal(
                str(each.get("code", "refused")), _detail(each, 0), str(each.get("field") or "")
            )
    return found


def _detail(told: Mapping[str, Any], status: int) -> str:
    named = told.get("field")
    detail = str(told.get("detail") or told.get("title") or f"HTTP status {status}")[:500]
    return f"{named}: {detail}" if named and not detail.startswith(str(named)) else detail


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _MOST_RETRY_AFTER_S)

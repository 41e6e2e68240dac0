"""Questions about evidence: how far the logs are sealed, and the receipt of one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.event_questions import rows_of
from auditstream.access.jobs import Job, Jobs, Outcome
from auditstream.access.principal import Principal
from auditstream.core.errors import RetryableError
from auditstream.evidence import completeness, proving
from auditstream.evidence.findings import Report
from auditstream.evidence.listing import Listing, Trust, read_listing
from auditstream.evidence.proving import NotProvedError
from auditstream.evidence.published import Published
from auditstream.evidence.verification import Advance
from auditstream.ledger.completeness import Completeness
from auditstream.ledger.receipts import Receipt
from auditstream.query import events
from auditstream.query.day_lag import waiting_of_day
from auditstream.query.lag import PartitionLag
from auditstream.query.leaf_tiles import StoredLeaves
from auditstream.query.reader import Reader
from auditstream.query.recorded import Recorded, recorded

VERIFY = "verify"
"""Kind of the job that checks every row."""

MOST_SHOWN = 200
"""Findings of a check that are kept with its job; `auditstream verify` names more."""

Evidence = Callable[[], tuple[Published, Trust]]
"""Opens what is published, with the keys and the policy by which it counts."""


Lags = Callable[[], list[PartitionLag]]
"""Asks Kafka how far the record is behind it."""

Verify = Callable[[Advance], Report]
"""Checks every row against what was signed; told of progress in leaves."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event is recorded.

    Attributes:
        log_id: Its log.
        index: Its leaf.
        others: Further rows of the same id.
    """

    log_id: str
    index: int
    others: int = 0


def integrity(desk: Desk, who: Principal, caller: Caller) -> Recorded:
    """Return how much is recorded and sealed, by log; raises as `Desk.ask` and `recorded`.

    Logs are of partitions and not of tenants: everybody sees how long they are. Dead letters and calls
    without a price are those of the principal's tenants.
    """
    question = Question("integrity", "", ("logs", "checkpoints"), caller=caller)
    return recorded(desk.ask(who, question, may="integrity"))


def sealed(desk: Desk, who: Principal, caller: Caller, *, evidence: Evidence) -> Listing:
    """Return which logs are published, and what of them does not hold; raises as `Desk.admit`.

    Raises:
        NotFoundError: No keys are published.
    """
    desk.admit(who, Question("integrity sealed", caller=caller), may="integrity")
    return read_listing(*evidence())


def complete(
    desk: Desk, who: Principal, day: date, caller: Caller, *, evidence: Evidence, lags: Lags
) -> tuple[Completeness, int | None]:
    """Return how many of a day's events were produced, recorded, sealed and can be queried, by source.

    Beside it stands how many records in Kafka may be of the day and are not recorded; None when nobody knows.
    Of who sees a part of the tenants, only the rows of those count.

    Args:
        desk: Asks the record.
        who: Who asks.
        day: The day (UTC, by the broker's clock).
        caller: From where.
        evidence: Opens what is published.
        lags: Asks Kafka how far the record is behind it.

    Raises:
        NotAllowedError: As `Desk.ask`.
        NotFoundError: No keys are published.
        RetryableError: No answer.
    """
    question = Question("completeness", day.isoformat(), ("events", "events_current"), caller=caller)
    reader = desk.ask(who, question, may="integrity")
    published, trust = evidence()
    listing = read_listing(published, trust)
    checkpoints = {log.log_id: log.opened.checkpoint for log in listing.logs}
    behind = behind_of(reader, lags, day)
    asked = completeness.Question(listing.deployment, day, desk.now, behind=behind)
    return completeness.completeness(reader, asked, checkpoints), behind


def behind_of(reader: Reader, lags: Lags, day: date) -> int | None:
    """Return how many records in Kafka may be of a day and are not recorded; None when it does not say."""
    try:
        found = lags()
    except RetryableError:  # the day is open then
        return None
    return waiting_of_day(reader, found, day)


def verification(desk: Desk, who: Principal, caller: Caller, *, jobs: Jobs, verify: Verify) -> Job:
    """Begin a check of every row against what was signed, and return its job; one at a time.

    Raises:
        NotAllowedError: As `Desk.admit_whole`.
        RequestError: One is under way.
    """
    question = Question("verify", "", ("events",), caller=caller)
    desk.admit_whole(who, question, may="verify")
    return jobs.begin(VERIFY, who, {}, lambda _, advance: _report(verify(advance)), alone=True)


def _report(found: Report) -> Outcome:
    return {
        "holds": found.holds,
        "logs": found.logs,
        "leaves": found.leaves,
        "findings_total": found.total,
        "findings": [each.record() for each in found.findings[:MOST_SHOWN]],
        "remarks": list(found.remarks),
    }


def receipt(
    desk: Desk, who: Principal, wanted: str, caller: Caller, *, evidence: Evidence
) -> tuple[Receipt, Place]:
    """Return the receipt of an event: its leaf, the checkpoint that covers it, and the path between.

    Args:
        desk: Asks the record.
        who: Who asks.
        wanted: Event id, or a leaf as `topic/partition/epoch/index`.
        caller: From where.
        evidence: Opens what is published.

    Raises:
        NotFoundError: Nothing that the principal may see is recorded under it.
        NotSealedError: No checkpoint covers it yet.
        VerificationError: The row is not what was sealed.
    """
    reader = desk.ask(who, Question("prove", wanted, (events.SHOWN_FROM,), caller=caller), may="integrity")
    rows, reader = rows_of(reader, wanted)
    place = _first(rows)
    published, trust = evidence()
    entry = entry_of(reader, place.log_id, place.index)
    return proving.prove(published, trust, place.log_id, place.index, entry), place


def place_of(reader: Reader, wanted: str) -> Place:
    """Return where the first row of an event is; raises as `events.show`."""
    return _first(events.show(reader, wanted))


def _first(rows: Sequence[Mapping[str, Any]]) -> Place:
    first = next((row for row in rows if row["duplicate_of"] is None), rows[0])
    return Place(str(first["log_id"]), int(first["leaf_index"]), len(rows) - 1)


def entry_of(reader: Reader, log_id: str, index: int) -> bytes:
    """Return the leaf entry that a row gives.

    Raises:
        NotProvedError: There is none, or several rows say that they are this leaf.
    """
    rows = StoredLeaves(reader, log_id, index + 1).leaves(index, 1)
    if len(rows) != 1:
        raise NotProvedError(f"leaf {index} of {log_id} is recorded {len(rows)} times")
    return rows[0].entry

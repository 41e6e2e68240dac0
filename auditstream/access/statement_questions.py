"""The completeness statement of a day that is over: as it was published, or signed now where the key is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.evidence_questions import Evidence, Lags, behind_of
from auditstream.access.principal import Principal
from auditstream.core.errors import NotFoundError, RequestError
from auditstream.evidence import completeness
from auditstream.evidence.listing import Listing, read_listing
from auditstream.evidence.published import Published
from auditstream.evidence.statements import STATEMENTS
from auditstream.ledger.completeness import Completeness, open_completeness
from auditstream.ledger.keys import VerifierKey
from auditstream.query.reader import Reader
from auditstream.query.sources import is_known

LONGEST_SOURCE = 1_024
"""Characters of a source that are looked for: names are addresses, and no longer."""

_ON_THE_COMMAND_LINE = "`auditstream evidence statement` states an open day as open."

Sign = Callable[[Completeness], bytes]
"""Signs a statement by the deployment's key, and returns the note; `NotFoundError` where there is no key."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement as it is handed out.

    Attributes:
        found: What it says.
        note: The signed note.
        is_published: Whether it is the one beside the published logs; else it was signed now.
    """

    found: Completeness
    note: bytes
    is_published: bool


def statement(
    desk: Desk,
    who: Principal,
    day: date,
    source: str,
    caller: Caller,
    *,
    evidence: Evidence,
    lags: Lags,
    sign: Sign,
) -> Stated:
    """Return the signed statement of a day, about all sources or one.

    It is about rows of every tenant: counted over a part of them it would be wrong.

    Args:
        desk: Asks the record.
        who: Who asks.
        day: The day (UTC, by the broker's clock).
        source: One source alone; empty for all.
        caller: From where.
        evidence: Opens what is published.
        lags: Asks Kafka how far the record is behind it.
        sign: Signs what is not published.

    Raises:
        NotAllowedError: As `Desk.admit_whole`.
        NotFoundError: No keys are published, no event of the source is recorded, or there is no key here.
        RequestError: The day is not complete yet, or the source is too long.
        VerificationError: What is published does not hold.
        RetryableError: No answer.
    """
    question = Question("evidence statement", f"{day} {source}", ("events", "events_current"), caller=caller)
    reader = desk.ask_whole(who, question, may="verify")
    if len(source) > LONGEST_SOURCE:
        raise RequestError(f"source: is longer than {LONGEST_SOURCE} characters", field="source")
    published, trust = evidence()
    listing = read_listing(published, trust)
    if not source and (there := _published(published, day, trust.vkeys.signers(listing.deployment))):
        return there
    if day >= desk.now.date():
        raise RequestError(
            f"day: {day} is not over, so that more may come", hint=_ON_THE_COMMAND_LINE, field="day"
        )
    if source and not is_known(reader, source):
        raise NotFoundError(
            f"source: no event of {source[:80]!r} is recorded",
            hint="It is written as in the events' own field `source`.",
            field="source",
        )
    behind = behind_of(reader, lags, day)
    found = _counted(
        reader, listing, completeness.Question(listing.deployment, day, desk.now, source, behind)
    )
    return Stated(found, sign(found), is_published=False)


def _published(published: Published, day: date, keys: tuple[VerifierKey, ...]) -> Stated | None:
    """Return the statement that is published of a day; None where there is none that is final."""
    note = published.read(f"{STATEMENTS}/{day.isoformat()}")
    if not note:
        return None
    found = open_completeness(note, *keys)
    return Stated(found, note, is_published=True) if found.state == "closed" else None


def _counted(reader: Reader, listing: Listing, asked: completeness.Question) -> Completeness:
    checkpoints = {log.log_id: log.opened.checkpoint for log in listing.logs}
    found = completeness.completeness(reader, asked, checkpoints)
    if found.state == "open":
        raise RequestError(
            f"day: {asked.day} is not complete yet: {_waiting(asked.behind)}",
            hint=_ON_THE_COMMAND_LINE,
            field="day",
        )
    return found


def _waiting(behind: int | None) -> str:
    if behind is None:
        return "Kafka does not say whether it holds more of it"
    if behind:
        return f"{behind:,} records in Kafka may be of it, and are not recorded"
    return "not all of it is under a signed checkpoint"

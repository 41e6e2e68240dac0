"""Questions about health: how far the record is behind, what it refused and why, and sending that again.

Logs and offsets are of partitions and not of tenants: whoever may see health sees all of them. A dead letter
is nobody's where nothing told its tenant: then only who may see everybody's rows sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.evidence_questions import Lags
from auditstream.access.principal import Principal
from auditstream.access.reach import Ways
from auditstream.core.errors import RequestError
from auditstream.core.logs import get_logger
from auditstream.emit.dead_letter_replay import replay as send_again
from auditstream.emit.dead_letter_replay import replay_event
from auditstream.query import dead_letters
from auditstream.query.dead_letters import Chosen, Count, DeadLetter
from auditstream.query.lag import PartitionLag
from auditstream.query.reader import Table
from auditstream.query.recorded import Recorded, recorded

log = get_logger(__name__)

_RECORD = ("logs", "checkpoints", "events", "costs_current")


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters.

    Attributes:
        counts: How many, by topic and reason.
        listed: The newest; columns are `dead_letters.LIST_COLUMNS`.
    """

    counts: Sequence[Count]
    listed: Table


def record(desk: Desk, who: Principal, caller: Caller) -> Recorded:
    """Return how much is recorded, and how fresh it is; raises as `Desk.ask` and `recorded`."""
    return recorded(desk.ask(who, Question("health", "", _RECORD, caller=caller), may="health"))


def lags(desk: Desk, who: Principal, caller: Caller, ask: Lags) -> list[PartitionLag]:
    """Return how far the record is behind Kafka, by partition; raises as `Desk.ask` and `partition_lags`."""
    desk.admit(who, Question("health lag", caller=caller), may="health")
    return ask()


def letters(desk: Desk, who: Principal, chosen: Chosen, caller: Caller, *, limit: int) -> Letters:
    """Return dead letters; raises as `Desk.ask` and `dead_letters.counts`."""
    question = Question("dlq list", repr(chosen), dead_letters.READ_FROM, caller=caller)
    reader = desk.ask(who, question, may="health")
    counts = dead_letters.counts(reader, chosen)
    listed = (
        dead_letters.listed(reader, chosen, limit=limit) if counts else Table(dead_letters.LIST_COLUMNS, ())
    )
    return Letters(counts, listed)


def told_of(desk: Desk, who: Principal, leaf: str, caller: Caller) -> dict[str, object]:
    """Return what is known of one dead letter, but its bytes.

    Raises:
        NotFoundError: There is none that the principal may see.
        RequestError: It is not written as a leaf.
        NotAllowedError: As `Desk.ask`.
    """
    chosen = Chosen((leaf,))
    reader = desk.ask(who, Question("dlq show", leaf, dead_letters.READ_FROM, caller=caller), may="health")
    dead_letters.counts(reader, chosen)
    (row,) = dead_letters.listed(reader, chosen, limit=1).records()
    return row


def letter(desk: Desk, who: Principal, leaf: str, caller: Caller) -> DeadLetter:
    """Return one dead letter with its bytes; raises as `told_of`."""
    chosen = Chosen((leaf,))
    question = Question("dlq bytes", leaf, dead_letters.READ_FROM, caller=caller)
    reader = desk.ask(who, question, may="contents")
    dead_letters.counts(reader, chosen)
    (found,) = dead_letters.letters(reader, chosen)
    return found


def replay(desk: Desk, who: Principal, chosen: Chosen, caller: Caller, *, ways: Ways) -> Mapping[str, int]:
    """Send dead letters again that the principal may see, and return how many by topic.

    What is too large for a message is left out.

    An event tells of the replay before it begins.

    Args:
        desk: Asks the record.
        who: Who acts.
        chosen: Which; not all there are.
        caller: From where.
        ways: Lends a way to Kafka.

    Raises:
        RequestError: Nothing narrows it.
        NotFoundError: A leaf that is named is no dead letter.
        NotAllowedError: As `Desk.ask`.
        RetryableError: One was not acknowledged. Sending all again is safe.
    """
    if chosen.is_all:
        raise RequestError("replay: which dead letters?", hint="Name a reason, a topic, a time, or leaves.")
    question = Question("dlq replay", repr(chosen), dead_letters.READ_FROM, caller=caller)
    reader = desk.ask(who, question, may="replay")
    counts = dead_letters.counts(reader, chosen)
    if not any(each.letters - each.nulls for each in counts):
        return {}
    with ways() as way:
        desk.tell([replay_event(counts, actor=who.name, at=desk.now)])
        return dict(send_again(dead_letters.letters(reader, chosen), way, too_large=_left_out))


def _left_out(letter: DeadLetter, reason: str) -> None:
    log.warning("dead_letter_left_out", leaf=letter.leaf, reason=reason)

"""Dead letters sent again to where they came from: the same bytes, with headers that say so.

They go to the partition that they came from. What is an event by now is recorded as one, and what is none
yet is a dead letter again. The first leaf stays what it is: the record is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from auditstream.core.ports import Outbound
from auditstream.emit.announcements import CONFIG_CHANGE, Said, announcement
from auditstream.emit.reading import BadLineError
from auditstream.query.datums import schema_ref
from auditstream.query.dead_letters import Count, DeadLetter
from schemas import framing

REPLAY_OF, REPLAY_REASON = "replay_of", "replay_reason"
"""Headers of a replay: the leaf that it is sent again of, and why that was no event."""

OBJECT_TYPE = "dead_letters"
"""What a replay's event says that was changed."""


class Way(Protocol):
    """Brings messages to Kafka; `KafkaWay` is one."""

    def send(self, message: Outbound, *, partition: int) -> None:
        """Hand a message over.

        Raises:
            BadLineError: It is too large.
        """
        ...

    def finish(self) -> None:
        """Return once every message is acknowledged."""
        ...


def replay_event(counts: Sequence[Count], *, actor: str, at: datetime) -> dict[str, Any]:
    """Return the event that tells of a replay before it begins.

    Args:
        counts: What is sent, by topic and reason.
        actor: Who does it.
        at: When (UTC).
    """
    reasons: dict[str, int] = {}
    for each in counts:
        reasons[each.reason] = reasons.get(each.reason, 0) + each.letters - each.nulls
    return announcement(
        CONFIG_CHANGE,
        Said(by="dlq", actor=actor, at=at),
        change={"object_type": OBJECT_TYPE, "object_id": ", ".join(sorted({each.topic for each in counts}))},
        attributes={
            "replayed": str(sum(reasons.values())),
            **{f"reason.{reason}": str(count) for reason, count in reasons.items()},
        },
    )


def replay(
    letters: Iterable[DeadLetter], way: Way, *, too_large: Callable[[DeadLetter, str], None]
) -> Mapping[str, int]:
    """Send letters again, and return how many by topic once all are acknowledged; null values are left out.

    Args:
        letters: What to send.
        way: Brings it to Kafka.
        too_large: Is told of each letter that does not fit into a message of ours, and why; it is left out.

    Raises:
        RetryableError: One was not acknowledged. Sending all again is safe: an event that arrives twice is
            one event.
    """
    sent: dict[str, int] = {}
    for letter in letters:
        if letter.value is not None:
            try:
                way.send(message_of(letter), partition=letter.partition)
            except BadLineError as error:
                too_large(letter, error.reason)
                continue
            sent[letter.topic] = sent.get(letter.topic, 0) + 1
    way.finish()
    return sent


def message_of(letter: DeadLetter) -> Outbound:
    """Return the message of a dead letter; its key is not recorded, and it has none."""
    headers = ((REPLAY_OF, letter.leaf.encode()), (REPLAY_REASON, letter.reason.encode()))
    return Outbound(letter.topic, b"", letter.value, (*_framing(letter), *headers))


def _framing(letter: DeadLetter) -> framing.Headers:
    """Return the header that named the writer schema, where that is not in the value itself."""
    schema = schema_ref(letter.schema_id)
    if schema is None or letter.value is None:
        return ()
    if isinstance(schema, UUID):
        name, content = framing.header(schema)
    else:
        name, content = framing.HEADER_NAMES["value"], framing.prefix(schema)
    return () if letter.value.startswith(content) else ((name, content),)

"""Telling of changes before they take effect, and refusing what cannot be told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from auditstream.core.errors import RetryableError
from auditstream.core.settings import Settings
from auditstream.emit.announcements import announcer
from auditstream.emit.config_changes import Applied, events_of
from auditstream.reference.changes import Change

ACKNOWLEDGED_WITHIN_S = 20.0
"""How long an event may wait for its acknowledgement; less than others wait for a revision to be settled."""

Announce = Callable[[Sequence[Change], Applied], object]
"""Tells of changes, and returns when everybody who must know does."""

SendEvents = Callable[[Iterable[Mapping[str, Any]]], object]
"""Sends events, and returns when everybody who must know does."""

Announcer = Callable[[], AbstractContextManager[Announce]]
"""Lends what tells of changes for the length of a block."""

_AROUND = ", or with --without-event"


@contextmanager
def announced(settings: Settings) -> Iterator[Announce]:
    """Lend what sends the events of changes; registry and Kafka are asked before the store is.

    Raises:
        RetryableError: One of them does not answer; says that nothing was changed, and the way around.
    """
    with announced_events(settings) as send:
        yield lambda changes, applied: send(events_of(changes, applied))


@contextmanager
def announced_events(settings: Settings) -> Iterator[SendEvents]:
    """Lend what sends events; registry and Kafka are asked before the store is.

    Raises:
        RetryableError: One of them does not answer; says that nothing was changed, and the way around.
    """
    with ExitStack() as held:
        with nothing_changed(_AROUND):
            announce = held.enter_context(announcer(settings, within_s=ACKNOWLEDGED_WITHIN_S))

        def send(events: Iterable[Mapping[str, Any]]) -> None:
            with nothing_changed(_AROUND):
                announce(events)

        yield send


@contextmanager
def nothing_changed(around: str = "") -> Iterator[None]:
    """Say of what fails to be announced that nothing was changed.

    Args:
        around: How to do it without the event; empty where there is no way.
    """
    try:
        yield
    except RetryableError as error:
        hint = (
            "Changes take effect only when an event tells of them. Run it again when Kafka and the registry "
            f"answer (`auditstream doctor`){around}."
        )
        raise RetryableError(f"nothing was changed: {error.message}", hint=hint) from error

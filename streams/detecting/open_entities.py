"""What credentials' events name in minutes that are not closed yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from streams.detecting.delta import Entity


class OpenEntities:
    """Entities by minute since 1970, each with the earliest broker time of a segment that has it.

    So what is in time does not depend on the order in which segments come.
    """

    def __init__(self) -> None:
        self._since: dict[int, dict[Entity, int]] = {}

    def add(self, minute: int, since_us: int, entities: Iterable[Entity]) -> None:
        """Add entities of a segment to a minute."""
        known = self._since.setdefault(minute, {})
        for entity in entities:
            known[entity] = min(since_us, known.get(entity, since_us))

    def take(self, minute: int, until_us: int) -> list[Entity]:
        """Return what a minute has, sorted, and forget it.

        Args:
            minute: The minute.
            until_us: Broker time after which a segment begins too late.
        """
        known = self._since.pop(minute, {})
        return sorted(entity for entity, since_us in known.items() if since_us <= until_us)

    def forget(self, until: int) -> None:
        """Forget minutes before one: nothing asks for them any more."""
        for minute in [minute for minute in self._since if minute < until]:
            del self._since[minute]

    def state(self) -> list[Any]:
        """Return everything, as JSON takes it."""
        return [
            [minute, [[*entity, since_us] for entity, since_us in sorted(known.items())]]
            for minute, known in sorted(self._since.items())
        ]

    def restore(self, state: Sequence[Any]) -> None:
        """Take over what `state` returned."""
        self._since = {
            minute: {
                (tenant, credential, kind, name): since_us
                for tenant, credential, kind, name, since_us in known
            }
            for minute, known in state
        }

"""Heartbeats of logs on the usage topic: how far each is recorded, told to every partition.

Who reads one partition of usage hears of a log only when a tenant of that partition uses something. A
heartbeat says that the log is there, which segments are published, and, when nothing is left to be recorded,
until when nothing more came; so that detection waits for a log that lags and not for one that is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from auditstream.core.logs import get_logger
from auditstream.core.ports import LogId, Outbound
from streams.lane import Lane
from streams.plan import Closed

log = get_logger(__name__)

EVERY_S = 2.0
"""Time between heartbeats of a log: a finding waits for it, a minute more or less does not."""

LOOK_S = 0.25
"""Time between looks for new lanes, which tell at once that they are there."""

SLACK_US = 5_000_000
"""How much earlier than the fetch that found nothing the claim ends: an answer's way, and the clocks of
worker and broker, which may be seconds apart."""

Heartbeat = Callable[[LogId, int, int], Outbound]
"""Makes the message of a log, the index that comes next, and until when nothing came (microseconds; 0 where
that is not known). Blocks while the registry is asked; raises `RegistryDownError`."""


class LogHeartbeats:
    """Says when which lane's heartbeat is due.

    Args:
        heartbeat: Makes messages.
        fetched: Returns when a lane's partition was fetched last, in milliseconds since 1970, and where it
            ended then; None while that is not known.
    """

    def __init__(self, heartbeat: Heartbeat, fetched: Callable[[Lane], tuple[int, int] | None]) -> None:
        self._heartbeat = heartbeat
        self._fetched = fetched
        self._told: dict[Lane, float] = {}

    def due(self, lanes: Iterable[Lane], now_s: float) -> list[Outbound]:
        """Return the heartbeats that are due, and note them as told.

        Args:
            lanes: The lanes of now.
            now_s: Any clock's time that does not go back.

        Raises:
            RegistryDownError: The registry does not answer.
        """
        told = {lane: self._told[lane] for lane in lanes if lane in self._told}
        found: list[Outbound] = []
        for lane in lanes:
            if not lane.dead and now_s - told.get(lane, -EVERY_S) >= EVERY_S:
                told[lane] = now_s
                found.append(self._heartbeat(lane.log, *self._of(lane)))
        self._told = told
        return found

    def _of(self, lane: Lane) -> tuple[int, int]:
        """Return the index that comes next in a lane's log, and until when it is quiet."""
        # The fetch first: what is known of the lane after it is newer than what the fetch found.
        fetched = self._fetched(lane)
        state = lane.state
        if not isinstance(state, Closed):
            return state.first_index, 0
        if fetched is None or lane.busy or state.next_offset < fetched[1]:
            return state.next_index, 0
        return state.next_index, fetched[0] * 1_000 - SLACK_US

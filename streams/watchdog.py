"""Ends a worker that has stopped making progress, so that its supervisor starts a fresh one.

Faust and aiokafka can stall without an error (faust-streaming issues 175 and 532): records wait, nothing is
committed, and the logs say something else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from auditstream.core.errors import FatalError
from auditstream.core.metrics import Metrics
from streams.lane import Lane


class Watchdog:
    """Looks at every lane: a lane with work to do must have had a commit accepted lately.

    A lane that waits for a store that is away renews its plan at half its lease; that is progress.
    """

    def __init__(
        self, *, stall_s: float, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stall_s = stall_s
        self._metrics = metrics
        self._monotonic = monotonic
        self._at_rest: dict[Lane, float] = {}

    def look(self, lanes: Iterable[tuple[Lane, int | None]]) -> None:
        """Publish each lane's lag, and how old what it holds is.

        Args:
            lanes: Each lane with the end offset of its partition, None while that is unknown.

        Raises:
            FatalError: A lane had work and no accepted commit for `stall_s` seconds.
        """
        now = self._monotonic()
        at_rest: dict[Lane, float] = {}
        for lane, end_offset in lanes:
            self._metrics.set(
                "auditstream_oldest_gathered_time_seconds",
                (lane.oldest_ms or 0) / 1000,
                topic=lane.log.topic,
                partition=str(lane.log.partition),
            )
            lag = 0 if end_offset is None else max(0, end_offset - lane.durable_offset)
            self._metrics.set(
                "auditstream_lag_records", lag, topic=lane.log.topic, partition=str(lane.log.partition)
            )
            if lag == 0 and not lane.busy:
                at_rest[lane] = now
                continue
            quiet_since = max(lane.committed_at, self._at_rest.get(lane, 0.0))
            at_rest[lane] = self._at_rest.get(lane, 0.0)
            if now - quiet_since > self._stall_s:
                raise FatalError(
                    f"{lane.log}: {lag} records behind and nothing committed for {now - quiet_since:.0f} s",
                    hint="The worker ends so that its supervisor starts it again; look at the log above.",
                )
        self._at_rest = at_rest

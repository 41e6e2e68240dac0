"""What is planted into a client's second week, and what its minutes are with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.servegen_traffic import LEAST_ACTIVE, MINUTES, WEEK, Traffic


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of anomaly.

    Attributes:
        name: What it is called in the table.
        minutes: How long it lasts.
        factor: Times the usual at its end.
        is_ramp: Whether it grows to that from 1; else it is there at once.
        of: What grows. `usual`: what the client does in an active minute, the mean of its first week, comes
            on top as often as the factor says, whatever the client does meanwhile: a thief does not look at
            what the owner is doing. `moment`: what the client does in those minutes. `tokens`: tokens a
            request.
    """

    name: str
    minutes: int
    factor: float
    is_ramp: bool = False
    of: Literal["usual", "moment", "tokens"] = "usual"


KINDS = (
    Kind("x10 15 min", 15, 10),
    Kind("x3 60 min", 60, 3),
    Kind("x4 tokens 60 min", 60, 4, of="tokens"),
    Kind("ramp to x3 in 6 h", 360, 3, is_ramp=True),
    Kind("x10 of the moment 15 min", 15, 10, of="moment"),
    Kind("x3 of the moment 60 min", 60, 3, of="moment"),
)


_COUNTED = frozenset({"events", "calls"})
"""Sums that are numbers of requests."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Injections, one a row: each is a copy of its client with one anomaly.

    Attributes:
        client: Number of the client.
        kind: Number of the kind.
        start: First minute of it.
    """

    client: NDArray[np.intp]
    kind: NDArray[np.intp]
    start: NDArray[np.intp]

    @property
    def minutes(self) -> NDArray[np.intp]:
        """How long each lasts."""
        return np.array([kind.minutes for kind in KINDS])[self.kind]


def plan(traffic: Traffic, seed: int, times: int) -> Plan:
    """Return so many injections of each kind into each client, at minutes of the second week.

    The minute is one of those in which the client is active, and so that the injection ends within the week:
    ten times nothing is nothing to be found.
    """
    random = np.random.default_rng([seed, 7])
    found = []
    for client in range(len(traffic.clients)):
        events = traffic.sums["events"][:, client]
        if (events[:WEEK] > 0).sum() < LEAST_ACTIVE:
            continue
        for number, kind in enumerate(KINDS):
            active = np.flatnonzero(events[WEEK : MINUTES - kind.minutes] > 0) + WEEK
            starts = random.choice(active, size=times, replace=len(active) < times)
            found += [(client, number, start) for start in starts]
    return Plan(*(np.array(column, np.intp) for column in zip(*found, strict=True)))


class Planted:
    """Minutes of the clients as they are, followed by those of the copies with an injection."""

    def __init__(self, traffic: Traffic, injected: Plan) -> None:
        self._sums = traffic.sums
        self._clients = len(traffic.clients)
        self._plan = injected
        self._source = np.concatenate([np.arange(self._clients), injected.client])
        self._factor = np.array([kind.factor for kind in KINDS])[injected.kind]
        self._is_ramp = np.array([kind.is_ramp for kind in KINDS])[injected.kind]
        self._of = np.array([kind.of for kind in KINDS])[injected.kind]
        active = np.maximum((traffic.sums["events"][:WEEK] > 0).sum(axis=0), 1)
        self._usual = {name: column[:WEEK].sum(axis=0) / active for name, column in traffic.sums.items()}

    @property
    def rows(self) -> int:
        """Clients and copies."""
        return len(self._source)

    def minute(self, minute: int) -> Mapping[str, NDArray[np.float64]]:
        """Return the sums of a minute by name, a number a row."""
        values = {name: column[minute][self._source] for name, column in self._sums.items()}
        age = minute - self._plan.start
        on = np.flatnonzero((age >= 0) & (age < self._plan.minutes))
        if len(on):
            grown = np.where(self._is_ramp[on], (age[on] + 1) / self._plan.minutes[on], 1.0)
            more, of = (self._factor[on] - 1) * grown, self._of[on]
            rows, source = self._clients + on, self._source[self._clients + on]
            for name, column in values.items():
                is_times = (of == "moment") | ((of == "tokens") & (name not in _COUNTED))
                own = np.where(
                    of == "usual", self._usual[name][source], np.where(is_times, column[rows], 0.0)
                )
                column[rows] += more * own
        return values

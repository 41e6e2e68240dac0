"""What one measured process reports, and how it measures itself."""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What was handled, in which time.

    Attributes:
        events: Events handled between the first and the last.
        wall_s: Time from the first to the last.
        cpu_s: Processor time of the measured processes meanwhile, user and system.
    """

    events: int
    wall_s: float
    cpu_s: float

    @property
    def events_per_s(self) -> float:
        """Throughput; not a number where everything came at once, as in a `--quick` run it may."""
        return self.events / self.wall_s if self.events else math.nan

    @property
    def cpu_us(self) -> float:
        """Processor microseconds an event; not a number likewise."""
        return self.cpu_s / self.events * 1e6 if self.events else math.nan


@dataclass(frozen=True, slots=True)
class Figures(Measured):
    """One case.

    Attributes:
        peak_mb: Peak resident memory of the process.
    """

    peak_mb: float


Rounds = Sequence[Sequence[Figures]]
"""Figures of the same cases in the same order, run several times in turn."""


def ratio(rounds: Rounds, value: Callable[[Figures], float]) -> float:
    """Return the first case's value over the second's: the median of the rounds."""
    return statistics.median(value(first) / value(second) for first, second in rounds)


def middle(rounds: Rounds, case: int) -> Figures:
    """Return one case's figures in the round whose throughput is the median."""
    ordered = sorted((figures[case] for figures in rounds), key=lambda figures: figures.events_per_s)
    return ordered[len(ordered) // 2]


class Stopwatch:
    """Measures this process from the first event to the last, and then ends it with the figures on stdout."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._seen = 0
        self._first = 0
        self._wall = self._cpu = 0.0

    def saw(self, count: int) -> None:
        """Note that `count` more events were handled; ends the process with the last one."""
        if not self._wall:
            self._wall, self._cpu = time.perf_counter(), _cpu_s()
            self._first = count
        self._seen += count
        if self._seen >= self._events:
            self.finish()

    def finish(self) -> None:
        """Print the figures and end the process at once: nothing of its shutdown is measured."""
        figures = Figures(
            events=self._seen - self._first,
            wall_s=time.perf_counter() - self._wall,
            cpu_s=_cpu_s() - self._cpu,
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
        print(json.dumps(asdict(figures)), flush=True)
        sys.stdout.flush()
        os._exit(0)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

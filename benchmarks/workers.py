"""Workers that run until they are stopped: what a group of them records, and how memory behaves."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from threading import Event, Thread
from typing import Any

import psutil

from benchmarks.bed import PARTITIONS, Bed
from benchmarks.events import Feeder, Size, values
from benchmarks.measured import Measured
from streams.recording.duplicates import WINDOW_LEAVES
from streams.recording.seen_ids import LARGE_RUN

_POLL_S = 0.05
_SAMPLE_S = 1.0
# So much is always ahead of the worker, and no more, so that the topic stays small.
_BACKLOG = 400_000


@dataclass(frozen=True, slots=True)
class GroupFigures(Measured):
    """One group of workers on one topic, from the first look that saw rows to the last that counts.

    Attributes:
        workers: How many.
    """

    workers: int


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """One worker at full load for a while, from when its indexes of recent ids are full.

    Attributes:
        events: Rows that it made in that time.
        seconds: How long that was.
        filled_events: Rows before, which filled the indexes.
        early_mb: Median resident memory of the second fifth of the time: everything has been used once.
        late_mb: Median resident memory of the last fifth.
        peak_mb: Highest of all samples.
    """

    events: int
    seconds: float
    filled_events: int
    early_mb: float
    late_mb: float
    peak_mb: float


def run_group(bed: Bed, topic: str, events: int, *, workers: int) -> GroupFigures:
    """Let `workers` processes record a topic that is filled, and time them.

    From the first rows on until as many are missing as there were then, so that what was under way at the
    beginning is set off against what is under way at the end.
    """
    database = bed.new_database()
    client = bed.client(database)

    with running(bed, topic, database, events, workers) as processes:
        while not (first := _rows(client)):
            time.sleep(_POLL_S)
        begun, cpu = time.perf_counter(), _cpu_s(processes)
        while (last := _rows(client)) < events - first:
            time.sleep(_POLL_S)
        return GroupFigures(last - first, time.perf_counter() - begun, _cpu_s(processes) - cpu, workers)


def soak(bed: Bed, size: Size, *, seconds: float) -> SoakFigures:
    """Keep one worker at full load; look at its memory every second once the partitions' windows are full."""
    topic, database = bed.new_topic(f"{size}-soak"), bed.new_database()
    client = bed.client(database)
    recorded, over = [0], Event()
    feeder = Feeder(bed.bootstrap, topic, values(size), partitions=PARTITIONS)
    feeding = Thread(target=feeder.run, args=(lambda: recorded[0] + _BACKLOG, over), daemon=True)
    samples: list[float] = []
    with running(bed, topic, database, 0, 1) as (worker,):
        feeding.start()
        # An index is full with its window and one large run, which is forgotten as a whole.
        while (filled := _rows(client)) < PARTITIONS * (WINDOW_LEAVES + LARGE_RUN):
            recorded[0] = filled
            time.sleep(_SAMPLE_S)
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            samples.append(worker.memory_info().rss / 1e6)
            recorded[0] = _rows(client)
            time.sleep(_SAMPLE_S)
        took = time.perf_counter() - begun
        over.set()
        feeding.join()
    fifth = max(1, len(samples) // 5)
    early, late = median(samples[fifth : 2 * fifth]), median(samples[-fifth:])
    return SoakFigures(recorded[0] - filled, took, filled, early, late, max(samples))


@contextmanager
def running(bed: Bed, topic: str, database: str, events: int, workers: int) -> Iterator[list[psutil.Process]]:
    """Run a group of workers, which is stopped afterwards; yields once every partition has its lane."""
    environment = bed.environment(topic, database, events)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cases", "serve"],
            env={**environment, "AUDITSTREAM_DATA_DIR": f"{environment['AUDITSTREAM_DATA_DIR']}-{number}"},
            stderr=subprocess.DEVNULL,
        )
        for number in range(workers)
    ]
    try:
        bed.await_lanes(environment["AUDITSTREAM_WORKER__APP_ID"], topic)
        yield [psutil.Process(each.pid) for each in started]
    finally:
        for each in started:
            each.terminate()
        for each in started:
            each.wait(30)


def _rows(client: Any) -> int:
    """Return how many rows there are, without reading them."""
    return int(client.query("SELECT sum(rows) FROM segment_ranges").result_rows[0][0])


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (each.cpu_times() for each in processes))

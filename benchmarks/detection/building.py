"""`python -m benchmarks.detection.building`: what detection adds to building a segment, without services.

Its stages are timed within the building, for whole runs (`python -m benchmarks --only detection`) differ by
more than what it adds. The fastest tenth counts: what else the machine does makes all of it slower. What
comes after building, a message a tenant, is left out, and so are insert and detect agent.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from types import SimpleNamespace
from typing import Any

from auditstream.core.ports import LogId, Plan, Segment
from auditstream.core.settings import KafkaSettings
from benchmarks.detecting import PER_MINUTE, all_rules
from benchmarks.events import Size, values_until
from benchmarks.without_services import NoFacts, NothingRecorded, OneSchema
from streams.recording.assembly import new_recorder

_ROWS = (50_000, 20_000, 10_000)
"""A full segment, and what a worker gathers in two seconds of fewer events or on a slower machine."""

_PARTITIONS = 4
_LOG = LogId("events", 0, "bu1ld1ng")


def main() -> None:
    """Print a line a size of segment."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.building")
    parser.add_argument("--size", choices=["small", "typical"], default="small", help="which events")
    parser.add_argument("--rounds", type=int, default=30, help="how often each segment is built")
    options = parser.parse_args()
    for rows in _ROWS:
        rest_s, added_s = _measured(_segment(options.size, rows), options.rounds)
        print(
            f"{options.size}, segments of {rows:,}: {rest_s / rows * 1e6:.2f} µs an event and "
            f"{added_s / rows * 1e6:.2f} of detection, {1 + added_s / rest_s:.3f}",
            flush=True,
        )


def _segment(size: Size, rows: int) -> Segment:
    """Return the first segment of one of some partitions."""
    end = datetime(2026, 1, 1, 12, tzinfo=UTC)
    values = values_until(end, size, rows * _PARTITIONS, per_minute=PER_MINUTE)
    stamp_ms = int(end.timestamp() * 1_000)
    return Segment(
        _LOG,
        Plan(0, rows - 1, 0, end.date()),
        range(rows),
        list(islice(values, 0, None, _PARTITIONS)),
        [stamp_ms] * rows,
    )


def _measured(segment: Segment, rounds: int) -> tuple[float, float]:
    """Return processor seconds of building a segment without detection's stages, and those of the stages."""
    spent: list[float] = []

    def timed(stage: Callable[..., Iterable[Any]]) -> Callable[..., list[Any]]:
        def run(*arguments: Any) -> list[Any]:
            begun = time.process_time()
            found = list(stage(*arguments))
            spent.append(time.process_time() - begun)
            return found

        return run

    recorder: Any = new_recorder(
        OneSchema(), NothingRecorded(), NoFacts(), KafkaSettings(), rules=all_rules()
    )
    recorder._outbound = timed(recorder._outbound)
    stages = recorder._stages
    recorder._stages = replace(
        stages,
        sequences=SimpleNamespace(findings=timed(stages.sequences.findings)),
        rules=SimpleNamespace(findings=timed(stages.rules.findings)),
    )
    rest: list[float] = []
    added: list[float] = []
    for _ in range(rounds):
        spent.clear()
        begun = time.process_time()
        recorder.build(segment)
        added.append(sum(spent))
        rest.append(time.process_time() - begun - added[-1])
    return _fastest(rest), _fastest(added)


def _fastest(seconds: Sequence[float]) -> float:
    return statistics.mean(sorted(seconds)[: max(1, len(seconds) // 10)])


if __name__ == "__main__":
    main()

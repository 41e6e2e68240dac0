"""`python -m benchmarks.detection.keys`: memory by the hour and processor time of detection with many keys.

One partition's detection with the product's detectors. A tenth of the keys is active in every minute, the
others in one of ten; each hour some names go and others come. Memory is that of the process once an hour is
over; it grows while rows are given to keys that have earned one, and is flat from then on.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil

from auditstream.detection.known_detectors import watched_detectors
from streams.detecting.delta import COUNTS, MINUTE_US, MONEY, Delta, Row
from streams.detecting.partition import PartitionDetection

_DAWN = 29_000_000
_LOG = "bench/0/e"
_OF_A_TENANT = 9_000
"""Keys of a tenant: below the bound, so that all of them are live."""
_EVERY = 10
"""Minutes in one of which a key that is not busy is active."""
_BUSY = 10
"""One of how many keys is busy: active in every minute."""
_LINES = 1_000
"""Lines of a delta."""
_RENAMED = 0.02
"""Share of the quiet keys that go in an hour for others to come."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour of event time took.

    Attributes:
        hour: Which one, from 1.
        keys: Keys that are known at its end.
        rss_mb: Resident memory at its end.
        deltas: Messages in it.
        cpu_us: Processor microseconds a delta.
        row_us: Processor microseconds a line of one.
    """

    hour: int
    keys: int
    rss_mb: float
    deltas: int
    cpu_us: float
    row_us: float


def hours(keys: int, count: int) -> Iterator[Hour]:
    """Yield what each hour of so many live keys took."""
    detection = PartitionDetection(watched_detectors())
    random = np.random.default_rng(1)
    names = np.arange(keys)
    busy = np.arange(keys) % _BUSY == 0
    process, index = psutil.Process(), 0
    detection.apply(_heartbeat(0, _DAWN * MINUTE_US - 20_000_000))
    for hour in range(count):
        deltas, rows, took_s = 0, 0, 0.0
        for minute in range(_DAWN + 60 * hour, _DAWN + 60 * (hour + 1)):
            active = np.flatnonzero(busy | (np.arange(keys) % _EVERY == minute % _EVERY))
            index += 1
            made = [*_deltas(index, minute, active, names, random)]
            begun_s = time.process_time()
            for each in made:
                detection.apply(each)
            took_s += time.process_time() - begun_s
            deltas, rows = deltas + len(made), rows + len(active)
        quiet = np.flatnonzero(~busy)
        gone = random.choice(quiet, int(_RENAMED * len(quiet)), replace=False)
        names[gone] = names.max() + 1 + np.arange(len(gone))
        gc.collect()
        rss_mb = process.memory_info().rss / 1e6
        yield Hour(hour + 1, detection.key_count, rss_mb, deltas, took_s / deltas * 1e6, took_s / rows * 1e6)


def _deltas(
    index: int, minute: int, active: np.ndarray, names: np.ndarray, random: np.random.Generator
) -> Iterator[Delta]:
    events = random.poisson(5, len(active)) + 1
    spend = (events * random.gamma(4, 0.002, len(active)) * MONEY).astype(np.int64)
    tenants = active // _OF_A_TENANT
    for tenant in np.unique(tenants).tolist():
        own = np.flatnonzero(tenants == tenant)
        for part, begin in enumerate(range(0, len(own), _LINES)):
            places = own[begin : begin + _LINES]
            keys = names[active[places]].tolist()
            facts = zip(keys, events[places].tolist(), spend[places].tolist(), strict=True)
            rows = [_row(minute, f"tenant-{tenant}", *each) for each in facts]
            yield _delta(index, part, minute, f"tenant-{tenant}", rows)


def _row(minute: int, tenant: str, key: int, events: int, spend: int) -> Row:
    counts = dict.fromkeys(COUNTS, 0) | {
        "events": events, "calls": events, "input_tokens": 500 * events, "output_tokens": 100 * events,
        "timed": events, "duration_sum_us": 900_000 * events, "spend": spend, "usage_spend": spend,
    }  # fmt: skip
    names = (tenant, "", f"key-{key}", "", "gpt-4o", "", "USD")
    return (minute * MINUTE_US, *names, *(counts[name] for name in COUNTS))


def _delta(index: int, part: int, minute: int, tenant: str, rows: list[Row]) -> Delta:
    until_us = (minute + 1) * MINUTE_US - 1
    return Delta(
        log_id=_LOG,
        index=index,
        part=part,
        tenant_id=tenant,
        watermark_us=until_us,
        recorded_from_us=minute * MINUTE_US,
        recorded_until_us=until_us,
        written_us=until_us,
        rows={minute: rows},
    )


def _heartbeat(index: int, at_us: int) -> Delta:
    return Delta(_LOG, index, 0, "", at_us, at_us, at_us, at_us, is_heartbeat=True)


def main() -> None:
    """Print a line an hour."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.keys")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--hours", type=int, default=6)
    options = parser.parse_args()
    print("| Hour | Keys | Memory, MB | Deltas | CPU us a delta | CPU us a line |\n|---|---|---|---|---|---|")
    for each in hours(options.keys, options.hours):
        print(
            f"| {each.hour} | {each.keys:,} | {each.rss_mb:,.0f} | {each.deltas:,} | {each.cpu_us:,.0f} | "
            f"{each.row_us:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

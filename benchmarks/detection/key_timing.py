"""How long detectors take for a minute of many keys, and how many bytes a key takes."""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from auditstream.detection import spend_surge
from auditstream.detection.burst import deny_burst
from auditstream.detection.detector import Bucket, Detector
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.unit_drift import UNIT_COST, UnitDrift

_EVENTS = 1_000_000
"""Events of a minute: 17,000 a second."""


_UNTIMED = 3
"""First minutes, in which rows are given."""


def minute(random: np.random.Generator, keys: int, at: int) -> Bucket:
    """Return a minute in which a few keys do most of the work: Zipf's law, as in 10 clients of ServeGen's."""
    share = 1 / np.arange(1, keys + 1)
    events = random.poisson(_EVENTS * share / share.sum()).astype(np.float64)
    active = np.flatnonzero(events).astype(np.int32)
    did = events[active]
    spend = did * random.gamma(4, 0.002, len(did))
    return Bucket(
        at,
        1,
        active,
        {
            "events": did,
            "calls": did,
            "spend": spend,
            "usage_spend": spend,
            "blocked": random.binomial(did.astype(int), 0.01) * 1.0,
        },
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.key_timing")
    parser.add_argument("--minutes", type=int, default=7, help="minutes, the first three untimed")
    options = parser.parse_args()
    spend_surge.PROMOTED_AT = 2  # every key is hot in the minutes that are timed: the dearest case
    table = Table()
    for heading in ("", "keys", "keys a minute", "events/s", "key updates/s", "bytes a key"):
        table.add_column(heading, justify="right" if heading else "left")
    makes = {
        "spend.surge": SpendSurge,
        "cost.unit_drift": lambda: UnitDrift(UNIT_COST),
        "guardrail.deny_burst": deny_burst,
    }
    for keys in (10_000, 100_000):
        for name, make in makes.items():
            random = np.random.default_rng(1)
            detector: Detector = make()
            detector.reserve(keys)
            in_episode = np.zeros(keys, np.bool_)
            took, updates, counted = 0.0, 0, 0
            for at in range(options.minutes):
                bucket = minute(random, keys, 29_000_000 + at)
                begun = time.process_time()
                detector.observe(bucket, in_episode)
                if at >= _UNTIMED:
                    took += time.process_time() - begun
                    updates, counted = updates + len(bucket.keys), counted + 1
            size = sum(each.nbytes for each in detector.state().values())
            table.add_row(
                name,
                f"{keys:,}",
                f"{updates / counted:,.0f}",
                f"{counted * _EVENTS / took:,.0f}",
                f"{updates / took:,.0f}",
                f"{size / keys:,.0f}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

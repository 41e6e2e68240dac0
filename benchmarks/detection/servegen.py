"""ServeGen's clients with planted anomalies: false alarms a key-day, share found and delay of each kind."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from auditstream.detection.detector import Bucket, Detector
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.unit_drift import UNIT_COST, UnitDrift
from benchmarks.detection.burning import LASTING, burning
from benchmarks.detection.episodes import Alerts
from benchmarks.detection.injections import KINDS, Plan, Planted, plan
from benchmarks.detection.servegen_traffic import MINUTES, WEEK, Traffic, load_traffic

EPOCH = 29_000_000
"""Minutes since 1970 at which the first week begins."""


def run(detectors: dict[str, Detector], traffic: Traffic, injected: Plan) -> dict[str, NDArray[np.int64]]:
    """Return minute and row of each alert by name of the detector; rows as in `Planted`."""
    planted = Planted(traffic, injected)
    alerts = {name: Alerts(each, planted.rows) for name, each in detectors.items()}
    for minute in range(MINUTES):
        sums = planted.minute(minute)
        keys = np.flatnonzero(sums["events"]).astype(np.int32)
        bucket = Bucket(EPOCH + minute, 1, keys, {name: each[keys] for name, each in sums.items()})
        for each in alerts.values():
            each.take(bucket)
    return {name: each.minutes() - (EPOCH, 0) for name, each in alerts.items()}


def false_alarms(alerts: NDArray[np.int64], clients: int) -> float:
    """Return alerts a key-day of the second week of clients as they are."""
    minute, row = alerts.T
    return float(((minute >= WEEK) & (row < clients)).sum() / clients / 7)


def found(alerts: NDArray[np.int64], clients: int, injected: Plan, kind: int) -> tuple[float, float]:
    """Return which share of a kind is found while it lasts, and the median delay in minutes."""
    delays = []
    by_row: dict[int, list[int]] = {}
    for minute, row in alerts.tolist():
        by_row.setdefault(row, []).append(minute)
    which = np.flatnonzero(injected.kind == kind)
    for at in which:
        since = [minute - injected.start[at] for minute in by_row.get(clients + int(at), ())]
        delays += [min(hits)] if (hits := [s for s in since if 0 <= s < KINDS[kind].minutes]) else []
    return len(delays) / len(which), float(np.median(delays)) if delays else float("nan")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.servegen")
    parser.add_argument("--data", type=Path, default=os.environ.get("AUDITSTREAM_TEST_SHARED_DATA"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=4, help="injections of each kind into each client")
    options = parser.parse_args()
    traffic = load_traffic(Path(options.data) / "servegen", options.seed)
    injected = plan(traffic, options.seed, options.times)
    clients = len(traffic.clients)
    begun = time.perf_counter()
    alerts = run({"spend.surge": SpendSurge(), "cost.unit_drift": UnitDrift(UNIT_COST)}, traffic, injected)
    alerts["either"] = np.concatenate(list(alerts.values()))
    console = Console(width=140)
    took_s = time.perf_counter() - begun
    console.print(f"{clients} clients, {len(injected.kind)} injections, seed {options.seed}, {took_s:.0f} s")
    table = Table()
    for heading in ("", "false alarms a key-day", *(kind.name for kind in KINDS)):
        table.add_column(heading, justify="right" if heading else "left")
    for name, each in alerts.items():
        cells = [found(each, clients, injected, kind) for kind in range(len(KINDS))]
        table.add_row(
            name,
            f"{false_alarms(each, clients):.3f}",
            *(f"{share:.2f} ({delay:.0f} min)" for share, delay in cells),
        )
    console.print(table)
    for each in (burning(traffic, kind, options.seed, options.times) for kind in LASTING):
        console.print(each.line())


if __name__ == "__main__":
    main()

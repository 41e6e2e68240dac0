"""ServeGen's clients with planted anomalies: false alarms a key-day, share found and delay of each kind.

Each seed draws other minutes and plants elsewhere; what is reported is the mean of the seeds, and the worst
of them. With `--published`, a folder with the repository alibaba/ServeGen, the clients are those that the
data folder does not have: no threshold was chosen on them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from auditstream.detection.detector import Bucket, Detector
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.unit_drift import UNIT_COST, UnitDrift
from benchmarks.detection.burning import LASTING, Burning, burning
from benchmarks.detection.episodes import Alerts
from benchmarks.detection.injections import KINDS, Plan, Planted, plan
from benchmarks.detection.servegen_traffic import (
    MINUTES,
    WEEK,
    Traffic,
    held_out,
    load_traffic,
    tuned_on,
)

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one seed.

    Attributes:
        clients: How many there are.
        injections: How many anomalies were planted.
        false: False alarms a key-day, by detector.
        found: Share that was found and median delay in minutes, by detector, a pair a kind.
        burning: What burn rates found of what lasts.
    """

    clients: int
    injections: int
    false: dict[str, float]
    found: dict[str, list[tuple[float, float]]]
    burning: list[Burning]


def outcome(traffic: Traffic, seed: int, times: int) -> Outcome:
    """Return what the product's detectors find in traffic with so many injections of each kind a client."""
    injected = plan(traffic, seed, times)
    clients = len(traffic.clients)
    alerts = run({"spend.surge": SpendSurge(), "cost.unit_drift": UnitDrift(UNIT_COST)}, traffic, injected)
    alerts["either"] = np.concatenate(list(alerts.values()))
    return Outcome(
        clients=clients,
        injections=len(injected.kind),
        false={name: false_alarms(each, clients) for name, each in alerts.items()},
        found={
            name: [found(each, clients, injected, kind) for kind in range(len(KINDS))]
            for name, each in alerts.items()
        },
        burning=[burning(traffic, kind, seed, times) for kind in LASTING],
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.servegen")
    parser.add_argument("--data", type=Path, default=os.environ.get("AUDITSTREAM_TEST_SHARED_DATA"))
    parser.add_argument("--published", type=Path, help="folder with the repository as `servegen`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--times", type=int, default=4, help="injections of each kind into each client")
    options = parser.parse_args()
    seen = Path(options.data) / "servegen"
    if options.published is None:
        clients, split = tuned_on(seen), "tuned on"
    else:
        clients, split = held_out(options.published / "servegen", seen), "held out"
    console, found = Console(width=150), []
    for seed in options.seeds:
        begun = time.process_time()
        found.append(outcome(load_traffic(clients, seed), seed, options.times))
        took_s = time.process_time() - begun
        console.print(
            f"{split}, seed {seed}: {found[-1].clients} clients, {found[-1].injections} injections, "
            f"{took_s:.0f} s of CPU"
        )
        for each in found[-1].burning:
            console.print(f"  {each.line()}")
    console.print(_table(found))
    for at, kind in enumerate(LASTING):
        shares = [each.burning[at].share for each in found]
        console.print(f"{kind.name}: burn rates find {np.mean(shares):.2f}, at worst {min(shares):.2f}")


def _table(outcomes: Sequence[Outcome]) -> Table:
    """Return mean and worst of the seeds."""
    table = Table()
    for heading in ("", "false alarms a key-day", *(kind.name for kind in KINDS)):
        table.add_column(heading, justify="right" if heading else "left")
    for name in outcomes[0].false:
        false = [each.false[name] for each in outcomes]
        cells = [_cell(each.found[name][kind] for each in outcomes) for kind in range(len(KINDS))]
        table.add_row(name, f"{np.mean(false):.3f}, {max(false):.3f}", *cells)
    return table


def _cell(found: Iterable[tuple[float, float]]) -> str:
    shares, minutes = zip(*found, strict=True)
    delays = [each for each in minutes if not np.isnan(each)]  # of seeds that found any
    after = f" ({np.mean(delays):.0f}, {max(delays):.0f} min)" if delays else ""
    return f"{np.mean(shares):.2f}, {min(shares):.2f}{after}"


if __name__ == "__main__":
    main()

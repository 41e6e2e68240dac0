"""`python -m benchmarks.detection.incidents`: incidents by seed, found or not, and quiet hours."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from auditstream.demo.incident import Outcome, Reckoning, reckon
from benchmarks.detection.incidents.chain import Chain
from benchmarks.detection.incidents.recorded import made, recorded
from benchmarks.detection.incidents.sets import SETS, TrafficSet


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.incidents")
    parser.add_argument("--seeds", default="1..3", help="first and last seed, as 1..10")
    parser.add_argument("--set", choices=SETS, default="second", help="whose traffic: demo or second")
    parser.add_argument("--unexplained", action="store_true", help="name the findings that nothing explains")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what recording makes there")
    options = parser.parse_args()
    traffic = SETS[options.set]
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    first, _, last = options.seeds.partition("..")
    found: dict[int, Reckoning] = {}
    for seed in range(int(first), int(last or first) + 1):
        begun_s = time.process_time()
        slices = recorded(options.set, seed, options.keep) if options.keep else made(options.set, seed)
        found[seed] = reckon(traffic.incidents(seed), Chain().run(slices))
        cpu_s = time.process_time() - begun_s
        print(f"seed {seed}: {_in_short(found[seed])}; {cpu_s:.0f} s of CPU", file=sys.stderr, flush=True)
    console = Console(width=40 + 34 * len(found))
    console.print(_incidents(found))
    console.print(_quiet(found, traffic))
    if options.unexplained:
        for seed, reckoning in found.items():
            for of_hour in reckoning.unexplained.values():
                for each in of_hour:
                    console.print(
                        f"seed {seed}: {each.known:%a %H:%M} {each.rule} {each.tenant} {each.scope}"
                    )


def _in_short(reckoning: Reckoning) -> str:
    """Return what a seed's table will say, for those who do not wait for all of them."""
    counted = [each for each in reckoning.outcomes if each.incident.is_due or each.finding is not None]
    hits = sum(each.finding is not None for each in counted)
    numbers = [len(of_hour) for of_hour in reckoning.unexplained.values()]
    worst = max(numbers, default=0)
    return f"{hits} of {len(counted)} found, {sum(numbers)} unexplained, {worst} in the worst hour"


def _incidents(found: dict[int, Reckoning]) -> Table:
    table = Table("incident", *(f"seed {seed}" for seed in found), "found", title="form: rule, minutes to it")
    kinds = [each.incident.kind for each in next(iter(found.values())).outcomes]
    for place, kind in enumerate(kinds):
        outcomes = [reckoning.outcomes[place] for reckoning in found.values()]
        counted = [each for each in outcomes if each.incident.is_due or each.finding is not None]
        hits = sum(each.finding is not None for each in counted)
        table.add_row(kind, *map(_cell, outcomes), f"{hits} of {len(counted)}")
    return table


def _cell(outcome: Outcome) -> str:
    shape = outcome.incident.shape
    if outcome.finding is None or outcome.delay is None:
        return f"{shape}: {'missed' if outcome.incident.is_due else 'not due'}"
    return f"{shape}: {outcome.finding.rule}, {outcome.delay / timedelta(minutes=1):.0f}"


def _quiet(found: dict[int, Reckoning], traffic: TrafficSet) -> Table:
    hours = traffic.hours * len(found)
    table = Table("findings that nothing planted explains", "")
    numbers = [len(of_hour) for each in found.values() for of_hour in each.unexplained.values()]
    table.add_row("a tenant-hour", f"{sum(numbers) / hours / traffic.tenants:.4f}")
    table.add_row("hours with one", f"{sum(each == 1 for each in numbers)} of {hours}")
    table.add_row("hours with more", f"{sum(each > 1 for each in numbers)}")
    table.add_row("in the worst hour", f"{max(numbers, default=0)}")
    rules = Counter(
        each.rule for of in found.values() for of_hour in of.unexplained.values() for each in of_hour
    )
    for rule, count in rules.most_common():
        table.add_row(rule, f"{count}")
    return table


if __name__ == "__main__":
    main()

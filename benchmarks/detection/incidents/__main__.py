"""`python -m benchmarks.detection.incidents`: incidents by seed, found or not, and quiet hours."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from auditstream.demo.incident import FOUND_BY, Outcome, Reckoning, reckon
from benchmarks.detection.incidents.chain import Chain
from benchmarks.detection.incidents.schedule import MINUTES, second_set
from benchmarks.detection.incidents.services import SERVICES, facts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.incidents")
    parser.add_argument("--seeds", default="1..3", help="first and last seed, as 1..10")
    parser.add_argument("--unexplained", action="store_true", help="name the findings that nothing explains")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("..")
    found: dict[int, Reckoning] = {}
    for seed in range(int(first), int(last or first) + 1):
        begun_s = time.process_time()
        planted = second_set(seed)
        found[seed] = reckon(planted.incidents, Chain(facts()).run(planted.events))
        took_s = time.process_time() - begun_s
        print(
            f"seed {seed}: {len(planted.events)} events, {took_s:.0f} s of CPU", file=sys.stderr, flush=True
        )
    console = Console(width=40 + 34 * len(found))
    console.print(_incidents(found))
    console.print(_quiet(found))
    if options.unexplained:
        for seed, reckoning in found.items():
            for of_hour in reckoning.unexplained.values():
                for each in of_hour:
                    console.print(
                        f"seed {seed}: {each.known:%a %H:%M} {each.rule} {each.tenant} {each.scope}"
                    )


def _incidents(found: dict[int, Reckoning]) -> Table:
    table = Table("incident", *(f"seed {seed}" for seed in found), "found", title="form: rule, minutes to it")
    for place, kind in enumerate(FOUND_BY):
        outcomes = [reckoning.outcomes[place] for reckoning in found.values()]
        hits = sum(each.finding is not None for each in outcomes)
        table.add_row(kind, *map(_cell, outcomes), f"{hits} of {len(outcomes)}")
    return table


def _cell(outcome: Outcome) -> str:
    shape = outcome.incident.shape
    if outcome.finding is None or outcome.delay is None:
        return f"{shape}: missed"
    return f"{shape}: {outcome.finding.rule}, {outcome.delay / timedelta(minutes=1):.0f}"


def _quiet(found: dict[int, Reckoning]) -> Table:
    tenants = len({each.tenant for each in SERVICES})
    hours = MINUTES / 60 * len(found)
    table = Table("findings that nothing planted explains", "")
    numbers = [len(of_hour) for each in found.values() for of_hour in each.unexplained.values()]
    table.add_row("a tenant-hour", f"{sum(numbers) / hours / tenants:.4f}")
    table.add_row("hours with one", f"{sum(each == 1 for each in numbers)} of {hours:.0f}")
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

"""`make bench`: every case in one run on one broker and one store; also benchmarks/results/latest.json."""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastavro
from rich.console import Console
from rich.table import Table

from auditstream.core.errors import RequestError
from benchmarks.bed import Bed, made_bed
from benchmarks.detecting import measure_detecting
from benchmarks.events import Size, encoded
from benchmarks.evidence import measure_sealing, measure_verification
from benchmarks.gateway import measure_gateway
from benchmarks.latency import measure
from benchmarks.measured import Figures, Measured, middle, ratio
from benchmarks.pricing import measure_pricing
from benchmarks.sdk import measure_recording
from benchmarks.search import measure_search
from benchmarks.workers import run_group, soak
from schemas.packaged import parsed_schema

RESULTS = Path(__file__).parent / "results" / "latest.json"

# Events of each case: enough for some seconds, few enough for two cores.
_STOCK = 20_000
_BATCH: dict[Size, int] = {"small": 3_000_000, "typical": 1_200_000}
# Whole segments for every lane: the last one must not wait for more records than there are.
_RECORD: dict[Size, int] = {"small": 1_600_000, "typical": 800_000}
_TEAMS = (1, 2, 4)
_PRICED = 1_000_000
_LEAVES = 1 << 20
_VERIFIED = 5_000_000
_SEARCHED = 1_000_000  # ten million take some minutes to make
_CASES = {
    "stock-nothing": "(a) stock Faust, nothing",
    "stock-decode": "(b) stock Faust, fastavro",
    "batch-nothing": "(c) batch transport, nothing",
    "record": "(d) record path, ClickHouse",
    "record-without-leaves": "(d') the same without leaves",
    "floor": "(e) insert only",
}
_TIMES_FASTER = 5  # that a search is, than without order and indexes
_LEAVES_OR_NOT = ("record", "record-without-leaves")
_ROUNDS = 3  # a difference of a tenth is less than what two runs of the same differ by


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, to see that it runs")
    parser.add_argument("--no-latency", action="store_true", help="leave the latency measurement out")
    parser.add_argument("--no-workers", action="store_true", help="leave out groups of 1, 2 and 4 workers")
    parser.add_argument(
        "--soak", type=float, default=0.0, help="seconds at full load with full windows, to see the memory"
    )
    parser.add_argument(
        "--only",
        choices=["sizes", "pricing", "detection", "evidence", "latency", "gateway", "sdk", "search", "soak"],
        help="measure nothing else",
    )
    parser.add_argument(
        "--searched",
        type=int,
        default=_SEARCHED,
        help="events in the store that searches are measured in: 600 bytes of disk each, 4.5 GB of memory",
    )
    parser.add_argument("--size", choices=["small", "typical"], help="measure only this size of event")
    options = parser.parse_args()
    share = 10 if options.quick else 1
    console = Console(stderr=True)
    results: dict[str, Any] = {"machine": _machine(), "sizes": {}}
    if options.only in {None, "sdk"}:
        console.print("recording with the SDK …")
        results["sdk"] = asdict(measure_recording(rounds=5 if options.quick else 20))
    if options.only in {None, "search"}:
        results["search"] = asdict(
            measure_search(options.searched // share, lambda text: console.print(text, soft_wrap=True))
        )
    if options.only in {"sdk", "search"}:
        _finish(results)
        return
    with made_bed() as bed:
        sizes: list[Size] = [options.size] if options.size else ["small", "typical"]
        for size in sizes if options.only in {None, "sizes"} else ():
            results["sizes"][size] = _measure_size(bed, size, share, console, groups=not options.no_workers)
        if not options.no_latency and options.only in {None, "latency"}:
            console.print("latency at 2,000 events/s …")
            results["latency"] = asdict(measure(bed, seconds=5 if options.quick else 30))
        if options.only in {None, "pricing"}:
            console.print("recording with prices, and without …")
            results["pricing"] = asdict(measure_pricing(bed, _PRICED // share))
        if options.only in {None, "detection"}:
            results["detection"] = {}
            for size in sizes:
                console.print(f"recording {size} with detection, and without, {_ROUNDS} times in turn …")
                detecting = measure_detecting(bed, size, _RECORD[size] // share, rounds=_ROUNDS)
                results["detection"][size] = asdict(detecting)
        if options.only in {None, "evidence"}:
            console.print("sealing …")
            results["sealing"] = asdict(measure_sealing(_LEAVES // share))
            results["verification"] = []
            for size in sizes:
                console.print(f"verifying {size} …")
                verified = measure_verification(bed, size, _VERIFIED // share)
                results["verification"].append(asdict(verified))
        if options.only in {None, "gateway"}:
            console.print("gateway …")
            seconds, still_s = (2.0, 6.0) if options.quick else (8.0, 20.0)
            results["gateway"] = asdict(measure_gateway(bed, seconds=seconds, still_s=still_s))
        if options.soak:
            console.print(f"one worker at full load for {options.soak:.0f} s …")
            results["soak"] = asdict(soak(bed, options.size or "small", seconds=options.soak))
    _finish(results)


def _finish(results: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    _print(results)


def _measure_size(bed: Bed, size: Size, share: int, console: Console, *, groups: bool) -> dict[str, Any]:
    counts = {
        "stock-nothing": _STOCK // share,
        "stock-decode": _STOCK // share,
        "batch-nothing": _BATCH[size] // share,
        "floor": _RECORD[size] // share,
    }
    console.print(f"{size}: filling the topic …")
    most = max(*counts.values(), _RECORD[size] // share)
    topic = bed.fill(size, most)
    figures: dict[str, Figures] = {}
    for case, count in counts.items():
        console.print(f"{size}: {_CASES[case]} …")
        figures[case] = bed.run(case, topic, count)
    console.print(f"{size}: {', '.join(_CASES[case] for case in _LEAVES_OR_NOT)}, {_ROUNDS} times in turn …")
    rounds = bed.alternate(_LEAVES_OR_NOT, topic, _RECORD[size] // share, rounds=_ROUNDS)
    figures |= {case: middle(rounds, at) for at, case in enumerate(_LEAVES_OR_NOT)}
    alone_us = _fastavro_us(size)
    teams = []
    for workers in _TEAMS if groups else ():
        console.print(f"{size}: {workers} workers …")
        teams.append(run_group(bed, topic, most, workers=workers))
    return {
        "workers": [_with_rates(each) for each in teams],
        "bytes": bed.sizes[topic],
        "fastavro_us": alone_us,
        "cases": {case: _with_rates(figures[case]) for case in _CASES},
        "ratios": {
            "c/a": figures["batch-nothing"].events_per_s / figures["stock-nothing"].events_per_s,
            "d/b": figures["record"].events_per_s / figures["stock-decode"].events_per_s,
            "d/e": figures["record"].events_per_s / figures["floor"].events_per_s,
            "d'/d": 1 / ratio(rounds, lambda figures: figures.events_per_s),
            "cpu d/d'": ratio(rounds, lambda figures: figures.cpu_us),
            "cpu d / fastavro": figures["record"].cpu_us / alone_us,
        },
    }


def _with_rates(figures: Measured) -> dict[str, Any]:
    return {**asdict(figures), "events_per_s": figures.events_per_s, "cpu_us": figures.cpu_us}


def _fastavro_us(size: Size) -> float:
    """Return processor microseconds of fastavro's schemaless_reader alone for one event."""
    schema = parsed_schema("audit_event")
    data = [encoded(size, number) for number in range(2_000)]
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for value in data:
            fastavro.schemaless_reader(io.BytesIO(value), schema)
        best = min(best, time.process_time() - begun)
    return best / len(data) * 1e6


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "processor": platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 1),
    }


def _print(results: dict[str, Any]) -> None:
    machine = results["machine"]
    table = Table(title=f"one run, {machine['cores']} cores", title_justify="left")
    for heading in ("case", "event", "events/s", "MB/s", "CPU µs/event", "peak MB"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for size, found in results["sizes"].items():
        for case, figure in found["cases"].items():
            mb_per_s = figure["events_per_s"] * found["bytes"] / 1e6
            table.add_row(
                _CASES[case],
                f"{size} {found['bytes']:.0f} B",
                f"{figure['events_per_s']:,.0f}",
                f"{mb_per_s:,.1f}",
                f"{figure['cpu_us']:,.1f}",
                f"{figure['peak_mb']:,.0f}",
            )
    console = Console(width=110)
    console.print(
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, Python "
        f"{machine['python']}; load {machine['load_before']} before, {os.getloadavg()[0]:.1f} after"
    )
    if results["sizes"]:
        console.print(table)
    for size, found in results["sizes"].items():
        ratios = "  ".join(f"{name} = {value:.2f}" for name, value in found["ratios"].items())
        console.print(f"{size}: fastavro alone {found['fastavro_us']:.1f} µs;  {ratios}")
        for team in found["workers"]:
            console.print(
                f"{size}: {team['workers']} workers: {team['events_per_s']:,.0f} events/s, "
                f"{team['cpu_us']:.1f} µs of theirs an event"
            )
    if "pricing" in results:
        found = results["pricing"]
        console.print(
            f"{found['models']} models, {found['tenants']} tenants with contracts, "
            f"{found['priced']['events']:,} events: recorded with prices in {found['cpu_ratio']:.2f} of the "
            f"processor time and {found['time_ratio']:.2f} of the time of the same without"
        )
    for size, found in results.get("detection", {}).items():
        console.print(
            f"{size}: {found['events']:,} events recorded with detection in {found['cpu_ratio']:.2f} of the "
            f"processor time of the same without: {found['without_us']:.1f} µs an event without; with it "
            f"{found['worker_us']:.1f} in the worker, {found['agent_us']:.2f} in the detect agent"
        )
    if "soak" in results:
        soaked = results["soak"]
        console.print(
            f"{soaked['seconds']:.0f} s at full load with full windows ({soaked['filled_events']:,} events "
            f"before), {soaked['events']:,} events: "
            f"{soaked['early_mb']:.0f} MB early, {soaked['late_mb']:.0f} MB late, "
            f"{soaked['peak_mb']:.0f} MB peak"
        )
    if "sealing" in results:
        sealing = results["sealing"]
        plain = sealing["plain_s"]
        console.print(
            f"{sealing['leaves']:,} leaves; plain SHA-256 over the entries {plain:.2f} s; leaves built at "
            f"{plain / sealing['leaves_s']:.2f} of that speed, sealed at {plain / sealing['sealed_s']:.2f}, "
            f"into files at {plain / sealing['files_s']:.2f} (as many bare files: "
            f"{sealing['bare_files_s']:.1f} of {sealing['files_s']:.1f} s)"
        )
    for verified in results.get("verification", ()):
        console.print(
            f"{verified['rows']:,} rows of {verified['bytes']:.0f} B; the store's SHA-256 over their values "
            f"{verified['plain_s']:.2f} s, verified at {verified['plain_s'] / verified['verified_s']:.2f} of "
            f"that speed; sealed in {verified['sealed_s']:.1f} s"
        )
    if "gateway" in results:
        _print_gateway(console, results["gateway"])
    if "sdk" in results:
        _print_sdk(console, results["sdk"])
    if "search" in results:
        _print_search(console, results["search"])
    if "latency" in results:
        latency = results["latency"]
        console.print(
            f"produce to queryable at {latency['rate_per_s']:,} events/s: median {latency['p50_s']:.2f} s, "
            f"99th percentile {latency['p99_s']:.2f} s, longest {latency['max_s']:.2f} s"
        )


def _print_search(console: Console, found: dict[str, Any]) -> None:
    taken, cpu = found["time"], found["cpu"]
    console.print(
        f"{found['searches']} first pages over a day, by tenant and one field, of {found['events']:,}: "
        f"median {taken['ours_ms']:.0f} ms, 95th percentile {found['p95_ms']:.0f} ms; the same WHERE on "
        f"a copy without order and indexes {taken['plain_ms']:.0f} ms, {taken['ratio']:.1f} times as long; "
        f"of the store's processors {cpu['ours_ms']:.0f} ms, copy {cpu['plain_ms']:.0f} ms, "
        f"{cpu['ratio']:.1f} times (at least {_TIMES_FASTER} are promised)"
    )
    for name, of_field in found["time_by_field"].items():
        cpu = found["cpu_by_field"][name]
        console.print(
            f"  by {name}: {of_field['ours_ms']:.0f} ms, copy {of_field['plain_ms']:.0f} ms, "
            f"{of_field['ratio']:.1f} times; of the processors {cpu['ratio']:.1f} times"
        )
    ours, plain = found["megabytes"]
    console.print(
        f"all facets of a tenant's day at once: median {found['facets_ms']:.0f} ms, one alone "
        f"{found['facet_ms']:.0f} ms; {found['facets_late']} of {found['facets']} not within their second"
    )
    console.print(
        f"{found['booked']} first pages where new prices were booked to one event in a hundred: median "
        f"{found['booked_ms']:.0f} ms; filled in {found['fill_s']:.0f} s, on disk {ours:,.0f} MB, the copy "
        f"{plain:,.0f} MB"
    )


def _print_gateway(console: Console, gateway: dict[str, Any]) -> None:
    for name, called in (("empty", "empty route"), ("singles", "single posts"), ("batches", "500 at once")):
        rate = gateway[name]
        console.print(
            f"gateway, {called}: {rate['requests_per_s']:,.0f} requests/s, "
            f"{rate['events_per_s']:,.0f} events/s, {rate['cpu_us']:.1f} µs of its own an event"
        )
    console.print(
        f"gateway: single posts at {gateway['singles_of_empty']:.2f} of the empty route, batches at "
        f"{gateway['batches_of_singles']:.1f} times single posts; while Kafka stood still "
        f"{gateway['early_mb']:.0f} MB early, {gateway['late_mb']:.0f} MB late "
        f"({gateway['before_mb']:.0f} before), {gateway['refused']:,} requests refused"
    )


def _print_sdk(console: Console, sdk: dict[str, Any]) -> None:
    console.print(
        f"one call, median of {sdk['rounds']} rounds, {sdk['recorded']:,} events recorded with the SDK, "
        f"{sdk['dropped']} dropped:"
    )
    names = {"logging": "logging, QueueHandler", "block": "SDK, block", "event": "SDK, finished event"}
    for case, name in {**names, "idle": "SDK, not configured"}.items():
        cost = sdk[case]
        console.print(
            f"  {name:<22} {cost['wall_us']:6.2f} µs ({cost['wall_ratio']:.2f}), of the caller's processor "
            f"{cost['cpu_us']:6.2f} µs ({cost['cpu_ratio']:.2f})"
        )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except RequestError as error:
        raise SystemExit(f"{error.message}. {error.hint}") from None

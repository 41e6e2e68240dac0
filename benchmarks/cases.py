"""The measured processes: `python -m benchmarks.cases NAME`, told by BENCH_* and AUDITSTREAM_* variables.

The clock starts with the first batch that arrives, which itself is not counted, and stops with the last.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import fastavro
import faust
import polars as pl

from auditstream.core import logs
from auditstream.core import settings as core_settings
from auditstream.core.settings import Settings
from benchmarks.bed import PARTITIONS
from benchmarks.detecting import all_rules, detect_to_the_end
from benchmarks.events import Size
from benchmarks.floor import insert_only
from benchmarks.measured import Stopwatch
from benchmarks.priced_events import Facts
from benchmarks.pricing import NoPrices
from benchmarks.without_services import NoFacts, OneSchema
from schemas.packaged import parsed_schema, schema_json
from sinks.clickhouse import ClickHouseSink, connect
from streams.process import run_until_stopped
from streams.recording import provenance
from streams.recording.assembly import new_recorder
from streams.recording.recorder import SegmentRecorder
from streams.transport.app import BatchApp
from streams.worker import WorkerParts, new_worker_app

EVENTS = int(os.environ["BENCH_EVENTS"])
TOPIC = os.environ["BENCH_TOPIC"]
BROKER = os.environ["BENCH_BROKER"]

_FOLLOW_S = 0.05
"""How often the worker's counters are read. A reading takes 0.3 ms: at 5 ms it was a sixth of the result."""


def _faust_settings() -> dict[str, Any]:
    return {
        "broker": f"kafka://{BROKER}",
        "store": "memory://",
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": 4 * 1024 * 1024,
        "table_standby_replicas": 0,
        "datadir": os.environ["AUDITSTREAM_DATA_DIR"],
    }


def stock(handle: Callable[[bytes], object]) -> None:
    """Run stock Faust: one message at a time into an agent that calls `handle`."""
    app = faust.App(f"bench-{time.time_ns()}", **_faust_settings())
    watch = Stopwatch(EVENTS)

    @app.agent(app.topic(TOPIC, value_type=bytes, value_serializer="raw"))
    async def agent(stream: Any) -> None:
        async for value in stream:
            handle(value)
            watch.saw(1)

    run_until_stopped(app)  # type: ignore[arg-type]  # any Faust app runs


def stock_nothing() -> None:
    """(a) Stock Faust, an agent that does nothing."""
    stock(len)


def stock_decode() -> None:
    """(b) Stock Faust, an agent that decodes with fastavro."""
    schema = parsed_schema("audit_event")
    stock(lambda value: fastavro.schemaless_reader(io.BytesIO(value[5:]), schema))


def batch_nothing() -> None:
    """(c) The batch transport, an agent that does nothing."""
    app = BatchApp(
        f"bench-{time.time_ns()}", batch_topics=[TOPIC], stream_buffer_maxsize=64, **_faust_settings()
    )
    watch = Stopwatch(EVENTS)
    first_fetch: list[int] = []

    @app.agent(app.slab_topic(TOPIC))
    async def agent(stream: Any) -> None:
        async for slab in stream:
            # One fetch brings a slab of every partition at once: the clock starts when all of them are there.
            if len(first_fetch) < PARTITIONS:
                first_fetch.append(len(slab.values))
                if len(first_fetch) == PARTITIONS:
                    watch.saw(sum(first_fetch))
            else:
                watch.saw(len(slab.values))

    run_until_stopped(app)


def record() -> None:
    """(d) The whole record path into ClickHouse."""
    settings = core_settings.load()
    sink = connect(settings.clickhouse)
    _record(settings, sink, new_recorder(OneSchema(), sink.history(), NoFacts(), settings.kafka))


def record_priced() -> None:
    """Record with the imported price book, and contracts of every tenant."""
    settings = core_settings.load()
    sink = connect(settings.clickhouse)
    _record(settings, sink, new_recorder(OneSchema(), sink.history(), Facts(), settings.kafka), revision=1)


def record_unpriced() -> None:
    """Record the same with the same facts, and price nothing."""
    settings = core_settings.load()
    sink = connect(settings.clickhouse)
    recorder = new_recorder(OneSchema(), sink.history(), Facts(), settings.kafka, pricer=NoPrices())
    _record(settings, sink, recorder, revision=1)


def record_undetected() -> None:
    """Record and publish no usage deltas, apply no rules."""
    SegmentRecorder._outbound = lambda *_: iter(())  # type: ignore[method-assign]  # no dead letters either
    settings = core_settings.load()
    sink = connect(settings.clickhouse)
    recorder = new_recorder(OneSchema(), sink.history(), NoFacts(), settings.kafka, detects=False)
    _record(settings, sink, recorder)


def record_detected() -> None:
    """Record with usage deltas, rules about sequences, and the shipped rules."""
    settings = core_settings.load()
    sink = connect(settings.clickhouse)
    recorder = new_recorder(OneSchema(), sink.history(), NoFacts(), settings.kafka, rules=all_rules())
    _record(settings, sink, recorder)


def detect() -> None:
    """Run the detect agent over what was published, to its end."""
    detect_to_the_end(core_settings.load(), lambda _: schema_json("usage_delta"), EVENTS)


def _record(
    settings: Settings, sink: ClickHouseSink, recorder: SegmentRecorder, *, revision: int = 0
) -> None:
    parts = WorkerParts(sink=sink, recorder=recorder, reference_revision=lambda: revision)
    watch = Stopwatch(EVENTS)
    threading.Thread(target=_follow, args=(parts, watch), daemon=True).start()
    run_until_stopped(new_worker_app(settings, parts))


def record_without_leaves() -> None:
    """(d') The same without leaves: no value and no entry is hashed."""
    provenance._leaf_hashes = lambda segment, *_: pl.Series([bytes(32)] * len(segment), dtype=pl.Binary)
    record()


def _follow(parts: WorkerParts, watch: Stopwatch) -> None:
    """Report durable rows as they come; the watch starts when the first records were fetched."""
    while not _total(parts, "auditstream_records_total"):
        time.sleep(0.01)
    watch.saw(0)
    seen = 0.0
    while True:
        rows = _total(parts, "auditstream_rows_total")
        if rows > seen:
            watch.saw(int(rows - seen))
            seen = rows
        time.sleep(_FOLLOW_S)


def _total(parts: WorkerParts, name: str) -> float:
    samples = (sample for metric in parts.metrics.registry.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name == name)


def serve() -> None:
    """The whole record path, until it is stopped: for latency and memory."""
    settings = core_settings.load()
    sink = connect(settings.clickhouse)
    recorder = new_recorder(OneSchema(), sink.history(), NoFacts(), settings.kafka)
    run_until_stopped(new_worker_app(settings, WorkerParts(sink=sink, recorder=recorder)))


def floor() -> None:
    """(e) The same blocks inserted and nothing else."""
    insert_only(core_settings.load().clickhouse, cast("Size", os.environ["BENCH_SIZE"]), EVENTS)


CASES = {
    "serve": serve,
    "floor": floor,
    "stock-nothing": stock_nothing,
    "stock-decode": stock_decode,
    "batch-nothing": batch_nothing,
    "record": record,
    "record-without-leaves": record_without_leaves,
    "record-priced": record_priced,
    "record-unpriced": record_unpriced,
    "record-undetected": record_undetected,
    "record-detected": record_detected,
    "detect": detect,
}

if __name__ == "__main__":
    logs.configure(style="json", level="WARNING")
    CASES[sys.argv[1]]()

"""(e) The floor: the blocks that the record path makes, encoded beforehand, inserted and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from auditstream.core.ports import LogId, Plan, Segment
from auditstream.core.settings import ClickHouseSettings, KafkaSettings
from benchmarks.events import Size, values
from benchmarks.measured import Stopwatch
from benchmarks.without_services import NoFacts, OneSchema
from sinks.clickhouse import ONE_BLOCK, connect
from sinks.clients import ClientPool, http_client
from sinks.payload import Payload, encode
from streams.recording.assembly import new_recorder

SEGMENT_ROWS = 25_000
"""Rows of a block: what the worker's lanes make of four partitions that are read together."""

_LANES = 4
_LEASE_S = 3_600.0


def insert_only(settings: ClickHouseSettings, size: Size, events: int) -> None:
    """Build and encode every block, then insert them as the lanes would: side by side, each in its order."""
    pool = ClientPool(lambda: http_client(settings))
    blocks = list(_payloads(settings, size, events))
    watch = Stopwatch(events)
    watch.saw(0)

    def insert(numbered: tuple[int, Payload]) -> None:
        number, payload = numbered
        with pool.borrow() as client:
            client.raw_insert(
                "events",
                column_names=payload.columns,
                insert_block=payload.pieces(),  # type: ignore[arg-type]  # the driver writes any buffers
                settings={**ONE_BLOCK, "insert_deduplication_token": f"floor-{number}"},
                fmt="ArrowStream",
            )

    with ThreadPoolExecutor(_LANES) as lanes:
        for _ in lanes.map(insert, enumerate(blocks)):
            pass
    watch.saw(events)


def _payloads(settings: ClickHouseSettings, size: Size, events: int) -> Iterator[Payload]:
    history = connect(settings).history()
    recorder = new_recorder(OneSchema(), history, NoFacts(), KafkaSettings())
    now_s = time.time()
    log = LogId("floor", 0, "00000000")
    records = list(values(size, events))
    for lo in range(0, events, SEGMENT_ROWS):
        run = records[lo : lo + SEGMENT_ROWS]
        plan = Plan(lo, lo + len(run) - 1, lo, datetime.fromtimestamp(now_s, UTC).date())
        offsets = range(lo, lo + len(run))
        segment = Segment(log, plan, offsets, run, [int(now_s * 1000)] * len(run))
        yield encode(recorder.build(segment).frame, now_s + _LEASE_S)

"""A store of ten days of events, with a copy of them that has no order and no indexes.

The store makes the events itself, in the order of their arrival: tenants of very different size, models,
tools, agents, conversations, no id twice. A day is one insert, so that its rows lie as if they had been
merged, and two days are made at once. The copy has the rows as they lie in `events` and the store's fastest
compression, both of which spare it reading.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditstream.core.errors import RequestError
from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from benchmarks.endings import ended_by_signal
from sinks.clients import http_client
from sinks.migrate import apply

DAYS = 10
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
TENANTS, MODELS, TOOLS, AGENTS, ACTORS = 40, 12, 30, 200, 5_000

Tell = Callable[[str], None]
"""Is told how far a measurement is."""

_AT_ONCE = 2
_CHUNK = 1_000_000  # rows that an insert holds in memory, with columns of more than two kilobytes a row
_EVENT_BYTES = 560  # on disk, in both tables
_PATIENCE_S = 1_800.0
# A chunk is one block, so one part.
_IN_ONE_BLOCK = {
    "max_block_size": _CHUNK,
    "min_insert_block_size_rows": _CHUNK,
    "min_insert_block_size_bytes": 0,
    "max_insert_threads": 1,
    "max_threads": 1,
    "max_execution_time": 0,
}

# Of a tenant's size the cube of a random number: the largest has a third of all, most have a hundredth.
_EVENTS = f"""
INSERT INTO events (event_id, event_type, event_time, source, tenant_id, project_id, team_id, actor_id,
    agent_id, conversation_id, trace_id, outcome, duration_us, inference_provider, inference_request_model,
    inference_response_model, tool_name, input_tokens, output_tokens, cost_effective, cost_billed,
    cost_currency, cost_status, attributes, log_id, segment_id, leaf_index, leaf_kind, leaf_hash, kafka_topic,
    kafka_partition, kafka_offset, kafka_timestamp, schema_id, raw, ingest_day, insert_by)
SELECT
    generateUUIDv7() AS event_id,
    ['ai.inference', 'ai.inference', 'ai.tool_call', 'ai.policy.decision', 'ai.agent.action'][1 + h % 5]
        AS kind,
    toDateTime64({{start:Float64}} + number * {{step:Float64}}, 6, 'UTC') AS time,
    concat('urn:service-', toString(h % 20)),
    concat('tenant-', toString(toUInt32(pow(rand(1) / 4294967296., 3) * {TENANTS}))),
    concat('project-', toString(h % 7)),
    concat('team-', toString(h % 9)),
    concat('user-', toString(rand(2) % {ACTORS})),
    concat('agent-', toString(rand(3) % {AGENTS})),
    lower(hex(sipHash64(intDiv(leaf, 12)))),
    lower(hex(sipHash128(intDiv(leaf, 6)))),
    if(h % 40 = 0, 'FAILURE', 'SUCCESS'),
    1000 + rand(4) % 5000000,
    if(kind = 'ai.inference', ['openai', 'anthropic', 'gcp.gemini'][1 + rand(5) % 3], ''),
    if(kind = 'ai.inference', concat('model-', toString(rand(5) % {MODELS})), '') AS model,
    model,
    if(kind = 'ai.tool_call', concat('tool-', toString(rand(6) % {TOOLS})), ''),
    if(kind = 'ai.inference', rand(7) % 8000, NULL),
    if(kind = 'ai.inference', rand(8) % 900, NULL),
    if(kind = 'ai.inference', toDecimal128(rand(7) % 8000, 12) / 100000, NULL) AS cost,
    cost,
    if(kind = 'ai.inference', 'USD', ''),
    if(kind = 'ai.inference', 'priced', 'none'),
    map('release', toString(h % 50)),
    'audit.events.v1/0/0a', {{segment:String}}, leaf, 0,
    unhex(hex(SHA256(toString(leaf)))), 'audit.events.v1', 0, leaf, time, '1',
    hex(SHA512(toString(leaf))), toDate(time), now64(3) + 3600
FROM
(
    SELECT number, {{first:UInt64}} + number AS leaf, sipHash64(number, {{first:UInt64}}) AS h
    FROM numbers({{rows:UInt64}})
)"""
_FEEDS = ("segment_ranges_feed", "usage_1m_feed", "usage_1h_feed", "outcomes_1m_feed", "latency_1m_feed")
_COPY = "CREATE TABLE events_plain ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM events WHERE 0"
_WORDS = """
SELECT default_expression FROM system.columns
WHERE database = currentDatabase() AND table = 'events' AND name = 'search_text'"""
_COPIED = "INSERT INTO events_plain SELECT * FROM events WHERE ingest_day = {day:Date}"


def settings_of(store: RunningClickHouse) -> ClickHouseSettings:
    """Return how to sign in to the store."""
    return ClickHouseSettings(host=store.host, port=store.port, user=store.user, password=store.password)  # type: ignore[arg-type, call-arg]  # pydantic wraps the text


@contextmanager
def filled_store(events: int, tell: Tell) -> Iterator[RunningClickHouse]:
    """Lend a store with so many events, in a folder that is removed with it, however the block ends.

    Raises:
        RequestError: There are fewer events than days, or the disk has no room for them.
    """
    if events < DAYS:
        raise RequestError(f"events {events}: fewer than the {DAYS} days that they are of")
    with ended_by_signal(), tempfile.TemporaryDirectory(prefix="auditstream-search-") as folder:
        needed, free = events * _EVENT_BYTES, shutil.disk_usage(folder).free
        if free < 1.2 * needed:
            raise RequestError(
                f"{events:,} events take {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB",
                hint="Name another folder: TMPDIR.",
            )
        tell(
            f"filling a store with {events:,} events in {folder}: {needed / 1e9:.1f} GB, with a copy without "
            "order and indexes; the folder is removed at the end"
        )
        running = start_clickhouse(Path(folder) / "store")
        try:
            _fill(running, events, tell)
            yield running
        finally:
            running.stop()


def _fill(store: RunningClickHouse, events: int, tell: Tell) -> None:
    begun = time.perf_counter()
    with closing(http_client(settings_of(store), answer_within_s=_PATIENCE_S)) as client:
        apply(client, "MergeTree")
        for feed in _FEEDS:  # of rollups, which no search reads: filling takes half the time without
            client.command(f"DROP VIEW {feed}")
        client.command(_COPY)
        (words,) = client.query(_WORDS).result_rows[0]
        client.command(f"ALTER TABLE events_plain ADD COLUMN search_text String ALIAS {words}")
        client.command("SYSTEM STOP MERGES events_plain")  # which would go on beside the searches
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        days = [pool.submit(_fill_day, store, day, events // DAYS) for day in range(DAYS)]
        for done, day in enumerate(as_completed(days), start=1):
            day.result()
            tell(f"filled {done} of {DAYS} days, {time.perf_counter() - begun:.0f} s")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # what still runs ends with the store


def _fill_day(store: RunningClickHouse, day: int, rows: int) -> None:
    start = FIRST + timedelta(days=day)
    step = 86_400 / rows
    with closing(http_client(settings_of(store), answer_within_s=_PATIENCE_S)) as client:
        for first in range(0, rows, _CHUNK):
            values = {
                "start": start.timestamp() + first * step,
                "step": step,
                "first": day * rows + first,
                "rows": min(_CHUNK, rows - first),
                "segment": f"audit.events.v1/0/0a/{day * rows + first}-",
            }
            client.command(_EVENTS, values, settings=_IN_ONE_BLOCK)
        if math.ceil(rows / _CHUNK) > 1:
            merge = f"OPTIMIZE TABLE events PARTITION '{start:%Y-%m-%d}' FINAL"
            client.command(merge, settings={"max_execution_time": 0})
        client.command(_COPIED, {"day": f"{start:%Y-%m-%d}"}, settings=_IN_ONE_BLOCK)

"""A recorder over real parts without services: packaged schemas, fixed facts, a history in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from auditstream.core.ids import call_key
from auditstream.core.ports import Block, Directory, LogId, Outbound, Plan, Segment
from auditstream.core.settings import KafkaSettings
from auditstream.detection.rules.rule import RuleSet
from schemas.codec import decode
from schemas.flatten import FRAME_SCHEMA
from schemas.framing import framing_of
from schemas.packaged import SchemaName, schema_json
from streams.recording.assembly import new_recorder
from streams.recording.recorder import SegmentRecorder
from tests.support.bad_messages import framed
from tests.support.fault_worker import OWN_SCHEMA_IDS, NoFacts, PackagedSchemas

LOG = LogId("audit.events.v1", 0, "0a1b2c3d")
KAFKA = KafkaSettings()


_CALL_COLUMNS = {
    "leaf_index": pl.UInt64,
    "duplicate_of": pl.UInt64,
    "same_call_as": pl.UInt64,
    "input_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "cost_status": pl.String,
}


class KeptHistory:
    """What was recorded before: the blocks that a test puts here."""

    def __init__(self, *blocks: Block) -> None:
        self._blocks = list(blocks)

    def keep(self, block: Block) -> None:
        """Add what was recorded since."""
        self._blocks.append(block)

    def first_ids(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        firsts = self._events().filter(pl.col("duplicate_of").is_null())
        return firsts.filter(pl.col("leaf_index").is_between(from_index, to_index - 1)).drop("duplicate_of")

    def ids_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        asked = self._events().filter(pl.col("leaf_index").is_in(list(indexes)))
        return dict(asked.select("leaf_index", "event_id").iter_rows())

    def first_calls(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        calls = self._calls().filter(
            pl.col("duplicate_of").is_null(),
            pl.col("same_call_as").is_null(),
            pl.col("leaf_index").is_between(from_index, to_index - 1),
            pl.col("input_tokens").is_not_null()
            | pl.col("output_tokens").is_not_null()
            | (pl.col("cost_status") == "priced"),
        )
        return calls.select("call_key", "leaf_index")

    def calls_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        asked = self._calls().filter(pl.col("leaf_index").is_in(list(indexes)))
        return dict(asked.select("leaf_index", "call_key").iter_rows())

    def recent(self, log: LogId, columns: Sequence[str], from_index: int, to_index: int) -> pl.DataFrame:
        """Return the events as the store would: rows of `FRAME_SCHEMA`, absent texts empty."""
        wanted = (
            pl.col("leaf_index").is_between(from_index, to_index - 1)
            & (pl.col("leaf_kind") == 0)
            & pl.col("duplicate_of").is_null()
            & pl.col("same_call_as").is_null()
        )
        stamp = pl.col("kafka_timestamp").dt.epoch("ms") * 1000
        rows = [
            block.frame.filter(wanted).select(
                *(
                    pl.col(name).fill_null("") if FRAME_SCHEMA[name] == pl.String else pl.col(name)
                    for name in columns
                ),
                index=pl.col("leaf_index"),
                stamp=stamp,
            )
            for block in self._blocks
        ]
        kinds = {**{name: FRAME_SCHEMA[name] for name in columns}, "index": pl.UInt64(), "stamp": pl.Int64()}
        return pl.concat([pl.DataFrame(schema=kinds), *rows]).sort("index")

    def first_swaps(
        self, log: LogId, swaps: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        names = (
            "tenant_id", "inference_provider", "inference_request_model", "inference_response_model",
        )  # fmt: skip
        return self._firsts(names, swaps, to_index, pl.col("event_type") == "ai.inference")

    def first_unpriced(
        self, log: LogId, day: date, models: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        condition = (pl.col("cost_status") == "unpriced") & (pl.col("ingest_day") == day)
        return self._firsts(("tenant_id", "inference_provider", "model"), models, to_index, condition)

    def _firsts(
        self, names: Sequence[str], keys: Sequence[tuple[str, ...]], to_index: int, condition: pl.Expr
    ) -> dict[tuple[str, ...], int]:
        answered = pl.col("inference_response_model").fill_null("")
        model = pl.when(answered != "").then(answered).otherwise("inference_request_model")
        found: dict[tuple[str, ...], int] = {}
        for block in self._blocks:
            rows = block.frame.with_columns(model=model).filter(
                condition, pl.col("leaf_index") < to_index, pl.col("duplicate_of").is_null()
            )
            for *key, index in rows.select(pl.col(names).fill_null(""), "leaf_index").iter_rows():
                found.setdefault(tuple(key), index)
        return {key: index for key, index in found.items() if key in set(keys)}

    def _calls(self) -> pl.DataFrame:
        rows = [
            {
                **{name: row[name] for name in _CALL_COLUMNS},
                "call_key": call_key(
                    row["tenant_id"], row["inference_provider"], row["inference_response_id"]
                ),
            }
            for block in self._blocks
            for row in block.frame.iter_rows(named=True)
            if row["event_type"] in {"ai.inference", "ai.embedding"} and row["inference_response_id"]
        ]
        kinds = {**_CALL_COLUMNS, "call_key": pl.Binary}
        return pl.DataFrame(rows, schema=kinds)

    def _events(self) -> pl.DataFrame:
        kinds = {"event_id": pl.Binary, "leaf_index": pl.UInt64, "duplicate_of": pl.UInt64}
        rows = [each.frame.filter(pl.col("leaf_kind") == 0).select(list(kinds)) for each in self._blocks]
        return pl.concat([pl.DataFrame(schema=kinds), *rows])


def recorder_of(
    *earlier: Block,
    directory: Directory | None = None,
    schemas: PackagedSchemas | None = None,
    rules: RuleSet | None = None,
) -> SegmentRecorder:
    """Return a new recorder over what the earlier blocks left in the store."""
    history = KeptHistory(*earlier)
    return new_recorder(schemas or PackagedSchemas(), history, directory or NoFacts(), KAFKA, rules=rules)


def segment_of(
    values: Sequence[bytes | Mapping[str, Any] | None],
    *,
    log: LogId = LOG,
    lo: int = 0,
    timestamps_ms: Sequence[int] | None = None,
    revision: int = 0,
) -> Segment:
    """Return a segment of values from offset `lo`, which are the leaf indexes too.

    Args:
        values: Bytes as they are; fields become an event of their own number.
        log: The log.
        lo: First offset.
        timestamps_ms: Broker timestamps; the end of 2099 when None.
        revision: Revision of the reference data.
    """
    records = [
        framed(number, **value) if isinstance(value, Mapping) else value
        for number, value in enumerate(values, start=lo)
    ]
    count = len(records)
    plan = Plan(lo, lo + count - 1, lo, date(2026, 1, 1), reference_revision=revision)
    stamps = timestamps_ms or [4_102_444_799_000] * count
    return Segment(log, plan, range(lo, lo + count), records, stamps)


def messages_to(topic: str, block: Block) -> list[Outbound]:
    """Return what a block publishes to a topic."""
    return [message for message in block.outbound if message.topic == topic]


def record_in(message: Outbound, name: SchemaName) -> dict[str, Any]:
    """Return the record of a message of ours, which is framed with the id of its schema."""
    assert message.value is not None
    framing = framing_of(message.value)
    assert framing.schema == OWN_SCHEMA_IDS[f"{message.topic}-value"]
    return decode(message.value[framing.payload_offset :], schema_json(name))

"""Usage of several logs as deltas, and a small detector whose findings tell when a minute differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Bucket, Keys, Scores
from schemas.codec import encode_prepared
from schemas.framing import prefix
from schemas.subjects import USAGE
from streams.detecting.delta import MINUTE_US, Delta, delta_of
from tests.support.fault_worker import OWN_SCHEMA_IDS

DAWN = 29_000_000
"""A minute since 1970 that days of tests begin with."""

LINE: dict[str, Any] = {
    "project_id": "",
    "credential_id": "",
    "agent_id": "",
    "model": "",
    "tool_name": "",
    "event_type": "ai.inference",
    "outcome": "SUCCESS",
    "events": 1,
    **dict.fromkeys(
        (
            "failures",
            "blocked",
            "denied",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "unpriced",
            "timed",
            "duration_sum_us",
            "paced_us",
            "paced_tokens",
        ),
        0,
    ),
    "latency_bins": [],
    "latency_counts": [],
    "costs": [],
}


def line(minute: int, **fields: Any) -> dict[str, Any]:
    """Return a line of a delta; `spend` is money in whole currency units, USD unless `currency` says else."""
    spend = fields.pop("spend", None)
    currency = fields.pop("currency", "USD")
    found = {**LINE, "minute": minute * MINUTE_US, **fields}
    if spend is not None:
        unscaled = round(spend * 10**12)
        amounts = dict.fromkeys(
            ("list", "contracted", "effective", "billed"), unscaled.to_bytes(16, "big", signed=True)
        )
        found["costs"] = [{"currency": currency, **amounts}]
    return found


@dataclass(frozen=True)
class Sent:
    """A message of the usage topic.

    Attributes:
        datum: What it says.
        at_us: When it is written.
    """

    datum: dict[str, Any]
    at_us: int

    @property
    def delta(self) -> Delta:
        """What detection reads."""
        return delta_of(self.datum, self.at_us)

    @property
    def value(self) -> bytes:
        """The message's value, framed as the worker of fault runs frames it."""
        return prefix(OWN_SCHEMA_IDS[USAGE.name]) + encode_prepared(self.datum, "usage_delta")


def segment(
    log: str,
    index: int,
    lines: Sequence[Mapping[str, Any]],
    *,
    at_s: float,
    tenant: str = "acme",
    part: int = 0,
    entities: Sequence[Mapping[str, Any]] = (),
) -> Sent:
    """Return what a segment of a log adds; seconds are since `DAWN`."""
    return _sent(
        log,
        index,
        at_s,
        segment_id=f"{log}/{index}",
        lines=lines,
        tenant_id=tenant,
        part=part,
        entities=entities,
    )


def entity(minute: int, credential_id: str, kind: str, name: str) -> dict[str, Any]:
    """Return an entity of a credential."""
    return {
        "kind": kind, "name": name, "events": 1, "credential_id": credential_id, "minute": minute * MINUTE_US,
    }  # fmt: skip


def beat(log: str, index: int, *, quiet_s: float | None = None, at_s: float | None = None) -> Sent:
    """Return a heartbeat of a log whose next segment begins at an index."""
    written_s = (quiet_s or 0) if at_s is None else at_s
    return _sent(log, index, written_s, recorded_until=0 if quiet_s is None else _us(quiet_s))


def delta(log: str, index: int, lines: Sequence[Mapping[str, Any]], **fields: Any) -> Delta:
    """Return `segment` as detection reads it."""
    return segment(log, index, lines, **fields).delta


def heartbeat(log: str, index: int, **fields: Any) -> Delta:
    """Return `beat` as detection reads it."""
    return beat(log, index, **fields).delta


def _sent(log: str, index: int, at_s: float, **fields: Any) -> Sent:
    datum = {
        "log_id": log,
        "segment_id": "",
        "segment_index": index,
        "part": 0,
        "tenant_id": "",
        "watermark": _us(at_s),
        "recorded_from": _us(at_s),
        "recorded_until": _us(at_s),
        "lines": [],
        "entities": [],
        **fields,
    }
    return Sent(datum, _us(at_s))


def _us(seconds: float) -> int:
    return DAWN * MINUTE_US + round(seconds * 1_000_000)


class Jump:
    """Fires for a key with more than three times the events of its mean; keeps what it saw.

    Attributes:
        seen: The buckets, in the order in which they came.
    """

    slug = "test.jump"
    metric = "events"
    version = "1"
    family = "test"

    def __init__(self) -> None:
        self.seen: list[Bucket] = []
        self._mean = np.zeros(0)

    def reserve(self, keys: int) -> None:
        self._mean = np.concatenate([self._mean, np.zeros(max(0, keys - len(self._mean)))])

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        self.seen.append(bucket)
        events, mean = bucket.values["events"], self._mean[bucket.keys]
        level = np.where(mean > 0, events / (3 * np.maximum(mean, 1e-9)), 0.0)
        rate = np.where(in_episode[bucket.keys], 0.01, 0.1)
        self._mean[bucket.keys] = np.where(mean > 0, mean + rate * (events - mean), events)
        return Scores(
            keys=bucket.keys,
            level=level,
            score=level * 3,
            observed=events,
            expected=mean,
            excess=np.maximum(bucket.values["spend"] - mean, 0.0),
            tier=np.full(len(level), 2, np.uint8),
        )

    def forget(self, keys: Keys) -> None:
        self._mean[keys] = 0.0

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"mean": self._mean.copy()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._mean = np.asarray(state["mean"], np.float64).copy()

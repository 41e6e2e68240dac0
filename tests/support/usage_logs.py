"""Usage of several logs as deltas, and a small detector whose findings tell when a minute differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Bucket, Keys, Scores
from streams.detecting.delta import MINUTE_US, Delta, delta_of

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
        found["costs"] = [{"currency": currency, "effective": unscaled.to_bytes(16, "big", signed=True)}]
    return found


def delta(
    log: str,
    index: int,
    lines: Sequence[Mapping[str, Any]],
    *,
    at_s: float,
    watermark_s: float | None = None,
    tenant: str = "acme",
    part: int = 0,
) -> Delta:
    """Return what a segment of a log adds; seconds are since `DAWN`."""
    seen_s = at_s if watermark_s is None else watermark_s
    datum = {
        "log_id": log,
        "segment_id": f"{log}/{index}",
        "segment_index": index,
        "part": part,
        "tenant_id": tenant,
        "watermark": _us(seen_s),
        "recorded_until": _us(at_s),
        "lines": lines,
    }
    return delta_of(datum, _us(at_s))


def heartbeat(log: str, index: int, *, quiet_s: float | None = None, at_s: float | None = None) -> Delta:
    """Return a heartbeat of a log whose next segment begins at an index."""
    until_us = 0 if quiet_s is None else _us(quiet_s)
    datum = {
        "log_id": log,
        "segment_id": "",
        "segment_index": index,
        "part": 0,
        "tenant_id": "",
        "watermark": 0,
        "recorded_until": until_us,
        "lines": [],
    }
    return delta_of(datum, until_us if at_s is None else _us(at_s))


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

"""What was used, held against the register as the watch over assets does it, from events in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from auditstream.core.asset_types import AssetType
from auditstream.detection.assets import Used
from auditstream.notify.asset_news import KnownAssets, asset_news
from auditstream.reference.register import Register
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Finding

_COLUMNS: dict[AssetType, pl.Expr] = {
    "agent": pl.col("agent_id"),
    "model": pl.coalesce(
        pl.when(pl.col("inference_response_model") != "").then("inference_response_model"),
        "inference_request_model",
    ),
    "tool": pl.col("tool_name"),
    "mcp_server": pl.col("tool_mcp_server"),
    "credential": pl.col("credential_id"),
    "host": pl.col("inference_server_host"),
}
_NEW_FOR = timedelta(hours=24)


class AssetLook:
    """Remembers what was used and tells what is new.

    Args:
        snapshot: Reference data.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known = KnownAssets()
        self._fresh: dict[tuple[str, AssetType, str], Used] = {}
        self._told: set[str] = set()

    def take(self, frame: pl.DataFrame) -> None:
        """Take in the rows of a segment."""
        rows = frame.filter(pl.col("leaf_kind") == 0, pl.col("duplicate_of").is_null())
        for tenant, events, first in (
            rows.group_by("tenant_id").agg(pl.len(), pl.col("event_time").min()).iter_rows()
        ):
            since, before = self._known.tenants.get(tenant, (first, 0))
            self._known.tenants[tenant] = since, before + events
        for kind, column in _COLUMNS.items():
            used = (
                rows.select("tenant_id", "event_time", asset=column)
                .filter(pl.col("asset").fill_null("") != "")
                .group_by("tenant_id", "asset", maintain_order=True)
                .agg(
                    pl.len(),
                    pl.col("event_time").min().alias("first"),
                    pl.col("event_time").max().alias("last"),
                )
            )
            for tenant, asset, events, first, last in used.iter_rows():
                self._add(Used(tenant, kind, asset, "", events, first, last, Decimal(0)))

    def news(self, at: datetime) -> Iterator[Finding]:
        """Yield what is to be told at a moment."""
        register = Register(self._snapshot, at)
        fresh, self._fresh = list(self._fresh.values()), {}
        for _, found in asset_news(fresh, register, self._known, new_since=at - _NEW_FOR):
            if found.finding_id not in self._told:
                self._told.add(found.finding_id)
                yield found

    def _add(self, used: Used) -> None:
        self._known.add(used)
        before = self._fresh.get(used.key)
        self._fresh[used.key] = used if before is None else replace(
            before,
            events=before.events + used.events,
            first=min(before.first, used.first),
            last=max(before.last, used.last),
        )  # fmt: skip

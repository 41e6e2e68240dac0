"""What events name beside the dimensions of usage lines, for those who watch for something new."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl

from streams.recording.usage_lines import named

_KINDS = {
    "region": "inference_region",
    "mcp_server": "tool_mcp_server",
    "host": "inference_server_host",
}

_MOST = 32
"""Names of one kind that a tenant has in a delta: with every name at its longest, 100 kB of all kinds."""


def entities_of(events: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return each tenant's entities as their datums: by kind, the most frequent ones, by name."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, column in _KINDS.items():
        names = events.get_column(column)
        if names.null_count() == events.height:
            continue
        counted = (
            events.select("tenant_id", named(names).alias("name"))
            .filter(pl.col("name") != "")
            .group_by("tenant_id", "name")
            .len("events")
            .sort("tenant_id", "events", "name", descending=[False, True, False])
            .group_by("tenant_id", maintain_order=True)
            .head(_MOST)
            .sort("tenant_id", "name")
        )
        for tenant, name, events_of_it in counted.iter_rows():
            found[tenant].append({"kind": kind, "name": name, "events": events_of_it})
    return found

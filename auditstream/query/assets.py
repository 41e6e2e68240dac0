"""Assets as they were used: agents, models, tools, MCP servers, keys and hosts that events name.

Agents, models and keys come from the hourly rollup, so that any period is answered quickly; tools, servers
and hosts from the events themselves. What is taken off the books later stays counted: it happened.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from auditstream.core.asset_types import AssetType
from auditstream.detection.assets import Used
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.expressions import ANSWERED_MODEL, time_text

READ_FROM = ("usage_1h", "events")
"""Tables that are read."""

_SAMPLES = 3
_TIME = "DateTime64(6, 'UTC')"

# What the product tells of itself: its own users are no assets of a tenant.
_OWN = (
    "'ai.data_access', 'ai.config.change', 'ai.key.lifecycle', 'ai.access.grant', 'ai.budget', 'ai.finding', "
    "'ai.incident', 'ai.discovery', 'ai.source.heartbeat', 'ai.cost.operational'"
)

_FROM_USAGE = f"""
SELECT tenant_id, asset.1 AS asset_type, asset.2 AS asset_id, cost_currency, sum(events) AS total,
    toDateTime64(min(hour), 6, 'UTC') AS first, toDateTime64(max(hour), 6, 'UTC') AS last,
    sum(cost_effective) AS cost
FROM usage_1h
ARRAY JOIN [
    ('agent', toString(agent_id)), ('model', toString(model)), ('credential', toString(credential_id))
] AS asset
WHERE asset.2 != '' AND event_type NOT IN ({_OWN}) AND {{conditions}}
GROUP BY tenant_id, asset_type, asset_id, cost_currency"""  # noqa: S608  built from constants
_FROM_EVENTS = """
SELECT tenant_id, asset.1 AS asset_type, asset.2 AS asset_id, cost_currency, count() AS total,
    min(event_time) AS first, max(event_time) AS last, sum(ifNull(cost_effective, 0)) AS cost
FROM events
ARRAY JOIN [
    ('tool', toString(tool_name)), ('mcp_server', toString(tool_mcp_server)),
    ('host', toString(inference_server_host))
] AS asset
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL
    AND (tool_name != '' OR tool_mcp_server != '' OR inference_server_host != '')
    AND asset.2 != '' AND {conditions}
GROUP BY tenant_id, asset_type, asset_id, cost_currency"""
_EVER_TOOLS = """
SELECT tenant_id, 'tool' AS asset_type, toString(tool_name) AS asset_id, '' AS cost_currency,
    sum(events) AS total, toDateTime64(min(minute), 6, 'UTC') AS first,
    toDateTime64(max(minute), 6, 'UTC') AS last, 0 AS cost
FROM outcomes_1m
WHERE tool_name != ''
GROUP BY tenant_id, asset_id"""
_TENANTS = "SELECT tenant_id, toDateTime64(min(hour), 6, 'UTC'), sum(events) FROM usage_1h GROUP BY tenant_id"
_SAMPLED = """
SELECT toString(event_id) FROM events
WHERE tenant_id = {{tenant:String}} AND event_time >= {{from:DateTime64(6, 'UTC')}} AND leaf_kind = 0
    AND duplicate_of IS NULL AND {column} = {{asset:String}}
ORDER BY event_time LIMIT {count}"""

_COLUMNS: dict[AssetType, str] = {
    "agent": "agent_id",
    "model": ANSWERED_MODEL,
    "tool": "tool_name",
    "mcp_server": "tool_mcp_server",
    "credential": "credential_id",
    "host": "inference_server_host",
}


def used_assets(
    reader: Reader,
    start: datetime,
    end: datetime,
    *,
    tenant: str | None = None,
    inserted_from: datetime | None = None,
) -> list[Used]:
    """Return what was used between two moments of event time.

    Args:
        reader: The store.
        start: First moment; of the rollup, the hour that it is in counts.
        end: First moment after.
        tenant: Only what this tenant used.
        inserted_from: Of tools, servers and hosts, only what was recorded from then on.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    found: list[Used] = []
    for sql, column, is_rollup in ((_FROM_USAGE, "hour", True), (_FROM_EVENTS, "event_time", False)):
        conditions = Conditions()
        begin = conditions.bind(time_text(start), _TIME)
        begin = f"toStartOfHour({begin})" if is_rollup else begin
        conditions.add(f"{column} >= {begin} AND {column} < {conditions.bind(time_text(end), _TIME)}")
        if tenant is not None:
            conditions.add_tenant(tenant)
        if inserted_from is not None and not is_rollup:
            conditions.add(f"inserted_at >= {conditions.bind(time_text(inserted_from), _TIME)}")
        text = sql.format(conditions=conditions.sql)
        found += _rows(reader, text, conditions.parameters)
    return found


def ever_used(reader: Reader) -> list[Used]:
    """Return the agents, models, keys and tools that were used at any time; raises as `used_assets` does."""
    return [*_rows(reader, _FROM_USAGE.format(conditions="1"), {}), *_rows(reader, _EVER_TOOLS, {})]


def tenants_since(reader: Reader) -> dict[str, tuple[datetime, int]]:
    """Return since when each tenant has events, and how many; raises as `used_assets` does."""
    rows = reader.table(_TENANTS, {}, doing="read of the tenants' first events").rows
    return {str(tenant): (_utc(first), int(events)) for tenant, first, events in rows}


def sample_events(reader: Reader, used: Used) -> tuple[str, ...]:
    """Return ids of a few events that name an asset; raises as `used_assets` does."""
    sql = _SAMPLED.format(column=_COLUMNS[used.asset_type], count=_SAMPLES)
    parameters = {"tenant": used.tenant, "from": time_text(used.first), "asset": used.asset_id}
    rows = reader.table(sql, parameters, doing=f"events of {used.asset_type} {used.asset_id}").rows
    return tuple(str(row[0]) for row in rows)


def _rows(reader: Reader, sql: str, parameters: dict[str, object]) -> list[Used]:
    rows = reader.table(sql, parameters, doing="read of used assets").rows
    return [
        Used(
            str(tenant), cast("AssetType", str(kind)), str(id_), str(currency), int(total), _utc(first),
            _utc(last), Decimal(str(cost)),
        )
        for tenant, kind, id_, currency, total, first, last, cost in rows
    ]  # fmt: skip


def _utc(at: datetime) -> datetime:
    """Return a time of the store; the driver leaves the zone out where it is that of the server."""
    return at.replace(tzinfo=UTC)

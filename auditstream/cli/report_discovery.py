"""`auditstream report discovery`: what is used, who answers for it, and what nobody has registered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption, TenantOption, reference, report_reader, span_of
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.detection.assets import Used
    from auditstream.reference.register import Register

_COLUMNS = (
    "status", "asset_type", "asset_id", "tenant_id", "owner", "first_seen", "last_seen", "events", "currency",
    "cost_effective",
)  # fmt: skip


def discovery(
    context: typer.Context,
    *,
    period: PeriodOption = "last-7d",
    tenant: TenantOption = None,
    status: Annotated[
        str | None, typer.Option(help="Only these, with commas: banned, unregistered, unlisted, registered.")
    ] = None,
    asset_type: Annotated[
        str | None,
        typer.Option("--type", help="Only these: agent, model, tool, mcp_server, credential, host."),
    ] = None,
) -> None:
    """Show the agents, models, tools, MCP servers, keys and hosts that were used, and whose they are.

    `unregistered` is what is missing in a register that the tenant has; `unlisted`, what the tenant has no
    register of. A first and last time of an agent, model or key is that of its hour. `auditstream assets
    register` and `assets ban` say what may be used.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.core.asset_types import ASSET_TYPES
    from auditstream.query.assets import READ_FROM, used_assets
    from auditstream.query.inventory import ORDER
    from auditstream.reference.register import KINDS, Register

    statuses, types = _chosen("--status", status, ORDER), _chosen("--type", asset_type, ASSET_TYPES)
    span = span_of(period)
    deployment = running.find(context.obj)
    register = Register(reference(deployment.settings.clickhouse, KINDS), datetime.now(UTC))
    with report_reader(deployment, "discovery", f"period {period}", READ_FROM, tenant) as reader:
        used = used_assets(reader, span.start, span.end, tenant=tenant)
    rows = [row for row in _rows(used, register) if row["status"] in statuses and row["asset_type"] in types]
    print_rows(context.obj, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))
    remarks(context.obj, _remarks(rows))


def _chosen(option: str, text: str | None, known: Iterable[str]) -> frozenset[str]:
    """Return the names that an option lists, all of them without it.

    Raises:
        RequestError: One of them is none.
    """
    names = frozenset(known)
    if text is None:
        return names
    chosen = frozenset(filter(None, (each.strip() for each in text.split(","))))
    for each in sorted(chosen - names):
        raise RequestError(f"{option}: {each!r} is none of {', '.join(sorted(names))}")
    return chosen


def _rows(used: Iterable[Used], register: Register) -> list[dict[str, Any]]:
    from auditstream.query.inventory import ORDER

    found = [dict(_row(each, register)) for each in used]
    return sorted(
        found,
        key=lambda row: (
            ORDER.index(row["status"]), row["asset_type"], row["asset_id"], row["tenant_id"],
            row["currency"] or "",
        ),
    )  # fmt: skip


def _row(used: Used, register: Register) -> Iterator[tuple[str, Any]]:
    entry = register.entry(used.tenant, used.asset_type, used.asset_id)
    yield from {
        "status": entry.status,
        "asset_type": used.asset_type,
        "asset_id": used.asset_id,
        "tenant_id": used.tenant,
        "owner": entry.owner or None,
        "first_seen": used.first.isoformat(),
        "last_seen": used.last.isoformat(),
        "events": used.events,
        "currency": used.currency or None,
        "cost_effective": used.cost if used.currency else None,
    }.items()


def _remarks(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    from auditstream.query.inventory import ORDER

    counts: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for row in rows:
        counts[row["status"]].add((row["asset_type"], row["asset_id"], row["tenant_id"]))
    if not counts:
        yield "nothing of this was used in the period"
        return
    yield ", ".join(f"{len(counts[name])} {name}" for name in ORDER if counts[name])
    if counts["unregistered"] or counts["unlisted"]:
        yield "register one: auditstream assets register TYPE ID; ban it: auditstream assets ban TYPE ID"

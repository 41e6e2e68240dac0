"""The inventory: what was used, whose it is, and whether it may be, an entry an asset and tenant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from auditstream.core.asset_types import AssetType
from auditstream.detection.assets import Used
from auditstream.reference.register import Register, Status

ORDER: tuple[Status, ...] = ("banned", "unregistered", "unlisted", "registered")
"""What wants looking at comes first."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An asset that was used.

    Attributes:
        status: What the register says of it.
        asset_type: Its type.
        asset_id: Its id.
        tenant: Who used it.
        owner: Who answers for it; empty where nobody is stated.
        first: When it was used first, in the period that was asked for.
        last: When it was used last.
        events: Events that name it.
        costs: What they cost, by currency.
    """

    status: Status
    asset_type: AssetType
    asset_id: str
    tenant: str
    owner: str
    first: datetime
    last: datetime
    events: int
    costs: dict[str, Decimal]


def inventory(used: Iterable[Used], register: Register) -> list[Listed]:
    """Return what was used with what the register says, what wants looking at first."""
    by_key: dict[tuple[str, AssetType, str], list[Used]] = {}
    for each in used:
        by_key.setdefault(each.key, []).append(each)
    found = [_listed(rows, register) for rows in by_key.values()]
    return sorted(
        found, key=lambda each: (ORDER.index(each.status), each.asset_type, each.asset_id, each.tenant)
    )


def _listed(rows: list[Used], register: Register) -> Listed:
    tenant, asset_type, asset_id = rows[0].key
    entry = register.entry(tenant, asset_type, asset_id)
    return Listed(
        entry.status,
        asset_type,
        asset_id,
        tenant,
        entry.owner,
        min(each.first for each in rows),
        max(each.last for each in rows),
        sum(each.events for each in rows),
        {each.currency: each.cost for each in rows if each.currency},
    )

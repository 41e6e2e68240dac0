"""The register of assets at a moment: who answers for what, and what may not be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from auditstream.core.asset_types import AssetType
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.reference.snapshot import Snapshot

KINDS = ("agent", "tool", "credential", "asset")
"""Kinds of facts that the register is made of."""

Status = Literal["registered", "unregistered", "banned", "unlisted"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the register says of an asset.

    Attributes:
        status: `unlisted` where a tenant has no register of assets of the type: then none is missing in it.
        owner: Who answers for it; empty where nobody is stated.
    """

    status: Status
    owner: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    asset_type: AssetType
    asset_id: str
    tenant: str
    is_banned: bool
    owner: str


class Register:
    """What is registered and banned at a moment.

    An agent, tool or key that is not active any more is banned: it was retired or revoked. A ban for all
    tenants goes before what a tenant says.

    Args:
        snapshot: Reference data: `KINDS`.
        at: The moment.
    """

    def __init__(self, snapshot: Snapshot, at: datetime) -> None:
        self._rows: dict[tuple[str, str, str], _Row] = {}
        self._listed: set[tuple[str, str]] = set()
        for row in _rows(snapshot, at):
            key = (row.asset_type, row.asset_id, row.tenant)
            known = self._rows.get(key)
            if known is None or row.is_banned or not known.is_banned:
                owner = row.owner or (known.owner if known else "")
                self._rows[key] = _Row(row.asset_type, row.asset_id, row.tenant, row.is_banned, owner)
            if not row.is_banned:
                self._listed.add((row.asset_type, row.tenant))

    def entry(self, tenant: str, asset_type: AssetType, asset_id: str) -> Entry:
        """Return what the register says of an asset that a tenant uses."""
        found = [self._rows.get((asset_type, asset_id, each)) for each in ("", tenant)]
        rows = [each for each in found if each is not None]
        owner = next((each.owner for each in reversed(rows) if each.owner), "")
        if any(each.is_banned for each in rows):
            return Entry("banned", owner)
        if rows:
            return Entry("registered", owner)
        return Entry("unregistered" if self._is_listed(tenant, asset_type) else "unlisted")

    def _is_listed(self, tenant: str, asset_type: AssetType) -> bool:
        if tenant == UNATTRIBUTED:  # what nobody owns is missing from every register
            return any(each == asset_type for each, _ in self._listed)
        return (asset_type, tenant) in self._listed or (asset_type, "") in self._listed


def _rows(snapshot: Snapshot, at: datetime) -> Iterator[_Row]:
    for row in snapshot.holding("agent", at).iter_rows(named=True):
        yield _Row("agent", row["agent_id"], row["tenant_id"], not row["active"], row["owner"])
    for row in snapshot.holding("credential", at).iter_rows(named=True):
        owner = row["team_id"] or row["name"]
        yield _Row("credential", row["credential_id"], row["tenant_id"], not row["active"], owner)
    for row in snapshot.holding("tool", at).iter_rows(named=True):
        yield _Row("tool", row["tool_name"], row["tenant_id"], not row["active"], row["owner"])
        if row["mcp_server"] and row["active"]:
            yield _Row("mcp_server", row["mcp_server"], row["tenant_id"], is_banned=False, owner=row["owner"])
    for row in snapshot.holding("asset", at).iter_rows(named=True):
        if row["active"]:
            is_banned = row["status"] == "banned"
            yield _Row(row["asset_type"], row["asset_id"], row["tenant_id"], is_banned, row["owner"])

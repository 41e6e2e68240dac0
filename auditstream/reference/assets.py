"""Facts about assets: which agents, models, tools, servers, keys and hosts may be used, and which may not."""

from __future__ import annotations

from typing import Literal

from auditstream.core.asset_types import AssetType
from auditstream.reference.fact import AnyTenantId, Fact, Id


class Asset(Fact):
    """An asset that was registered or banned, for one tenant or for all.

    Agents, tools and credentials have kinds of their own, which say more; a ban here counts for them, too.
    """

    KEY = ("asset_type", "asset_id", "tenant_id")

    asset_type: AssetType
    asset_id: Id
    tenant_id: AnyTenantId = ""
    status: Literal["registered", "banned"] = "registered"
    owner: str = ""
    purpose: str = ""
    active: bool = True

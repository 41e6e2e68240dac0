"""What was used: assets that events name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from auditstream.core.asset_types import AssetType


@dataclass(frozen=True, slots=True)
class Used:
    """What a tenant used in a period, in one currency.

    Attributes:
        tenant: The tenant.
        asset_type: Type of the asset.
        asset_id: Its id.
        currency: ISO 4217 code of the cost; empty where nothing had a price.
        events: Events that name it.
        first: When the first one was; to the hour, where it comes from the rollup.
        last: When the last one was; likewise.
        cost: What the events cost.
    """

    tenant: str
    asset_type: AssetType
    asset_id: str
    currency: str
    events: int
    first: datetime
    last: datetime
    cost: Decimal

    @property
    def key(self) -> tuple[str, AssetType, str]:
        """What is used, and by whom."""
        return self.tenant, self.asset_type, self.asset_id

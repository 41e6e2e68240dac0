"""What all three companies need and no one of them pays alone: bills of the day, and rules that spread them.

One bill has no rule, as there is always one: the wrapper report names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from auditstream.core.event_types import OPERATIONAL_COST
from auditstream.demo.cast import PLATFORM_SOURCE
from auditstream.demo.drafts import SCHEMA_REV, Draft, Pen
from auditstream.pricing.lines import AMOUNTS
from auditstream.reference.allocations import AllocationRule


@dataclass(frozen=True, slots=True)
class Shared:
    """A bill of the day.

    Attributes:
        category: Part of the wrapper.
        service: Service that was charged for.
        amount: What it cost, in dollars.
        method: How it is spread; None for what nobody has a rule for.
    """

    category: str
    service: str
    amount: Decimal
    method: Literal["tokens", "requests", "time", "fixed", "even"] | None


SHARED = (
    Shared("idle_failover_capacity", "second region", Decimal("2.80"), "fixed"),
    Shared("provisioned_throughput", "reserved model units", Decimal("3.20"), "tokens"),
    Shared("reliability", "health checks", Decimal("0.45"), "time"),
    Shared("security_scanning", "content guard", Decimal("1.65"), "requests"),
    Shared("rate_limiting", "model gateway", Decimal("0.55"), "requests"),
    Shared("audit", "audit store", Decimal("0.38"), "requests"),
    Shared("observability", "tracing", Decimal("1.24"), "tokens"),
    Shared("incident_response", "on-call", Decimal("2.10"), None),
)

_SHARES = {"acme": "0.5", "globex": "0.3", "initech": "0.2"}
"""Of what is spread by agreement."""


def shared_costs(pen: Pen, start_us: int, end_us: int) -> Iterator[Draft]:
    """Yield the bills of a day, at its start as imported ones; they name no tenant.

    Args:
        pen: Gives ids.
        start_us: Start of the day, microseconds since the epoch.
        end_us: Its end.
    """
    for shared in SHARED:
        amounts = dict.fromkeys(AMOUNTS, shared.amount)
        line = {
            "category": shared.category,
            "period_start": start_us,
            "period_end": end_us,
            "meter": shared.category,
            "quantity": Decimal(1),
            "unit": "Hours",
            "list_unit_price": shared.amount,
            "currency": "USD",
            "source": "PROVIDER",
            **amounts,
        }
        yield {
            "schema_rev": SCHEMA_REV,
            "source": PLATFORM_SOURCE,
            "source_instance": "billing-0",
            "tenant_id": "",
            "actor_type": "SYSTEM",
            "actor_id": "billing",
            "credential_id": "",
            "event_id": pen.event_id(start_us),
            "event_type": OPERATIONAL_COST,
            "event_time": start_us,
            "outcome": "SUCCESS",
            "severity": 1,
            "trace_id": pen.hex(128),
            "span_id": pen.hex(64),
            "attributes": {"service": shared.service},
            "costs": [line],
        }


def allocation_rules(since: datetime) -> Iterator[AllocationRule]:
    """Yield the rules by which the bills are spread."""
    for shared in SHARED:
        if shared.method is not None:
            yield AllocationRule(
                rule_id=f"demo-{shared.category.replace('_', '-')}",
                category=shared.category,
                method=shared.method,
                shares=_SHARES if shared.method == "fixed" else {},
                valid_from=since,
            )

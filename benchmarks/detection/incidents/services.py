"""Who sends the second set of traffic: three tenants unlike those of the demonstration.

One works in office hours and has a batch at night, one has customers around the clock, and one has evenings
with raids of several times its usual rate: what is ordinary in real traffic and must open nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from auditstream.reference.fact import Fact
from auditstream.reference.limits import Budget
from auditstream.reference.owners import Agent, Credential, Project, Tenant, Tool

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
"""First moment of the set, a Monday; the demonstration has whatever hour it is run in."""

SINCE = datetime(2026, 1, 1, tzinfo=UTC)

Day = Literal["office", "clock", "evening", "night"]


@dataclass(frozen=True, slots=True)
class Called:
    """A tool of an agent.

    Attributes:
        name: Its name.
        side_effect: What a call may change.
        server: Its MCP server.
    """

    name: str
    side_effect: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What one credential is used for.

    Attributes:
        tenant: Tenant.
        project: Project.
        credential: Credential.
        provider: Provider of its model.
        model: Model.
        larger: The provider's most expensive model, which this service never calls.
        smaller: A cheaper one of the same provider, likewise.
        day: When it is busy.
        peak: Turns a minute at its busiest.
        varies: Deviation of the logarithm of its rate from minute to minute.
        read: Median of tokens in.
        written: Median of tokens out.
        countries: Where its calls come from.
        asn: The network that they come from.
        tools: Of its agent; none without one.
        denied: Share of decisions that deny.
        budget: Dollars a period: some one and a half times what it usually costs.
        period: The period.
    """

    tenant: str
    project: str
    credential: str
    provider: str
    model: str
    larger: str
    smaller: str
    day: Day
    peak: float
    varies: float
    read: int
    written: int
    countries: tuple[str, ...]
    asn: int
    tools: tuple[Called, ...] = ()
    denied: float = 0.02
    budget: Decimal = Decimal(0)
    period: Literal["week", "month"] = "month"

    @property
    def agent(self) -> str:
        """Id of its agent; empty without one."""
        return f"{self.project}-agent" if self.tools else ""

    def busy(self, minute: int) -> float:
        """Return how busy it is in a minute of the set, as a share of its peak."""
        hour = minute / 60 % 24
        weekday = minute // 1_440 % 7
        match self.day:
            case "clock":
                return 0.65 + 0.35 * math.sin((hour - 9) / 24 * 2 * math.pi)
            case "office":
                if weekday > 4:
                    return 0.02
                ramp = min(max((hour - 7) / 2, 0.0), max((19 - hour) / 2, 0.0), 1.0)
                return 0.03 + 0.97 * ramp * (0.6 if 12 <= hour < 13 else 1.0)
            case "evening":
                return 0.12 + 0.88 * math.exp(-(((hour - 21 + 12) % 24 - 12) ** 2) / 12)
            case "night":
                return 1.0 if 1 <= hour < 3 else 0.0


_LOOKUPS = (
    Called("account_summary", "READ", "https://mcp.core.harbor-bank.example"),
    Called("transaction_search", "READ", "https://mcp.core.harbor-bank.example"),
    Called("dispute_open", "WRITE", "https://mcp.cases.harbor-bank.example"),
)
_SHOP = (
    Called("stock_level", "READ", "https://mcp.stock.orchard.example"),
    Called("price_quote", "READ", "https://mcp.prices.orchard.example"),
    Called("mail_customer", "EXTERNAL", "https://mcp.mail.orchard.example"),
)

SERVICES = (
    Service(
        tenant="harbor-bank", project="desk-copilot", credential="hb-desk-7", provider="openai",
        model="gpt-4.1-mini", larger="o3-pro", smaller="gpt-4.1-nano", day="office", peak=2.0, varies=0.4,
        read=2_400, written=260, countries=("CH",), asn=559, tools=_LOOKUPS, denied=0.01,
        budget=Decimal(250),
    ),
    Service(
        tenant="harbor-bank", project="nightly-screening", credential="hb-batch-2", provider="openai",
        model="gpt-4o-mini", larger="o3-pro", smaller="gpt-4.1-nano", day="night", peak=14.0, varies=0.2,
        read=3_800, written=90, countries=("CH",), asn=559, denied=0.005, budget=Decimal(80),
    ),
    Service(
        tenant="orchard", project="storefront", credential="oc-web-1", provider="anthropic",
        model="claude-haiku-4-5", larger="claude-opus-4-1", smaller="claude-3-haiku", day="clock", peak=2.5,
        varies=0.5, read=1_100, written=210, countries=("US", "CA"), asn=16509, denied=0.02,
        budget=Decimal(390),
    ),
    Service(
        tenant="orchard", project="buyer-desk", credential="oc-agents-4", provider="anthropic",
        model="claude-sonnet-4-5", larger="claude-opus-4-1", smaller="claude-3-haiku", day="clock", peak=0.8,
        varies=0.7, read=4_200, written=420, countries=("US",), asn=16509, tools=_SHOP, denied=0.015,
        budget=Decimal(2_600),
    ),
    Service(
        tenant="lumen-games", project="npc-voices", credential="lg-prod-9", provider="gcp.gemini",
        model="gemini-2.5-flash", larger="gemini-2.5-pro", smaller="gemini-2.0-flash", day="evening",
        peak=6.0, varies=0.8, read=700, written=140, countries=("KR", "JP"), asn=4766, denied=0.04,
        budget=Decimal(30), period="week",
    ),
)  # fmt: skip


def facts() -> Iterator[Fact]:
    """Yield what is registered: everything that the services use."""
    for tenant in sorted({each.tenant for each in SERVICES}):
        yield Tenant(tenant_id=tenant, name=tenant, valid_from=SINCE)
    for each in SERVICES:
        yield Project(tenant_id=each.tenant, project_id=each.project, valid_from=SINCE)
        yield Credential(
            credential_id=each.credential,
            tenant_id=each.tenant,
            project_id=each.project,
            kind="service",
            valid_from=SINCE,
        )
        if each.tools:
            yield Agent(agent_id=each.agent, tenant_id=each.tenant, project_id=each.project, valid_from=SINCE)
        for tool in each.tools:
            yield Tool.model_validate(
                {
                    "tool_name": tool.name,
                    "tenant_id": each.tenant,
                    "mcp_server": tool.server,
                    "side_effect": tool.side_effect,
                    "valid_from": SINCE,
                }
            )
        yield budget_of(each)


def budget_of(service: Service) -> Budget:
    """Return the budget of a service."""
    return Budget(
        budget_id=f"{service.project}-{service.period}",
        tenant_id=service.tenant,
        scope={"project_id": service.project},
        period=service.period,
        amount=service.budget,
        currency="USD",
        valid_from=SINCE,
    )

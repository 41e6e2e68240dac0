"""Facts about who owns what: tenants, credentials, projects, agents, tools, sources."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from auditstream.reference.fact import AnyTenantId, Currency, Fact, Id, Labels, Names, TenantId

FINDING_GATE = "finding_gate"
"""Label of a tenant: least money above what was expected, in its currency, that it is called for."""


def _gate(labels: dict[str, str]) -> dict[str, str]:
    """Refuse a gate that is no amount; other labels are free."""
    try:
        amount = Decimal(labels.get(FINDING_GATE, "0"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount >= 0):
        raise ValueError(f"{FINDING_GATE}: must be an amount, 0 or more")
    return labels


class Tenant(Fact):
    """A tenant; while `active` is false, nothing is attributed to it."""

    KEY = ("tenant_id",)

    tenant_id: TenantId
    name: str
    organisation: str = ""
    currency: Currency = "USD"
    clear_ids: bool = False
    readable_ids: Literal["none", "sealed"] = "none"
    contents: Literal["none", "sealed"] = "none"
    addresses: Literal["truncated", "clear", "sealed"] = "truncated"
    labels: Annotated[Labels, AfterValidator(_gate)] = Field(default_factory=dict)
    active: bool = True


class Credential(Fact):
    """A credential and whom its events are attributed to; `active` is false from when it was revoked."""

    KEY = ("credential_id",)

    credential_id: Id
    tenant_id: TenantId
    project_id: str = ""
    team_id: str = ""
    cost_center: str = ""
    environment: str = ""
    kind: Literal["", "gateway", "provider", "service"] = ""
    name: str = ""
    secret_hash: str = ""
    edge_keys: bool = False
    active: bool = True


class Project(Fact):
    """A project within a tenant."""

    KEY = ("tenant_id", "project_id")

    tenant_id: TenantId
    project_id: Id
    name: str = ""
    team_id: str = ""
    cost_center: str = ""
    environment: str = ""
    labels: Labels = Field(default_factory=dict)
    active: bool = True


class Agent(Fact):
    """A registered AI agent; its id is one of the whole deployment, not of the tenant."""

    KEY = ("agent_id",)

    agent_id: Id
    tenant_id: TenantId
    project_id: str = ""
    name: str = ""
    owner: str = ""
    framework: str = ""
    purpose: str = ""
    risk_class: str = ""
    allowed_tools: Names = ()
    active: bool = True


class Tool(Fact):
    """A registered tool, of one tenant or of all."""

    KEY = ("tool_name", "tenant_id")

    tool_name: Id
    tenant_id: AnyTenantId = ""
    mcp_server: str = ""
    owner: str = ""
    side_effect: Literal["READ", "WRITE", "DESTRUCTIVE", "EXTERNAL", "UNKNOWN"] = "UNKNOWN"
    purpose: str = ""
    active: bool = True


class Source(Fact):
    """Whom a producer's events belong to when nothing else in them says so."""

    KEY = ("event_source",)

    event_source: Id
    tenant_id: TenantId
    project_id: str = ""
    name: str = ""
    active: bool = True

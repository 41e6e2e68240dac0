"""The cast as reference data, so that the day is attributed as a company's own events would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from auditstream.core.settings import ClickHouseSettings
from auditstream.demo.cast import COMPANIES, SLOW_BUDGET, TENANT_OF, Company
from auditstream.demo.promises import promises
from auditstream.demo.shared_costs import allocation_rules
from auditstream.reference.changes import difference
from auditstream.reference.documents import Stated
from auditstream.reference.fact import Fact
from auditstream.reference.gateway_secrets import hash_of, new_key
from auditstream.reference.limits import Budget
from auditstream.reference.owners import Agent, Credential, Project, Tenant, Tool
from sinks.reference import connect_reference

_SINCE = datetime(2025, 1, 1, tzinfo=UTC)
_SOURCE = "demo"


_BUDGETS = {"acme": 5_000, "globex": 1_500, "initech": 800}
"""What each company means to spend a month, in dollars: far more than a day takes."""

_SLOW_BUDGET = Decimal(675)
"""What the help desk means to spend a month, in dollars: the day's slow burn takes about eight times as much
as that leaves for its hours. Six times over six hours is a page, and so is 14.4 times within one."""

_NO_KEYS: Mapping[str, str] = MappingProxyType({})


def service_keys() -> dict[str, str]:
    """Return a new key of the gateway for every service, by its credential; they are kept nowhere."""
    return {credential: new_key(credential) for credential in TENANT_OF}


def facts(keys: Mapping[str, str] = _NO_KEYS) -> Iterator[Fact]:
    """Yield who owns what in the demonstration, and what was promised of it.

    Args:
        keys: Keys of the gateway, by credential.
    """
    for company in COMPANIES:
        yield Tenant(tenant_id=company.tenant, name=company.name, valid_from=_SINCE)
        yield Budget(
            budget_id=f"{company.tenant}-month",
            tenant_id=company.tenant,
            period="month",
            amount=Decimal(_BUDGETS[company.tenant]),
            currency="USD",
            owner="finance",
            valid_from=_SINCE,
        )
        yield from _of_projects(company, keys)
    software = COMPANIES[-1]
    yield Budget(
        budget_id=SLOW_BUDGET,
        tenant_id=software.tenant,
        scope={"project_id": software.projects[0].id},
        period="month",
        amount=_SLOW_BUDGET,
        currency="USD",
        owner="finance",
        valid_from=_SINCE,
    )
    yield from allocation_rules(_SINCE)
    yield from promises(_SINCE)


def state_facts(settings: ClickHouseSettings, keys: Mapping[str, str]) -> int:
    """Write what the store does not know yet of the cast, and return the reference data's revision.

    Args:
        settings: Sign-in to the store.
        keys: Keys of the gateway, by credential; those of an earlier day count no more.

    Raises:
        RetryableError: No answer, or somebody else is writing.
    """
    store = connect_reference(settings)
    try:
        base = store.newest()
        stated = [
            Stated(fact, _SOURCE, number, _SOURCE, dated=True)
            for number, fact in enumerate(facts(keys), start=1)
        ]
        found = difference(stated, store.load(base), now=datetime.now(UTC))
        return store.append(found.entries, base=base, actor=_SOURCE)
    finally:
        store.close()


def _of_projects(company: Company, keys: Mapping[str, str]) -> Iterator[Fact]:
    tenant = company.tenant
    for project in company.projects:
        yield Project(
            tenant_id=tenant,
            project_id=project.id,
            team_id=project.team,
            cost_center=project.cost_center,
            environment=project.environment,
            valid_from=_SINCE,
        )
        yield Credential(
            credential_id=project.credential,
            tenant_id=tenant,
            project_id=project.id,
            team_id=project.team,
            cost_center=project.cost_center,
            environment=project.environment,
            kind="service",
            secret_hash=hash_of(keys[project.credential]) if project.credential in keys else "",
            valid_from=_SINCE,
        )
        if project.agent is not None:
            agent = project.agent
            yield Agent(
                agent_id=agent.id,
                tenant_id=tenant,
                project_id=project.id,
                name=agent.name,
                framework=agent.framework,
                allowed_tools=tuple(tool.name for tool in agent.tools),
                valid_from=_SINCE,
            )
            for tool in agent.tools:
                yield Tool.model_validate(
                    {
                        "tool_name": tool.name,
                        "tenant_id": tenant,
                        "mcp_server": tool.mcp_server,
                        "side_effect": tool.side_effect,
                        "valid_from": _SINCE,
                    }
                )

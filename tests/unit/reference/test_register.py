"""The register: what counts as registered, as banned, and as missing."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.core.asset_types import AssetType
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.reference.assets import Asset
from auditstream.reference.fact import Fact
from auditstream.reference.owners import Agent, Credential, Tool
from auditstream.reference.register import Entry, Register
from tests.support.facts import day, snapshot_of


def asset(kind: str, name: str, **fields: Any) -> Asset:
    stated = {"asset_type": kind, "asset_id": name, "valid_from": day(0)}
    return Asset.model_validate(stated | fields)


def entry(*facts: Fact, kind: AssetType, name: str, tenant: str = "acme") -> Entry:
    return Register(snapshot_of({1: facts}), day(10)).entry(tenant, kind, name)


CLERK = Agent(agent_id="clerk", tenant_id="acme", owner="desk", valid_from=day(0))
KEY = Credential(credential_id="key-1", tenant_id="acme", team_id="core", valid_from=day(0))
SEARCH = Tool(
    tool_name="search",
    tenant_id="acme",
    owner="web",
    mcp_server="https://mcp.acme.example",
    valid_from=day(0),
)


@pytest.mark.parametrize(
    ("fact", "kind", "name", "owner"),
    [
        (CLERK, "agent", "clerk", "desk"),
        (KEY, "credential", "key-1", "core"),
        (SEARCH, "tool", "search", "web"),
        (SEARCH, "mcp_server", "https://mcp.acme.example", "web"),
        (asset("model", "gpt-4o", owner="ml"), "model", "gpt-4o", "ml"),
        (asset("host", "api.example", tenant_id="acme"), "host", "api.example", ""),
    ],
)
def test_what_is_registered_has_an_owner_and_what_else_there_is_of_its_type_is_missing(
    fact: Fact, kind: AssetType, name: str, owner: str
) -> None:
    assert entry(fact, kind=kind, name=name) == Entry("registered", owner)
    assert entry(fact, kind=kind, name="another") == Entry("unregistered")


def test_nothing_is_missing_in_a_register_that_a_tenant_does_not_have() -> None:
    assert entry(CLERK, kind="tool", name="search").status == "unlisted"
    assert entry(CLERK, kind="agent", name="clerk", tenant="globex").status == "unlisted"


def test_what_nobody_owns_is_missing_from_every_register() -> None:
    assert entry(CLERK, kind="agent", name="clerk", tenant=UNATTRIBUTED).status == "unregistered"
    assert entry(CLERK, kind="host", name="x", tenant=UNATTRIBUTED).status == "unlisted"


@pytest.mark.parametrize(
    "ban",
    [
        asset("agent", "clerk", status="banned"),
        asset("agent", "clerk", status="banned", tenant_id="acme"),
        CLERK.model_copy(update={"active": False, "valid_from": day(3)}),
    ],
)
def test_a_ban_or_retirement_goes_before_a_registration(ban: Fact) -> None:
    assert entry(CLERK, ban, kind="agent", name="clerk").status == "banned"


def test_a_ban_for_all_tenants_goes_before_what_one_says() -> None:
    facts = (asset("model", "m", status="banned"), asset("model", "m", tenant_id="acme", owner="ml"))
    assert entry(*facts, kind="model", name="m") == Entry("banned", "ml")


def test_a_ban_alone_is_no_register() -> None:
    facts = [asset("model", "m", status="banned")]
    assert entry(*facts, kind="model", name="other").status == "unlisted"


def test_what_was_taken_back_or_does_not_hold_yet_says_nothing() -> None:
    back = asset("model", "m", status="banned", active=False)
    early = asset("model", "m", status="banned", valid_from=day(11))
    assert entry(back, early, kind="model", name="m").status == "unlisted"

"""Assets and prompts over real rows: what is used, whose it is, and saying that it may be."""

from __future__ import annotations

import pytest

from auditstream.console.screens.inventory import TYPES
from auditstream.core.asset_types import AssetType
from auditstream.core.errors import RetryableError
from auditstream.query.fields import FIELDS
from auditstream.reference.assets import Asset
from tests.support.console_house import OWN, ConsoleHouse, form_token, submitted

ONE = "/assets/one?type=tool&id=acme-tool&of=acme"
ALL_TIME = "since=all"
BAN = {"type": "tool", "id": "acme-tool", "of": "acme", "tenant": "acme", "status": "banned"}


def assets_of(house: ConsoleHouse) -> list[Asset]:
    facts = house.house.facts
    return [each for each in facts.revisions[facts.newest()] if isinstance(each, Asset)]


def test_what_is_used_is_listed_and_of_ones_own_tenants_alone(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        whole = browser.get(f"/assets?{ALL_TIME}").text
    with house.visitor("analyst", "acme") as browser:
        own = browser.get(f"/assets?{ALL_TIME}").text

    assert {f"{each}-tool" in whole for each in ("acme", "globex", "initech")} == {True}
    assert "acme-tool" in own
    assert "acme-agent" in own
    assert "globex" not in own
    assert "initech" not in own


def test_status_and_type_narrow_the_list(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        tools = browser.get(f"/assets?{ALL_TIME}&type=tool").text
        banned = browser.get(f"/assets?{ALL_TIME}&status=banned").text
        wrong = browser.get(f"/assets?{ALL_TIME}&status=<b>")

    assert tools.count("<tr data-row>") == 3
    assert "None of these" in banned
    assert wrong.status_code == 400
    assert "<b>" not in wrong.text


def test_registering_is_a_fact_that_was_told_of_first(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        answer = submitted(browser, ONE, "/assets/one", tenant="acme", owner="team-a", purpose="orders")
        after = browser.get(f"{answer.headers['location']}&{ALL_TIME}").text

    (known,) = assets_of(house)
    assert (known.asset_type, known.asset_id, known.tenant_id) == ("tool", "acme-tool", "acme")
    assert (known.status, known.owner, known.purpose) == ("registered", "team-a", "orders")
    assert "ai.config.change" in [each["event_type"] for each in house.told.events]
    assert "It is registered from now on" in after
    assert "team-a" in after


def test_nothing_is_written_that_cannot_be_told_of(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        token = form_token(browser)
        house.told.refuses = RetryableError("kafka: away")
        answer = browser.post("/assets/one", data={**BAN, "form_token": token}, headers=OWN)

    assert answer.status_code == 503
    assert assets_of(house) == []


def test_a_field_that_is_wrong_is_named_and_what_was_typed_stays(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        answer = submitted(browser, ONE, "/assets/one", status="adored", owner="team-a")

    assert answer.status_code == 400
    assert "Status" in answer.text
    assert assets_of(house) == []


def test_only_what_is_ones_own_can_be_registered(house: ConsoleHouse) -> None:
    with house.visitor("security", "acme") as browser:
        other = submitted(browser, ONE, "/assets/one", tenant="globex")
        everybody = submitted(browser, ONE, "/assets/one", tenant="")
        own = submitted(browser, ONE, "/assets/one", tenant="acme")

    assert (other.status_code, everybody.status_code, own.status_code) == (403, 403, 303)
    assert [each.tenant_id for each in assets_of(house)] == ["acme"]


def test_who_may_look_may_not_register(house: ConsoleHouse) -> None:
    with house.visitor("analyst", "acme") as browser:
        page = browser.get(ONE).text
        answer = browser.post("/assets/one", data={**BAN, "form_token": form_token(browser)}, headers=OWN)

    assert "Register it" not in page
    assert answer.status_code == 403
    assert assets_of(house) == []


@pytest.mark.parametrize(
    ("kind", "column"), [("mcp_server", "tool_mcp_server"), ("host", "inference_server_host")]
)
def test_a_server_or_host_leads_to_the_events_that_name_it(kind: AssetType, column: str) -> None:
    _, _, field = TYPES[kind]

    assert FIELDS[field].columns == (column,)


def test_what_nobody_owns_is_registered_for_every_tenant(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        page = browser.get("/assets/one?type=credential&id=stray&of=unattributed").text
        refused = submitted(browser, ONE, "/assets/one", tenant="unattributed").text

    assert '<option value="" selected>every tenant</option>' in page
    assert '"unattributed"' not in page.replace('name="of" value="unattributed"', "")
    assert "the tenant of events that nobody owns" in refused


def test_prompts_that_nobody_named_say_so(house: ConsoleHouse) -> None:
    with house.visitor() as browser:
        page = browser.get("/prompts?since=all")

    assert page.status_code == 200
    assert "No prompts" in page.text

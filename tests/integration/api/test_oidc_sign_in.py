"""Signing in by an identity provider on loopback, from the button to a session; and all that is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from auditstream.access.oidc import LOGIN_COOKIE, OidcProvider
from auditstream.access.oidc_grants import read_grants
from auditstream.access.roles import Role
from auditstream.access.sessions import COOKIE
from auditstream.api.app import create_app
from auditstream.api.parts import Parts
from auditstream.core.errors import ConfigError
from auditstream.core.metrics import Metrics
from auditstream.core.settings import OidcSettings
from tests.support.access_house import HERE, House
from tests.support.oidc_provider import CLIENT, SECRET, LocalProvider, local_provider, query

GRANTS = """
- {value: security, role: security, tenants: ["*"]}
- {value: finance, role: finops, tenants: [acme, globex]}
- {claim: department, value: audit, role: auditor, tenants_claim: audited, until: 2099-01-01}
- {value: gone, role: auditor, tenants: [acme], until: 2020-01-01}
"""


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with local_provider() as running:
        yield running


class Door:
    """An API in front of the provider."""

    def __init__(self, provider: LocalProvider, tmp_path: Path) -> None:
        grants = tmp_path / "grants.yaml"
        grants.write_text(GRANTS)
        self.house = House()
        self.house.clock.advance(time.time() - self.house.clock.now_s())
        nothing: Any = None
        oidc = OidcProvider(
            OidcSettings(issuer=provider.issuer, client_id=CLIENT, client_secret=SecretStr(SECRET)),
            read_grants(grants),
            key=b"k" * 32,
            clock=self.house.clock,
        )
        self.parts = Parts(
            desk=self.house.desk,
            entry=self.house.entry,
            metrics=Metrics(),
            publish=nothing,
            evidence=nothing,
            oidc=oidc,
        )
        self.app = create_app(self.parts)
        self.provider = provider

    def client(self) -> TestClient:
        return TestClient(self.app, base_url="http://audit.example", follow_redirects=False)

    def begun(self, client: TestClient, wanted: str = "/console/") -> dict[str, str]:
        """Begin a sign-in and sign in at the provider; return what it sends the browser back with."""
        sent = client.get("/auth/login", params={"next": wanted})
        assert sent.status_code == 303
        return self.provider.signed_in(sent.headers["location"])

    def finished(self, client: TestClient, wanted: str = "/console/", **changes: str) -> Response:
        return client.get("/auth/callback" + query(self.begun(client, wanted) | changes))


@pytest.fixture
def door(provider: LocalProvider, tmp_path: Path) -> Door:
    return Door(provider, tmp_path)


def test_whoever_signs_in_gets_a_session_with_what_their_claims_give(door: Door) -> None:
    with door.client() as client:
        answer = door.finished(client, "/console/events?q=a")

    assert (answer.status_code, answer.headers["location"]) == (303, "/console/events?q=a")
    who = door.house.entry.admit(None, answer.cookies[COOKIE], HERE).who
    assert (who.name, who.role, who.tenants) == ("ann@acme.example", Role.SECURITY, None)
    assert who.id == f"{door.provider.issuer}|1"
    assert who.signed_in_by == "oidc"
    assert [(each["event_type"], each["actor_id"]) for each in door.house.told.events] == [
        ("ai.auth", "ann@acme.example")
    ]


def test_tenants_may_come_from_a_claim_and_what_is_no_tenant_is_none(door: Door) -> None:
    door.provider.claims |= {"groups": [], "department": "audit", "audited": ["acme", "*", "a b", 7]}
    with door.client() as client:
        answer = door.finished(client)

    who = door.house.entry.admit(None, answer.cookies[COOKIE], HERE).who
    assert (who.role, who.tenants) == (Role.AUDITOR, frozenset({"acme"}))


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": []},
        {"groups": "nobody"},
        {"groups": ["gone"]},
        {"groups": [], "department": "audit"},
        {"groups": [], "department": "audit", "audited": ["*"]},
    ],
    ids=["none", "unknown", "over", "no tenants", "a star is no tenant"],
)
def test_to_whom_nothing_is_given_is_not_signed_in(door: Door, claims: dict[str, Any]) -> None:
    door.provider.claims |= claims
    with door.client() as client:
        answer = door.finished(client)

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert COOKIE not in answer.cookies


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"exp": -HOUR},
        {"exp": None},
        {"sub": None},
        {"iat": HOUR},
    ],
    ids=str,
)
def test_an_id_token_that_says_something_else_is_refused(door: Door, changes: dict[str, Any]) -> None:
    door.provider.changes = {name: _from_now(value) for name, value in changes.items()}
    with door.client() as client:
        answer = door.finished(client)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert COOKIE not in answer.cookies


def _from_now(value: Any) -> Any:
    """Return the second that is so far from now; any other value as it is."""
    return int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value


def test_an_id_token_that_somebody_else_signed_is_refused(door: Door) -> None:
    door.provider.key = LocalProvider.new_key("one")
    with door.client() as client:
        assert door.finished(client).status_code == 401


def test_new_keys_of_the_provider_are_found(door: Door) -> None:
    with door.client() as client:
        assert door.finished(client).status_code == 303
        door.provider.key = LocalProvider.new_key("two")
        door.provider.published = [door.provider.key]
        assert door.finished(client).status_code == 303


@pytest.mark.parametrize(
    "changes",
    [{"state": "x"}, {"state": ""}, {"code": "x"}, {"code": ""}, {"iss": "https://evil"}, {"error": "no"}],
    ids=str,
)
def test_an_answer_that_was_changed_is_refused(door: Door, changes: dict[str, str]) -> None:
    with door.client() as client:
        assert door.finished(client, **changes).status_code == 401


def test_an_answer_counts_in_the_browser_that_asked_for_it(door: Door) -> None:
    with door.client() as asked, door.client() as other:
        answer = door.begun(asked)
        assert other.get("/auth/callback" + query(answer)).status_code == 401
        door.begun(other)
        assert other.get("/auth/callback" + query(answer)).status_code == 401
        assert door.provider.exchanges == 0
        assert asked.get("/auth/callback" + query(answer)).status_code == 303
        assert asked.get("/auth/callback" + query(answer)).status_code == 401, "a code counts once"


def test_a_browser_that_is_refused_goes_back_to_the_door_which_is_told_no_more_than_the_kind(
    door: Door,
) -> None:
    door.app = create_app(replace(door.parts, door="/console/sign-in"))
    with door.client() as client:
        unproven = door.finished(client, error="<script>")
        door.provider.claims |= {"groups": []}
        not_allowed = door.finished(client)

    assert (unproven.status_code, unproven.headers["location"]) == (303, "/console/sign-in?refused=unproven")
    assert not_allowed.headers["location"] == "/console/sign-in?refused=not_allowed"
    assert COOKIE not in not_allowed.cookies


def test_a_sign_in_that_takes_too_long_is_over(door: Door) -> None:
    with door.client() as client:
        answer = door.begun(client)
        door.house.clock.advance(601)
        refused = client.get("/auth/callback" + query(answer))

    assert (refused.status_code, door.provider.exchanges) == (401, 0)


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "", "evil", "/\t/evil", "/" + "a" * 2_000],
)
def test_nobody_is_sent_to_another_site(door: Door, wanted: str) -> None:
    with door.client() as client:
        assert door.finished(client, wanted).headers["location"] == "/"


def test_a_provider_that_is_away_is_said_to_be(door: Door) -> None:
    door.provider.is_down = True
    with door.client() as client:
        answer = client.get("/auth/login")

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_a_provider_that_calls_itself_otherwise_is_not_believed(door: Door) -> None:
    right = door.provider.issuer
    door.provider.issuer = "https://evil.example"
    with door.client() as client:
        assert client.get("/auth/login").status_code == 503
    door.provider.issuer = right


def test_cookies_are_out_of_reach_of_script_and_by_https_alone_where_it_is(door: Door) -> None:
    with TestClient(door.app, base_url="https://audit.example", follow_redirects=False) as client:
        sent = client.get("/auth/login")

    (cookie,) = [each for each in sent.headers.get_list("set-cookie") if each.startswith(LOGIN_COOKIE)]
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/auth"} <= set(cookie.split("; "))


def test_without_a_provider_there_is_nothing_to_sign_in_by(door: Door) -> None:
    door.app.state.parts = Parts(
        **{
            name: getattr(door.app.state.parts, name)
            for name in ("desk", "entry", "metrics", "publish", "evidence")
        }
    )
    with door.client() as client:
        assert client.get("/auth/login").status_code == 404


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- {value: a, role: boss, tenants: [acme]}", "0.role"),
        ("- {value: a, role: viewer}", "tenants"),
        ("- {value: a, role: viewer, tenants: [acme], tenants_claim: t}", "tenants"),
        ("- {value: a, role: viewer, tenants: ['*', acme]}", "tenants"),
        ("- {value: a, role: auditor, tenants: [acme]}", "until"),
        ("- {value: '', role: viewer, tenants: [acme]}", "0.value"),
        ("- {value: a, role: viewer, tenants: [acme], other: 1}", "0.other"),
        ("- [", "parsing"),
        ("a: 1", "list"),
    ],
)
def test_grants_that_make_no_sense_are_refused_by_entry_and_field(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "grants.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=reason):
        read_grants(path)

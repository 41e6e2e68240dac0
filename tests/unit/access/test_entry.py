"""Who is let in: tokens, sessions, how often, and what is told of it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.principal import Principal
from auditstream.access.rates import TooManyRequestsError
from auditstream.access.roles import LIMITS, Role
from auditstream.access.tokens import revoke_token
from auditstream.core.errors import RetryableError
from tests.support.access_house import HERE, House


@pytest.fixture
def house() -> House:
    return House()


def bearer(secret: str) -> str:
    return f"Bearer {secret}"


def test_a_token_is_let_in_and_told_of_once_an_hour(house: House) -> None:
    secret = house.token("viewer")

    for _ in range(3):
        assert house.entry.admit(bearer(secret), None, HERE).who.role is Role.VIEWER
    house.clock.advance(3_600)
    house.entry.admit(bearer(secret), None, HERE)

    assert house.told.types == ["ai.auth", "ai.auth"]
    assert house.told.events[0]["outcome"] == "SUCCESS"


def test_who_cannot_be_told_of_is_not_let_in(house: House) -> None:
    house.told.refuses = RetryableError("Kafka is away")

    with pytest.raises(RetryableError):
        house.entry.admit(bearer(house.token()), None, HERE)


@pytest.mark.parametrize(
    "header", [None, "", "Basic YTpi", "Bearer", "Bearer ", "Bearer ast_a_b", "bearer x"]
)
def test_nobody_is_let_in_without_a_token(house: House, header: str | None) -> None:
    with pytest.raises(NotSignedInError):
        house.entry.admit(header, None, HERE)

    assert [each["outcome"] for each in house.told.events] == ["BLOCKED"]


def test_refusals_are_told_of_now_and_then(house: House) -> None:
    for _ in range(100):
        with pytest.raises(NotSignedInError):
            house.entry.admit("Bearer x", None, HERE)

    assert len(house.told.events) == 1


def test_before_the_store_has_told_of_tokens_nobody_is_refused_for_good(house: House) -> None:
    house.entry._tokens = lambda: None

    with pytest.raises(RetryableError):
        house.entry.admit("Bearer ast_a_b", None, HERE)


def test_a_session_is_who_signed_in_until_it_ends(house: House) -> None:
    session, cookie = house.entry.sign_in(house.token("finops"), HERE)

    found = house.entry.admit(None, cookie, HERE)
    house.clock.advance(8 * 3_600)

    assert found.session == session
    assert found.who.role is Role.FINOPS
    with pytest.raises(NotSignedInError, match="ended"):
        house.entry.admit(None, cookie, HERE)


def test_a_session_ends_with_its_token(house: House) -> None:
    secret = house.token("viewer", expires_at=house.entry.now + timedelta(hours=1))
    session, cookie = house.entry.sign_in(secret, HERE)
    signed_in = house.entry.admit(None, cookie, HERE)
    assert session.ends_at == house.entry.now + timedelta(hours=1)
    assert house.entry.still(signed_in)

    revoke_token(
        house.facts, signed_in.who.id, actor="me", now=house.entry.now + timedelta(seconds=1), announce=None
    )
    house.clock.advance(2)

    assert not house.entry.still(signed_in)
    with pytest.raises(NotSignedInError, match="revoked"):
        house.entry.admit(None, cookie, HERE)


def test_a_session_of_a_provider_carries_what_was_given(house: House) -> None:
    who = Principal(
        id="https://idp|ann", name="ann", role=Role.SECURITY, tenants=frozenset({"acme"}), signed_in_by="oidc"
    )
    _, cookie = house.entry.begin(who, HERE)

    assert house.entry.admit(None, cookie, HERE).who == who


def test_a_cookie_that_was_changed_is_none_of_ours(house: House) -> None:
    _, cookie = house.entry.sign_in(house.token(), HERE)

    for changed in (cookie[:-1], "A" + cookie[1:], "", cookie + "x"):
        with pytest.raises(NotSignedInError):
            house.entry.admit(None, changed, HERE)


def test_a_form_token_is_of_its_session_alone(house: House) -> None:
    secret = house.token()
    mine, _ = house.entry.sign_in(secret, HERE)
    other, _ = house.entry.sign_in(secret, HERE)

    assert house.sessions.is_own(mine, house.sessions.form_token(mine))
    assert not house.sessions.is_own(mine, house.sessions.form_token(other))
    assert not house.sessions.is_own(mine, "")


def test_more_tenants_than_a_cookie_holds_are_refused(house: House) -> None:
    many = frozenset(sha256(b"%d" % number).hexdigest() for number in range(100))

    with pytest.raises(NotSignedInError, match="too many tenants"):
        house.entry.begin(Principal(id="1", name="n", role=Role.VIEWER, tenants=many), HERE)


def test_a_principal_may_ask_as_often_as_the_role_says_and_then_waits(house: House) -> None:
    rate = LIMITS[Role.VIEWER].requests_per_s
    mine, others = bearer(house.token()), bearer(house.token())
    for _ in range(int(10 * rate)):
        house.entry.admit(mine, None, HERE)

    with pytest.raises(TooManyRequestsError) as refused:
        house.entry.admit(mine, None, HERE)
    assert refused.value.retry_after_s == pytest.approx(1 / rate)
    house.entry.admit(others, None, HERE)
    house.clock.advance(1.5 / rate)
    house.entry.admit(mine, None, HERE)

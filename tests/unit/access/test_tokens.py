"""Tokens of the API: told of before they count, kept as a hash, expiring, revoked once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from auditstream.access.known_tokens import NotSignedInError, TokenBook
from auditstream.access.roles import Role
from auditstream.access.tokens import NewToken, create_token, draft, newest_of, revoke_token
from auditstream.core.errors import NotFoundError, RequestError, RetryableError
from auditstream.query.periods import Period
from auditstream.reference.gateway_secrets import new_key
from auditstream.reference.owners import Tenant
from tests.support.facts import day
from tests.support.reference_memory import FactStore

NOW = day(100)
TENANT = Tenant(tenant_id="acme", name="Acme", valid_from=day(0))


def create(store: FactStore, told: list[dict[str, Any]] | None = None, **fields: Any) -> NewToken:
    wanted = {"role": "viewer", "tenants": ("acme",), "name": "ann", **fields}
    announce = (told if told is not None else []).extend
    return create_token(store, draft(now=NOW, **wanted), actor="me", now=NOW, announce=announce)


def book_of(store: FactStore) -> TokenBook:
    return TokenBook(store.load(store.newest()))


def test_a_token_is_told_of_without_its_secret_and_kept_as_a_hash() -> None:
    store, told = FactStore(TENANT), list[dict[str, Any]]()

    made = create(store, told)

    assert [each["event_type"] for each in told] == ["ai.config.change", "ai.key.lifecycle"]
    assert told[1]["access"]["scopes"] == ["role:viewer", "tenant:acme"]
    secret = made.secret.rpartition("_")[2]
    assert secret not in str(told)
    assert secret not in str(newest_of(store.load(store.newest())))
    assert made.secret.startswith(f"ast_{made.token.token_id}_")


def test_what_cannot_be_told_of_does_not_count() -> None:
    store = FactStore(TENANT)

    def fail(_: object) -> None:
        raise RetryableError("Kafka is away")

    with pytest.raises(RetryableError):
        create_token(store, draft(role="viewer", tenants=("*",), now=NOW), actor="me", now=NOW, announce=fail)

    assert store.newest() == 1


def test_who_shows_a_token_is_whom_it_was_made_for() -> None:
    store = FactStore(TENANT)
    made = create(store, role="auditor", expires_at=day(110), sees_from=day(1), sees_to=day(50))

    who = book_of(store).principal(made.secret, NOW)

    assert (who.name, who.role, who.tenants) == ("ann", Role.AUDITOR, frozenset({"acme"}))
    assert who.period == Period(day(1), day(50))
    assert who.expires_at == day(110)


def test_a_star_is_everybody_and_nothing_else_is() -> None:
    store = FactStore(TENANT)
    everybody = create(store, tenants=("*",))

    assert book_of(store).principal(everybody.secret, NOW).tenants is None


def test_a_token_counts_until_the_moment_at_which_it_expires() -> None:
    store = FactStore(TENANT)
    made = create(store, expires_at=day(101))

    book = book_of(store)

    assert book.principal(made.secret, day(101) - timedelta(microseconds=1))
    with pytest.raises(NotSignedInError, match="expired"):
        book.principal(made.secret, day(101))


def test_a_revoked_token_does_not_count_and_is_revoked_once() -> None:
    store, told = FactStore(TENANT), list[dict[str, Any]]()
    made = create(store)

    for _ in range(2):
        revoke_token(store, made.token.token_id, actor="me", now=day(102), announce=told.extend)

    assert [each["access"]["activity"] for each in told if each.get("access")] == ["revoke"]
    with pytest.raises(NotSignedInError, match="revoked"):
        book_of(store).principal(made.secret, day(103))
    with pytest.raises(NotSignedInError, match="revoked"):
        book_of(store).named(made.token.token_id, day(103))


def test_another_secret_of_the_same_id_is_not_known() -> None:
    store = FactStore(TENANT)
    made = create(store)
    guessed = new_key(made.token.token_id, prefix="ast_")

    for wrong in (
        guessed,
        "",
        "ast_",
        "ask_x_y",
        made.secret[:-1],
        made.secret + "a",
        "ast_nobody_" + "a" * 43,
    ):
        with pytest.raises(NotSignedInError, match="not known"):
            book_of(store).principal(wrong, NOW)


def test_a_tenant_that_is_not_known_is_refused() -> None:
    with pytest.raises(NotFoundError, match="tenant globex"):
        create(FactStore(TENANT), tenants=("acme", "globex"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"tenants": ()}, "tenants"),
        ({"tenants": ("*", "acme")}, "tenants"),
        ({"tenants": ("ac me",)}, "tenants"),
        ({"role": "auditor"}, "valid_to"),
        ({"sees_from": day(2), "sees_to": day(2)}, "sees_to"),
        ({"expires_at": day(99)}, "valid_to"),
        ({"name": "a" * 201}, "name"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError, match=field):
        create(FactStore(TENANT), **fields)


def test_revoking_what_nobody_made_says_so() -> None:
    with pytest.raises(NotFoundError, match="token nobody"):
        revoke_token(FactStore(TENANT), "nobody", actor="me", now=NOW, announce=None)

"""Keys of the gateway: told of before they count, found again, revoked once."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.core.errors import NotFoundError, RequestError, RetryableError
from auditstream.emit.gateway_keys import create_key, keys_of, revoke_key
from auditstream.reference.gateway_secrets import matches
from auditstream.reference.owners import Credential, Tenant
from tests.support.facts import day
from tests.support.reference_memory import FactStore

NOW = day(100)


TENANT = Tenant(tenant_id="acme", name="Acme", valid_from=day(0))


def create(store: FactStore, announce: Any, tenant: str = "acme") -> Any:
    return create_key(store, tenant=tenant, name="ci", actor="me", now=NOW, announce=announce)


def test_a_key_is_told_of_twice_without_its_secret_and_kept_as_a_hash() -> None:
    store, told = FactStore(TENANT), list[dict[str, Any]]()

    key = create(store, told.extend)

    assert [each["event_type"] for each in told] == ["ai.config.change", "ai.key.lifecycle"]
    assert told[1]["access"]["subject_id"] == key.credential.credential_id
    assert {each["tenant_id"] for each in told} == {"acme"}
    secret = key.secret.rpartition("_")[2]
    assert secret not in str(told)
    (listed,) = keys_of(store.load(store.newest()), now=NOW)
    assert matches(key.secret, listed.secret_hash)
    assert secret not in str(listed)


def test_what_cannot_be_told_of_does_not_count() -> None:
    store = FactStore(TENANT)

    def fail(_: object) -> None:
        raise RetryableError("Kafka is away")

    with pytest.raises(RetryableError):
        create(store, fail)

    assert store.newest() == 1


def test_a_key_is_revoked_once() -> None:
    store, told = FactStore(TENANT), list[dict[str, Any]]()
    key = create(store, None)
    credential_id = key.credential.credential_id

    first, revision = revoke_key(store, credential_id, actor="me", now=NOW, announce=told.extend)
    again, same = revoke_key(store, credential_id, actor="me", now=NOW, announce=told.extend)

    assert (first.active, again.active, revision, same) == (False, False, 3, 3)
    assert [each["event_type"] for each in told] == ["ai.config.change", "ai.key.lifecycle"]
    assert told[1]["access"]["activity"] == "revoke"


def test_tenants_and_credentials_that_are_not_known_or_closed_have_no_keys() -> None:
    closed = Tenant(tenant_id="closed", name="Closed", active=False, valid_from=day(0))
    store = FactStore(TENANT, closed, Credential(credential_id="x", tenant_id="acme", valid_from=day(0)))

    with pytest.raises(NotFoundError):
        create(store, None, "nobody")
    with pytest.raises(RequestError):
        create(store, None, "closed")
    with pytest.raises(NotFoundError):
        revoke_key(store, "nobody", actor="me", now=NOW, announce=None)
    assert keys_of(store.load(1), now=NOW) == []

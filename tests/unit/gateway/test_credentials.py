"""Keys that count, keys that do not, and what is told of either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.errors import RetryableError
from auditstream.core.settings import GatewaySettings
from auditstream.gateway.credentials import Credentials, UnknownKeyError
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.sign_ins import SignIns, truncated
from auditstream.reference.gateway_secrets import credential_id_of, hash_of, matches, new_key
from auditstream.reference.owners import Credential, Tenant
from tests.support.gateways import ACME, NOW_S, SINCE, Facts, event, gateway, id_, key_facts, problem, text

NOW = datetime.fromtimestamp(NOW_S, UTC)


def credential(key: str, **changes: Any) -> Credential:
    return Credential(
        credential_id="acme-1", tenant_id=ACME, secret_hash=hash_of(key), valid_from=SINCE
    ).model_copy(update=changes)


def test_a_key_has_256_random_bits_and_names_its_credential() -> None:
    key = new_key("acme_x-1")

    assert credential_id_of(key) == "acme_x-1"
    assert len(key.rpartition("_")[2]) == 43
    assert key != new_key("acme_x-1")
    assert matches(key, hash_of(key))
    assert not matches(key[:-1] + ("A" if key[-1] != "A" else "B"), hash_of(key))
    assert key not in hash_of(key)


@pytest.mark.parametrize(
    "given", ["", "ask_", "ask_x_y", "ask_a b_" + "A" * 43, "bearer", "ask_x_" + "A" * 44 + "_"]
)
def test_what_has_not_the_form_of_a_key_names_nobody(given: str) -> None:
    assert credential_id_of(given) is None


async def test_a_revocation_counts_as_soon_as_its_revision_is_seen() -> None:
    async with gateway() as gate:
        assert (await gate.post(text(event()))).status_code == 202
        gate.facts.state(credential(gate.keys[ACME], active=False, valid_from=NOW))
        assert (await gate.post(text(event()))).status_code == 202
        gate.credentials.refresh()

        problem(await gate.post(text(event())), 401, "revoked")


async def test_a_credential_that_begins_or_ends_counts_between() -> None:
    async with gateway() as gate:
        key = new_key("acme-2")
        between = {"valid_from": NOW + timedelta(hours=1), "valid_to": NOW + timedelta(hours=2)}
        gate.facts.state(credential(key, credential_id="acme-2", **between))
        gate.credentials.refresh()
        headers = {"authorization": f"Bearer {key}"}

        problem(await gate.post(text(event()), headers=headers), 401, "revoked")
        gate.clock.advance(3_601)
        assert (await gate.post(text(event()), headers=headers)).status_code == 202
        gate.clock.advance(3_600)
        problem(await gate.post(text(event()), headers=headers), 401, "revoked")


async def test_a_closed_tenant_may_not_send() -> None:
    async with gateway() as gate:
        gate.facts.state(Tenant(tenant_id=ACME, name="Acme", active=False, valid_from=SINCE))
        gate.credentials.refresh()

        problem(await gate.post(text(event())), 403, "tenant_closed")


async def test_before_the_store_has_answered_nothing_is_taken_and_nothing_is_ready() -> None:
    async with gateway(known=False) as gate:
        problem(await gate.post(text(event())), 503, "unavailable")
        problem(await gate.client.get("/readyz"), 503, "unavailable")
        assert (await gate.client.get("/healthz")).status_code == 200

        gate.credentials.refresh()
        assert (await gate.client.get("/readyz")).status_code == 200


async def test_while_the_store_is_away_what_was_known_counts_and_grows_old() -> None:
    async with gateway() as gate:
        gate.facts.away = True
        with pytest.raises(RetryableError):
            gate.credentials.refresh()

        assert (await gate.post(text(event()))).status_code == 202
        assert 0 <= gate.credentials.age_s < 60


def test_a_thread_follows_the_store_and_outlives_its_absence() -> None:
    facts, keys = key_facts()
    store = Facts(facts)
    store.away = True
    credentials = Credentials(store, every_s=0.01, clock=ManualClock(NOW_S))
    credentials.start()
    try:
        with pytest.raises(RefusedError):
            credentials.principal(f"Bearer {keys[ACME]}")
        store.away = False
        while not credentials.is_known:
            pass
        assert credentials.principal(f"bearer {keys[ACME]}").tenant_id == ACME
    finally:
        credentials.stop()


async def test_a_flood_of_wrong_keys_is_a_few_events() -> None:
    async with gateway() as gate:
        wrong = {"authorization": "Bearer ask_acme-1_" + "A" * 43}
        for _ in range(500):
            assert (await gate.post(b"{}", headers=wrong)).status_code == 401

        (found,) = gate.sign_ins.events()
        assert (found["event_type"], found["outcome"], found["tenant_id"]) == ("ai.auth", "BLOCKED", ACME)
        assert found["attributes"]["count"] == "500"
        assert found["src_ip"] == "192.0.2.0"
        assert gate.sign_ins.events() == []


def test_many_kinds_of_refusals_are_at_most_one_more_event_than_twenty() -> None:
    sign_ins = SignIns("test", ManualClock(NOW_S))
    for number in range(1_000):
        sign_ins.refused(UnknownKeyError("unauthenticated", "x"), f"10.{number // 250}.{number % 250}.1")

    events = sign_ins.events()
    assert len(events) == 21
    assert sum(int(each["attributes"]["count"]) for each in events) == 1_000


async def test_a_credential_is_an_event_the_first_time_only() -> None:
    async with gateway() as gate:
        for _ in range(3):
            await gate.post(text(event()))

        (found,) = gate.sign_ins.events()
        assert (found["outcome"], found["credential_id"]) == ("SUCCESS", "acme-1")


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.77", "192.0.2.0"), ("2001:db8:1:2::3", "2001:db8:1::"), ("unix", ""), ("", "")],
)
def test_an_address_is_told_as_its_network(address: str, network: str) -> None:
    assert truncated(address) == network


async def test_a_rate_is_refused_with_when_to_try_again_and_recovers() -> None:
    async with gateway(GatewaySettings(events_per_s=1.0)) as gate:
        for _ in range(5):
            assert (await gate.post(text(event()))).status_code == 202
        refused = await gate.post(text(event()))
        assert problem(refused, 429, "rate_limited")["detail"].startswith("credential acme-1")
        assert refused.headers["retry-after"] == "1"

        gate.clock.advance(1.01)
        assert (await gate.post(text(event()))).status_code == 202


async def test_a_request_larger_than_the_burst_is_taken_whole_and_paid_for_later() -> None:
    async with gateway(GatewaySettings(events_per_s=1.0)) as gate:
        many = [event(event_id=f"0197f3a0-1c2b-7d4e-8f00-{number:012x}") for number in range(20)]
        assert (await gate.post(text(*many))).status_code == 202
        refused = await gate.post(text(event()))

        problem(refused, 429, "rate_limited")
        assert int(refused.headers["retry-after"]) == 16


async def test_a_quota_of_a_day_holds_until_the_next_one() -> None:
    async with gateway(labels={"gateway_events_per_day/acme-1": "2"}) as gate:
        assert (await gate.post(text(event(), event()))).status_code == 202
        refused = await gate.post(text(event()))
        problem(refused, 429, "quota_exceeded")
        assert int(refused.headers["retry-after"]) == 11 * 3_600 + 29 * 60

        gate.clock.advance(12 * 3_600)
        assert (await gate.post(text(event()))).status_code == 202


async def test_what_kafka_does_not_acknowledge_does_not_count() -> None:
    two = text(event(), event(event_id=id_(2)))
    async with gateway(labels={"gateway_events_per_day": "2"}) as gate:
        gate.producer.away = True
        for _ in range(2):
            problem(await gate.post(two), 503, "unavailable")
        gate.producer.away, gate.producer.unacknowledged = False, {1}
        problem(await gate.post(two, params={"mode": "blocking-strict"}), 503, "unavailable")
        assert (await gate.post(two)).json()["accepted"] == 1
        gate.producer.unacknowledged = set()
        assert (await gate.post(text(event()))).status_code == 202
        problem(await gate.post(text(event())), 429, "quota_exceeded")


async def test_what_is_refused_does_not_count() -> None:
    async with gateway(labels={"gateway_events_per_day": "1"}) as gate:
        problem(await gate.post(text(event(severity=9))), 422, "contract")
        problem(await gate.post(text(event(), event())), 429, "quota_exceeded")
        assert (await gate.post(text(event()))).status_code == 202

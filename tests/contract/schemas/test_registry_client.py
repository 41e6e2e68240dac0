"""The registry client against a registry on loopback that answers, fails, and comes back."""

from __future__ import annotations

import asyncio
import random
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from pydantic import SecretStr

from auditstream.core.clock import ManualClock
from auditstream.core.errors import NotFoundError, RegistryDownError, RequestError, SchemaError
from auditstream.core.settings import RegistrySettings
from schemas.packaged import schema_text
from schemas.registry_auth import FixedAuthorization, OAuthAuthorization
from schemas.registry_client import RegisteredSchema, RegistryClient, Verdict
from schemas.registry_http import RegistryHttp
from schemas.subjects import EVENTS, SUBJECTS
from tests.support.registry import RegistryDouble, basic, running_registry

TEXT = schema_text("signal")
SUBJECT = "audit.signals.v1-value"


@pytest.fixture
async def registry() -> AsyncIterator[RegistryDouble]:
    async with running_registry() as double:
        yield double


def _client(registry: RegistryDouble, **options: Any) -> RegistryClient:
    return RegistryClient(registry.url, **({"timeout_s": 2.0, "backoff_s": 0.001} | options))


async def test_confluents_own_client_understands_the_test_registry(registry: RegistryDouble) -> None:
    def use() -> tuple[int, str, str, bool]:
        with SchemaRegistryClient({"url": registry.url}) as client:
            schema_id = client.register_schema(SUBJECT, Schema(TEXT, "AVRO"))
            compatible = client.test_compatibility_all_versions(SUBJECT, Schema(TEXT, "AVRO"))
            client.clear_caches()
            by_id = client.get_schema(schema_id).schema_str
            client.clear_caches()
            by_guid = client.get_schema_by_guid(client.get_latest_version(SUBJECT).guid).schema_str
        return schema_id, by_id, by_guid, compatible

    schema_id, by_id, by_guid, compatible = await asyncio.to_thread(use)

    assert (schema_id, by_id, by_guid, compatible) == (1, TEXT, TEXT, True)


async def test_a_registered_schema_is_found_by_id_guid_and_subject(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        schema_id = await client.register(SUBJECT, TEXT)
        guid = registry.guid(schema_id)

        assert await client.schema(schema_id) == RegisteredSchema(TEXT, schema_id, guid)
        assert await client.schema(guid) == RegisteredSchema(TEXT, schema_id, guid)
        assert await client.latest(SUBJECT) == RegisteredSchema(TEXT, schema_id, guid, SUBJECT, 1)
        assert await client.register(SUBJECT, TEXT) == schema_id


async def test_a_registry_without_guids_is_enough(registry: RegistryDouble) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    del registry.schemas[schema_id]["guid"]

    async with _client(registry) as client:
        assert await client.schema(schema_id) == RegisteredSchema(TEXT, schema_id, None)


async def test_subject_names_may_have_any_characters(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        await client.register("a/b c?-value", TEXT)

        assert (await client.latest("a/b c?-value")).subject == "a/b c?-value"


async def test_levels_are_set_by_subject(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        for subject in SUBJECTS:
            await client.set_level(subject.name, subject.level)

    assert registry.levels[EVENTS.name] == "FULL_TRANSITIVE"
    assert len(registry.levels) == 4


async def test_the_verdict_carries_the_registrys_reasons(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        assert await client.check("new-value", TEXT) == Verdict(compatible=True)
        registry.add(SUBJECT, TEXT)
        assert await client.check(SUBJECT, TEXT) == Verdict(compatible=True)
        registry.incompatible = ("field `state` lost its default",)
        assert await client.check(SUBJECT, TEXT) == Verdict(
            compatible=False, messages=("field `state` lost its default",)
        )


async def test_an_unknown_schema_is_a_schema_error_at_once(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        with pytest.raises(SchemaError, match="schema 42 is not in the registry"):
            await client.schema(42)
        with pytest.raises(SchemaError, match="is not in the registry"):
            await client.schema(uuid.UUID(int=5))

    assert len(registry.requests) == 2


async def test_an_id_that_no_registry_can_have_is_not_asked_for(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        with pytest.raises(SchemaError, match="ids end at 2147483647"):
            await client.schema(2**31)

    assert registry.requests == []


async def test_an_unknown_subject_is_not_found(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        with pytest.raises(NotFoundError, match=r"Subject not found \(40401\)"):
            await client.latest("no-such-value")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"schemaType": "PROTOBUF"}, "is PROTOBUF, not AVRO"),
        ({"references": [{"name": "x", "subject": "y", "version": 1}]}, "refers to other schemas"),
    ],
)
async def test_a_schema_that_is_not_avro_on_its_own_is_refused(
    registry: RegistryDouble, more: dict[str, object], message: str
) -> None:
    schema_id = registry.add(SUBJECT, TEXT, **more)

    async with _client(registry) as client:
        with pytest.raises(SchemaError, match=message):
            await client.schema(schema_id)


async def test_what_the_registry_does_not_take_is_the_callers_error(registry: RegistryDouble) -> None:
    async with _client(registry) as client:
        with pytest.raises(RequestError, match=r"Invalid schema \(42201\)"):
            await client.register(SUBJECT, "{")
        registry.incompatible = ("no",)
        with pytest.raises(RequestError, match=r"incompatible \(409\)"):
            await client.register(SUBJECT, TEXT)

    assert len(registry.requests) == 2


async def test_a_look_up_that_the_registry_refuses_is_a_schema_error(registry: RegistryDouble) -> None:
    registry.failures = [400]

    async with _client(registry) as client:
        with pytest.raises(SchemaError, match="cannot be asked for"):
            await client.schema(1)


@pytest.mark.parametrize("failure", [500, 503, 429, "cut"])
async def test_a_passing_failure_is_tried_again(registry: RegistryDouble, failure: int | str) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    registry.failures = [failure, failure]

    async with _client(registry, attempts=3) as client:
        assert (await client.schema(schema_id)).text == TEXT

    assert len(registry.requests) == 3


async def test_a_lasting_failure_is_the_registry_being_down(registry: RegistryDouble) -> None:
    registry.failures = [503] * 9

    async with _client(registry, attempts=3) as client:
        with pytest.raises(RegistryDownError, match="answered 503"):
            await client.schema(1)

    assert len(registry.requests) == 3


async def test_the_wait_that_the_registry_asks_for_is_passed_on(registry: RegistryDouble) -> None:
    registry.failures = [429]
    registry.retry_after = "7"

    async with _client(registry, attempts=1) as client:
        with pytest.raises(RegistryDownError) as caught:
            await client.schema(1)

    assert caught.value.retry_after_s == 7.0


async def test_the_wait_that_the_registry_asks_for_is_kept(registry: RegistryDouble) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    registry.failures = [429]
    registry.retry_after = "0"

    async with _client(registry, attempts=2, backoff_s=1_000_000.0) as client:
        assert (await client.schema(schema_id)).text == TEXT


async def test_waits_are_drawn_from_a_range_that_doubles(registry: RegistryDouble) -> None:
    class Recorded(random.Random):
        ranges: ClassVar[list[tuple[float, float]]] = []

        def uniform(self, a: float, b: float) -> float:
            self.ranges.append((a, b))
            return 0.0

    registry.failures = [500] * 4
    http = RegistryHttp(
        registry.url, FixedAuthorization(), timeout_s=2.0, attempts=4, backoff_s=10.0, jitter=Recorded()
    )

    with pytest.raises(RegistryDownError):
        await http.request("GET", "/schemas/ids/1")
    await http.close()

    assert Recorded.ranges == [(0, 10.0), (0, 20.0), (0, 40.0)]


async def test_nothing_listening_is_the_registry_being_down() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    async with RegistryClient(url, attempts=2, backoff_s=0.001) as client:
        with pytest.raises(RegistryDownError, match=f"{url} does not answer"):
            await client.schema(1)


async def test_a_registry_that_hangs_is_down_after_the_time_limit(registry: RegistryDouble) -> None:
    registry.hold = asyncio.Event()

    async with _client(registry, timeout_s=0.05, attempts=2) as client:
        with pytest.raises(RegistryDownError, match="does not answer"):
            await client.schema(1)
        registry.hold.set()

    assert len(registry.requests) == 2


@pytest.mark.parametrize("failure", ["html", "list", 404])
async def test_an_answer_that_is_no_registrys_makes_no_dead_letters(
    registry: RegistryDouble, failure: int | str
) -> None:
    registry.failures = [failure]

    async with _client(registry) as client:
        with pytest.raises(RegistryDownError) as caught:
            await client.schema(1)

    assert "registry.url" in caught.value.hint
    assert len(registry.requests) == 1


async def test_a_registry_from_before_guids_refuses_them_for_good(registry: RegistryDouble) -> None:
    registry.failures = [404]

    async with _client(registry) as client:
        with pytest.raises(SchemaError):
            await client.schema(uuid.UUID(int=1))


async def test_answers_with_missing_parts_are_the_registrys_fault(registry: RegistryDouble) -> None:
    registry.failures = ["empty", "empty"]
    schema_id = registry.add(SUBJECT, TEXT, guid="no guid")

    async with _client(registry) as client:
        with pytest.raises(RegistryDownError, match="answered without `id`"):
            await client.register(SUBJECT, TEXT)
        with pytest.raises(RegistryDownError, match="answered without `schema`"):
            await client.schema(schema_id)
        with pytest.raises(RegistryDownError, match="GUID that is none: 'no guid'"):
            await client.schema(schema_id)


async def test_a_password_is_sent_as_utf8(registry: RegistryDouble) -> None:
    registry.expected_authorization = basic("söze", "pä:ss")
    schema_id = registry.add(SUBJECT, TEXT)

    async with _client(registry, authorization=FixedAuthorization("söze", "pä:ss")) as client:
        assert (await client.schema(schema_id)).text == TEXT


async def test_refused_credentials_are_not_tried_again_and_make_no_dead_letters(
    registry: RegistryDouble,
) -> None:
    registry.expected_authorization = basic("user", "right")

    async with _client(registry, authorization=FixedAuthorization("user", "wrong")) as client:
        with pytest.raises(RegistryDownError, match=r"refused the credentials \(401\)") as caught:
            await client.schema(1)

    assert len(registry.requests) == 1
    assert "registry.username" in caught.value.hint


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000.0)


def _oauth(registry: RegistryDouble, clock: ManualClock, secret: str = "s&cr:t") -> OAuthAuthorization:
    return OAuthAuthorization(
        token_url=f"{registry.url}/token",
        client_id="client",
        client_secret=secret,
        scope="registry.read",
        clock=clock,
    )


async def test_a_token_is_kept_until_shortly_before_it_expires(
    registry: RegistryDouble, clock: ManualClock
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    registry.expected_authorization = "Bearer token-1"
    async with _client(registry, authorization=_oauth(registry, clock)) as client:
        await asyncio.gather(*(client.schema(schema_id) for _ in range(5)))
        clock.advance(269.0)
        await client.schema(schema_id)
        assert registry.tokens == ["token-1"]

        clock.advance(1.0)
        registry.expected_authorization = "Bearer token-2"
        await client.schema(schema_id)

    assert registry.tokens == ["token-1", "token-2"]
    assert registry.token_forms[0] == {"grant_type": "client_credentials", "scope": "registry.read"}


async def test_a_short_token_is_kept_for_half_its_life(registry: RegistryDouble, clock: ManualClock) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    registry.token_life_s = 20.0
    async with _client(registry, authorization=_oauth(registry, clock)) as client:
        await client.schema(schema_id)
        clock.advance(9.0)
        await client.schema(schema_id)
        assert len(registry.tokens) == 1

        clock.advance(1.0)
        await client.schema(schema_id)

    assert len(registry.tokens) == 2


async def test_a_revoked_token_is_replaced(registry: RegistryDouble, clock: ManualClock) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    async with _client(registry, authorization=_oauth(registry, clock)) as client:
        await client.schema(schema_id)
        registry.expected_authorization = "Bearer token-2"

        assert (await client.schema(schema_id)).text == TEXT


@pytest.mark.parametrize("failure", [500, "list", "empty", "cut"])
async def test_a_token_endpoint_that_fails_is_the_registry_being_down(
    registry: RegistryDouble, clock: ManualClock, failure: int | str
) -> None:
    registry.token_failure = failure

    async with _client(registry, attempts=2, authorization=_oauth(registry, clock)) as client:
        with pytest.raises(RegistryDownError, match="/token"):
            await client.schema(1)

    assert registry.requests == []


async def test_a_refused_client_is_told_which_settings_to_look_at(
    registry: RegistryDouble, clock: ManualClock
) -> None:
    async with _client(registry, attempts=1, authorization=_oauth(registry, clock, "wrong")) as client:
        with pytest.raises(RegistryDownError, match=r"refused the client \(401\)") as caught:
            await client.schema(1)

    assert "oauth_client_secret" in caught.value.hint


async def test_the_settings_choose_the_authorisation(registry: RegistryDouble, clock: ManualClock) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    registry.expected_authorization = basic("user", "word")
    by_password = RegistrySettings(url=registry.url, username="user", password=SecretStr("word"))
    async with RegistryClient.from_settings(by_password) as client:
        assert (await client.schema(schema_id)).text == TEXT

    registry.expected_authorization = "Bearer token-1"
    by_token = by_password.model_copy(
        update={
            "oauth_token_url": f"{registry.url}/token",
            "oauth_client_id": "client",
            "oauth_client_secret": SecretStr("s&cr:t"),
        }
    )
    async with RegistryClient.from_settings(by_token, clock) as client:
        assert (await client.schema(schema_id)).text == TEXT


async def test_a_client_can_be_used_again_after_it_was_closed(registry: RegistryDouble) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    client = _client(registry)
    await client.schema(schema_id)
    await client.close()

    assert (await client.schema(schema_id)).text == TEXT
    await client.close()
    await client.close()

"""Schemas are asked for once, found while the registry is down, and looked up from any thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.errors import ConfigError, InvariantError, RegistryDownError, SchemaError
from schemas.packaged import SchemaName, schema_json, schema_text
from schemas.registry_client import RegisteredSchema, RegistryClient
from schemas.schema_folder import SchemaFolder
from schemas.schema_store import SchemaStore
from schemas.subjects import FINDINGS, USAGE, Subject
from tests.support.registry import RegistryDouble, running_registry

TEXT = schema_text("audit_event")
SUBJECT = "audit.events.v1-value"


@pytest.fixture
async def registry() -> AsyncIterator[RegistryDouble]:
    async with running_registry() as double:
        yield double


@pytest.fixture
async def client(registry: RegistryDouble) -> AsyncIterator[RegistryClient]:
    async with RegistryClient(registry.url, timeout_s=2.0, attempts=1) as client:
        yield client


def _folder(registry: RegistryDouble, root: Path) -> SchemaFolder:
    return SchemaFolder(root, registry.url)


async def test_a_schema_is_asked_for_once(registry: RegistryDouble, client: RegistryClient) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    store = SchemaStore(client)

    first = await store.fetch(schema_id)

    assert await store.fetch(schema_id) is first
    assert first.text == TEXT
    assert len(registry.requests) == 1


async def test_callers_at_the_same_time_share_one_request(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    store = SchemaStore(client)
    registry.hold = asyncio.Event()
    callers = [asyncio.create_task(store.fetch(schema_id)) for _ in range(20)]
    threads = [asyncio.create_task(asyncio.to_thread(store.get, schema_id)) for _ in range(3)]
    await registry.arrived.wait()

    registry.hold.set()
    schemas = await asyncio.gather(*callers)
    parsed = await asyncio.gather(*threads)

    assert {schema.text for schema in schemas} == {TEXT}
    assert parsed == [schema_json("audit_event")] * 3
    assert len(registry.requests) == 1


async def test_a_caller_that_gives_up_does_not_take_the_answer_from_the_others(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    store = SchemaStore(client)
    registry.hold = asyncio.Event()
    impatient = asyncio.create_task(store.fetch(schema_id))
    patient = asyncio.create_task(store.fetch(schema_id))
    await registry.arrived.wait()

    impatient.cancel()
    registry.hold.set()

    assert (await patient).text == TEXT
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_failure_that_nobody_waits_for_any_more_is_not_dropped_loudly(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    store = SchemaStore(client)
    registry.hold = asyncio.Event()
    registry.failures = [503]
    caller = asyncio.create_task(store.fetch(1))
    await registry.arrived.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    registry.hold.set()
    with pytest.raises(RegistryDownError):
        await store.fetch(1)


async def test_threads_get_the_schema_parsed_once(registry: RegistryDouble, client: RegistryClient) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    store = SchemaStore(client)

    first = await asyncio.to_thread(store.get, schema_id)

    assert first == schema_json("audit_event")
    assert await asyncio.to_thread(store.get, schema_id) is first
    assert store.get(schema_id) is first  # known: does not block, so the loop may ask too
    assert len(registry.requests) == 1


async def test_a_schema_is_found_by_its_guid(registry: RegistryDouble, client: RegistryClient) -> None:
    guid = registry.guid(registry.add(SUBJECT, TEXT))

    assert await asyncio.to_thread(SchemaStore(client).get, guid) == schema_json("audit_event")


async def test_text_that_is_no_record_is_refused(registry: RegistryDouble, client: RegistryClient) -> None:
    schema_id = registry.add(SUBJECT, '"string"')

    with pytest.raises(SchemaError, match="not a record"):
        await asyncio.to_thread(SchemaStore(client).get, schema_id)


async def test_the_loops_own_thread_is_kept_from_waiting_for_itself(client: RegistryClient) -> None:
    with pytest.raises(InvariantError, match="use fetch there"):
        SchemaStore(client).get(1)


def test_a_thread_that_outlives_the_loop_sees_the_registry_down() -> None:
    async def make() -> SchemaStore:
        return SchemaStore(RegistryClient("http://127.0.0.1:1"))

    store = asyncio.run(make())

    with pytest.raises(RegistryDownError, match="loop that asks the schema registry has ended"):
        store.get(1)


async def test_a_thread_does_not_wait_for_ever(registry: RegistryDouble) -> None:
    class Hasty(RegistryClient):
        @property
        def longest_s(self) -> float:
            return -0.99

    registry.hold = asyncio.Event()
    async with Hasty(registry.url) as client:
        with pytest.raises(RegistryDownError, match="no answer about schema 1 in time"):
            await asyncio.to_thread(SchemaStore(client).get, 1)
        registry.hold.set()


async def test_an_absent_schema_is_asked_for_again_after_a_while(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    clock = ManualClock(1_000.0)
    store = SchemaStore(client, absent_s=30.0, clock=clock)

    for _ in range(3):
        with pytest.raises(SchemaError, match="schema 1 is not in the registry"):
            await store.fetch(1)
    assert len(registry.requests) == 1

    registry.add(SUBJECT, TEXT)
    clock.advance(29.9)
    with pytest.raises(SchemaError):
        await store.fetch(1)
    clock.advance(0.2)

    assert (await store.fetch(1)).text == TEXT
    assert len(registry.requests) == 2


async def test_absent_schemas_do_not_pile_up(
    registry: RegistryDouble, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.schema_store._MOST_ABSENT", 3)
    store = SchemaStore(client, clock=ManualClock(0.0))

    for schema_id in range(1, 8):
        with pytest.raises(SchemaError):
            await store.fetch(schema_id)

    assert len(store._absent) <= 3


async def test_a_registry_that_is_down_is_asked_again_at_once(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    registry.failures = [503]
    store = SchemaStore(client)

    with pytest.raises(RegistryDownError):
        await store.fetch(schema_id)

    assert (await store.fetch(schema_id)).text == TEXT


async def test_a_cold_start_without_the_registry_uses_the_folder(
    registry: RegistryDouble, client: RegistryClient, tmp_path: Path
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    warm = await SchemaStore(client, folder=_folder(registry, tmp_path)).fetch(schema_id)
    registry.failures = [503, 503]
    cold = SchemaStore(client, folder=_folder(registry, tmp_path))

    assert await cold.fetch(schema_id) == warm
    with pytest.raises(RegistryDownError):
        await cold.fetch(schema_id + 1)


async def test_a_registry_that_was_set_up_anew_wins_over_the_folder(
    registry: RegistryDouble, client: RegistryClient, tmp_path: Path
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    await SchemaStore(client, folder=_folder(registry, tmp_path)).fetch(schema_id)
    other = schema_text("signal")
    registry.schemas.clear()
    assert registry.add(SUBJECT, other) == schema_id

    assert (await SchemaStore(client, folder=_folder(registry, tmp_path)).fetch(schema_id)).text == other


async def test_a_folder_that_cannot_be_written_stops_nobody(
    registry: RegistryDouble, client: RegistryClient, tmp_path: Path
) -> None:
    schema_id = registry.add(SUBJECT, TEXT)
    (tmp_path / "file").write_text("in the way")

    store = SchemaStore(client, folder=SchemaFolder(tmp_path / "file", registry.url))

    assert (await store.fetch(schema_id)).text == TEXT


async def _own_id(store: SchemaStore, subject: Subject = USAGE) -> int:
    return await asyncio.to_thread(store.id_of, subject)


async def test_the_id_of_an_own_schema_is_asked_for_once(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    registry.add(USAGE.name, TEXT)
    usage_id = registry.add(USAGE.name, schema_text("usage_delta"))
    store = SchemaStore(client)

    assert [await _own_id(store) for _ in range(3)] == [usage_id] * 3
    assert registry.requests == [f"POST /subjects/{USAGE.name}"]


@pytest.mark.parametrize("registered", [(), ("audit_event",)])
async def test_an_own_schema_that_was_never_registered_is_for_the_operator_to_register(
    registry: RegistryDouble, client: RegistryClient, registered: tuple[SchemaName, ...]
) -> None:
    for name in registered:
        registry.add(USAGE.name, schema_text(name))

    with pytest.raises(ConfigError) as refused:
        await _own_id(SchemaStore(client))
    assert refused.value.hint == "Run `auditstream schema register`."


async def test_a_proxys_page_is_no_word_about_an_own_schema(
    registry: RegistryDouble, client: RegistryClient
) -> None:
    registry.add(USAGE.name, schema_text("usage_delta"))
    registry.failures = ["html", "empty", 503]
    store = SchemaStore(client)

    for _ in range(3):
        with pytest.raises(RegistryDownError):
            await _own_id(store)
    assert await _own_id(store) == 1


async def test_a_worker_that_starts_without_the_registry_has_the_ids_of_its_own_schemas(
    registry: RegistryDouble, client: RegistryClient, tmp_path: Path
) -> None:
    usage_id = registry.add(USAGE.name, schema_text("usage_delta"))
    folder = _folder(registry, tmp_path)
    await _own_id(SchemaStore(client, folder=folder))
    registry.failures = [503, 503]
    store = SchemaStore(client, folder=folder)

    assert await _own_id(store) == usage_id
    with pytest.raises(RegistryDownError):
        await _own_id(store, FINDINGS)


async def test_the_id_of_another_version_of_an_own_schema_does_not_count(
    registry: RegistryDouble, client: RegistryClient, tmp_path: Path
) -> None:
    folder = _folder(registry, tmp_path)
    folder.write(USAGE.name, RegisteredSchema(text="of an older release", id=1))
    registry.failures = [503]

    with pytest.raises(RegistryDownError):
        await _own_id(SchemaStore(client, folder=folder))

"""The embedded registry against Confluent's own client and (de)serializers, unmodified, and ours."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from auditstream.core.errors import ConfigError, RequestError, SchemaError
from auditstream.embedded.loopback_ports import PortTakenError
from auditstream.embedded.registry import RunningRegistry, start_registry
from schemas.framing import framing_of
from schemas.packaged import schema_json, schema_text
from schemas.registry_client import RegistryClient
from schemas.subjects import EVENTS, SUBJECTS

TOPIC = "audit.events.v1"
EVENT = {
    "event_id": "01890000-0000-7000-8000-000000000001",
    "event_type": "ai.inference",
    "event_time": datetime(2026, 1, 1, tzinfo=UTC),
    "source": "urn:test",
}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RunningRegistry]:
    with start_registry(tmp_path) as running:
        yield running


@pytest.fixture
def confluent(registry: RunningRegistry) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


@pytest.fixture
def fresh(registry: RunningRegistry) -> Iterator[SchemaRegistryClient]:
    """Another client, which remembers nothing of what `confluent` saw."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


def avro(text: object, **more: object) -> Schema:
    return Schema(json.dumps(text), "AVRO", **more)  # type: ignore[arg-type]


def record(*fields: dict[str, object], name: str = "R") -> dict[str, object]:
    return {"type": "record", "name": name, "fields": list(fields)}


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": "int"}
B_DEFAULT = B | {"default": 0}


def refusal(call: Any, *arguments: Any) -> tuple[int, int]:
    with pytest.raises(SchemaRegistryError) as caught:
        call(*arguments)
    return caught.value.http_status_code, caught.value.error_code


@pytest.mark.parametrize("by", ["prefix", "header"])
@pytest.mark.parametrize(
    "how",
    [
        {"auto.register.schemas": False, "use.latest.version": True, "normalize.schemas": True},
        {"auto.register.schemas": False},
        {"auto.register.schemas": True},
    ],
    ids=["latest", "look-up", "auto"],
)
def test_confluents_serializer_and_deserializer_agree_through_the_registry(
    confluent: SchemaRegistryClient, fresh: SchemaRegistryClient, by: str, how: dict[str, object]
) -> None:
    framing = {"prefix": prefix_schema_id_serializer, "header": header_schema_id_serializer}[by]
    serialize = AvroSerializer(
        confluent, schema_text("audit_event"), conf={**how, "schema.id.serializer": framing}
    )
    headers: list[Any] = []
    context = SerializationContext(TOPIC, MessageField.VALUE, headers)

    value = serialize(EVENT, context)
    decoded = AvroDeserializer(fresh)(value, context)

    assert decoded["source"] == "urn:test"
    assert decoded["event_time"] == EVENT["event_time"]
    latest = confluent.get_latest_version(EVENTS.name)
    named = framing_of(value, headers).schema
    assert named == (latest.schema_id if by == "prefix" else uuid.UUID(latest.guid))
    assert confluent.get_versions(EVENTS.name) == [1], "the packaged schema is recognised"


def test_a_new_producers_schema_is_registered_by_its_serializer(confluent: SchemaRegistryClient) -> None:
    serialize = AvroSerializer(confluent, json.dumps(record(A)))
    context = SerializationContext("orders", MessageField.VALUE, [])
    assert AvroDeserializer(confluent)(serialize({"a": "x"}, context), context) == {"a": "x"}
    assert "orders-value" in confluent.get_subjects()


def test_the_products_subjects_are_there_with_their_levels(confluent: SchemaRegistryClient) -> None:
    assert confluent.get_subjects() == sorted(subject.name for subject in SUBJECTS)
    for subject in SUBJECTS:
        registered = confluent.get_latest_version(subject.name)
        assert json.loads(registered.schema.schema_str) == schema_json(subject.schema)
        assert confluent.get_compatibility(subject.name) == subject.level


def test_ids_guids_and_settings_outlive_a_restart(tmp_path: Path) -> None:
    def contents(client: SchemaRegistryClient) -> list[object]:
        latest = [client.get_latest_version(name) for name in client.get_subjects()]
        levels = [client.get_compatibility(), client.get_mode("more")]
        return [(v.subject, v.version, v.schema_id, v.guid) for v in latest] + levels

    with start_registry(tmp_path) as registry, SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema("more", avro(record(A)))
        client.set_compatibility(level="FORWARD")
        client.update_mode("more", "READONLY")
        before = contents(client)
    with start_registry(tmp_path) as registry, SchemaRegistryClient({"url": registry.url}) as client:
        assert contents(client) == before
        assert before[-2:] == ["FORWARD", "READONLY"]


def test_a_schema_has_one_id_in_all_subjects_and_is_found_by_id_and_guid(
    confluent: SchemaRegistryClient, fresh: SchemaRegistryClient
) -> None:
    one, other = (confluent.register_schema_full_response(name, avro(record(A))) for name in ("x", "y"))
    assert (one.schema_id, one.guid, one.version) == (other.schema_id, other.guid, other.version)
    assert fresh.get_schema_by_guid(one.guid).schema_str == fresh.get_schema(one.schema_id).schema_str
    assert fresh.get_subjects_by_schema_id(one.schema_id) == ["x", "y"]
    assert [(v.subject, v.version) for v in fresh.get_schema_versions(one.schema_id)] == [("x", 1), ("y", 1)]
    assert fresh.get_schema(one.schema_id, subject_name="y").schema_str == json.dumps(
        record(A), separators=(",", ":")
    )
    assert fresh.get_schema_types() == ["AVRO"]


def test_white_space_never_makes_a_version_and_order_only_without_normalisation(
    confluent: SchemaRegistryClient, fresh: SchemaRegistryClient
) -> None:
    schema = record(A)
    confluent.register_schema("x", Schema(json.dumps(schema, indent=3), "AVRO"))
    confluent.register_schema("x", Schema(json.dumps(schema), "AVRO"))
    assert confluent.get_versions("x") == [1]
    turned = Schema(json.dumps(dict(reversed(schema.items()))), "AVRO")
    assert confluent.lookup_schema("x", turned, normalize_schemas=True).version == 1
    confluent.register_schema("x", turned, normalize_schemas=True)
    assert confluent.get_versions("x") == [1]
    assert refusal(fresh.lookup_schema, "x", turned, False) == (404, 40403)
    fresh.register_schema("x", turned)
    assert confluent.get_versions("x") == [1, 2]


def test_compatibility_is_enforced_by_the_subjects_level(confluent: SchemaRegistryClient) -> None:
    confluent.register_schema("x", avro(record(A)))
    assert refusal(confluent.register_schema, "x", avro(record(A, B))) == (409, 409)
    assert not confluent.test_compatibility("x", avro(record(A, B)))
    assert confluent.test_compatibility("x", avro(record(A, B_DEFAULT)))
    confluent.register_schema("x", avro(record(A, B_DEFAULT)))
    confluent.set_compatibility("x", "FULL_TRANSITIVE")
    # Version 2 would be read, version 1 has no `b` that the new one needs.
    assert not confluent.test_compatibility_all_versions("x", avro(record(A, B)))
    assert confluent.test_compatibility("x", avro(record(A, B)), version=2)
    assert not confluent.test_compatibility("x", avro(record(A, B)), version=1)
    confluent.set_compatibility("x", "NONE")
    assert confluent.register_schema("x", avro(record(B))) > 0
    assert confluent.get_versions("x") == [1, 2, 3]


def test_the_event_contract_cannot_be_broken_by_a_producer(confluent: SchemaRegistryClient) -> None:
    broken = schema_json("audit_event")
    broken["fields"].append({"name": "surprise", "type": "string"})
    assert refusal(confluent.register_schema, EVENTS.name, avro(broken)) == (409, 409)
    broken["fields"][-1]["default"] = ""
    assert confluent.register_schema(EVENTS.name, avro(broken)) > 0


def test_what_is_not_there_has_confluents_codes(confluent: SchemaRegistryClient) -> None:
    confluent.register_schema("x", avro(record(A)))
    assert refusal(confluent.get_versions, "none") == (404, 40401)
    assert refusal(confluent.get_latest_version, "none") == (404, 40401)
    assert refusal(confluent.lookup_schema, "none", avro(record(A))) == (404, 40401)
    assert refusal(confluent.get_version, "x", 7) == (404, 40402)
    assert refusal(confluent.get_version, "x", "seven") == (422, 42202)
    assert refusal(confluent.get_schema, 999) == (404, 40403)
    assert refusal(confluent.get_schema_by_guid, str(uuid.UUID(int=1))) == (404, 40403)
    assert refusal(confluent.lookup_schema, "x", avro(record(B))) == (404, 40403)
    assert refusal(confluent.get_compatibility, "x") == (404, 40408)
    assert refusal(confluent.get_mode, "x") == (404, 40409)
    assert refusal(confluent.delete_subject, "x")[0] == 405
    assert confluent.test_compatibility("none", avro(record(A))), "a new subject takes any schema"


@pytest.mark.parametrize(
    "schema",
    [
        Schema("{", "AVRO"),
        Schema('{"type": "record", "fields": []}', "AVRO"),
        Schema('"no_such_type"', "AVRO"),
        Schema('["null", "string"]', "AVRO"),
        Schema('{"type": "object"}', "JSON"),
    ],
    ids=["no JSON", "no name", "unknown type", "union", "another kind"],
)
def test_what_is_no_schema_of_a_subject_is_refused(confluent: SchemaRegistryClient, schema: Schema) -> None:
    assert refusal(confluent.register_schema, "x", schema) == (422, 42201)


def test_levels_and_modes_are_set_for_all_and_for_one(
    confluent: SchemaRegistryClient, fresh: SchemaRegistryClient
) -> None:
    assert (confluent.get_compatibility(), confluent.get_global_mode()) == ("BACKWARD", "READWRITE")
    assert refusal(confluent.set_compatibility, "x", "SOMETIMES") == (422, 42203)
    assert refusal(confluent.update_mode, "x", "SOMETIMES") == (422, 42204)
    confluent.register_schema("x", avro(record(A)))
    confluent.update_mode("x", "READONLY")
    assert refusal(confluent.register_schema, "x", avro(record(A, B_DEFAULT))) == (422, 42205)
    assert fresh.register_schema("x", avro(record(A))) > 0, "what is there already may be asked for"
    confluent.delete_mode("x")
    assert confluent.register_schema("x", avro(record(A, B_DEFAULT))) > 0


async def test_our_own_client_is_served(registry: RunningRegistry) -> None:
    async with RegistryClient(registry.url, attempts=1) as client:
        latest = await client.latest(EVENTS.name)
        assert latest.id is not None
        assert latest.guid is not None
        by_id, by_guid = await client.schema(latest.id), await client.schema(latest.guid)
        assert by_id.text == by_guid.text == latest.text
        assert by_guid.id == latest.id
        assert await client.register(EVENTS.name, schema_text("audit_event")) == latest.id
        with pytest.raises(SchemaError, match="not in the registry"):
            await client.schema(999)
        await client.register("x", json.dumps(record(A)))
        await client.set_level("x", "FULL")
        verdict = await client.check("x", json.dumps(record(A, B)))
        assert not verdict.compatible
        assert verdict.messages == ("b: the writer does not have it and the reader has no default",)
        with pytest.raises(RequestError, match="incompatible"):
            await client.register("x", json.dumps(record(A, B)))


def test_a_damaged_file_a_taken_port_and_a_foreign_folder_are_named(tmp_path: Path) -> None:
    with start_registry(tmp_path / "a") as running:
        with pytest.raises(PortTakenError):
            start_registry(tmp_path / "b", port=int(running.url.rpartition(":")[2]))
        with SchemaRegistryClient({"url": running.url}) as client:
            client.set_compatibility(EVENTS.name, "NONE")
            client.register_schema(EVENTS.name, avro(record(A, name="Other")))
            client.set_compatibility(EVENTS.name, "FULL_TRANSITIVE")
    file = tmp_path / "a" / "registry.json"
    content = json.loads(file.read_text())
    first = content["subjects"][EVENTS.name][0]
    content["subjects"][EVENTS.name].remove(first)
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="incompatible"):
        start_registry(tmp_path / "a")
    file.write_text("{}")
    with pytest.raises(ConfigError, match="not a registry's file"):
        start_registry(tmp_path / "a")

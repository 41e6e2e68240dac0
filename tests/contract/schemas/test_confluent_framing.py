"""What Confluent's own serializer writes we read, and what we write its deserializer reads."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    dual_schema_id_deserializer,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.codec import decode, encode_datum
from schemas.framing import framing_of, header, prefix
from schemas.packaged import schema_json, schema_text
from schemas.subjects import EVENTS
from tests.support.events import event, full_event

TOPIC = "audit.events.v1"
SERIALIZERS = {"prefix": prefix_schema_id_serializer, "header": header_schema_id_serializer}


@pytest.fixture
def client() -> SchemaRegistryClient:
    client = SchemaRegistryClient.new_client({"url": f"mock://{uuid.uuid4().hex}"})
    client.register_schema(EVENTS.name, Schema(schema_text("audit_event"), "AVRO"))
    return client


def _context(field: MessageField = MessageField.VALUE) -> tuple[SerializationContext, list[Any]]:
    headers: list[Any] = []
    return SerializationContext(TOPIC, field, headers), headers


def _serializer(client: SchemaRegistryClient, mode: str) -> AvroSerializer:
    config = {"auto.register.schemas": True, "schema.id.serializer": SERIALIZERS[mode]}
    return AvroSerializer(client, schema_text("audit_event"), conf=config)


def _registered(client: SchemaRegistryClient) -> Any:
    return client.get_latest_version(EVENTS.name)


def test_a_prefix_of_the_oracle_names_the_schemas_id(client: SchemaRegistryClient) -> None:
    context, headers = _context()

    value = _serializer(client, "prefix")(full_event(), context)

    framing = framing_of(value, headers)
    assert framing.schema == _registered(client).schema_id
    assert value == prefix(_registered(client).schema_id) + encode_datum(full_event(), "audit_event")
    assert decode(value[framing.payload_offset :], schema_json("audit_event"))["source"] == "svc://checkout"


def test_a_header_of_the_oracle_names_the_schemas_guid(client: SchemaRegistryClient) -> None:
    context, headers = _context()

    value = _serializer(client, "header")(event(), context)

    guid = uuid.UUID(_registered(client).guid)
    assert framing_of(value, headers).schema == guid
    assert headers == [header(guid)]
    assert value == encode_datum(event(), "audit_event")


def test_a_key_header_of_the_oracle_is_told_from_a_value_header(client: SchemaRegistryClient) -> None:
    context, headers = _context(MessageField.KEY)

    key = _serializer(client, "header")(event(), context)

    guid = framing_of(key, headers, part="key").schema
    assert headers == [header(uuid.UUID(str(guid)), part="key")]


@pytest.mark.parametrize("mode", ["prefix", "header"])
def test_the_oracle_reads_what_we_write(client: SchemaRegistryClient, mode: str) -> None:
    context, headers = _context()
    payload = encode_datum(full_event(), "audit_event")
    registered = _registered(client)
    if mode == "header":
        headers.append(header(uuid.UUID(registered.guid)))
    else:
        payload = prefix(registered.schema_id) + payload
    config = {"schema.id.deserializer": dual_schema_id_deserializer}

    datum = AvroDeserializer(client, schema_text("audit_event"), conf=config)(payload, context)

    assert datum == decode(encode_datum(full_event(), "audit_event"), schema_json("audit_event"))

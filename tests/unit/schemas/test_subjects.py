"""Subjects, and schemas that arrive as text."""

from __future__ import annotations

import pytest

from auditstream.core.errors import SchemaError
from auditstream.core.settings import KafkaSettings
from schemas.avro_text import parse_text
from schemas.packaged import schema_json, schema_text
from schemas.subjects import EVENTS, SUBJECTS, ingest_subject, subject_name


def test_subjects_and_levels_are_those_that_registries_were_set_up_with() -> None:
    assert [(s.name, s.schema, s.level) for s in SUBJECTS] == [
        ("audit.events.v1-value", "audit_event", "FULL_TRANSITIVE"),
        ("audit.usage.v1-value", "usage_delta", "BACKWARD_TRANSITIVE"),
        ("audit.findings.v1-value", "finding", "BACKWARD_TRANSITIVE"),
        ("audit.signals.v1-value", "signal", "BACKWARD_TRANSITIVE"),
    ]


def test_the_default_topic_has_the_subject() -> None:
    assert subject_name(KafkaSettings().events_topic) == EVENTS.name


def test_another_ingest_topic_keeps_the_same_contract() -> None:
    direct = ingest_subject("audit.direct.acme.v1")

    assert direct.name == "audit.direct.acme.v1-value"
    assert (direct.schema, direct.level) == (EVENTS.schema, EVENTS.level)


def test_the_text_of_a_schema_is_read_as_it_was_registered() -> None:
    assert parse_text(schema_text("audit_event")) == schema_json("audit_event")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "schema is not JSON"),
        ("[" * 100_000, "schema is not JSON"),
        ('"string"', "schema is not a record"),
        ('{"type": "enum", "name": "E", "symbols": ["A"]}', "schema is not a record"),
        (
            '{"type": "record", "name": "R", "fields": [{"name": "f", "type": "R2"}]}',
            "schema is not valid Avro",
        ),
    ],
)
def test_text_that_is_no_record_schema_is_refused(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parse_text(text)

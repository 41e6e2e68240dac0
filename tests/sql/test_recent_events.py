"""What rules look back at, as the store has it: the same hits as a worker that was there."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.core.ports import Block
from auditstream.core.settings import KafkaSettings
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from streams.recording.assembly import new_recorder
from tests.support.fault_worker import NoFacts, PackagedSchemas
from tests.support.recorders import LOG, KeptHistory, messages_to, recorder_of, segment_of
from tests.support.stores import ClickHouseStore

RULES, _ = read_rules(shipped_rules())
ARN = "arn:aws:sts::111122223333:assumed-role/deploy/ci"


def record(name: str) -> dict[str, Any]:
    attributes = {"eventSource": "bedrock.amazonaws.com", "eventName": name, "userIdentity.arn": ARN}
    return {
        "event_type": "cloud.api_call",
        "source": "urn:aws:cloudtrail:111122223333:eu",
        "tenant_id": "acme",
        "attributes": attributes,
    }


def denied(number: int) -> dict[str, Any]:
    policy = {"id": "g", "verdict": "deny", "action": "block"}
    return {"event_type": "ai.policy.decision", "conversation_id": "c", "tenant_id": "acme", "policy": policy}


BEFORE = [record("PutFoundationModelEntitlement"), *map(denied, range(6)), {}]
AFTER = [record("InvokeModel"), *map(denied, range(4))]


def ids(block: Block) -> set[str]:
    found = messages_to("audit.findings.v1", block)
    return {dict(message.headers)["finding_id"].decode() for message in found}


@pytest.fixture
def recorded(store: ClickHouseStore) -> ClickHouseStore:
    """The events before, recorded."""
    store.insert(recorder_of(rules=RULES).build(segment_of(BEFORE)))
    return store


def test_a_worker_that_starts_goes_on_where_another_was(recorded: ClickHouseStore) -> None:
    there = recorder_of(rules=RULES)
    there.build(segment_of(BEFORE))
    history = recorded.sink.history()
    started = new_recorder(PackagedSchemas(), history, NoFacts(), KafkaSettings(), rules=RULES)
    segment = segment_of(AFTER, lo=len(BEFORE))
    first, second = there.build(segment), started.build(segment)
    assert dict(second.rule_findings) == {"aws.model_hijacked": 1, "guardrail.denied_repeatedly": 1}
    assert ids(first) == ids(second)


def test_the_history_of_tests_answers_as_the_store_does(recorded: ClickHouseStore) -> None:
    columns = ["event_id", "event_time", "attributes", "policy_verdict", "http_status", "data_classes"]
    kept = KeptHistory(recorder_of().build(segment_of(BEFORE))).recent(LOG, columns, 1, 8)
    assert recorded.sink.history().recent(LOG, columns, 1, 8).equals(kept)

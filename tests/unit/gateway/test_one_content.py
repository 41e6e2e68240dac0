"""One content has one size and one HMAC, whatever door it came by, and so can be found again."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from auditstream.gateway.otlp.contents import KINDS
from auditstream.gateway.otlp.entries import Content, Opened
from auditstream.gateway.otlp.index import DIALECTS
from auditstream.identity.attribute_names import meaning_of
from auditstream.reference.gateway_secrets import hash_of
from auditstream.reference.owners import Credential, Tenant
from auditstream_sdk.edge_keys import EdgeKey
from auditstream_sdk.sealing import Sealer
from tests.support.gateways import ACME, SINCE, TestGateway, gateway, id_
from tests.support.otlp_messages import span, traces

PROMPT = "Where is my order, née 4711? 📦"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
TOOL = {"openinference.span.kind": "TOOL", "tool.name": "search"}
CALL = {"inference": {"operation": "chat", "provider": "openai", "request_model": "gpt-4o"}}
FAMILIES: dict[str, dict[str, Any]] = {"ai.inference": CALL, "ai.tool_call": {"tool": {"name": "search"}}}
TOLD = ("content_bytes", "content_hmac")
HASHES = (("tool", "args_hmac"), ("tool", "result_bytes"), ("inference", "system_hash"))

ONE_OR_SEVERAL = [
    {"content.input": PROMPT},
    {"gen_ai.input.messages": PROMPT, "gen_ai.output.messages": '[{"role":"assistant"}]'},
    {"gen_ai.system_instructions": "Be brief.", "gen_ai.tool.definitions": "[]"},
    {"input.value": PROMPT, "output.value": "On its way."},
    {"gen_ai.prompt.0.content": PROMPT, "gen_ai.prompt.1.content": "And?", "llm.function_call": "{}"},
    {"gen_ai.tool.description": "finds things", "metadata": "{}", "gen_ai.content.completion.chunk": "On"},
]


def event(event_type: str, attributes: Mapping[str, str], number: int = 1) -> dict[str, Any]:
    """Return an event as a producer sends it, content and all."""
    return {
        "event_id": id_(number),
        "event_type": event_type,
        "event_time": "2026-03-01T12:30:15Z",
        "source": "svc://checkout",
        **FAMILIES[event_type],
        "attributes": dict(attributes),
    }


async def by_json(gate: TestGateway, event_type: str, attributes: Mapping[str, str]) -> None:
    body = json.dumps(event(event_type, attributes)).encode()
    assert (await gate.post(body)).status_code == 202


async def by_cloud_event(gate: TestGateway, event_type: str, attributes: Mapping[str, str]) -> None:
    whole = event(event_type, attributes)
    cloud_event = {
        "specversion": "1.0",
        "id": whole.pop("event_id"),
        "source": whole.pop("source"),
        "type": f"io.auditstream.{whole.pop('event_type')}.v1",
        "time": whole.pop("event_time"),
        "datacontenttype": "application/json",
        "data": whole,
    }
    response = await gate.post(json.dumps(cloud_event).encode(), "application/cloudevents+json")
    assert response.status_code == 202, response.text


async def by_span(gate: TestGateway, event_type: str, attributes: Mapping[str, str]) -> None:
    what = CHAT if event_type == "ai.inference" else TOOL
    body = traces(span({**what, **attributes})).SerializeToString()
    headers = {"content-type": "application/x-protobuf"}
    assert (await gate.client.post("/v1/traces", content=body, headers=headers)).status_code == 200


@pytest.mark.parametrize("event_type", list(FAMILIES))
@pytest.mark.parametrize("attributes", ONE_OR_SEVERAL, ids=lambda each: "+".join(each))
async def test_the_same_content_is_told_of_in_the_same_way_by_every_door(
    event_type: str, attributes: dict[str, str]
) -> None:
    async with gateway() as gate:
        for door in (by_json, by_cloud_event, by_span):
            await door(gate, event_type, attributes)
        found = gate.producer.events()

    assert len(found) == 3
    told = [
        [each[name] for name in TOLD] + [(each[family] or {}).get(name) for family, name in HASHES]
        for each in found
    ]
    assert told[0] == told[1] == told[2]
    assert all(told[0][:2])
    assert not any(text in repr(each) for each in found for text in attributes.values() if len(text) > 2)


async def test_content_that_the_sdk_hid_has_the_hmac_that_the_gateway_makes() -> None:
    attributes = {"content.input": PROMPT, "content.output": "On its way."}
    async with gateway() as gate:
        sealed_for(gate, contents="none")
        answer = (await gate.client.post("/v1/keys", json={})).json()
        hidden = Sealer(lambda _: answer).protect(event("ai.inference", attributes, 2))
        assert PROMPT not in str(hidden)
        assert (await gate.post(json.dumps(hidden).encode())).status_code == 202
        await by_span(gate, "ai.inference", attributes)
        ours, spans = gate.producer.events()

    assert ours["event_id"] == UUID(id_(2))
    assert [ours[name] for name in TOLD] == [spans[name] for name in TOLD]


async def test_what_a_tenant_has_sealed_is_the_same_text_by_every_door() -> None:
    attributes = {"gen_ai.input.messages": PROMPT, "input.value": "also"}
    async with gateway() as gate:
        sealed_for(gate, contents="sealed")
        for door in (by_json, by_cloud_event, by_span):
            await door(gate, "ai.inference", attributes)
        wanted = {"subjects": [{"subject": "nobody", "month": "2026-03"}]}
        (given,) = (await gate.client.post("/v1/keys", json=wanted)).json()["keys"]
        found = gate.producer.events()

    key = EdgeKey(given["key_id"], base64.b64decode(given["key"]))
    texts = [
        key.open(ACME, each["event_id"], "content.input", each["sealed"]["content.input"]) for each in found
    ]
    assert texts[0] == texts[1] == texts[2]
    assert json.loads(texts[0]) == attributes


def sealed_for(gate: TestGateway, *, contents: str) -> None:
    """Let the tenant choose what becomes of content, and its credential have keys."""
    tenant = {"tenant_id": ACME, "name": "Acme", "contents": contents, "valid_from": SINCE}
    gate.facts.state(
        Tenant.model_validate(tenant),
        Credential(
            credential_id="acme-1",
            tenant_id=ACME,
            secret_hash=hash_of(gate.keys[ACME]),
            edge_keys=True,
            valid_from=SINCE,
        ),
    )
    gate.credentials.refresh()


def test_dialects_and_the_privacy_stage_agree_on_what_is_content() -> None:
    entries = [entry for dialect in DIALECTS for entry in dialect.entries]
    contents = [each for each in entries if isinstance(each, Content | Opened) and each.role is not None]
    for entry in contents:
        name, is_prefix, _ = entry.attribute.partition("*")
        name += "0.content" if name.endswith(".") else ".0.content" if is_prefix else ""
        assert entry.role is not None
        assert meaning_of(name) == KINDS[entry.role], entry.attribute
    assert len(contents) > 50

"""Whatever a span says, it becomes an event that keeps the contract, or is refused by field."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.gateway.drafts import Draft
from auditstream.gateway.otlp.decoding import decode
from auditstream.gateway.otlp.index import declared
from auditstream.gateway.otlp.kinds import RULES
from auditstream.gateway.otlp.logs import logs_to_drafts
from auditstream.gateway.otlp.signals import TRACES, Encoding
from auditstream.gateway.otlp.spans import spans_to_drafts
from schemas import contract
from schemas.intake import datum_of
from tests.support.examples import examples
from tests.support.otlp_messages import SPAN_ID, TRACE_ID, inner, logs, record, span, traces

_INT64 = st.integers(-(2**63), 2**63 - 1)
_SCALARS = st.text(max_size=20) | st.booleans() | _INT64 | st.floats() | st.binary(max_size=8)
_VALUES = st.recursive(
    _SCALARS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=5,
)
_CLAIM = "auditstream.tenant_id"  # judged later: a claim that is no tenant's name is refused, not kept
_NAMES = st.sampled_from(sorted(name.replace("*", "x") for name in declared() - {_CLAIM}))
_KIND = st.sampled_from(
    [(rule.attribute, value) for rule in RULES for value in rule.kinds if value[-1] != "*"]
)
_EVENTS = st.sampled_from(
    ["gen_ai.evaluation.result", "feature_flag.evaluation", "exception", "gen_ai.choice"]
)


@st.composite
def _attributes(draw: st.DrawFn) -> dict[str, Any]:
    named = draw(st.dictionaries(_NAMES | st.text(max_size=10), _VALUES, max_size=8))
    attribute, value = draw(_KIND)
    return named | {attribute: value}


def _judge(drafts: list[Draft]) -> None:
    for draft in drafts:
        assert (draft.event is None) != (draft.refusal is None)
        if draft.event is not None:
            contract.check(datum_of(draft.event, "audit_event"))


@settings(max_examples=examples(100), deadline=None)
@given(_attributes(), _attributes(), _EVENTS, st.text(max_size=10), _attributes())
def test_any_attributes_make_an_event_that_keeps_the_contract(
    attributes: dict[str, Any],
    inside: dict[str, Any],
    event_name: str,
    name: str,
    resource: dict[str, Any],
) -> None:
    sent = span(attributes, events=[inner(event_name, inside)], name=name)
    _judge(spans_to_drafts(traces(sent, resource=resource)))
    _judge(logs_to_drafts(logs(record(event_name, attributes), record("gen_ai.evaluation.result", inside))))


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=16), st.binary(max_size=9), st.binary(max_size=9))
def test_any_ids_make_an_event_or_a_refusal(trace_id: bytes, span_id: bytes, parent: bytes) -> None:
    sent = span({"gen_ai.operation.name": "chat"}, trace_id=trace_id, span_id=span_id, parent_span_id=parent)
    _judge(spans_to_drafts(traces(sent)))


@settings(max_examples=examples(100), deadline=None)
@given(_attributes())
def test_a_request_in_json_becomes_the_same_events(attributes: dict[str, Any]) -> None:
    request = traces(span(attributes))
    document = MessageToDict(request)
    (sent,) = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    sent |= {"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex()}
    body = json.dumps(document, allow_nan=False).encode()
    decoded: Any = decode(TRACES, body, Encoding.JSON)
    assert spans_to_drafts(decoded) == spans_to_drafts(request)

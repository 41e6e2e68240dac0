"""The ASGI middleware, spoken to in plain ASGI: what holds while a request is answered."""

import asyncio

import pytest

from auditstream_sdk import AsyncAuditClient, AuditClient
from auditstream_sdk.context import CURRENT
from auditstream_sdk.integrations.asgi import AuditMiddleware
from auditstream_sdk.testing.gateway import LocalGateway

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {
    "X-Conversation-Id": "conversation_id",
    "x-user": "actor_id",
    "x-roles": "actor_roles",
}


class Application:
    """Answers 200 and remembers what held meanwhile."""

    def __init__(self, status=200):
        self.status = status
        self.seen = []

    async def __call__(self, scope, receive, send):
        self.seen.append(dict(CURRENT.get()))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": self.status, "headers": []})
            await send({"type": "http.response.body", "body": b""})


def ask(app, headers=(), kind="http"):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    scope = {"type": kind, "path": "/chat", "headers": [(k.encode(), v.encode()) for k, v in headers]}
    asyncio.run(app(scope, receive, send))
    return sent


def test_headers_and_trace_hold_while_the_request_is_answered_and_not_after():
    inner = Application()

    sent = ask(
        AuditMiddleware(inner, headers=HEADERS),
        [
            ("x-conversation-id", "c-1"),
            ("x-user", "ada"),
            ("x-roles", "admin, auditor"),
            ("traceparent", f"00-{TRACE}-{SPAN}-01"),
            ("x-other", "y"),
        ],
    )

    assert inner.seen == [
        {
            "conversation_id": "c-1",
            "actor_id": "ada",
            "actor_type": "USER",
            "actor_roles": ["admin", "auditor"],
            "trace_id": TRACE,
            "parent_span_id": SPAN,
        }
    ]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert dict(CURRENT.get()) == {}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        "é",
    ],
)
def test_an_invalid_traceparent_is_left_out(value):
    inner = Application()

    ask(AuditMiddleware(inner), [("traceparent", value)])

    assert inner.seen == [{}]


@pytest.mark.parametrize("value", ["", "   ", "x" * 257, "a\x00b", "a\u202eb"])
def test_a_value_that_is_no_name_is_left_out(value):
    inner = Application()

    ask(AuditMiddleware(inner, headers=HEADERS), [("x-user", value)])

    assert inner.seen == [{}]


def test_the_first_of_repeated_headers_counts():
    inner = Application()

    ask(AuditMiddleware(inner, headers=HEADERS), [("x-user", "ada"), ("x-user", "eve")])

    assert inner.seen[0]["actor_id"] == "ada"


def test_other_scopes_pass_through_untouched():
    inner = Application()

    ask(AuditMiddleware(inner, headers=HEADERS), [("x-user", "ada")], kind="lifespan")

    assert inner.seen == [{}]


@pytest.mark.parametrize("name", ["tenant_id", "event_id", "credential_id", "sealed", "colour", "outcome"])
def test_a_header_may_not_say_what_is_not_the_callers_to_say(name):
    with pytest.raises(ValueError, match=rf"^headers: x-it: '{name}' is no field that a header may set"):
        AuditMiddleware(Application(), headers={"x-it": name})


def test_a_request_is_an_event_only_for_whom_asks_for_it(tmp_path):
    def told(scope, status, took_us):
        assert took_us >= 0
        return {"event_type": "ai.agent.action", "agent_step": {}} if status >= 500 else None

    with LocalGateway() as gateway:
        audit = AuditClient(
            url=gateway.url, key="k", source="svc://test", mode="blocking", spool=str(tmp_path), heartbeat_s=0
        )
        for status in (200, 503):
            app = AuditMiddleware(Application(status), headers=HEADERS, on_request=told, audit=audit)
            ask(app, [("x-user", "ada")])
        audit.close()

    (event,) = gateway.events
    assert (event["http_status"], event["actor_id"]) == (503, "ada")
    assert event["duration_us"] >= 0


def test_events_about_requests_need_somewhere_to_go():
    for audit in (None, AsyncAuditClient()):
        with pytest.raises(ValueError, match=r"^on_request: needs an AuditClient"):
            AuditMiddleware(Application(), on_request=lambda *_: None, audit=audit)

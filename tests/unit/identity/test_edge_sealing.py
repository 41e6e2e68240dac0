"""Gateway and SDK seal in the same form: each opens the other's boxes, and finds the same HMACs."""

from __future__ import annotations

import base64
import importlib
import os
import signal
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditstream.core.clock import ManualClock
from auditstream.identity.boxes import Place, open_box, seal
from auditstream.identity.keyring import Destruction
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.keys import Keys
from auditstream.identity.master_key import MasterKey
from auditstream.identity.policy import Policy
from auditstream.identity.protection import Protection
from auditstream.identity.provisioning import Asking, provisioned
from auditstream_sdk.edge_keys import BoxError, EdgeKey, KeysError, fetch_from
from auditstream_sdk.sealing import Sealer, is_handle
from schemas.intake import datum_of

SEALED = Policy(contents="sealed", readable_ids="sealed")
NOW = datetime(2026, 11, 15, tzinfo=UTC)
ERASED = Destruction(NOW, "mara", "asked for")


class Gateway:
    """Answers requests for keys; away when told so.

    Attributes:
        asked: Requests so far.
        away: Whether it answers none.
    """

    def __init__(self, keys: Keys, policy: Policy = SEALED) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.away = False
        self._keys = keys
        self._asking = Asking("acme", edge_keys=True, policy=policy)

    def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(request)
        if self.away:
            raise KeysError("away")
        return provisioned(self._keys, self._asking, request, now=NOW, lifetime_s=60.0)


def event(**fields: Any) -> dict[str, Any]:
    given = {
        "event_id": str(uuid.uuid4()),
        "event_type": "ai.tool_call",
        "event_time": "2026-11-03T10:00:00Z",
        "source": "svc://checkout",
        "actor_type": "USER",
        "actor_id": "ada@example.com",
        "attributes": {"content.input": "a prompt", "content.arguments": "{}", "kept": "yes"},
        "tool": {"name": "pay"},
    }
    return given | fields


def at_the_gateway(keys: Keys, sent: Mapping[str, Any], policy: Policy = SEALED) -> dict[str, Any]:
    datum = datum_of({**sent, "tenant_id": "acme"}, "audit_event")
    return Protection(keys, lambda _: policy).protect(datum)


def test_an_event_that_was_protected_at_the_edge_passes_the_gateway_as_it_is(keys: Keys) -> None:
    sent = Sealer(Gateway(keys)).protect(event())

    assert "a prompt" not in repr(sent)
    assert "ada@example.com" not in repr(sent)  # the name alone is in one box of some thousands
    found = at_the_gateway(keys, sent)
    assert found == datum_of({**sent, "tenant_id": "acme"}, "audit_event")
    key = keys.ring.key("acme", found["seal_key_id"])
    opened = {
        name: open_box(key.aead, key.key_id, Place("acme", found["event_id"], name), box)
        for name, box in found["sealed"].items()
    }
    assert opened == {
        "content.input": b"a prompt",
        "content.arguments": b"{}",
        "actor_id": b"ada@example.com",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"actor_type": "SERVICE", "conversation_id": "c-1"},
        {"actor_id": None},
        {"attributes": {}},
        {"actor_id": "user-" + "a" * 26},
        {"event_time": 1_793_700_000_000_000},
        {"review": {"subject_event_id": "e", "decision": "APPROVE", "reviewer_id": "grace@example.com"}},
        {"change": {"object_type": "route", "object_id": "r", "approver_id": "grace@example.com"}},
        {"access": {"subject_id": "ada@example.com", "activity": "logon"}},
        {"access": {"subject_id": "an-agent", "activity": "grant"}, "attributes": {}},
        {
            "inference": {"provider": "openai"},
            "attributes": {"content.system": "Be brief.", "content.tools": "[]", "content.result": "12"},
        },
    ],
)
@pytest.mark.parametrize("policy", [SEALED, Policy(), Policy(clear_ids=True, contents="sealed")])
def test_edge_and_gateway_make_the_same_of_an_event(
    keys: Keys, fields: dict[str, Any], policy: Policy
) -> None:
    given = event(**fields)

    at_the_edge = at_the_gateway(keys, Sealer(Gateway(keys, policy)).protect(given), policy)
    alone = at_the_gateway(keys, given, policy)

    def without_boxes(found: dict[str, Any]) -> dict[str, Any]:
        named = {**found, "sealed": sorted(found.get("sealed") or {})}
        return {name: value for name, value in named.items() if value is not None}

    assert without_boxes(at_the_edge) == without_boxes(alone)


def test_each_side_opens_the_others_boxes(keys: Keys) -> None:
    key = keys.ring.data_key("acme", "user-a", "2026-11")
    edge, event_id = EdgeKey(key.key_id, key.secret), uuid.uuid4()
    place = Place("acme", event_id, "content.input")

    assert open_box(key.aead, key.key_id, place, edge.seal("acme", event_id, "content.input", b"hi")) == b"hi"
    box = seal(key.aead, key.key_id, place, b"hi")
    assert edge.open("acme", event_id, "content.input", box) == b"hi"
    for tenant, ident, name in (
        ("globex", event_id, "content.input"),
        ("acme", uuid.uuid4(), "content.input"),
        ("acme", event_id, "content.output"),
    ):
        with pytest.raises(BoxError):
            edge.open(tenant, ident, name, box)
    with pytest.raises(BoxError):
        edge.open("acme", event_id, "content.input", box[:-1])
    with pytest.raises(BoxError):
        edge.open("acme", event_id, "content.input", b"\x02" + box[1:])


def test_without_keys_nothing_readable_leaves_and_it_is_named(keys: Keys) -> None:
    gateway = Gateway(keys)
    gateway.away = True

    sent = Sealer(gateway).protect(event())

    assert sent["actor_id"] is None
    assert sent["content_bytes"] == len("a prompt") + len("{}")
    assert sent["attributes"] == {
        "kept": "yes",
        "privacy.dropped": "actor_id=no_key content.arguments=no_key content.input=no_key",
    }


def test_without_keys_no_other_person_is_named_either(keys: Keys) -> None:
    gateway = Gateway(keys)
    gateway.away = True
    sent = Sealer(gateway).protect(
        event(
            attributes={},
            review={"subject_event_id": "e", "decision": "APPROVE", "reviewer_id": "grace@example.com"},
            access={"subject_id": "ada@example.com", "activity": "logon"},
        )
    )

    assert "example.com" not in repr(sent)
    assert (sent["review"]["reviewer_id"], sent["access"]["subject_id"]) == (None, "nobody")
    assert sent["attributes"]["privacy.dropped"] == (
        "access.subject_id=no_key actor_id=no_key review.reviewer_id=no_key"
    )


def test_a_gateway_that_goes_away_is_not_asked_for_the_key_of_every_person(keys: Keys) -> None:
    clock, gateway = ManualClock(0.0), Gateway(keys)
    sealer = Sealer(gateway, now_s=clock.now_s, retry_s=5.0)
    sealer.protect(event())
    gateway.away = True
    asked = len(gateway.asked)
    found = [sealer.protect(event(actor_id=f"person-{number}")) for number in range(3)]
    assert len(gateway.asked) == asked + 1
    assert all("content.input=no_key" in each["attributes"]["privacy.dropped"] for each in found)
    assert sealer.protect(event())["seal_key_id"], "keys that are known go on to seal"

    gateway.away = False
    clock.advance(5.0)

    assert sealer.protect(event(actor_id="person-0"))["seal_key_id"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_was_forked_while_keys_were_fetched_seals(keys: Keys) -> None:
    entered, may_go_on = threading.Event(), threading.Event()
    gateway = Gateway(keys, Policy())

    def slow(request: Mapping[str, Any]) -> Mapping[str, Any]:
        entered.set()
        assert may_go_on.wait(20)
        return gateway(request)

    sealer = Sealer(slow)
    parent = threading.Thread(target=lambda: sealer.protect(event()))
    parent.start()
    assert entered.wait(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on: threads and fork
        child = os.fork()
    if not child:
        may_go_on.set()
        is_hidden = "a prompt" not in repr(sealer.protect(event()))
        os._exit(0 if is_hidden else 1)
    try:
        ended = wait_for(child, within_s=20)
    finally:
        may_go_on.set()
        parent.join(20)
    assert ended == 0


def wait_for(child: int, *, within_s: float) -> int:
    """Return the exit status of a child; kills one that does not end."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def test_a_gateway_that_is_away_is_not_asked_for_every_event(keys: Keys) -> None:
    clock, gateway = ManualClock(0.0), Gateway(keys)
    gateway.away = True
    sealer = Sealer(gateway, now_s=clock.now_s, retry_s=5.0)
    for _ in range(3):
        sealer.protect(event())
    assert len(gateway.asked) == 1

    gateway.away = False
    clock.advance(5.0)

    assert sealer.protect(event())["seal_key_id"]


def test_after_an_erasure_the_edge_seals_no_longer_than_the_lifetime(keys: Keys) -> None:
    clock, gateway = ManualClock(0.0), Gateway(keys)
    sealer = Sealer(gateway, now_s=clock.now_s)
    before = sealer.protect(event())
    subject = keys.hmac("acme").pseudonym("ada@example.com")
    keys.ring.destroy("acme", [subject], ERASED)

    clock.advance(59.0)
    meanwhile = sealer.protect(event())
    clock.advance(1.0)
    after = sealer.protect(event())

    assert meanwhile["seal_key_id"] == before["seal_key_id"]
    assert "sealed" not in after
    assert "content.input=erased" in after["attributes"]["privacy.dropped"]
    # What was sealed meanwhile comes to the gateway, and nothing of it is recorded.
    assert at_the_gateway(keys, meanwhile)["sealed"] == {}


def test_keys_may_be_forgotten_at_once(keys: Keys) -> None:
    gateway = Gateway(keys)
    sealer = Sealer(gateway)
    sealer.protect(event())
    sealer.protect(event())
    assert len(gateway.asked) == 2

    sealer.forget()
    sealer.protect(event())

    assert len(gateway.asked) == 4


@pytest.mark.parametrize(
    "url", ["http://gateway:8080", "http://127.0.0.1.example.com", "file:///etc", "gateway"]
)
def test_keys_do_not_travel_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        fetch_from(url, key="ask_x")


@pytest.mark.parametrize("text", ["nobody", "user-" + "b" * 26, "conversation-" + "2" * 26, "ada", "user-1"])
def test_both_sides_tell_a_pseudonym_from_a_name_alike(text: str) -> None:
    from auditstream.identity import tenant_hmac

    assert is_handle(text) == tenant_hmac.is_handle(text)


def test_a_keyring_of_another_deployment_does_not_know_the_edges_keys(keys: Keys, tmp_path: Path) -> None:
    sent = Sealer(Gateway(keys)).protect(event())
    ring = KeyringFile(tmp_path / "other", MasterKey(bytes(32)))

    with pytest.raises(Exception, match="names no key of this tenant"):
        at_the_gateway(Keys(MasterKey(bytes(32)), ring), sent)
    ring.close()
    assert base64.b64decode(sent["sealed"]["content.input"])[0] == 1


@pytest.mark.parametrize("module", ["edge_keys", "sealing"])
def test_without_cryptography_the_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in {"auditstream_sdk", "cryptography"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(ImportError, match=r"auditstream-sdk\[sealing\]"):
        importlib.import_module(f"auditstream_sdk.{module}")

"""Hides persons and content before an event leaves the process; needs `auditstream-sdk[sealing]`.

    sealer = Sealer(edge_keys.fetch_from("https://gateway:8443", key="ask_…"))
    audit = AuditClient(protect=sealer.protect)

Ids of persons (who acted, reviewed, approved) become the tenant's pseudonyms. Content (`content.input`,
`content.output`, `content.system`, `content.tools`, `content.arguments`, `content.result` in `attributes`)
becomes its size and HMAC and, where the tenant chose so, a box sealed under a key of the person and month,
that the deployment can destroy. Keys come from the gateway (`POST /v1/keys`) for a credential with
`edge_keys`, stay in memory alone, and are forgotten after the time that the gateway says: that is how soon
an erasure counts here. Forms are those of the gateway, which protects what comes to it unprotected all the
same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import struct
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from auditstream_sdk.edge_keys import MOST_BYTES, EdgeKey, Fetch, KeysError

CONTENT = (
    "content.arguments",
    "content.input",
    "content.output",
    "content.result",
    "content.system",
    "content.tools",
)
"""Attributes that hold content."""

DROPPED = "privacy.dropped"

_HASHES = (
    ("content.arguments", "tool", "args_hmac", "arguments"),
    ("content.system", "inference", "system_hash", "system"),
    ("content.tools", "inference", "tool_defs_hash", "tools"),
)
_OTHER_PERSONS = (("review", "reviewer_id"), ("change", "approver_id"), ("access", "subject_id"))
"""Fields beside `actor_id` that may name a person; the subject of an access does where it is the actor."""

_UNNAMED = {"access": "nobody"}
"""What stands where no pseudonym can be made; an access must have a subject."""

_NO_PERSON = frozenset({"SERVICE", "API_KEY", "AGENT", "SYSTEM"})
_HANDLE = re.compile(r"(?:user|conversation)-[a-z2-7]{26}")
_MOST_KEYS = 10_000
_UTC = timezone(timedelta(0))


class Sealer:
    """Protects events; calls may come from any number of threads at once.

    While no keys can be had, nothing readable leaves all the same: persons and content are left out, and
    named in the attribute `privacy.dropped`.

    Args:
        fetch: Asks the gateway for keys.
        now_s: A clock that never goes back, in seconds.
        retry_s: How long a failure of the gateway's is remembered, so that not every event waits for it.
    """

    def __init__(
        self, fetch: Fetch, *, now_s: Callable[[], float] = time.monotonic, retry_s: float = 5.0
    ) -> None:
        self._fetch = fetch
        self._now_s = now_s
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._tenant: tuple[float, _Tenant | None] = (float("-inf"), None)
        self._keys: dict[tuple[str, str], tuple[float, EdgeKey | None]] = {}
        self._away_until = float("-inf")
        _ALL.add(self)

    def protect(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event as it may leave; the one that was given stays as it is.

        Args:
            event: Fields of an AuditEvent, as JSON takes them: `event_id`, `event_time` and what else there
            is.
        """
        protected = dict(event)
        attributes = dict(event.get("attributes") or {})
        pieces = {name: str(attributes.pop(name)).encode() for name in CONTENT if name in attributes}
        person = _person_of(event)
        readable = person is not None and not is_handle(person)
        others = _others_of(event, person)
        if not pieces and not readable and not others:
            return protected
        dropped: list[str] = []
        tenant = self._known_tenant()
        wanted: dict[str, bytes] = {}
        if pieces:
            protected["content_bytes"] = sum(map(len, pieces.values()))
        if tenant is None:
            dropped += [f"{name}=no_key" for name in pieces]
            if readable:
                protected["actor_id"] = None
                dropped.append("actor_id=no_key")
            for family, name in others:
                protected[family] = {**protected[family], name: _UNNAMED.get(family)}
                dropped.append(f"{family}.{name}=no_key")
        else:
            wanted = tenant.hide(protected, pieces, person)
            for family, name in others:
                protected[family] = {**protected[family], name: tenant.named(protected[family][name])}
        if wanted and tenant is not None:
            dropped += self._seal(tenant, protected, wanted)
        if dropped:
            attributes[DROPPED] = " ".join(sorted(dropped))
        if attributes or "attributes" in event:
            protected["attributes"] = attributes
        return protected

    def forget(self) -> None:
        """Forget every key at once."""
        with self._lock:
            self._tenant = (float("-inf"), None)
            self._keys.clear()

    def begin_anew(self) -> None:
        """Forget who holds the lock; called in a forked child, where that thread is not."""
        self._lock = threading.Lock()

    def _seal(self, tenant: _Tenant, event: dict[str, Any], wanted: Mapping[str, bytes]) -> list[str]:
        """Put boxes into an event, and return what could not be sealed, with the reason."""
        subject, month = tenant.subject(event), _month_of(event)
        try:
            key = self._data_key(subject, month)
        except KeysError:
            return [f"{name}=no_key" for name in wanted]
        if key is None:
            return [f"{name}=erased" for name in wanted]
        event_id = uuid.UUID(str(event["event_id"]))
        boxes = {
            name: base64.b64encode(key.seal(tenant.tenant_id, event_id, name, value)).decode()
            for name, value in wanted.items()
            if len(value) <= MOST_BYTES
        }
        if boxes:
            event["sealed"], event["seal_key_id"] = boxes, key.key_id
        return [f"{name}=too_large" for name in wanted if name not in boxes]

    def _known_tenant(self) -> _Tenant | None:
        """Return the tenant's key and choices, None while they cannot be had."""
        until, tenant = self._tenant
        if self._now_s() < until:
            return tenant
        with self._lock:
            until, tenant = self._tenant
            if self._now_s() < until:
                return tenant
            asked = self._now_s()
            try:
                answer = self._fetch({})
                tenant, until = _Tenant.of(answer), asked + float(answer["lifetime_s"])
            except (KeysError, KeyError, TypeError, ValueError):
                tenant, until = None, asked + self._retry_s
            self._tenant = (until, tenant)
        return tenant

    def _data_key(self, subject: str, month: str) -> EdgeKey | None:
        """Return the key of a subject and month, None where it was destroyed."""
        until, key = self._keys.get((subject, month), (float("-inf"), None))
        if self._now_s() < until:
            return key
        asked = self._now_s()
        if asked < self._away_until:
            raise KeysError("the gateway gave no keys a moment ago")
        try:
            answer = self._fetch({"subjects": [{"subject": subject, "month": month}]})
        except KeysError:
            self._away_until = asked + self._retry_s
            raise
        try:
            (given,) = answer["keys"]
            key = None
            if not given.get("destroyed"):
                key = EdgeKey(given["key_id"], base64.b64decode(given["key"], validate=True))
            until = asked + float(answer["lifetime_s"])
        except (KeyError, TypeError, ValueError) as error:
            raise KeysError("the gateway's answer is not one") from error
        with self._lock:
            if len(self._keys) >= _MOST_KEYS:
                self._keys.clear()
            self._keys[subject, month] = (until, key)
        return key


@dataclass(frozen=True)
class _Tenant:
    """What is known of the tenant."""

    tenant_id: str
    key: bytes = field(repr=False)
    clear_ids: bool
    readable_ids: bool
    contents: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> _Tenant:
        policy = answer["policy"]
        return cls(
            answer["tenant_id"],
            base64.b64decode(answer["hmac_key"], validate=True),
            clear_ids=bool(policy["clear_ids"]),
            readable_ids=policy["readable_ids"] == "sealed",
            contents=policy["contents"] == "sealed",
        )

    def hide(
        self, event: dict[str, Any], pieces: Mapping[str, bytes], person: str | None
    ) -> dict[str, bytes]:
        """Put pseudonym and HMACs into an event, and return what is to be sealed."""
        wanted: dict[str, bytes] = {}
        if pieces:
            event["content_hmac"] = self._contents_hmac(pieces)
            if self.contents:
                wanted.update(pieces)
        for content, family, name, purpose in _HASHES:
            if content in pieces and event.get(family) is not None:
                event[family] = {**event[family], name: self._digest(purpose, pieces[content]).hex()}
        if "content.result" in pieces and event.get("tool") is not None:
            event["tool"] = {**event["tool"], "result_bytes": len(pieces["content.result"])}
        if person is not None and not is_handle(person):
            event["actor_hash"] = self._digest("person", person.encode()).hex()
            if not self.clear_ids:
                event["actor_id"] = self.named(person)
                if self.readable_ids:
                    wanted["actor_id"] = person.encode()
        return wanted

    def named(self, person: str) -> str:
        """Return what stands for a person's readable id."""
        return person if self.clear_ids else f"user-{_short(self._digest('person', person.encode()))}"

    def subject(self, event: Mapping[str, Any]) -> str:
        """Return the handle whose key seals: of the person, else the conversation, else `nobody`."""
        person, conversation = _person_of(event), event.get("conversation_id")
        if person is not None:
            return person if is_handle(person) else f"user-{_short(self._digest('person', person.encode()))}"
        if conversation:
            return f"conversation-{_short(self._digest('conversation', conversation.encode()))}"
        return "nobody"

    def _contents_hmac(self, pieces: Mapping[str, bytes]) -> str:
        whole = b"".join(
            struct.pack(">I", len(name)) + name.encode() + struct.pack(">Q", len(value)) + value
            for name, value in sorted(pieces.items())
        )
        return self._digest("content", whole).hex()

    def _digest(self, purpose: str, value: bytes) -> bytes:
        return hmac.new(self.key, f"auditstream/{purpose}/v1\n".encode() + value, hashlib.sha256).digest()


def is_handle(text: str) -> bool:
    """Return whether a text is a pseudonym already."""
    return text == "nobody" or _HANDLE.fullmatch(text) is not None


def _person_of(event: Mapping[str, Any]) -> str | None:
    person = event.get("actor_id")
    return None if not person or event.get("actor_type") in _NO_PERSON else str(person)


def _others_of(event: Mapping[str, Any], person: str | None) -> list[tuple[str, str]]:
    """Return the other fields of an event that name a person readably, as family and name."""
    found = []
    for family, name in _OTHER_PERSONS:
        record = event.get(family)
        named = record.get(name) if isinstance(record, Mapping) else None
        if (
            isinstance(named, str)
            and named
            and not is_handle(named)
            and (family != "access" or named == person)
        ):
            found.append((family, name))
    return found


def _month_of(event: Mapping[str, Any]) -> str:
    """Return the month of an event (UTC); the current one where its time is none, as the gateway will say."""
    at = event.get("event_time")
    try:
        if isinstance(at, int):
            at = datetime.fromtimestamp(at / 1_000_000, _UTC)
        elif isinstance(at, str):
            at = datetime.fromisoformat(at[:-1] + "+00:00" if at.endswith("Z") else at)
    except (ValueError, OverflowError, OSError):
        at = None
    if not isinstance(at, datetime):
        at = datetime.now(_UTC)
    return f"{at.astimezone(_UTC):%Y-%m}"


def _short(digest: bytes) -> str:
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


_ALL: weakref.WeakSet[Sealer] = weakref.WeakSet()


def _in_child() -> None:
    for sealer in list(_ALL):
        sealer.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)

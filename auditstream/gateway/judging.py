"""From draft to message: stamped, converted, checked, protected, encoded."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from auditstream.core.clock import Clock
from auditstream.core.errors import RejectError
from auditstream.core.ports import MOST_MESSAGE_BYTES, Outbound
from auditstream.emit.message import Route, message_of
from auditstream.gateway.credentials import Principal
from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.problems import STATUSES, Rejected
from auditstream.identity.protection import Protection
from schemas.contract import check, violation
from schemas.intake import datum_of

_SMALL_BYTES = MOST_MESSAGE_BYTES // 10
"""Value of a message that cannot be too large: key and headers repeat a few of its fields."""

CLAIMED = "claimed_credential_id"
"""Attribute for the credential that a body names, where it is not the one that the request came with."""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """An event that may be recorded.

    Attributes:
        index: Its place in the request.
        event_id: Its id.
        message: What Kafka gets.
    """

    index: int
    event_id: str
    message: Outbound

    @property
    def value_sha256(self) -> str:
        """SHA-256 of the message's value, to which its leaf in the log commits; lower-case hex."""
        return hashlib.sha256(self.message.value or b"").hexdigest()


class Judge:
    """Makes messages of drafts.

    Args:
        route: Topic and schema.
        protection: What events go through before they are encoded.
        clock: Tells when an event was first seen.
    """

    def __init__(self, route: Route, protection: Protection, clock: Clock) -> None:
        self._route = route
        self._protection = protection
        self._clock = clock

    def now(self) -> datetime:
        """Return when events are first seen that are judged now."""
        return datetime.fromtimestamp(self._clock.now_s(), UTC)

    def judge(self, draft: Draft, principal: Principal, seen: datetime) -> Judged | Rejected:
        """Return the message of a draft, or why there is none.

        Args:
            draft: The draft; where it is a datum already, it is the one that is stamped.
            principal: Who sent it.
            seen: When, unless it says so itself.

        Raises:
            RetryableError: A key is needed that cannot be had now.
        """
        if draft.refusal is not None or draft.event is None:
            return Rejected(draft.index, draft.refusal or Refusal("not_an_event", "", "there is no event"))
        event = draft.event
        claim = event.get("tenant_id")
        if claim and claim != principal.tenant_id:
            detail = "tenant_id: is not the tenant of the key; leave it out"
            return Rejected(draft.index, Refusal("tenant_mismatch", "tenant_id", detail))
        named = event.get("credential_id")
        if named is not None and not isinstance(named, str):
            return Rejected(
                draft.index, Refusal("contract", "credential_id", "credential_id: expected a string")
            )
        tenant_id, credential_id = principal.tenant_id, principal.credential_id
        try:
            if draft.is_datum and isinstance(event, dict):
                datum = event
                datum.setdefault("observed_time", seen)
                datum["tenant_id"], datum["credential_id"] = tenant_id, credential_id
            else:
                stamp = {"tenant_id": tenant_id, "credential_id": credential_id}
                datum = datum_of({"observed_time": seen, **event, **stamp}, "audit_event")
            if named and named != credential_id:
                datum["attributes"] = {**datum.get("attributes", {}), CLAIMED: _short(named)}
            if not (draft.is_datum and _keep_the_contract(tenant_id, credential_id)):
                check(datum)
            message = message_of(self._protection.protect(datum), self._route)
            if len(message.value or b"") >= _SMALL_BYTES:
                _check_size(message)
        except RejectError as error:
            code = error.reason if error.reason in STATUSES else error.code
            code = code if code in STATUSES else "contract"
            return Rejected(draft.index, Refusal(code, str(error.context.get("field") or ""), error.message))
        return Judged(draft.index, str(datum["event_id"]), message)


@lru_cache(maxsize=4_096)
def _keep_the_contract(tenant_id: str, credential_id: str) -> bool:
    return violation({"tenant_id": tenant_id, "credential_id": credential_id}) is None


def _short(text: str) -> str:
    return text[:256].encode(errors="replace").decode()


def _check_size(message: Outbound) -> None:
    size = message.size_bytes
    if size > MOST_MESSAGE_BYTES:
        raise RejectError(
            f"the event takes {size:,} bytes, more than {MOST_MESSAGE_BYTES:,}", reason="too_large"
        )

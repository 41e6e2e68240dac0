"""Keys for producers that hide data where it arises: the answer to `POST /v1/keys`.

The request is `{"subjects": [{"subject": HANDLE, "month": "2026-01"}, …]}`, both parts optional; the answer

    {"tenant_id", "hmac_key": BASE64, "policy": {…}, "lifetime_s",
     "keys": [{"subject", "month", "key_id", "key": BASE64} or {"subject", "month", "destroyed": true}, …]}

Whoever holds a tenant's HMAC key can try which pseudonym a name has, and whoever was handed a data key can
keep it: so a credential gets keys only where its fact says so (`edge_keys`), and data keys only of the
current month and its neighbours. A well-behaved holder forgets them after `lifetime_s`; that is how soon an
erasure counts there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from auditstream.core.errors import NotAllowedError, RequestError
from auditstream.identity.keyring import KeyDestroyedError
from auditstream.identity.keys import Keys
from auditstream.identity.policy import Policy
from auditstream.identity.tenant_hmac import is_handle

MOST_SUBJECTS = 100
"""Keys of one request: a new key costs a write to the disk."""

_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")
_FIELDS = frozenset({"subject", "month"})


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for keys.

    Attributes:
        tenant: Tenant of the credential.
        edge_keys: Whether its fact lets the credential have keys.
        policy: What the tenant chose.
    """

    tenant: str
    edge_keys: bool
    policy: Policy


def provisioned(
    keys: Keys, asking: Asking, request: Any, *, now: datetime, lifetime_s: float
) -> dict[str, Any]:
    """Return the answer, as JSON takes it. Never log it.

    Args:
        keys: The deployment's.
        asking: Who asks.
        request: The body, as JSON gives it.
        now: The time (UTC).
        lifetime_s: How long the holder may use what it gets.

    Raises:
        NotAllowedError: The credential may not have keys.
        RequestError: The request is malformed; names the field.
        RetryableError: The keyring does not answer.
    """
    if not asking.edge_keys:
        hint = "Set `edge_keys: true` on the credential, with `auditstream apply`."
        raise NotAllowedError("this credential may not have keys", hint=hint)
    wanted = _wanted(request, now)
    if wanted and not asking.policy.seals:
        hint = "A tenant chooses with `contents`, `readable_ids` and `addresses`."
        raise NotAllowedError(f"tenant {asking.tenant} keeps nothing sealed", hint=hint)
    return {
        "tenant_id": asking.tenant,
        "hmac_key": base64.b64encode(keys.hmac(asking.tenant).key).decode(),
        "policy": asdict(asking.policy),
        "lifetime_s": lifetime_s,
        "keys": [_key(keys, asking.tenant, subject, month) for subject, month in wanted],
    }


def _key(keys: Keys, tenant: str, subject: str, month: str) -> dict[str, Any]:
    said = {"subject": subject, "month": month}
    try:
        key = keys.ring.data_key(tenant, subject, month)
    except KeyDestroyedError:
        return {**said, "destroyed": True}
    return {**said, "key_id": key.key_id, "key": base64.b64encode(key.secret).decode()}


def _wanted(request: Any, now: datetime) -> list[tuple[str, str]]:
    """Return subjects and months of a request."""
    if not isinstance(request, Mapping) or not request.keys() <= {"subjects"}:
        raise _malformed("request", "expected an object with `subjects`")
    subjects = request.get("subjects", [])
    if not isinstance(subjects, list) or len(subjects) > MOST_SUBJECTS:
        raise _malformed("subjects", f"expected a list of at most {MOST_SUBJECTS}")
    current = f"{now.astimezone(UTC):%Y-%m}"
    months = _neighbours(current)
    return [_one(each, f"subjects[{index}]", current, months) for index, each in enumerate(subjects)]


def _one(given: Any, field: str, current: str, months: frozenset[str]) -> tuple[str, str]:
    if not isinstance(given, Mapping) or not given.keys() <= _FIELDS:
        raise _malformed(field, "expected an object with `subject` and `month`")
    subject, month = given.get("subject"), given.get("month", current)
    if not isinstance(subject, str) or not is_handle(subject):
        raise _malformed(f"{field}.subject", "is no pseudonym: make it with the tenant's HMAC key")
    if not isinstance(month, str) or not _MONTH.fullmatch(month):
        raise _malformed(f"{field}.month", "expected a month, as 2026-01")
    if month not in months:
        raise _malformed(f"{field}.month", f"is not {current} or a month beside it")
    return subject, month


def _neighbours(month: str) -> frozenset[str]:
    """Return a month and those before and after it: events wait in spools, and clocks differ."""
    count = int(month[:4]) * 12 + int(month[5:]) - 1
    return frozenset(f"{each // 12:04}-{each % 12 + 1:02}" for each in (count - 1, count, count + 1))


def _malformed(field: str, reason: str) -> RequestError:
    return RequestError(f"{field}: {reason}", field=field)

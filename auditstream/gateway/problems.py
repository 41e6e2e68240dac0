"""Problems: what a request is refused with, as RFC 9457 problem details.

The codes are stable words: callers branch on them. An event that is refused among others carries the same
code in `rejected`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from auditstream.core import problem_details
from auditstream.core.problem_details import problem, retry_after
from auditstream.gateway.drafts import Refusal

CONTENT_TYPE = problem_details.CONTENT_TYPE.encode()

STATUSES: Mapping[str, int] = {
    "malformed": 400,
    "bad_mode": 400,
    "incomplete": 400,
    "unauthenticated": 401,
    "revoked": 401,
    "tenant_mismatch": 403,
    "tenant_closed": 403,
    "not_allowed": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_slow": 408,
    "too_large": 413,
    "too_many_events": 413,
    "decompression_bomb": 413,
    "unsupported_type": 415,
    "unsupported_encoding": 415,
    "contract": 422,
    "not_an_event": 422,
    "undecodable": 422,
    "unknown_schema": 422,
    "unaccepted": 422,
    "rate_limited": 429,
    "quota_exceeded": 429,
    "headers_too_large": 431,
    "internal": 500,
    "unavailable": 503,
    "busy": 503,
}
"""Status of each code; `unaccepted` is a request of several events, each refused for a reason of its own."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A draft that is no event.

    Attributes:
        index: Its place in the request.
        refusal: Why.
    """

    index: int
    refusal: Refusal

    def record(self) -> dict[str, Any]:
        """Return it as JSON data."""
        refusal = self.refusal
        return {
            "index": self.index,
            "code": refusal.code,
            "detail": refusal.detail,
            "field": refusal.field or None,
        }


class RefusedError(Exception):
    """A request that is refused as a whole; the border makes a `Problem` of it.

    Attributes:
        code: One of `STATUSES`.
        detail: What is wrong, for a person.
        field: Path of the field, header or parameter at fault; empty where there is none.
        retry_after_s: When it makes sense to try again; None where it does not.
        rejected: The events of the request that were refused, where that is why.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str = "",
        retry_after_s: float | None = None,
        rejected: Sequence[Rejected] = (),
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after_s = retry_after_s
        self.rejected = rejected

    @property
    def status(self) -> int:
        """HTTP status."""
        return STATUSES[self.code]

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that go with the status."""
        found = [(b"content-type", CONTENT_TYPE)]
        if self.retry_after_s is not None:
            found.append((b"retry-after", retry_after(self.retry_after_s).encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            found.append((b"www-authenticate", b"Bearer"))
        return found

    def body(self) -> bytes:
        """Return the problem's JSON, in ASCII: halves of surrogate pairs are escaped."""
        rejected = [each.record() for each in self.rejected]
        said = problem(self.status, self.code, self.detail, field=self.field, rejected=rejected)
        return json.dumps(said).encode()


def of_events(rejected: Sequence[Rejected]) -> RefusedError:
    """Return the problem of a request none of whose events was accepted."""
    codes = {each.refusal.code for each in rejected}
    first = rejected[0].refusal
    if len(rejected) == 1:
        return RefusedError(first.code, first.detail, field=first.field, rejected=rejected)
    code = first.code if len(codes) == 1 and STATUSES[first.code] == HTTPStatus.FORBIDDEN else "unaccepted"
    detail = f"none of the {len(rejected)} events was accepted; the first: {first.detail}"
    return RefusedError(code, detail, field=first.field, rejected=rejected)

"""One attempt to deliver a message over HTTP, and what its answer asks of the sender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

_USER_AGENT = "auditstream"
_MOST_ANSWER_BYTES = 4_096  # of a body that nobody reads: enough for the connection to be used again
_LONGEST_RETRY_AFTER_S = 3_600.0  # a receiver may ask for an hour, not for oblivion
# Answers to come back for: request timeout, too early, too many requests; and every 5xx.
_AGAIN = frozenset({408, 425, 429})


class Fate(Enum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    AGAIN = "again"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt.

    Attributes:
        fate: Delivered; to be tried again; or refused for good.
        reason: The answer, as `http 503` or `no answer: timeout`; without URL or body.
        retry_after_s: How long the receiver asks to wait, at least.
    """

    fate: Fate
    reason: str
    retry_after_s: float = 0.0


class Webhook:
    """Posts to one URL; for one thread.

    Redirects are not followed: they would take a signed finding to where nobody configured.

    Args:
        url: Where to.
        timeout_s: How long an answer may take.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._http = PoolManager(maxsize=1, retries=False, timeout=Timeout(total=timeout_s))

    def post(self, body: bytes, headers: Mapping[str, str], now_s: float) -> Attempt:
        """Post a message and return what became of it; blocks at most for the timeout, never raises for it.

        Args:
            body: JSON.
            headers: Of the message.
            now_s: Unix time, for answers that name a time to come back at.
        """
        sent = {"content-type": "application/json", "user-agent": _USER_AGENT, **headers}
        try:
            response = self._http.request(
                "POST", self._url, body=body, headers=sent, redirect=False, preload_content=False
            )
            try:
                response.read(_MOST_ANSWER_BYTES)
            finally:
                response.release_conn()
        except HTTPError as error:
            return Attempt(Fate.AGAIN, f"no answer: {type(error).__name__}")
        reason = f"http {response.status}"
        if 200 <= response.status < 300:
            return Attempt(Fate.DELIVERED, reason)
        if response.status >= 500 or response.status in _AGAIN:
            return Attempt(Fate.AGAIN, reason, _retry_after_s(response.headers.get("retry-after", ""), now_s))
        return Attempt(Fate.REFUSED, reason)

    def close(self) -> None:
        """Close the connection."""
        self._http.clear()


def _retry_after_s(text: str, now_s: float) -> float:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), 0 for none."""
    if text.isascii() and text.isdigit():
        asked = float(text[:9])
    else:
        try:
            asked = parsedate_to_datetime(text).timestamp() - now_s
        except ValueError:
            return 0.0
    return min(max(asked, 0.0), _LONGEST_RETRY_AFTER_S)

"""Posts to a gateway, repeated while they may succeed later: a repeat doubles nothing."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from auditstream.core.errors import RetryableError

_TIMEOUT_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_RETRIED = frozenset({408, 429, 502, 503, 504})
_BOMB = "decompression_bomb"
"""Code of a body that shrank more than the gateway believes: it takes the same one as it is."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a gateway answered.

    Attributes:
        status: HTTP status.
        body: The answer's body.
    """

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class GatewayPost:
    """Posts to one gateway with one key, over connections that are kept.

    Args:
        url: Base URL of the gateway.
        key: Key for it.
        timeout_s: For how long a request that may succeed later is repeated.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"}
        self._timeout_s = timeout_s
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S)

    def send(self, path: str, body: bytes, content_type: str) -> Answered:
        """Return what the gateway answered to a body.

        Args:
            path: Path, as `/v1/events`.
            body: The body; it travels compressed, unless the gateway does not believe how far.
            content_type: Its media type.

        Raises:
            RetryableError: The gateway does not answer in time, or takes nothing now.
        """
        headers = self._headers | {"content-type": content_type}
        compressed = headers | {"content-encoding": "gzip"}
        answered = self._sent(path, gzip.compress(body, 1, mtime=0), compressed)
        if answered.status >= 400 and answered.json().get("code") == _BOMB:
            return self._sent(path, body, headers)
        return answered

    def _sent(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        url = f"{self._url}{path}"
        deadline = time.monotonic() + self._timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            after = ""
            try:
                response = self._pool.request("POST", url, body=body, headers=headers)
                answered = Answered(response.status, response.data)
                if answered.status not in _RETRIED:
                    return answered
                problem = str(answered.json().get("detail") or f"HTTP {answered.status}")
                after = response.headers.get("retry-after", "")
            except urllib3.exceptions.HTTPError as error:
                problem = f"{url}: {error}"
            wait_s = max(pause_s, float(after) if after.isdigit() else 0.0)
            if time.monotonic() + wait_s > deadline:
                raise RetryableError(f"gateway: {problem}")
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def close(self) -> None:
        """Let go of connections."""
        self._pool.clear()

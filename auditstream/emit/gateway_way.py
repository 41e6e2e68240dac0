"""The way through the gateway: NDJSON requests, each answered when Kafka has the events."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import urllib3

from auditstream.core.errors import NotAllowedError, RequestError, RetryableError
from auditstream.emit.reading import Accepted, Refused
from schemas.json_form import json_of

_AT_ONCE = 500
_MOST_BYTES = 4 * 1024 * 1024
_TIMEOUT_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_RETRIED = frozenset({408, 429, 502, 503, 504})


class GatewayWay:
    """Sends events to a gateway and counts what it accepted.

    Args:
        url: Base URL of the gateway.
        key: Key for it.
        timeout_s: For how long a request that may succeed later is repeated.
        on_refusal: Told of each event that the gateway refused.

    Attributes:
        acknowledged: Events that all in-sync replicas have.
        refused: Events that the gateway refused.
    """

    def __init__(
        self, url: str, key: str, *, timeout_s: float, on_refusal: Callable[[Refused], None]
    ) -> None:
        self._url = f"{url.rstrip('/')}/v1/events"
        self._headers = {
            "authorization": f"Bearer {key}",
            "content-type": "application/x-ndjson",
            "content-encoding": "gzip",
        }
        self._timeout_s = timeout_s
        self._on_refusal = on_refusal
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S)
        self._waiting: list[tuple[int, bytes]] = []
        self._bytes = 0
        self.acknowledged = 0
        self.refused = 0

    def carry(self, event: Accepted) -> None:
        """Hand an event over; waits for an answer when a request is full.

        Raises:
            RetryableError: The gateway does not answer in time.
            NotAllowedError: The key does not count.
            RequestError: The gateway does not take requests like this.
        """
        line = json_of(event.datum).encode()
        if self._waiting and (len(self._waiting) == _AT_ONCE or self._bytes + len(line) > _MOST_BYTES):
            self._flush()
        self._waiting.append((event.line, line))
        self._bytes += len(line)

    def finish(self) -> None:
        """Return once every event is answered; raises as `carry`."""
        if self._waiting:
            self._flush()
        self._pool.clear()

    def _flush(self) -> None:
        lines = [line for line, _ in self._waiting]
        body = gzip.compress(b"\n".join(text for _, text in self._waiting), 1, mtime=0)
        status, answer = self._asked(body)
        rejected = answer.get("rejected") or []
        if status == 202 or (rejected and status in {400, 403, 413, 422}):
            self.acknowledged += int(answer.get("accepted") or 0)
            for each in rejected:
                self._refuse(lines[int(each["index"])], each)
            self._waiting, self._bytes = [], 0
            return
        detail = str(answer.get("detail") or f"HTTP {status}")
        if status in {401, 403}:
            raise NotAllowedError(f"gateway: {detail}", hint="`auditstream keys create --tenant T`.")
        raise RequestError(f"gateway: {detail}")

    def _refuse(self, line: int, rejected: dict[str, Any]) -> None:
        self.refused += 1
        field = str(rejected.get("field") or "event")
        self._on_refusal(Refused(line, field, str(rejected["detail"]).removeprefix(f"{field}: ")))

    def _asked(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and answer; repeats while it may succeed later. A repeat doubles nothing."""
        deadline = time.monotonic() + self._timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            after = ""
            try:
                response = self._pool.request("POST", self._url, body=body, headers=self._headers)
                if response.status not in _RETRIED:
                    return response.status, _answer(response.data)
                problem = str(_answer(response.data).get("detail") or f"HTTP {response.status}")
                after = response.headers.get("retry-after", "")
            except urllib3.exceptions.HTTPError as error:
                problem = f"{self._url}: {error}"
            wait_s = max(pause_s, float(after) if after.isdigit() else 0.0)
            if time.monotonic() + wait_s > deadline:
                raise RetryableError(
                    f"gateway: {problem}; {self.acknowledged} were acknowledged",
                    hint="Emitting the file again is safe: an event that arrives twice is one event.",
                )
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _answer(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

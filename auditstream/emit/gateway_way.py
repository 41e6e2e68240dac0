"""The way through the gateway: NDJSON requests, each answered when Kafka has the events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditstream.core.errors import NotAllowedError, RequestError, RetryableError
from auditstream.emit.gateway_post import Answered, GatewayPost
from auditstream.emit.reading import Accepted, Refused
from schemas.json_form import json_of

_AT_ONCE = 500
_MOST_BYTES = 4 * 1024 * 1024
_PATH, _NDJSON = "/v1/events", "application/x-ndjson"
_UNACKNOWLEDGED = "unavailable"
"""Code of an event that was sent to Kafka and not acknowledged: it is sent again, not refused."""


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
        self._post = GatewayPost(url, key, timeout_s=timeout_s)
        self._on_refusal = on_refusal
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
        self._post.close()

    def _flush(self) -> None:
        while self._waiting:
            self._post_waiting()
        self._bytes = 0

    def _post_waiting(self) -> None:
        """Post what waits, and keep what was neither acknowledged nor refused; each time that is less."""
        sent = self._waiting
        answered = self._answered(b"\n".join(text for _, text in sent))
        status, answer = answered.status, answered.json()
        rejected = answer.get("rejected") or []
        if status == 202 or (rejected and status in {400, 403, 413, 422}):
            self.acknowledged += int(answer.get("accepted") or 0)
            codes = {int(each["index"]): each["code"] for each in rejected}
            for each in rejected:
                if each["code"] != _UNACKNOWLEDGED:
                    self._refuse(sent[int(each["index"])][0], each)
            # In mode blocking-strict a refused event keeps the others of its request out as well.
            unnamed = None if status == 202 else _UNACKNOWLEDGED
            self._waiting = [
                one for index, one in enumerate(sent) if codes.get(index, unnamed) == _UNACKNOWLEDGED
            ]
            return
        detail = str(answer.get("detail") or f"HTTP {status}")
        if status in {401, 403}:
            raise NotAllowedError(f"gateway: {detail}", hint="`auditstream keys create --tenant T`.")
        raise RequestError(f"gateway: {detail}")

    def _refuse(self, line: int, rejected: dict[str, Any]) -> None:
        self.refused += 1
        field = str(rejected.get("field") or "event")
        self._on_refusal(Refused(line, field, str(rejected["detail"]).removeprefix(f"{field}: ")))

    def _answered(self, body: bytes) -> Answered:
        try:
            return self._post.send(_PATH, body, _NDJSON)
        except RetryableError as error:
            raise RetryableError(
                f"{error.message}; {self.acknowledged} were acknowledged",
                hint="Emitting the file again is safe: an event that arrives twice is one event.",
            ) from error

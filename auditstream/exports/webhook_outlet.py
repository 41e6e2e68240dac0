"""Events as signed webhooks: a POST a batch, delivered when the receiver answers with 2xx."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from auditstream.core.values import as_line
from auditstream.exports.records import Record
from auditstream.exports.syslog import NotDeliveredError
from auditstream.notify.signatures import SigningSecret, signed_headers
from auditstream.notify.webhook import Fate, Webhook

_MOST_BYTES = 512 * 1024
"""Bytes of a body, single events apart: what receivers take without being told."""

_BATCH_OF = {"cloudevents": "application/cloudevents-batch+json"}


class RefusedError(NotDeliveredError):
    """A receiver refused events for good; they are offered again until somebody sees to it."""

    code = "forward_refused"
    hint = "The receiver does not want them as they are: mend it, or change the forward. Nothing is lost."


class WebhookOutlet:
    """Delivers events by POST, as a JSON array.

    Args:
        url: Where to.
        secrets: Each signs.
        form: Name of the form, which tells the media type.
        document: Makes what is sent of a record.
        timeout_s: How long an answer may take.
    """

    def __init__(
        self,
        url: str,
        secrets: Sequence[SigningSecret],
        form: str,
        document: Callable[[Record], Mapping[str, Any]],
        *,
        timeout_s: float,
    ) -> None:
        self._webhook = Webhook(url, timeout_s=timeout_s)
        self._secrets = secrets
        self._media_type = _BATCH_OF.get(form, "application/json")
        self._document = document

    def deliver(self, records: Sequence[Record], batch_id: str) -> int:
        """Return how many bytes went out, once the receiver took them all.

        Args:
            records: The events.
            batch_id: The same at every attempt: receivers tell repeats by `webhook-id`, which begins with it.

        Raises:
            RefusedError: It refused them for good.
            NotDeliveredError: It did not take them.
        """
        size = 0
        for number, body in enumerate(self._bodies(records)):
            now_s = time.time()
            headers = signed_headers(self._secrets, f"{batch_id}-{number}", int(now_s), body)
            attempt = self._webhook.post(body, {"content-type": self._media_type, **headers}, now_s)
            if attempt.fate is not Fate.DELIVERED:
                kind = RefusedError if attempt.fate is Fate.REFUSED else NotDeliveredError
                raise kind(f"webhook: {attempt.reason}", retry_after_s=attempt.retry_after_s)
            size += len(body)
        return size

    def close(self) -> None:
        """Close the connection."""
        self._webhook.close()

    def _bodies(self, records: Sequence[Record]) -> Iterator[bytes]:
        lines: list[str] = []
        size = 0
        for line in (as_line(self._document(record)) for record in records):
            if lines and size + len(line) > _MOST_BYTES:
                yield _array(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            yield _array(lines)


def _array(lines: Sequence[str]) -> bytes:
    return f"[{','.join(lines)}]".encode()

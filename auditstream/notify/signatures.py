"""Signatures of webhooks, so that a receiver knows that a message is ours, whole, and not an old one again.

Source: Standard Webhooks 1.0.0, symmetric signatures `v1`: HMAC-SHA-256 over `id.timestamp.body`, in the
headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. There are libraries to verify them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from auditstream.core.errors import ConfigError

PREFIX = "whsec_"
"""What a secret begins with, before its base64."""

_LEAST_BYTES, _MOST_BYTES = 24, 64  # of a secret, by the specification
_VERSION = "v1"


class SigningSecret:
    """A secret that signs; never printed.

    Args:
        text: `whsec_` and 24 to 64 bytes as base64.

    Raises:
        ConfigError: It is none; does not quote it.
    """

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
            raise ConfigError(
                f"a webhook's secret must be {PREFIX} and {_LEAST_BYTES} to {_MOST_BYTES} bytes as base64",
                hint=f'Make one: echo "{PREFIX}$(openssl rand -base64 32)"',
            )
        self._key = key

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """Return a message's signature, as `v1,...`."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        mac = hmac.new(self._key, signed, hashlib.sha256).digest()
        return f"{_VERSION},{base64.b64encode(mac).decode()}"

    def __repr__(self) -> str:
        return "SigningSecret(...)"


def _secrets_of(value: Any) -> tuple[SigningSecret, ...]:
    if not isinstance(value, list):
        raise ValueError("must be a list")  # noqa: TRY004  pydantic reports ValueErrors only
    try:
        return tuple(SigningSecret(str(each)) for each in value)
    except ConfigError as error:
        raise ValueError(error.message) from None


SigningSecrets = Annotated[tuple[SigningSecret, ...], BeforeValidator(_secrets_of)]
"""Field of a document that lists secrets as texts; an error does not quote them."""


def signed_headers(
    secrets: Sequence[SigningSecret], message_id: str, timestamp: int, body: bytes
) -> Mapping[str, str]:
    """Return the headers of a signed message.

    Args:
        secrets: Each signs, so that a receiver can change to a new one in its own time; without any the
            message says its id and time alone.
        message_id: The same at every attempt: receivers tell repeats by it.
        timestamp: Unix time of the attempt, seconds.
        body: The body as sent.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        headers["webhook-signature"] = " ".join(each.sign(message_id, timestamp, body) for each in secrets)
    return headers

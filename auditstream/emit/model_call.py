"""A call of a model from a published trace, which knows no more than when, and how many tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from auditstream.core.ids import uuid7
from auditstream.emit.reading import Options
from schemas.records.record import EPOCH


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One row of a trace.

    Attributes:
        line: Line number in the trace, from 1.
        time: When it happened, with an offset.
        input_tokens: Tokens in.
        output_tokens: Tokens out.
        conversation: What tells its conversation from others of the trace.
    """

    line: int
    time: datetime
    input_tokens: int
    output_tokens: int
    conversation: str


def event_id(time: datetime, file_hash: bytes, line: int) -> UUID:
    """Return the UUIDv7 of a line: its time, and SHA-256(file hash, line number as 8 bytes) for the rest.

    A line of the same file has the same id however often it is sent.
    """
    since = time - EPOCH
    milliseconds = (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000
    return uuid7(milliseconds, hashlib.sha256(file_hash + line.to_bytes(8, "big")).digest()[:10])


def event_of(call: ModelCall, trace: str, file_hash: bytes, options: Options) -> dict[str, Any]:
    """Return a trace's call as an `ai.inference` event, for `schemas.intake`.

    Args:
        call: The call.
        trace: Name of the trace's format.
        file_hash: Hash of the file, for the ids.
        options: Tenant, provider and model.
    """
    instance = file_hash.hex()[:16]
    return {
        "event_id": event_id(call.time, file_hash, call.line),
        "event_type": "ai.inference",
        "event_time": call.time,
        "observed_time": call.time,
        "source": f"urn:auditstream:emit:{trace}",
        "source_instance": instance,
        "source_seq": call.line,
        "tenant_id": options.tenant,
        "actor_type": "SERVICE",
        "conversation_id": f"{trace}-{instance[:8]}-{call.conversation}",
        "outcome": "SUCCESS",
        "inference": {
            "operation": "chat",
            "provider": options.provider,
            "request_model": options.model,
            "response_model": options.model,
        },
        "usage": {
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "source": "PROVIDER",
        },
    }

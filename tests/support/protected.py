"""Events with sealed fields, on their way through the privacy stage to a deployment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from auditstream.cli.running import FILE_NAME, read_runtime, with_runtime
from auditstream.core.ids import uuid7
from auditstream.core.settings import Settings
from auditstream.emit.announcements import announcer
from auditstream.identity.keys import Keys
from auditstream.identity.policy import Policy
from auditstream.identity.protection import Protection
from schemas.contract import check
from schemas.intake import datum_of

SEALED = Policy(contents="sealed", readable_ids="sealed", addresses="sealed")


def settings_of(data_dir: Path) -> Settings:
    """Return the settings that reach a running deployment."""
    runtime = read_runtime(data_dir / FILE_NAME)
    assert runtime is not None
    return with_runtime(Settings(data_dir=data_dir), runtime)


def said(person: str, text: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """Return an event in which a person says something to a model."""
    given = {
        "event_id": uuid7(int(at.timestamp() * 1000)),
        "event_type": "ai.inference",
        "event_time": at,
        "source": "svc://assistant",
        "tenant_id": "acme",
        "actor_type": "USER",
        "actor_id": person,
        "src_ip": "203.0.113.77",
        "conversation_id": f"c-{person}",
        "inference": {"operation": "chat", "provider": "openai", "request_model": "gpt-4o"},
        "usage": {"input_tokens": 12, "output_tokens": 3},
        "attributes": {"content.input": text},
    }
    datum = datum_of(given | fields, "audit_event")
    check(datum)
    return datum


def send(settings: Settings, keys: Keys, events: Iterable[dict[str, Any]], policy: Policy = SEALED) -> int:
    """Protect events, send them, and return how many Kafka acknowledged."""
    protection = Protection(keys, lambda _: policy)
    protected = [protection.protect(event) for event in events]
    with announcer(settings, within_s=20.0) as way:
        return way(protected)

"""What a front is told at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditstream.embedded.clickhouse_admission import AdmissionLimits
from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_permissions import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How a front tells of what is asked of it.

    Attributes:
        connection: librdkafka's settings that reach the brokers; they may hold a secret.
        topic: Topic of the events.
        schema_id: Registry id of the events' schema.
        schema_uri: URI of that schema.
        within_s: How long Kafka may take to acknowledge.
        key_file: Key of the HMAC by which queries are named.
        spool_file: Where events wait while Kafka is away; empty to refuse what cannot be told of.
        spool_bytes: Bound on that file.
    """

    connection: Mapping[str, str | int | float | bool] = field(repr=False)
    topic: str
    schema_id: int
    schema_uri: str
    within_s: float
    key_file: str
    spool_file: str = ""
    spool_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSettings:
    """What a front is told at its start, as one line of JSON.

    Attributes:
        credentials: Who may ask.
        databases: Databases of the product, made when they do not exist; the first is the default one.
        limits: Bounds of a reader's statement.
        admission: Bounds on queries in flight.
        patience_s: How long a client may take to send or to take one piece of a body before its query is
            stopped (ClickHouse's http_receive_timeout and http_send_timeout).
        audit: How to tell of what is asked; None to tell nobody, as where there is no Kafka.
    """

    credentials: tuple[Credential, ...]
    databases: tuple[str, ...] = ("default",)
    limits: Limits = field(default_factory=Limits)
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    patience_s: float = 30.0
    audit: AuditSettings | None = None

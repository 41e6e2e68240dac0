"""What a front is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field

from auditstream.embedded.clickhouse_admission import AdmissionLimits
from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_permissions import Limits


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
    """

    credentials: tuple[Credential, ...]
    databases: tuple[str, ...] = ("default",)
    limits: Limits = field(default_factory=Limits)
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    patience_s: float = 30.0

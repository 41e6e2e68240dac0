"""Forwards: which events go on to which system as they are recorded, from a file that may hold secrets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from auditstream.core.errors import RequestError
from auditstream.core.loopback import LOOPBACK
from auditstream.core.secret_documents import read_documents, refuse_repeats, validated
from auditstream.notify.signatures import SigningSecrets
from auditstream.query.grammar import parse

SETTING = "forward.file"
"""Setting that names the file."""

SYSLOG, WEBHOOK = "syslog+tls", "https"
"""Schemes of the two ways."""

SYSLOG_PORT = 6514
"""Port of syslog over TLS (RFC 5425, section 4.1)."""

MOST_FORWARDS = 32
"""Forwards of one file: each has a thread and a reader of its own."""

LEAST_SYSLOG_BYTES = 2_048
"""Length that every receiver takes (RFC 5425, section 4.3.1)."""


class Forward(BaseModel):
    """Where events go, and which.

    Attributes:
        forward_id: Its name: letters, digits, `_`, `-`; also that of the file that keeps its place.
        to: `syslog+tls://HOST[:PORT]` or an https URL, to which events are POSTed.
        query: Only events that satisfy this search; empty for all.
        tenant: Only this tenant's events; empty for all.
        form: What an event is written as.
        start: Where it begins when it has no place yet: at `now`, or at the `beginning` of the record.
        secrets: Secrets that sign a webhook's bodies, as `whsec_...`; the newest first.
        ca_file: Authorities that vouch for the receiver, PEM; the system's when unset.
        cert_file: Certificate to show the receiver, PEM.
        key_file: Key of that certificate, PEM.
        closes: How a syslog receiver ends a connection after reading all: `politely`, by TLS's close_notify;
            or `wordless`, where the end is then taken for an answer, and a receiver that ends at the wrong
            moment loses what it did not read.
        most_bytes: Longest syslog message; what is longer goes without its details, and says so.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    forward_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    to: str
    query: str = ""
    tenant: str = ""
    form: Literal["ocsf", "cloudevents", "jsonl"] = "ocsf"
    start: Literal["now", "beginning"] = "now"
    secrets: SigningSecrets = ()
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    closes: Literal["politely", "wordless"] = "politely"
    most_bytes: Annotated[int, Field(ge=LEAST_SYSLOG_BYTES, le=1 << 20)] = 65_536

    @field_validator("to")
    @classmethod
    def _reachable(cls, to: str) -> str:
        parts = urlsplit(to)
        try:
            port = parts.port
        except ValueError:
            raise ValueError("has no valid port") from None
        if not parts.hostname or port == 0:
            raise ValueError("names no host")
        if parts.username or parts.password:
            raise ValueError("has a password in it: addresses are told of")
        if parts.scheme == SYSLOG:
            if parts.path or parts.query:
                raise ValueError(f"must be {SYSLOG}://HOST[:PORT]")
        elif parts.scheme != WEBHOOK and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError(f"must be {SYSLOG}:// or {WEBHOOK}://: events must not travel in the clear")
        return to

    @field_validator("query")
    @classmethod
    def _readable(cls, query: str) -> str:
        try:
            parse(query)
        except RequestError as error:
            raise ValueError(error.message) from None
        return query

    @model_validator(mode="after")
    def _fitting(self) -> Forward:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file: one is given without the other")
        if self.is_syslog and self.secrets:
            raise ValueError("secrets: sign webhooks; syslog has a certificate instead")
        if not self.is_syslog and (self.ca_file or self.cert_file):
            raise ValueError("ca_file, cert_file: are for syslog; a webhook has the system's authorities")
        return self

    @property
    def is_syslog(self) -> bool:
        """Whether it goes by syslog; else by webhook."""
        return urlsplit(self.to).scheme == SYSLOG

    @property
    def receiver(self) -> str:
        """Scheme and host, without a path, which may be secret."""
        parts = urlsplit(self.to)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of a syslog receiver."""
        parts = urlsplit(self.to)
        assert parts.hostname is not None
        return parts.hostname, parts.port or SYSLOG_PORT


def read_forwards(path: Path) -> Sequence[Forward]:
    """Return the forwards of a YAML file: a list under `forwards`.

    Raises:
        ConfigError: There is no such file, others may read it, or it is not one; names forward and field,
            and quotes no value.
    """
    listed = read_documents(path, "forwards", setting=SETTING, most=MOST_FORWARDS)
    found = [validated(Forward, each, f"{path}: forward {number}") for number, each in enumerate(listed, 1)]
    refuse_repeats(path, "forward_id", [each.forward_id for each in found])
    return found

"""Channels: where notifications go, from a file that only its owner may read, since it holds secrets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from auditstream.core.loopback import LOOPBACK
from auditstream.core.secret_documents import read_documents, refuse_repeats, validated
from auditstream.detection.severities import Severity
from auditstream.notify.signatures import SigningSecrets
from schemas.records.detection import Finding

Shape = Literal["auditstream", "slack", "alertmanager", "alertmanager-api"]
"""Form of the bodies: our own; a Slack message; what Alertmanager sends to webhooks; what its API takes."""

MOST_CHANNELS = 32
"""Channels of one file: each has a consumer and a thread of its own."""

_WORDS = {each.name.lower(): each for each in Severity}


class Channel(BaseModel):
    """Where notifications go, and which.

    Attributes:
        channel_id: Its name: letters, digits, `_`, `-`; part of its consumer group's name.
        url: Where to POST; https, but for this machine.
        shape: Form of the bodies.
        secrets: Secrets that sign, as `whsec_...`; the newest first.
        tenants: Tenants whose findings it is told of; empty for all.
        rules: Rules and detectors likewise.
        least_severity: Least severity that it is told of, as `medium`.
        tells_ends: Whether it is told of ends too.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    channel_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    url: str
    shape: Shape = "auditstream"
    secrets: SigningSecrets = ()
    tenants: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    least_severity: Severity = Severity.MEDIUM
    tells_ends: bool = True

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http(s) URL")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("must be https: a finding must not travel in the clear")
        return url

    @field_validator("least_severity", mode="before")
    @classmethod
    def _severity(cls, value: Any) -> Any:
        found = _WORDS.get(str(value).lower())
        if found is None:
            raise ValueError(f"must be one of {', '.join(_WORDS)}")
        return found

    def wants(self, finding: Finding) -> bool:
        """Return whether it is told of a finding that calls somebody."""
        return (
            (not self.tenants or finding.tenant_id in self.tenants)
            and (not self.rules or finding.rule_id in self.rules)
            and finding.severity >= self.least_severity
            and (self.tells_ends or finding.status != "RESOLVED")
        )


def read_channels(path: Path) -> Sequence[Channel]:
    """Return the channels of a YAML file: a list under `channels`.

    Raises:
        ConfigError: There is no such file, others may read it, or it is not one; names channel and field,
            and quotes no value.
    """
    listed = read_documents(path, "channels", setting="notify.channels_file", most=MOST_CHANNELS)
    found = [validated(Channel, each, f"{path}: channel {number}") for number, each in enumerate(listed, 1)]
    refuse_repeats(path, "channel_id", [each.channel_id for each in found])
    return found


def channels_of(file: Path | None) -> Sequence[Channel]:
    """Return the channels that the settings name a file of; none without one. Raises as `read_channels`."""
    return () if file is None else read_channels(file)

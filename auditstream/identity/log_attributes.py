"""Which attributes of an imported record name persons or addresses: the record's own paths, by its log.

The same path can be harmless in another producer's events, so that the log decides. Texts that hold several
things, such as compact lists, are not looked into.

Source: as the importers of `auditstream.emit` name them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal

from auditstream.core import record_sources

_PERSONS: Mapping[str, tuple[str, ...]] = {
    record_sources.CLOUDTRAIL_SOURCE: (),
    record_sources.BEDROCK_SOURCE: (),
    record_sources.OPENAI_SOURCE: (
        "actor.session.user.id", "actor.session.user.email", "actor.api_key.user.id",
        "actor.api_key.user.email", "details.email", "details.data.email",
    ),
    record_sources.ANTHROPIC_SOURCE: (
        "actor.user_id", "actor.email_address", "actor.unauthenticated_email_address", "email_address",
    ),
    record_sources.OKTA_SOURCE: ("actor.id", "actor.alternateId", "actor.displayName"),
    record_sources.AZURE_OPENAI_SOURCE: ("properties.objectId", "identity.claims.oid"),
    record_sources.GCP_AUDIT_SOURCE: (
        "protoPayload.authenticationInfo.principalEmail", "protoPayload.authenticationInfo.principalSubject",
    ),
    record_sources.GITHUB_AUDIT_SOURCE: ("actor", "user"),
}  # fmt: skip
"""Persons; those of AWS are ARNs, in which roles and services are as well, and stay."""

_ADDRESSES: Mapping[str, tuple[str, ...]] = {
    record_sources.CLOUDTRAIL_SOURCE: ("sourceIPAddress",),
    record_sources.OPENAI_SOURCE: ("actor.session.ip_address",),
    record_sources.ANTHROPIC_SOURCE: ("actor.ip_address",),
    record_sources.OKTA_SOURCE: ("client.ipAddress",),
    record_sources.AZURE_OPENAI_SOURCE: ("callerIpAddress",),
    record_sources.GCP_AUDIT_SOURCE: ("protoPayload.requestMetadata.callerIp",),
    record_sources.GITHUB_AUDIT_SOURCE: ("actor_ip",),
}


def names_of_logs() -> Iterator[tuple[str, str, str]]:
    """Yield what each log's `source` begins with, a path of its records, and what that holds."""
    for source, names in _PERSONS.items():
        yield from ((source, name, "person") for name in names)
        yield from ((source, name, "address") for name in _ADDRESSES.get(source, ()))


@lru_cache(maxsize=1_024)
def meanings_in(source: str) -> Mapping[str, Literal["person", "address"]]:
    """Return what attributes of an event with this `source` hold, by name; empty where it is of no log."""
    log = next((each for each in _PERSONS if source.startswith(each)), "")
    persons = dict.fromkeys(_PERSONS.get(log, ()), "person")
    return {**persons, **dict.fromkeys(_ADDRESSES.get(log, ()), "address")}  # type: ignore[dict-item]

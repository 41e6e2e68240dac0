"""Where a recorder's messages go, and how its own records are framed: as every producer's are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from auditstream.core.ports import Outbound
from schemas.codec import encode
from schemas.framing import prefix
from schemas.records.detection import Finding
from schemas.subjects import FINDINGS, USAGE, Subject


def finding_row(finding: Finding) -> Mapping[str, object]:
    """Return a finding as a row of table `findings`: values by column."""
    return {name: getattr(finding, name) for name in finding.field_names()}


class OwnSchemas(Protocol):
    """Registry ids of the schemas that this product writes with."""

    def id_of(self, subject: Subject) -> int:
        """Return the id of a subject's packaged schema. Blocks.

        Raises:
            ConfigError: The subject does not have it.
            RegistryDownError: The registry does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outlets:
    """The topics of a recorder's messages.

    Attributes:
        schemas: Registry ids of our schemas; asked for when there is something to publish.
        dead_letters: Topic of the bytes of rejected records.
        usage: Topic of usage deltas.
        findings: Topic of findings.
    """

    schemas: OwnSchemas
    dead_letters: str
    usage: str
    findings: str

    def usage_prefix(self) -> bytes:
        """Return the bytes before a usage delta's datum.

        Raises:
            RegistryDownError: The registry does not answer.
        """
        return prefix(self.schemas.id_of(USAGE))

    def finding(self, finding: Finding) -> Outbound:
        """Return a finding as a message: the key is its tenant, the header `finding_id` its id.

        Raises:
            RegistryDownError: The registry does not answer.
        """
        return Outbound(
            topic=self.findings,
            key=finding.tenant_id.encode(),
            value=prefix(self.schemas.id_of(FINDINGS)) + encode(finding),
            headers=[("finding_id", finding.finding_id.encode())],
        )

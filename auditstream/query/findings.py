"""Findings as they stand: the newest version of each, and where people have brought it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.expressions import time_text

READ_FROM = "findings"
"""Table that is read."""

COLUMNS = (
    "finding_id", "severity", "status", "rule_id", "tenant_id", "scope", "since", "until", "excess_cost",
    "currency", "assignee", "suppressed_by", "title",
)  # fmt: skip

SHORTEST_ID = 8
"""Fewest digits of an id that name a finding: among a million, two share them once in some thousand years."""

_FIELDS = Finding.field_names()
_TIME = "DateTime64(6, 'UTC')"
_MOST_AT_ONCE = 20  # that an error names

_NEWEST = (
    "status", "tenant_id", "rule_id", "severity", "scope", "excess_cost", "currency", "title",
    "suppressed_by", "window_start", "window_end",
)  # fmt: skip
_PARTS = ",\n    ".join(f"tupleElement(parts, {at}) AS newest_{name}" for at, name in enumerate(_NEWEST, 1))

# A person's word on a finding holds until the detector says that it is over; whom it was given to, until
# somebody else gets it. Times and text are the newest version's: a person's has those of the one before.
_CURRENT = f"""
SELECT
    {_PARTS},
    multiIf(newest_status = 'RESOLVED' OR decided = '', newest_status, decided) AS stands,
    finding_id, newest_severity AS severity, stands AS status, newest_rule_id AS rule_id,
    newest_tenant_id AS tenant_id, newest_scope AS scope, newest_window_start AS since,
    newest_window_end AS until, newest_excess_cost AS excess_cost, newest_currency AS currency,
    given_to AS assignee, newest_suppressed_by AS suppressed_by, newest_title AS title
FROM (
    SELECT
        finding_id,
        argMax(tuple({", ".join(_NEWEST)}), (version, recorded_at)) AS parts,
        argMaxIf(status, (version, recorded_at), act != '') AS decided,
        argMaxIf(assignee, (version, recorded_at), assignee != '') AS given_to,
        countIf(suppressed_by = '') AS calls
    FROM findings
    WHERE {{inner}}
    GROUP BY finding_id
)
WHERE {{outer}}
ORDER BY newest_window_end DESC, finding_id
LIMIT {{limit}}"""  # noqa: S608  constants of this file

_VERSIONS = f"""
SELECT {", ".join(_FIELDS)}, recorded_at
FROM findings
WHERE {{conditions}}
ORDER BY finding_id, version, recorded_at"""  # noqa: S608  constants of this file


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings to list; empty fields are about all.

    Attributes:
        period: When it went on: any part of it.
        tenant: Whose.
        rule: Of which rule or detector.
        statuses: Where it stands.
        least_severity: Least severity, OCSF.
        called: Only those that somebody was called for.
    """

    period: Period = field(default_factory=Period)
    tenant: str = ""
    rule: str = ""
    statuses: tuple[FindingStatus, ...] = ()
    least_severity: int = 0
    called: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a finding, and when it was recorded."""

    finding: Finding
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding with all of its versions, in order.

    Attributes:
        versions: They; at least one.
    """

    versions: tuple[Version, ...]

    @property
    def newest(self) -> Finding:
        """The newest version."""
        return self.versions[-1].finding

    @property
    def status(self) -> FindingStatus:
        """Where it stands: a person's word holds until the detector says that it is over."""
        decided = [each.finding.status for each in self.versions if each.finding.act]
        said = self.newest.status
        return said if said is FindingStatus.RESOLVED or not decided else decided[-1]

    @property
    def assignee(self) -> str:
        """Whom it was given to last; empty when nobody has it."""
        return next((each.finding.assignee for each in reversed(self.versions) if each.finding.assignee), "")


def current(reader: Reader, wanted: Wanted, *, limit: int) -> Table:
    """Return findings as they stand, those that went on last first; columns `COLUMNS`.

    Raises:
        RetryableError: No answer.
    """
    # Both hold conditions of one statement, so their placeholders are numbered by one of them.
    inner, outer = Conditions(), Conditions()
    bind = inner.bind
    if wanted.tenant:
        inner.add_tenant(wanted.tenant)
    if wanted.rule:
        inner.add(f"rule_id = {bind(wanted.rule, 'String')}")
    if wanted.period.start is not None:
        outer.add(f"newest_window_end >= {bind(time_text(wanted.period.start), _TIME)}")
    if wanted.period.end is not None:
        outer.add(f"newest_window_start < {bind(time_text(wanted.period.end), _TIME)}")
    if wanted.statuses:
        outer.add(f"stands IN {bind([str(each) for each in wanted.statuses], 'Array(String)')}")
    if wanted.least_severity:
        outer.add(f"newest_severity >= {bind(wanted.least_severity, 'Int32')}")
    if wanted.called:
        outer.add("calls > 0")
    sql = _CURRENT.format(inner=inner.sql, outer=outer.sql, limit=bind(limit, "UInt32"))
    found = reader.table(sql, inner.parameters, doing="read of findings")
    return found.select(COLUMNS) if found.rows else Table(COLUMNS, ())


def standing(reader: Reader, id_: str, *, tenant: str | None = None) -> Standing:
    """Return a finding by the first digits of its id.

    Raises:
        NotFoundError: They are too few or no hex digits, or no finding has them.
        RequestError: Several findings have them.
        RetryableError: No answer.
    """
    if len(id_) < SHORTEST_ID or set(id_) - set("0123456789abcdef"):
        raise NotFoundError(
            f"{id_!r} is not the id of a finding",
            hint=f"Give {SHORTEST_ID} or more of its first hex digits: `auditstream findings list`.",
        )
    conditions = Conditions()
    conditions.add(f"startsWith(finding_id, {conditions.bind(id_, 'String')})")
    if tenant:
        conditions.add_tenant(tenant)
    sql = _VERSIONS.format(conditions=conditions.sql)
    rows = reader.table(sql, conditions.parameters, doing=f"read of finding {id_}").records()
    ids = sorted({row["finding_id"] for row in rows})
    if not ids:
        raise NotFoundError(
            f"no finding begins with {id_}",
            hint="`auditstream findings list --since 30d` shows which there are.",
        )
    if len(ids) > 1:
        named = ", ".join(ids[:_MOST_AT_ONCE])
        raise RequestError(f"{len(ids)} findings begin with {id_}: {named}", hint="Give more digits.")
    return Standing(tuple(Version(_finding(row), _utc(row["recorded_at"])) for row in rows))


def _finding(row: Mapping[str, Any]) -> Finding:
    fields = {name: row[name] for name in _FIELDS}
    fields["status"] = FindingStatus(fields["status"])
    fields["attacks"], fields["related_events"] = tuple(fields["attacks"]), tuple(fields["related_events"])
    fields["suppressed_by"] = fields["suppressed_by"] or None
    for name in ("window_start", "window_end"):
        fields[name] = _utc(fields[name])
    cost = fields["excess_cost"]
    fields["excess_cost"] = None if cost is None else Decimal(cost)
    return Finding(**fields)


def _utc(moment: datetime) -> datetime:
    """Return a time of the store, which is UTC and, as the driver has it, does not say so."""
    return moment.replace(tzinfo=UTC)

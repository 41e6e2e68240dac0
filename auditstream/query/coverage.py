"""Verification coverage: how many outputs were verified in time, by what, and which were not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from auditstream.query.verification import KINDS, verified_sql
from sinks.expressions import time_text

READ_FROM = ("events",)
"""Tables that are read."""

DIMENSIONS = {"feature": "feature_id", "model": "model", "project": "project_id"}
"""What coverage can be told by, the tenant aside; and the column of each."""

SAMPLES = 3
"""Outputs that were not verified which are named for each group: enough to look at, few enough to read."""

_TIME = "DateTime64(6, 'UTC')"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a group of outputs was verified.

    Attributes:
        key: Tenant, then the values that the group is of.
        outputs: Outputs whose time for a check is over.
        verified: Those that something verified.
        by: How many of them by each of `KINDS`; one may be verified by several.
        unverified: Ids of the newest that nothing verified, at most `SAMPLES`.
    """

    key: tuple[str, ...]
    outputs: int
    verified: int
    by: tuple[int, ...]
    unverified: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share that was verified."""
        return self.verified / self.outputs


def coverage(
    reader: Reader, span: Span, *, by: Sequence[str], within_us: int, tenant: str | None = None
) -> list[Coverage]:
    """Return the coverage of each group, the one with most unverified outputs first.

    Args:
        reader: The store.
        span: Range of event_time of the outputs.
        by: Names of `DIMENSIONS`.
        within_us: How long after its beginning an output may wait for its check.
        tenant: Only this tenant's.

    Raises:
        RetryableError: No answer.
    """
    conditions = Conditions()
    if tenant is not None:
        conditions.add_tenant(tenant)
    rows = verified_sql(
        conditions,
        within_us=within_us,
        start=conditions.bind(time_text(span.start), _TIME),
        end=conditions.bind(time_text(span.end), _TIME),
    )
    columns = ", ".join(["tenant_id", *(DIMENSIONS[name] for name in by)])
    kinds = ", ".join(f"countIf(by_{kind}) AS n_{kind}" for kind in KINDS)
    is_verified = " OR ".join(f"by_{kind}" for kind in KINDS)
    sample = "(-toUnixTimestamp64Micro(event_time), toString(event_id))"  # the newest sorts first
    newest = f"groupArraySortedIf({SAMPLES})({sample}, NOT ({is_verified}))"
    sql = f"""
SELECT {columns}, count() AS outputs, countIf({is_verified}) AS verified, {kinds}, {newest} AS samples
FROM ({rows})
GROUP BY {columns}
ORDER BY outputs - verified DESC, {columns}"""  # noqa: S608  columns are ours, values are parameters
    found = []
    for row in reader.table(sql, conditions.parameters, doing="read of verification coverage").rows:
        key, (outputs, verified, *rest) = row[: 1 + len(by)], row[1 + len(by) :]
        *counts, samples = rest
        found.append(
            Coverage(
                key=tuple(map(str, key)),
                outputs=int(outputs),
                verified=int(verified),
                by=tuple(map(int, counts)),
                unverified=tuple(str(event_id) for _, event_id in samples),
            )
        )
    return found

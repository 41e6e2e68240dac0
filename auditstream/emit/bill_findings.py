"""Findings of a bill that differs from the record: one a provider, day and currency."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from auditstream.attribution.attributor import UNATTRIBUTED
from auditstream.billing.residuals import Residual
from auditstream.core.finding_ids import finding_id
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

RULE = "bill-residual"

_METRIC = "cost_billed"
_MEDIUM = 3  # OCSF
_CERTAIN = 100
_STEP = Decimal(1).scaleb(-12)


def bill_findings(above: Iterable[Residual], file_hashes: Sequence[str], tenant: str) -> list[Finding]:
    """Return the findings; the same bill against the same record gives the same ids.

    Args:
        above: The residuals that are above the threshold.
        file_hashes: SHA-256 of the bill's files, lower-case hex.
        tenant: Tenant that was compared, '' for all.
    """
    bill = _one_hash(file_hashes)
    ordered = sorted(above, key=_group)
    return [
        _finding(list(each), bill, file_hashes, tenant or UNATTRIBUTED)
        for _, each in groupby(ordered, _group)
    ]


def _one_hash(file_hashes: Sequence[str]) -> str:
    """Return a file's own hash, of several files the SHA-256 of their hashes in order, a line each."""
    if len(file_hashes) == 1:
        return file_hashes[0]
    return hashlib.sha256("".join(f"{each}\n" for each in sorted(file_hashes)).encode()).hexdigest()


def _group(residual: Residual) -> tuple[str, str, str]:
    return residual.provider, residual.day.isoformat(), residual.currency


def _finding(own: Sequence[Residual], bill: str, file_hashes: Sequence[str], tenant: str) -> Finding:
    provider, day, currency = _group(own[0])
    billed = sum((each.billed for each in own), Decimal(0))
    recorded = sum((each.recorded for each in own), Decimal(0))
    start = datetime.combine(own[0].day, datetime.min.time(), UTC)
    scope = f"provider={provider} day={day} currency={currency}"
    files = ", ".join(each[:12] for each in file_hashes)
    title = (
        f"{provider} billed {billed:f} {currency} on {day} where {recorded:f} is recorded,"
        f" in {len(own)} models; files {files}"
    )
    return Finding(
        finding_id=finding_id(tenant, scope, _METRIC, RULE, f"{bill}/{recorded:f}"),
        tenant_id=tenant,
        rule_id=RULE,
        title=title[:500],
        status=FindingStatus.NEW,
        severity=_MEDIUM,
        confidence=_CERTAIN,
        scope=f"{scope} bill_sha256={bill}",
        metric=_METRIC,
        window_start=start,
        window_end=start + timedelta(days=1),
        observed=float(billed),
        expected=float(recorded),
        score=abs(float(billed - recorded)),
        excess_cost=(billed - recorded).quantize(_STEP),
        currency=currency,
        contributors={each.model: float(each.residual) for each in own},
    )

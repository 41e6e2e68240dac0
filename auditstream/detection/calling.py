"""Whom a finding calls: nobody twice for the same, nobody who said not to, nobody ten times an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from auditstream.core.clock import EPOCH
from auditstream.core.finding_ids import finding_id
from auditstream.detection.episode import Episode
from auditstream.detection.rate_cap import Held, RateCap
from auditstream.detection.severities import Severity
from auditstream.detection.suppression import Suppression
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

AGAIN_AFTER = 24 * 60
"""Minutes after which somebody is called again for what still goes on."""

DIGEST = "findings.digest"
"""Slug of the finding that sums up what the cap held back."""

NOT_WORTH_A_CALL = "gate"
"""Reason: its money is below the tenant's gate, or it is about statistics alone."""

TOLD = "told"
"""Reason: somebody was called, and nothing got worse since."""

RATE_CAP = "rate-cap"
"""Reason: the tenant was called ten times within an hour; the digest names it."""


class Calling:
    """Decides whether a version of a finding calls somebody; pure, time comes in."""

    def __init__(self) -> None:
        self._cap = RateCap()

    def decide(self, episode: Episode, suppression: Suppression, now: int) -> tuple[bool, str]:
        """Return whether an open episode calls somebody now, and else why not."""
        reason = (
            _nothing_new(episode, now)
            or suppression.reason(episode.tenant_id, episode.slug, episode.scope, now)
            or self._held_back(episode, now)
        )
        return not reason, reason

    def _held_back(self, episode: Episode, now: int) -> str:
        """Count a call and return an empty reason, or keep the finding for the digest."""
        tenant, id_, severity = episode.tenant_id, episode.finding_id, int(episode.severity)
        if self._cap.holds(tenant, id_, severity):
            return RATE_CAP
        if not self._cap.admits(tenant, now, critical=episode.severity >= Severity.CRITICAL):
            self._cap.hold(tenant, id_, episode.slug, severity, now)
            return RATE_CAP
        self._cap.release(tenant, id_)
        return ""

    def of_an_end(self, episode: Episode, suppression: Suppression, now: int) -> str:
        """Return why nobody is told of an episode's end; empty when somebody is: who was called for it.

        Ends do not count for the cap: a pager that is never told of the end stays red.
        """
        if episode.parent:
            return f"parent:{episode.parent}"
        if episode.told_at is None:
            return episode.reason or NOT_WORTH_A_CALL
        return suppression.reason(episode.tenant_id, episode.slug, episode.scope, now)

    def digests(self, episodes: Iterable[Episode], suppression: Suppression, now: int) -> list[Finding]:
        """Return the digests that are due; what they name counts as told."""
        due = self._cap.digests(now)
        if due:
            named = {id_ for _, held in due for id_ in held.findings}
            for each in episodes:
                if each.finding_id in named:
                    each.told_at, each.told_severity = now, int(each.severity)
        return [
            digest_of(tenant, held, suppression.reason(tenant, DIGEST, "", now), now) for tenant, held in due
        ]

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as plain data."""
        return self._cap.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._cap.restore(state)


def _nothing_new(episode: Episode, now: int) -> str:
    """Return why there is nothing to call anybody for; empty when there is."""
    if episode.parent:
        return f"parent:{episode.parent}"
    if episode.severity < Severity.MEDIUM:
        return NOT_WORTH_A_CALL
    is_long = episode.told_at is not None and now - episode.told_at >= AGAIN_AFTER
    is_news = episode.severity > episode.told_severity or (is_long and episode.hot_at == now)
    return "" if is_news else TOLD


def digest_of(tenant: str, held: Held, reason: str, now: int) -> Finding:
    """Return the finding that sums up what the cap held back.

    Args:
        tenant: The tenant.
        held: What was held back.
        reason: Why nobody is told of it; empty when somebody is.
        now: Minute since 1970.
    """
    rules = Counter(rule for rule, _ in held.findings.values())
    total = sum(rules.values())
    parts = ", ".join(f"{count} {rule}" for rule, count in sorted(rules.items()))
    metric = "findings"
    return Finding(
        finding_id=finding_id(tenant, "", metric, DIGEST, str(held.since)),
        tenant_id=tenant,
        rule_id=DIGEST,
        title=f"{total} findings of {tenant} that nobody was called for within the hour: {parts}"[:500],
        status=FindingStatus.SUPPRESSED if reason else FindingStatus.NEW,
        severity=held.severity,
        confidence=100,
        metric=metric,
        window_start=EPOCH + timedelta(minutes=held.since),
        window_end=EPOCH + timedelta(minutes=now),
        observed=float(total),
        contributors={rule: count / total for rule, count in rules.most_common(3)},
        suppressed_by=reason or None,
    )

"""Brings one channel its notifications: in order, each until it is delivered or given up.

Its outbox is the findings topic itself: the channel's consumer group stands at the first finding that is not
settled yet. A process that ends in between leaves it there, and the next one tries again, under the same
message id. What is given up is a dead letter: an event of the record says so before the group moves on.

A channel is told of ten findings an hour and tenant, as `detection/rate_cap.py` counts; the rest is in one
digest. Detectors keep to that by themselves, so this is for what rules find. The group stays at the first
finding that waits for a digest: who takes over may tell of some again, under the same ids, and loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from auditstream.core.logs import get_logger
from auditstream.detection.calling import DIGEST, digest_of
from auditstream.detection.rate_cap import Held, RateCap
from auditstream.detection.severities import Severity
from auditstream.notify.channels import Channel
from auditstream.notify.notification import Notification, notification_of
from auditstream.notify.signatures import signed_headers
from auditstream.notify.webhook import Attempt, Fate
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

log = get_logger(__name__)

FIRST_PAUSE_S = 5.0
"""Pause after the first attempt; each further one doubles it. As Standard Webhooks recommends."""

LONGEST_PAUSE_S = 900.0
"""Longest pause: a receiver that is back is told within a quarter of an hour."""

GIVE_UP_S = 24 * 3_600.0
"""Age of the first attempt at which a message is given up. Kafka keeps findings for longer than that."""


Place = Mapping[tuple[str, int], int]
"""Next offset by topic and partition."""


class Source(Protocol):
    """Findings in order, with a place that outlives the process."""

    def next(self) -> Finding | None:
        """Return the next finding, or None when there is none yet; may wait for a moment.

        Raises:
            RetryableError: Kafka or the registry does not answer.
        """
        ...

    def place(self) -> Place:
        """Return the place after everything that `next` returned, for a later `settle`."""
        ...

    def settle(self, place: Place | None = None) -> None:
        """Remember that everything before a place is settled; None for all that `next` returned.

        Raises:
            RetryableError: Kafka does not answer; it may not be remembered.
        """
        ...


Post = Callable[[bytes, dict[str, str], float], Attempt]
"""Delivers a body with headers at a Unix time; see `Webhook.post`."""

Mourn = Callable[[Channel, Finding, str, int], object]
"""Tells the record of a dead letter: channel, finding, reason and attempts; raises `RetryableError`."""

Muted = Callable[[Finding, float], str]
"""Returns why nobody is told of a finding at a Unix time, as `mute:ID`; empty when somebody is."""


@dataclass(slots=True)
class _UnderWay:
    """A message that is not settled yet; for a digest, of which tenant."""

    finding: Finding
    message: Notification
    began_s: float
    attempts: int = 0
    next_s: float = 0.0
    digest_of: str | None = None


class Courier:
    """Settles findings one after the other; for one thread.

    Args:
        channel: Whom to tell.
        source: What to tell of.
        post: Delivers.
        mourn: Tells the record of what is given up.
        muted: Knows mutes that began after a finding was made.
    """

    def __init__(self, channel: Channel, source: Source, post: Post, mourn: Mourn, muted: Muted) -> None:
        self._channel = channel
        self._source = source
        self._post = post
        self._mourn = mourn
        self._muted = muted
        self._under_way: _UnderWay | None = None
        self._has_passed = False
        self._cap = RateCap()
        self._digests: list[tuple[str, Held]] = []
        self._held_from: dict[str, Place] = {}  # by tenant, in the order in which they began to wait

    def step(self, now_s: float) -> tuple[str, float]:
        """Do the next thing there is to do, and return what that was and how long to wait before the next.

        Args:
            now_s: Unix time.

        Returns:
            `idle`, `passed` (not for this channel), `muted`, `held` (for a digest), `delivered`, `again`,
            `dead` or `waiting`; and seconds.

        Raises:
            RetryableError: Kafka or the registry does not answer. Nothing is lost: call it again.
        """
        message = self._under_way or self._due_digest(now_s)
        if message is None:
            before = self._source.place()
            finding = self._source.next()
            if finding is None:
                if self._has_passed:
                    self._settle()
                return "idle", 0.0
            reason = self._reason_to_pass(finding, now_s) or self._held(finding, before, now_s)
            if reason:
                self._has_passed = True  # settled with what comes: passing them again would do no harm
                return reason, 0.0
            message = self._message(finding, now_s)
        self._under_way = message
        if now_s < message.next_s:
            return "waiting", message.next_s - now_s
        return self._attempt(message, now_s)

    def _message(self, finding: Finding, now_s: float) -> _UnderWay:
        return _UnderWay(finding, notification_of(finding, self._channel), now_s)

    def _due_digest(self, now_s: float) -> _UnderWay | None:
        minute = int(now_s // 60)
        self._digests += self._cap.digests(minute)
        if not self._digests:
            return None
        tenant, held = self._digests.pop(0)
        message = self._message(digest_of(tenant, held, "", minute), now_s)
        message.digest_of = tenant
        return message

    def _held(self, finding: Finding, before: Place, now_s: float) -> str:
        """Count a call, or keep the finding for the tenant's digest; ends and digests always pass."""
        if finding.status is FindingStatus.RESOLVED or finding.rule_id == DIGEST:
            return ""
        tenant, minute = finding.tenant_id, int(now_s // 60)
        if self._cap.admits(tenant, minute, critical=finding.severity >= Severity.CRITICAL):
            return ""
        self._cap.hold(tenant, finding.finding_id, finding.rule_id, finding.severity, minute)
        self._held_from.setdefault(tenant, before)
        return "held"

    def _reason_to_pass(self, finding: Finding, now_s: float) -> str:
        if finding.suppressed_by is not None or not self._channel.wants(finding):
            return "passed"
        why = self._muted(finding, now_s)
        if why:
            log.info("notification_muted", finding_id=finding.finding_id, version=finding.version, by=why)
            return "muted"
        return ""

    def _attempt(self, under_way: _UnderWay, now_s: float) -> tuple[str, float]:
        body, id_ = under_way.message.body, under_way.message.message_id
        headers = dict(signed_headers(self._channel.secrets, id_, int(now_s), body))
        attempt = self._post(body, headers, now_s)
        under_way.attempts += 1
        if attempt.fate is Fate.DELIVERED:
            self._done(under_way)
            return "delivered", 0.0
        pause_s = min(FIRST_PAUSE_S * 2 ** (under_way.attempts - 1), LONGEST_PAUSE_S)
        pause_s = max(pause_s, attempt.retry_after_s)
        is_old = now_s + pause_s - under_way.began_s > GIVE_UP_S
        if attempt.fate is Fate.REFUSED or is_old:
            self._mourn(self._channel, under_way.finding, attempt.reason, under_way.attempts)
            log.warning(
                "notification_given_up",
                channel=self._channel.channel_id,
                finding_id=under_way.finding.finding_id,
                reason=attempt.reason,
                attempts=under_way.attempts,
            )
            self._done(under_way)
            return "dead", 0.0
        under_way.next_s = now_s + pause_s
        log.info(
            "notification_not_delivered",
            channel=self._channel.channel_id,
            reason=attempt.reason,
            attempts=under_way.attempts,
            again_in_s=pause_s,
        )
        return "again", pause_s

    def _done(self, under_way: _UnderWay) -> None:
        self._under_way = None
        if under_way.digest_of is not None:
            self._held_from.pop(under_way.digest_of, None)
        self._settle()

    def _settle(self) -> None:
        self._source.settle(next(iter(self._held_from.values()), None))
        self._has_passed = False

"""What a sealer refuses, as findings: by a thread beside it, again and again until they are acknowledged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event

from auditstream.attribution.attributor import UNATTRIBUTED
from auditstream.core.beside import beside
from auditstream.core.errors import AuditStreamError
from auditstream.core.finding_ids import finding_id
from auditstream.core.logs import get_logger
from auditstream.core.settings import Settings
from auditstream.emit.findings import publish_findings
from auditstream.sealer.service import Trouble
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.clients import ClientPool, http_client

_log = get_logger(__name__)
_CRITICAL = 5  # OCSF
_CERTAIN = 100
_AGAIN_S = 30.0
_POLL_S = 0.5
_END_S = 30.0

Publish = Callable[[Sequence[Finding]], object]
"""Makes findings known, and returns when they are; raises `RetryableError` when they may not be."""


def finding_of(trouble: Trouble, at: datetime) -> Finding:
    """Return the finding of a refusal: the same refusal of the same log gives the same id, whenever it is."""
    error = trouble.error
    rule, scope = f"evidence.{error.code}", f"log={trouble.log_id or '*'}"
    state = hashlib.sha256(error.message.encode("utf-8", "surrogateescape")).hexdigest()
    return Finding(
        finding_id=finding_id(UNATTRIBUTED, scope, "seal", rule, state),
        version=0,
        tenant_id=UNATTRIBUTED,
        rule_id=rule,
        title=f"sealing refused: {error.message}"[:500],
        status=FindingStatus.NEW,
        severity=_CRITICAL,
        confidence=_CERTAIN,
        scope=scope,
        window_start=at,
        window_end=at + timedelta(microseconds=1),
    )


class SealFindings:
    """Collects refusals, and makes each known once.

    Args:
        publish: Makes findings known.
        now: Tells the time (UTC).
    """

    def __init__(self, publish: Publish, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._publish = publish
        self._now = now
        self._seen: set[str] = set()
        self._new: SimpleQueue[Finding] = SimpleQueue()
        self._waiting: list[Finding] = []

    def __call__(self, trouble: Trouble) -> None:
        """Take a trouble; returns at once."""
        if not trouble.is_refusal:
            return
        finding = finding_of(trouble, self._now())
        if finding.finding_id not in self._seen:
            self._seen.add(finding.finding_id)
            self._new.put(finding)

    def tell(self, *, wait_s: float = 0.0) -> bool:
        """Make known what is new; return whether nothing is left to be told of.

        Args:
            wait_s: How long to wait for something new.
        """
        try:
            while True:
                self._waiting.append(self._new.get(timeout=wait_s) if wait_s else self._new.get_nowait())
                wait_s = 0.0
        except Empty:
            pass
        if not self._waiting:
            return True
        try:
            self._publish(self._waiting)
        except AuditStreamError as error:
            _log.warning("seal_findings_wait", code=error.code, reason=error.message, hint=error.hint)
            return False
        self._waiting = []
        return True


@contextmanager
def told_findings(settings: Settings) -> Iterator[SealFindings]:
    """Lend what takes troubles and makes refusals known, for the length of the block."""
    clients = ClientPool(lambda: http_client(settings.clickhouse))
    findings = SealFindings(lambda found: publish_findings(settings, clients, found))

    def work(stopping: Event) -> None:
        while not stopping.is_set():
            if not findings.tell(wait_s=_POLL_S):
                stopping.wait(_AGAIN_S)

    with closing(clients), beside("seal-findings", work, end_s=_END_S):
        yield findings

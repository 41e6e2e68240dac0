"""Notifications beside a running worker: a thread a channel, which follows the findings topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

from confluent_kafka import KafkaException

from auditstream.core.beside import beside
from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.emit.announcements import Said, announcer
from auditstream.emit.finding_events import finding_event
from auditstream.notify.channels import Channel, channels_of
from auditstream.notify.courier import Courier
from auditstream.notify.webhook import Webhook
from auditstream.reference.known_mutes import suppression_of
from schemas.records.detection import Finding
from schemas.schema_store import SchemaStore
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from sinks.snapshot_cache import SnapshotCache
from streams.findings_feed import FindingsFeed

log = get_logger(__name__)

KINDS = ("mute",)
"""Kinds of facts that notifications are held back by."""

_WAIT_S = 0.5  # how soon a thread notices that it is to end
_AGAIN_S = 5.0
_END_S = 15.0
_WITHIN_S = 20.0
_COUNTED = frozenset({"delivered", "again", "dead", "muted", "held"})


@contextmanager
def notifying(
    settings: Settings,
    metrics: Metrics,
    schemas: SchemaStore,
    newest: Callable[[], int],
    *,
    clock: Clock | None = None,
) -> Iterator[None]:
    """Tell channels of findings for the length of the block, when the settings name any.

    Of all workers of one app id, one at a time has a channel. What fails is logged and tried again: it never
    ends the worker that it runs beside.

    Args:
        settings: Where Kafka, registry, store and the file of channels are.
        metrics: Where it is counted.
        schemas: Knows the schemas that findings are written with.
        newest: Gives the newest revision of the reference data, as the worker knows it already.
        clock: Says what time it is.

    Raises:
        ConfigError: The file of channels is wrong.
    """
    if settings.notify.channels_file is None:
        yield
        return
    channels = channels_of(settings.notify.channels_file)
    known = _Mutes(settings, newest)
    with closing(known), ExitStack() as threads:
        for channel in channels:
            thread = _Thread(settings, metrics, schemas, channel, known, clock or SystemClock())
            threads.enter_context(beside(f"notify-{channel.channel_id}", thread.run_until, end_s=_END_S))
        yield


class _Mutes:
    """Says why nobody is told of a finding, by mutes that may have begun after it was made."""

    def __init__(self, settings: Settings, newest: Callable[[], int]) -> None:
        self._clients = ClientPool(lambda: http_client(settings.clickhouse))
        self._snapshots = SnapshotCache(ReferenceStore(self._clients), kinds=KINDS)
        self._newest = newest

    def __call__(self, finding: Finding, now_s: float) -> str:
        try:
            known = suppression_of(self._snapshots.get(self._newest()))
        except RetryableError as error:  # a store that is away silences nobody
            log.warning("mutes_not_known", reason=error.message)
            return ""
        return known.reason(finding.tenant_id, finding.rule_id, finding.scope, int(now_s // 60))

    def close(self) -> None:
        self._clients.close()


@dataclass(frozen=True, slots=True)
class _Thread:
    """Serves one channel."""

    settings: Settings
    metrics: Metrics
    schemas: SchemaStore
    channel: Channel
    muted: _Mutes
    clock: Clock

    def run_until(self, stopping: Event) -> None:
        """Serve, and begin anew after a failure, until told to stop."""
        while not stopping.is_set():
            try:
                self._serve(stopping)
            except AuditStreamError as error:
                self.metrics.count("auditstream_notification_failures_total", reason=error.code)
                log.warning("not_notifying", channel=self.channel.channel_id, reason=error.message)
            except Exception as error:  # a fault of ours must not end the thread, and must be seen
                self.metrics.count("auditstream_notification_failures_total", reason="bug")
                log.exception("not_notifying", channel=self.channel.channel_id, error=repr(error)[:300])
            stopping.wait(_AGAIN_S)

    def _serve(self, stopping: Event) -> None:
        webhook = Webhook(self.channel.url, timeout_s=self.settings.notify.timeout_s)
        with closing(webhook), closing(self._feed()) as feed:
            courier = Courier(self.channel, feed, webhook.post, self._mourn, self.muted)
            while not stopping.is_set():
                what, wait_s = courier.step(self.clock.now_s())
                if what in _COUNTED:
                    self.metrics.count("auditstream_notifications_total", reason=what)
                if wait_s:
                    feed.wait(min(wait_s, _WAIT_S))

    def _feed(self) -> FindingsFeed:
        settings = self.settings
        group = f"{settings.worker.app_id}-notify-{self.channel.channel_id}"
        try:
            return FindingsFeed(
                settings.kafka, group, self.schemas, session_timeout_s=settings.worker.session_timeout_s
            )
        except KafkaException as error:
            raise RetryableError(f"Kafka: {error}") from error

    def _mourn(self, channel: Channel, finding: Finding, reason: str, attempts: int) -> None:
        """Return once the record has the event of a notification that was given up."""
        said = Said(
            by="notify",
            actor="auditstream",
            at=datetime.fromtimestamp(self.clock.now_s(), UTC),
            tenant_id=finding.tenant_id,
            outcome="FAILURE",
            actor_type="SYSTEM",
        )
        details = {"channel": channel.channel_id, "reason": reason, "attempts": str(attempts)}
        with announcer(self.settings, within_s=_WITHIN_S) as announce:
            announce([finding_event(finding, "notify", said, **details)])

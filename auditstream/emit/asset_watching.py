"""The watch over assets beside a running worker: what is used is held against the register, each minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.emit.findings import publish_findings
from auditstream.emit.source_watch import SourceWatch
from auditstream.emit.told_findings import Publish, ToldFindings
from auditstream.emit.usage_watching import Look, Watching, watching_usage
from auditstream.notify.asset_news import RULES, KnownAssets, asset_news
from auditstream.query.assets import ever_used, sample_events, tenants_since, used_assets
from auditstream.query.reader import Reader
from auditstream.reference.register import KINDS, Register
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Finding
from sinks.clients import ClientPool, http_client
from sinks.reference import ReferenceStore
from sinks.snapshot_cache import SnapshotCache

LOOKS_BACK = timedelta(hours=26)
"""Event time that is looked at: a day, for events that come late, and hours that have begun."""

_NEW_FOR = timedelta(hours=24)
"""How long a first use is news, so that none is missed while no worker runs."""

_OVERLAP = timedelta(seconds=30)  # an insert that began before a look may be seen only after it
_PAUSE_S = 1.0


@contextmanager
def watching_assets(
    settings: Settings, metrics: Metrics, newest: Callable[[], int], *, clock: Clock | None = None
) -> Iterator[None]:
    """Watch assets for the length of the block, when the settings say so; as `watching_usage` does.

    Args:
        settings: Where store, Kafka and registry are, and how often to look.
        metrics: Where it is counted.
        newest: Gives the newest revision of the reference data, as the worker knows it already.
        clock: Says what time it is.
    """
    if not settings.discovery.watch:
        yield
        return

    known = clock or SystemClock()

    def begin(parts: ExitStack) -> Look:
        clients = parts.enter_context(closing(ClientPool(lambda: http_client(settings.clickhouse))))
        directory = SnapshotCache(ReferenceStore(clients), kinds=KINDS)

        def publish(findings: list[Finding]) -> None:
            publish_findings(settings, clients, findings)

        assets = AssetWatch(clients, lambda: directory.get(newest()), publish, metrics, known)
        return _Both(assets, SourceWatch(clients, publish, metrics, known))

    watching = Watching(
        name="discovery",
        begin=begin,
        every_s=settings.discovery.every_s,
        pause_s=min(_PAUSE_S, settings.discovery.every_s),
        failures="auditstream_discovery_failures_total",
        seconds="auditstream_discovery_look_seconds",
        wakes_early=False,
    )
    with watching_usage(watching, settings, metrics, newest):
        yield


class AssetWatch:
    """Looks at what was used since the last look, and tells what is new.

    Args:
        clients: Where clients of the store come from.
        snapshot: Gives the newest reference data.
        publish: Makes findings known; raises `RetryableError` when they may not be.
        metrics: Where it is counted.
        clock: Says what time it is.
    """

    def __init__(
        self,
        clients: ClientPool,
        snapshot: Callable[[], Snapshot],
        publish: Publish,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._reader = Reader(clients)
        self._snapshot = snapshot
        self._told = ToldFindings(clients, RULES, publish, metrics, remembers=LOOKS_BACK)
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Read again what is known and what was told: others may have told more."""
        self._told.forget()
        self._known: KnownAssets | None = None
        self._day = datetime.min.date()
        self._looked: datetime | None = None

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        """Look at what tenants that are due used, and tell what is new of it.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        start = now - LOOKS_BACK
        if self._known is None:
            self._known = KnownAssets.of(ever_used(self._reader), tenants_since(self._reader))
        if self._day != now.date():
            self._known.tenants = tenants_since(self._reader)
            self._day = now.date()
        self._told.begin(now)
        inserted_from = None if self._looked is None else self._looked - _OVERLAP
        used = used_assets(self._reader, start, now + LOOKS_BACK, inserted_from=inserted_from)
        for each in used:
            self._known.add(each)
        ours = [each for each in used if is_due(each.tenant)]
        register = Register(self._snapshot(), now)
        found = asset_news(ours, register, self._known, new_since=now - _NEW_FOR)
        fresh = [(of, new) for of, new in found if not self._told.is_told(new)]
        self._told.tell([replace(new, related_events=sample_events(self._reader, of)) for of, new in fresh])
        self._looked = now


class _Both:
    """Looks at assets and at the sources that tell of them."""

    def __init__(self, assets: AssetWatch, sources: SourceWatch) -> None:
        self._looks: tuple[Look, ...] = (assets, sources)

    def forget(self) -> None:
        for each in self._looks:
            each.forget()

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        for each in self._looks:
            each.look(is_due, is_full=is_full)

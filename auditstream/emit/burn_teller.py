"""Tells what is new of budgets that burn: a signal to gateways, a finding, an event to the record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from auditstream.core.clock import Clock
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.emit.announcements import Said, announcement
from auditstream.emit.finding_teller import FindingTeller
from auditstream.emit.owner_fields import owner_fields
from auditstream.emit.signal_teller import SignalTeller
from auditstream.notify.told_episodes import ToldEpisode
from schemas.records.detection import Finding, Signal
from sinks.clients import ClientPool
from streams.recording.outlets import OwnSchemas

log = get_logger(__name__)

EVENT_TYPE = "ai.finding"
_BY = "slos"


class BurnNews(Protocol):
    """What is to be told; `SloNews` and `SpendNews` are such."""

    @property
    def rule(self) -> str:
        """Id of the objective or budget."""
        ...

    @property
    def about(self) -> str:
        """What of it is told."""
        ...

    @property
    def tenant_id(self) -> str:
        """Its tenant; empty for all."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of events that it is narrowed by, and their values."""
        ...

    @property
    def episode(self) -> ToldEpisode:
        """What is told, as a state."""
        ...

    @property
    def finding(self) -> Finding:
        """The finding, or its update."""
        ...

    @property
    def signal(self) -> Signal | None:
        """For gateways; None when they are asked for nothing else."""
        ...

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of the event."""
        ...


class BurnTeller:
    """Tells news, the event last: what it does not tell is told again. For one thread.

    Args:
        settings: Where Kafka and the registry are.
        clients: Where clients of the store come from.
        schemas: Registry ids of our schemas.
        metrics: Where it is counted.
        clock: Says what time it is.
    """

    def __init__(
        self, settings: Settings, clients: ClientPool, schemas: OwnSchemas, metrics: Metrics, clock: Clock
    ) -> None:
        self._teller = SignalTeller(settings)
        self._findings = FindingTeller(settings.kafka, clients, schemas)
        self._metrics = metrics
        self._clock = clock

    def tell(self, news: BurnNews) -> None:
        """Return once signal, finding and event are acknowledged.

        Raises:
            RetryableError: One may not be. The same may be told again: ids and versions tell repeats.
        """
        self._teller.tell(news.signal, None)
        self._findings([news.finding])
        self._teller.tell(None, self._event(news))
        self._metrics.count("auditstream_slo_events_total", reason=news.about)
        episode = news.episode
        log.info(
            "burn_told",
            rule=news.rule,
            about=news.about,
            severity=episode.severity,
            is_open=episode.is_open,
        )

    def renew(self, signal: Signal) -> None:
        """Return once gateways know that a state goes on.

        Raises:
            RetryableError: They may not.
        """
        self._teller.tell(signal, None)

    def close(self) -> None:
        """Give up what is still waiting: it is told again."""
        self._teller.close()
        self._findings.close()

    def _event(self, news: BurnNews) -> dict[str, object]:
        said = Said(
            by=_BY,
            actor="auditstream",
            at=datetime.fromtimestamp(self._clock.now_s(), UTC),
            tenant_id=news.tenant_id,
            actor_type="SYSTEM",
        )
        return announcement(EVENT_TYPE, said, **news.fields, **owner_fields(news.columns))

"""A demonstration on a running deployment: the hour is sent, recorded and inspected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from confluent_kafka.admin import AdminClient

from auditstream.core.errors import RetryableError
from auditstream.core.settings import RegistrySettings
from auditstream.demo.hour import Hour
from auditstream.demo.inspection import Ask, Findings, Inspection
from auditstream.demo.messages import Envelopes
from auditstream.demo.producer import DemoProducer
from auditstream.demo.seals import Seals
from auditstream.demo.verified import verified
from auditstream.embedded.deployment import Deployment
from auditstream.embedded.topics import topic_epoch
from auditstream.evidence.findings import Report
from schemas.registry_client import RegistryClient
from schemas.subjects import subject_name
from sinks.clients import ClientPool, http_client
from sinks.refusals import translated
from streams.kafka_security import librdkafka_settings

_POLL_S = 0.25
_SETTLED_S = 10.0
_STALL_S = 45.0  # over the worker's start, its longest wait for a lease, and a restart

Show = Callable[[int], object]
"""Is told how many messages are recorded."""

ShowBoth = Callable[[int, int], object]
"""Is told how many messages are sent, and how many recorded."""


@dataclass(slots=True)
class Outcome:
    """What a demonstration came to.

    Attributes:
        findings: What the inspection found.
        seconds: From the first message to the last row.
        events_per_s: Messages recorded a second, over that time.
        sealed: Messages whose row is under a published checkpoint.
        witnessed: Those of them under one that the witnesses have cosigned.
        verified: Leaves that were found to be as sealed; 0 when any was not.
    """

    findings: Findings
    seconds: float
    events_per_s: float
    sealed: int
    witnessed: int
    verified: int


class Performance:
    """One hour on one deployment.

    Args:
        deployment: Where to.
        hour: What.
        ask: Runs a SELECT on its store.
    """

    def __init__(self, deployment: Deployment, hour: Hour, ask: Ask) -> None:
        self._deployment = deployment
        self._hour = hour
        kafka = deployment.broker.settings
        self._producer = DemoProducer(kafka)
        epoch = kafka.epoch or topic_epoch(
            AdminClient({**librdkafka_settings(kafka), "log_level": 3}), kafka.events_topic
        )
        self._inspection = Inspection(ask, kafka.events_topic, epoch, self._producer.sent)
        self._seals = Seals(deployment.settings.evidence)
        self._started_s = self._recorded_s = time.monotonic()
        self._report = Report()

    def send(self, show: ShowBoth) -> None:
        """Send the hour; a broker that drops what was not read in time is given no more than it keeps.

        Raises:
            RetryableError: A part does not answer, or the worker stands still.
        """
        envelopes = asyncio.run(_envelopes(self._deployment.settings.registry, self._subject))
        self._started_s = time.monotonic()
        keeps, recorded = self._deployment.broker.keeps_bytes, 0
        read: dict[int, int] = {}
        for number in self._producer.send(self._hour.messages(envelopes)):
            show(number, recorded)
            if keeps is not None and self._producer.unread_bytes(read) > keeps // 2:
                self._producer.flush()
                self.drain(partial(show, number))
                recorded, read = self._producer.sent.messages, dict(self._producer.sent.sizes)

    def drain(self, show: Show) -> None:
        """Wait until everything acknowledged is recorded.

        Raises:
            RetryableError: Nothing was recorded for 45 seconds.
        """
        self._wait(
            self._inspection.recorded, show, what="recorded", hint=f"See {self._deployment.worker.log}."
        )
        self._recorded_s = time.monotonic()

    def seal(self, show: Show) -> None:
        """Wait until everything acknowledged is sealed, and as the policy says, witnessed.

        Raises:
            RetryableError: Nothing was sealed for 45 seconds.
        """
        parts = self._deployment.evidence
        logs = [parts.sealer.log, *([parts.witness.log] if parts.witness is not None else [])]
        self._wait(self._sealed, show, what="sealed", hint=f"See {', '.join(map(str, logs))}.")

    def verify(self, show: ShowBoth) -> None:
        """Check every row against what was signed; what does not hold is a difference.

        Args:
            show: Is told how many leaves are checked, and how many there are.

        Raises:
            RetryableError: The store does not answer.
        """
        self._report = verified(self._deployment.settings, show)

    def _wait(self, count: Callable[[], int], show: Show, *, what: str, hint: str) -> None:
        seen, moved_s = -1, time.monotonic()
        while (now := count()) < self._producer.sent.messages:
            if now != seen:
                seen, moved_s = now, time.monotonic()
                show(now)
            if time.monotonic() - moved_s > _STALL_S:
                raise RetryableError(
                    f"{now} of {self._producer.sent.messages} messages are {what}, and no more are", hint=hint
                )
            time.sleep(_POLL_S)
        show(now)

    def _sealed(self, *, witnessed: bool = False) -> int:
        seals = self._seals.read(self._inspection.logs)
        sizes = {seal.log_id: seal.size for seal in seals if seal.is_witnessed or not witnessed}
        return self._inspection.below(sizes)

    def outcome(self) -> Outcome:
        """Inspect everything; call it when it has drained.

        Rows can be seen a moment before the rollups that the same insert feeds, hence some patience.
        """
        seconds = self._recorded_s - self._started_s
        deadline = time.monotonic() + _SETTLED_S
        findings = self._inspection.findings(self._hour.tally)
        while findings.differences and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            findings = self._inspection.findings(self._hour.tally)
        sealed, witnessed = self._sealed(), self._sealed(witnessed=True)
        if sealed != findings.recorded:
            findings.differences.append(f"sealed: {sealed}, expected {findings.recorded}")
        findings.differences += map(str, self._report.findings)
        leaves = self._report.leaves if self._report.holds else 0
        return Outcome(findings, seconds, findings.recorded / seconds, sealed, witnessed, leaves)

    @property
    def _subject(self) -> str:
        return subject_name(self._deployment.broker.settings.events_topic)


@contextmanager
def asking(deployment: Deployment) -> Iterator[Ask]:
    """Lend a way to ask the deployment's store, as its owner."""
    pool = ClientPool(lambda: http_client(deployment.settings.clickhouse))

    def ask(sql: str, parameters: Mapping[str, Any] = MappingProxyType({}), /) -> Sequence[Sequence[Any]]:
        with translated("inspection"), pool.borrow() as client:
            rows: Sequence[Sequence[Any]] = client.query(sql, dict(parameters)).result_rows
            return rows

    try:
        yield ask
    finally:
        pool.close()


def this_hour(seed: int, events: int) -> Hour:
    """Return an hour that ends now."""
    return Hour(seed=seed, events=events, end=datetime.now(UTC).replace(microsecond=0))


async def _envelopes(registry: RegistrySettings, subject: str) -> Envelopes:
    async with RegistryClient.from_settings(registry) as client:
        latest = await client.latest(subject)
    assert latest.id is not None
    return Envelopes(latest.id, registry.url)

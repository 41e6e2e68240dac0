"""A demonstration on a running deployment: the day is sent, recorded and inspected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from confluent_kafka.admin import AdminClient

from auditstream.core.errors import RetryableError
from auditstream.demo.cast import SOURCES
from auditstream.demo.day import Day
from auditstream.demo.incident import Reckoning, reckon
from auditstream.demo.inspection import Ask, Findings, Inspection, Sent
from auditstream.demo.seals import Seals
from auditstream.demo.told_findings import told_since
from auditstream.demo.traffic import Traffic
from auditstream.demo.verified import verified
from auditstream.embedded.deployment import Deployment
from auditstream.embedded.topics import topic_epoch
from auditstream.emit.route_finder import find_route
from auditstream.evidence.findings import Report
from auditstream.query.lag import PartitionLag, partition_lags
from sinks.clients import ClientPool, http_client
from sinks.refusals import translated
from streams.kafka_security import librdkafka_settings

_POLL_S = 0.25
_SETTLED_S = 10.0
_FOUND_S = 600.0
"""Longest wait for findings after the last row: a minute is judged when nothing more of it may come, which is
a minute later; assets are held against the register once a minute; the rest is for a busy machine."""

_JUDGED_S = 70.0
"""After how long every minute of a day is judged: a minute of the broker's clock after the last event, when
no more of it counts, and a few heartbeats. Before, an hour may look quieter than it was."""

_MOST_UNEXPLAINED = 1
"""Findings that an hour may open though nothing is planted in it: no traffic is quite without its own."""

_STALL_S = 45.0  # over the worker's start, its longest wait for a lease, and a restart
_MESSAGE_BYTES = 1_200  # of the day's messages, headers and all; measured

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
        reckoning: What was found of the day's incidents, and what nothing planted explains.
    """

    findings: Findings
    seconds: float
    events_per_s: float
    sealed: int
    witnessed: int
    verified: int
    reckoning: Reckoning


class Performance:
    """One working day on one deployment.

    Args:
        deployment: Where to.
        day: What.
        ask: Runs a SELECT on its store.
        keys: Keys of the services, by credential.
    """

    def __init__(self, deployment: Deployment, day: Day, ask: Ask, keys: Mapping[str, str]) -> None:
        self._deployment = deployment
        self._day = day
        self._ask = ask
        self._keys = keys
        kafka = deployment.broker.settings
        self._sent = Sent(starts={each.partition: each.end for each in self._lags()}, sources=SOURCES)
        epoch = kafka.epoch or topic_epoch(
            AdminClient({**librdkafka_settings(kafka), "log_level": 3}), kafka.events_topic
        )
        self._inspection = Inspection(ask, kafka.events_topic, epoch, self._sent)
        self._seals = Seals(deployment.settings.evidence)
        self._started_s = self._recorded_s = time.monotonic()
        self._began = datetime.now(UTC)
        self._report = Report()
        self._reckoning = Reckoning(())

    def send(self, show: ShowBoth) -> None:
        """Send the day; a broker that drops what was not read in time is given no more than it keeps.

        Raises:
            RetryableError: A part does not answer, or the worker stands still.
        """
        deployment, kafka = self._deployment, self._deployment.broker.settings
        route = asyncio.run(find_route(deployment.settings.registry, kafka.events_topic))
        self._started_s = time.monotonic()
        with (
            TemporaryDirectory(
                prefix="demo-spool-", dir=deployment.settings.data_dir, ignore_cleanup_errors=True
            ) as spool,
            Traffic(
                gateway_url=deployment.gateway.url,
                keys=self._keys,
                spool=Path(spool),
                connection=librdkafka_settings(kafka),
                route=route,
            ) as traffic,
        ):
            for number in traffic.send(self._day.sendings()):
                self._make_room(number, show)
            self._sent.messages = traffic.acknowledged

    def _make_room(self, sent: int, show: ShowBoth) -> None:
        """Wait while a broker that drops what is not read in time has more than half of what it keeps."""
        keeps = self._deployment.broker.keeps_bytes
        if keeps is None:
            show(sent, 0)
            return
        least, deadline = sent, time.monotonic() + _STALL_S
        while True:
            lags = [each.lag for each in self._lags()]
            show(sent, max(0, sent - sum(lags)))
            if max(lags) * _MESSAGE_BYTES <= keeps // 2:
                return
            if max(lags) < least:
                least, deadline = max(lags), time.monotonic() + _STALL_S
            if time.monotonic() > deadline:
                raise RetryableError(
                    f"{max(lags)} messages of a partition wait, and none are recorded",
                    hint=f"See {self._deployment.worker.log}.",
                )
            time.sleep(_POLL_S)

    def _lags(self) -> list[PartitionLag]:
        kafka = self._deployment.broker.settings
        group = self._deployment.settings.worker.app_id
        return partition_lags(librdkafka_settings(kafka), group, [kafka.events_topic])

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

    def watch(self, show: ShowBoth) -> None:
        """Wait until the day is judged and its incidents are found, or long enough.

        What is not found is a difference. A day without incidents is not waited for.

        Args:
            show: Is told how many incidents are found, and how many there are.

        Raises:
            RetryableError: The store does not answer.
        """
        incidents = self._day.incidents
        judged_s = self._recorded_s + (_JUDGED_S if incidents else 0.0)
        deadline_s = self._recorded_s + _FOUND_S
        while True:
            self._reckoning = reckon(incidents, told_since(self._ask, self._began))
            missed = len(self._reckoning.missed)
            show(len(incidents) - missed, len(incidents))
            now_s = time.monotonic()
            if now_s > deadline_s or (not missed and now_s >= judged_s):
                return
            time.sleep(_POLL_S)

    def _wait(self, count: Callable[[], int], show: Show, *, what: str, hint: str) -> None:
        seen, moved_s = -1, time.monotonic()
        while (now := count()) < self._sent.messages:
            if now != seen:
                seen, moved_s = now, time.monotonic()
                show(now)
            if time.monotonic() - moved_s > _STALL_S:
                raise RetryableError(
                    f"{now} of {self._sent.messages} messages are {what}, and no more are", hint=hint
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
        findings = self._inspection.findings(self._day.tally)
        while findings.differences and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            findings = self._inspection.findings(self._day.tally)
        sealed, witnessed = self._sealed(), self._sealed(witnessed=True)
        if sealed != findings.recorded:
            findings.differences.append(f"sealed: {sealed}, expected {findings.recorded}")
        findings.differences += map(str, self._report.findings)
        findings.differences += _not_as_planted(self._reckoning)
        leaves = self._report.leaves if self._report.holds else 0
        return Outcome(
            findings, seconds, findings.recorded / seconds, sealed, witnessed, leaves, self._reckoning
        )


def _not_as_planted(reckoning: Reckoning) -> Iterator[str]:
    """Yield what is missing of the incidents, and hours in which too much was found that nobody planted."""
    for incident in reckoning.missed:
        yield f"{incident.kind}: not found, expected within {incident.tenant}"
    for hour, told in reckoning.unexplained.items():
        if len(told) > _MOST_UNEXPLAINED:
            named = ", ".join(f"{each.rule} of {each.tenant} {each.scope}".strip() for each in told)
            yield f"findings from {hour:%H:%M} on: {named}, expected at most {_MOST_UNEXPLAINED}"


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


def this_day(seed: int, events: int) -> Day:
    """Return a day that ends now."""
    return Day(seed=seed, events=events, end=datetime.now(UTC).replace(microsecond=0))

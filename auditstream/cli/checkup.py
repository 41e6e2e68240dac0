"""The checks of `doctor`, from the settings outwards; what needs a service that is away is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from auditstream.cli.running import Deployment
from auditstream.core.errors import (
    AuditStreamError,
    NotFoundError,
    OffsetGapError,
    RetryableError,
    VerificationError,
)
from auditstream.core.settings import RegistrySettings, Settings

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from auditstream.query.backlog import Backlog
    from auditstream.query.reader import Reader

State = Literal["ok", "warning", "failed"]

WINDOW_FACTOR = 100
"""Inserts that a table must remember for each partition: a replay is never further back.

A lane inserts twice a second where it is a worker's only one, and what an earlier owner sent may be on its
way for two leases and the skew of the clocks, 41 s.
"""

_PATIENCE_S = 5.0
# Tables that an insert of events writes to.
_FED = frozenset({"events", "segment_ranges", "usage_1m", "usage_1h", "outcomes_1m", "latency_1m"})


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: What was checked.
        state: How it stands.
        detail: What was seen.
        advice: What to do; empty when nothing has to be done.
        exit_code: What `doctor` ends with because of it; 0 unless it failed.
    """

    check: str
    state: State
    detail: str
    advice: str = ""
    exit_code: int = 0


def findings(deployment: Deployment) -> Iterator[Finding]:
    """Yield the outcome of every check, in order; none raises for what is wrong outside."""
    settings = deployment.settings
    source = "runtime.json" if deployment.runtime else f"AUDITSTREAM_* and defaults; {deployment.remark}"
    yield Finding("settings", "ok", f"valid, from {source}")
    yield from lease_findings(settings)
    partitions, kafka = _kafka(settings)
    yield from kafka
    yield from _registry(settings)
    yield from _clickhouse(settings, partitions)


def failure_code(found: Iterable[Finding]) -> int:
    """Return the exit code: 0 without a failure, 6 when a service does not answer, else that of the first."""
    codes = [each.exit_code for each in found if each.state == "failed"]
    return RetryableError.exit_code if RetryableError.exit_code in codes else next(iter(codes), 0)


def failed(check: str, error: AuditStreamError) -> Finding:
    """Return the outcome of a check that raised."""
    return Finding(check, "failed", error.message, error.hint, error.exit_code)


def wrong(check: str, detail: str, advice: str) -> Finding:
    """Return the outcome of a check that found something set up wrong."""
    return Finding(check, "failed", detail, advice, 78)


def lease_findings(settings: Settings) -> Iterator[Finding]:
    """Yield whether one insert, and the skew of the clocks, fit into a lease.

    A lane renews its lease before an insert when half of it has passed, so an insert begins with at least
    half a lease left; one that is not in time is sent again under a new lease, and given up to all of it.
    """
    worker, timeout_s = settings.worker, settings.clickhouse.timeout_s
    sums = f"lease {worker.lease_s:g} s, insert {timeout_s:g} s, skew {worker.clock_skew_s:g} s"
    if timeout_s + worker.clock_skew_s >= worker.lease_s:
        advice = "Set AUDITSTREAM_CLICKHOUSE__TIMEOUT_S to half of AUDITSTREAM_WORKER__LEASE_S or less."
        yield wrong("lease", f"an insert may outlast a whole lease: {sums}", advice)
    elif timeout_s > worker.lease_s / 2:
        advice = "Lengthen AUDITSTREAM_WORKER__LEASE_S: slow inserts may be refused as late and sent again."
        yield Finding("lease", "warning", f"an insert may outlast the half of its lease: {sums}", advice)
    else:
        yield Finding("lease", "ok", sums)


def _kafka(settings: Settings) -> tuple[int, list[Finding]]:
    """Return how many partitions the workers read, and the outcomes of Kafka's checks."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from streams.kafka_security import librdkafka_settings

    quiet = {"log_level": 0, "error_cb": lambda _: None}
    try:
        admin = AdminClient(librdkafka_settings(settings.kafka) | quiet)  # reads the file of authorities
        topics = admin.list_topics(timeout=_PATIENCE_S).topics
    except KafkaException as error:
        advice = "Is AUDITSTREAM_KAFKA__BROKERS right, and the broker up? `auditstream up` starts one."
        detail = f"{settings.kafka.brokers}: {error.args[0].str()}"
        return 0, [Finding("kafka", "failed", detail, advice, RetryableError.exit_code)]
    read = (settings.kafka.events_topic, *settings.kafka.direct_topics)
    partitions = sum(len(topics[name].partitions) for name in read if name in topics)
    reachable = Finding("kafka", "ok", f"{settings.kafka.brokers}, {partitions} partitions of events")
    checked = list(_topics(settings, admin, {n: len(t.partitions) for n, t in topics.items()}))
    if not any(each.state == "warning" for each in checked):  # else the broker says nothing of its topics
        checked += _attempt("backlog", lambda: _backlog(settings, [name for name in read if name in topics]))
    return partitions, [reachable, *checked]


def _backlog(settings: Settings, topics: list[str]) -> Finding:
    """Return whether what is not recorded yet is in danger of being deleted."""
    from auditstream.core.clock import SystemClock
    from auditstream.query.backlog import backlogs, retention_ms
    from streams.kafka_security import librdkafka_settings

    if not topics:
        return Finding("backlog", "ok", "there is no topic of events yet")
    connection = librdkafka_settings(settings.kafka)
    kept = retention_ms(connection, topics, timeout_s=_PATIENCE_S)
    found = backlogs(
        connection,
        settings.worker.app_id,
        {topic: kept.get(topic) for topic in topics},
        now_ms=int(SystemClock().now_s() * 1000),
        timeout_s=_PATIENCE_S,
    )
    return backlog_finding(found)


def backlog_finding(backlogs: Sequence[Backlog]) -> Finding:
    """Return whether Kafka has deleted, or may soon delete, what is not recorded.

    Args:
        backlogs: What is not recorded, by partition.
    """
    lost = [each for each in backlogs if each.lost]
    if lost:
        named = ", ".join(
            f"{each.topic}/{each.partition} offsets {each.recorded_to}..{each.log_start - 1}" for each in lost
        )
        return wrong("backlog", f"Kafka has deleted what was never recorded: {named}", OffsetGapError.hint)
    over = [each for each in backlogs if each.is_over]
    half = [each for each in backlogs if each.is_half_over]
    advice = (
        "Start workers, see why they lag (`auditstream status`), or lengthen the topic's retention.ms now."
    )
    if over:
        detail = f"older than the topic's retention, and may be deleted at any moment: {_places(over)}"
        return wrong("backlog", f"not recorded, {detail}", advice)
    if half:
        detail = f"not recorded, and older than half of the topic's retention: {_places(half)}"
        return Finding("backlog", "warning", detail, advice)
    return Finding("backlog", "ok", "nothing older than half of its topic's retention waits to be recorded")


def _places(backlogs: Iterable[Backlog]) -> str:
    return ", ".join(
        f"{each.topic}/{each.partition} from offset {each.recorded_to} (kept for {_hours(each.retention_ms)})"
        for each in backlogs
    )


def _hours(duration_ms: int | None) -> str:
    return "ever" if duration_ms is None else f"{duration_ms / 3_600_000:.4g} h"


def _topics(settings: Settings, admin: AdminClient, partitions: dict[str, int]) -> Iterator[Finding]:
    """Yield whether every topic is there and set as the product needs it; how many partitions is free."""
    from dataclasses import replace

    from auditstream.embedded.topics import product_topics, topic_differences

    wanted = product_topics(settings.kafka)
    missing = [topic.name for topic in wanted if topic.name not in partitions]
    there = [replace(t, partitions=partitions[t.name]) for t in wanted if t.name in partitions]
    try:
        differences = topic_differences(admin, there, timeout_s=_PATIENCE_S) if there else []
    except RetryableError as error:
        detail = f"not checked: {error.message}"
        if missing:
            detail += f"; not there: {', '.join(missing)}"
        advice = "The in-process broker has no admin calls, and makes a topic at its first use."
        yield Finding("topics", "warning", detail, f"{advice} On a real Kafka look at its logs.")
        return
    except AuditStreamError as error:
        yield failed("topics", error)
        return
    for name in missing:
        yield wrong("topics", f"{name} does not exist", "`auditstream up` creates it; elsewhere create it.")
    for each in differences:
        yield wrong("topics", str(each), f"Alter the topic: set {each.setting}={each.expected}.")
    if not missing and not differences:
        yield Finding("topics", "ok", f"{len(there)} topics as they must be")


def _registry(settings: Settings) -> Iterator[Finding]:
    """Yield whether the registry answers and has the contract under every subject."""
    try:
        absent, misfits = asyncio.run(_subjects(settings.registry, settings.kafka.direct_topics))
    except AuditStreamError as error:
        advice = "Is AUDITSTREAM_REGISTRY__URL right, and the registry up? `auditstream up` starts one."
        yield Finding("registry", "failed", error.message, advice, error.exit_code)
        return
    yield Finding("registry", "ok", f"{settings.registry.url} answers")
    for name in absent:
        yield wrong("subjects", f"{name} is not registered", "Run `auditstream schema register`.")
    for name, reason in misfits:
        advice = "This version's contract is not compatible with it: `auditstream schema diff` tells where."
        yield wrong("subjects", f"{name}: {reason}", advice)
    if not absent and not misfits:
        yield Finding("subjects", "ok", "every subject has a compatible schema")


async def _subjects(
    registry: RegistrySettings, direct_topics: Iterable[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the subjects that are absent, and those that this version's schema does not fit."""
    from schemas.packaged import schema_text
    from schemas.registry_client import RegistryClient
    from schemas.subjects import SUBJECTS, ingest_subject

    absent: list[str] = []
    misfits: list[tuple[str, str]] = []
    async with RegistryClient.from_settings(registry) as client:
        for subject in (*SUBJECTS, *map(ingest_subject, direct_topics)):
            try:
                await client.latest(subject.name)
            except NotFoundError:
                absent.append(subject.name)
                continue
            verdict = await client.check(subject.name, schema_text(subject.schema))
            if not verdict.compatible:
                misfits.append((subject.name, verdict.messages[0] if verdict.messages else "incompatible"))
    return absent, misfits


def _clickhouse(settings: Settings, partitions: int) -> Iterator[Finding]:
    from auditstream.query import reader, store_facts

    opened = reader.open_reader(settings.clickhouse)
    where = f"{settings.clickhouse.host}:{settings.clickhouse.port}"
    try:
        yield Finding("clickhouse", "ok", f"{where}, version {store_facts.version(opened)}")
        yield from _attempt("migrations", lambda: _migrations(settings))
        if partitions:  # else Kafka is away, or has no topic yet, and nothing says how many are needed
            yield from _attempt(
                "tokens", lambda: window_finding(store_facts.token_windows(opened), partitions)
            )
        yield from _attempt("clock", lambda: _clock(opened, settings))
        yield from _watches(opened, settings)
    except AuditStreamError as error:
        yield failed("clickhouse", error)
    finally:
        opened.close()


def _watches(opened: Reader, settings: Settings) -> Iterator[Finding]:
    """Yield whether tables, rows and rights are as they are remembered; changes no memory."""
    from auditstream.emit.store_watching import memory_of
    from auditstream.query.watches import mutations, rights, rows, store_watch, tables

    memory = memory_of(settings)
    try:
        sight, remembered = store_watch.seen(opened), memory.read()
        if remembered is None:
            detail = f"nothing to compare with: {memory.path} does not exist"
            yield Finding(
                "watch", "warning", detail, "Run it where the sealer runs: its first look makes it."
            )
            return
        seen = list(store_watch.observed(opened, sight, remembered))
    except AuditStreamError as error:
        yield failed("watch", error)
        return
    checks = {tables.RULE: "tables", mutations.RULE: "mutations", rows.RULE: "rows", rights.RULE: "rights"}
    for each in seen:
        advice = "Find out who did it; `auditstream migrate remember` if it is right as it is now."
        check = checks.get(each.rule, "watch")
        yield Finding(check, "failed", each.title, each.remedy or advice, VerificationError.exit_code)
    if not seen:
        yield Finding("watch", "ok", f"{len(sight.tables)} tables, their rows and rights are as remembered")


def _attempt(check: str, made: Callable[[], Finding]) -> Iterator[Finding]:
    try:
        yield made()
    except AuditStreamError as error:
        yield failed(check, error)


def _migrations(settings: Settings) -> Finding:
    from sinks.clients import http_client
    from sinks.migrate import status

    with http_client(settings.clickhouse) as client:
        pending = [each for each in status(client) if each.applied_at is None]
    if not pending:
        return Finding("migrations", "ok", "up to date")
    names = ", ".join(f"{each.version:04d}_{each.name}" for each in pending)
    return wrong("migrations", f"pending: {names}", "Run `auditstream migrate apply`.")


def window_finding(windows: dict[str, int], partitions: int) -> Finding:
    """Return whether every table that an insert writes to remembers enough tokens.

    Args:
        windows: Inserts that each table remembers.
        partitions: Partitions that the workers read.
    """
    needed = WINDOW_FACTOR * partitions
    short = [f"{name} {window}" for name, window in windows.items() if window < needed and name in _FED]
    if not any(name in windows for name in _FED):
        return wrong("tokens", "there is no table events", "Run `auditstream migrate apply`.")
    if short:
        advice = f"ALTER TABLE ... MODIFY SETTING non_replicated_deduplication_window = {needed} or more."
        return wrong("tokens", f"remembers fewer than {needed} inserts: {', '.join(short)}", advice)
    least = min(window for name, window in windows.items() if name in _FED)
    return Finding("tokens", "ok", f"{least} inserts remembered, {needed} needed for {partitions} partitions")


def _clock(opened: Reader, settings: Settings) -> Finding:
    from auditstream.query.store_facts import clock_skew_s

    return skew_finding(*clock_skew_s(opened), settings.worker.clock_skew_s)


def skew_finding(skew_s: float, uncertainty_s: float, allowed_s: float) -> Finding:
    """Return whether the store's clock is as near to ours as the workers assume.

    Args:
        skew_s: Seconds that the store's clock is ahead.
        uncertainty_s: Error of the measurement either way.
        allowed_s: `worker.clock_skew_s`.
    """
    seen = f"ClickHouse's clock is {skew_s:+.3f} s from this machine's (within {uncertainty_s:.3f} s)"
    if abs(skew_s) - uncertainty_s > allowed_s:
        advice = "Synchronise the clocks (NTP), or raise AUDITSTREAM_WORKER__CLOCK_SKEW_S."
        return wrong("clock", f"{seen}, {allowed_s:g} s allowed", advice)
    if abs(skew_s) + uncertainty_s > allowed_s:
        return Finding("clock", "warning", f"{seen}: too slow an answer to tell", "Run doctor nearer to it.")
    return Finding("clock", "ok", f"{seen}, {allowed_s:g} s allowed")

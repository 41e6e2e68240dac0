"""All embedded parts as one, on loopback and in one data folder."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from auditstream.core.errors import ConfigError, RetryableError
from auditstream.core.settings import ClickHouseSettings, RegistrySettings, Settings
from auditstream.embedded.api_part import ApiPart, start_api
from auditstream.embedded.broker_choice import ChosenBroker, Say, check_choice, chosen_broker
from auditstream.embedded.clickhouse_credentials import API_TABLES, Credential
from auditstream.embedded.clickhouse_lock import OwnerLock, PathOwnedError
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from auditstream.embedded.clickhouse_settings import AuditSettings
from auditstream.embedded.evidence_parts import EvidenceParts, start_evidence
from auditstream.embedded.gateway_part import GatewayPart, start_gateway
from auditstream.embedded.readiness import wait_until_recording
from auditstream.embedded.registry import start_registry
from auditstream.embedded.runtime_file import (
    Account,
    Runtime,
    RuntimeClickHouse,
    RuntimeEvidence,
    remove_runtime,
    write_runtime,
)
from auditstream.embedded.watched_process import WatchedProcess
from auditstream.emit.route_finder import find_route
from auditstream.emit.store_watching import memory_of, watching_store
from auditstream.query.reader import Reader
from auditstream.query.watches.store_watch import migrating
from schemas.subjects import SUBJECTS, ingest_subject
from sinks.clients import ClientPool, http_client
from sinks.migrate import apply
from streams.kafka_security import librdkafka_settings

_LOCK_FILE = "deployment.lock"
_WORKER_LOG = "worker.log"
_DATABASE = "default"
# How long the children of a deployment that was killed may take to notice.
_LEFTOVERS_S = 15.0
_POLL_S = 0.1
# A worker is ready in 5 s on a quiet machine, most of it Python's imports; one that died is started again.
_READY_S = 90.0
_FAILED_STARTS = 3
# For a worker that is alone: rows are seen soon, and one that is started after a kill goes on at once.
_WORKER = {"session_timeout_s": 10.0, "instance_id": "", "max_delay_s": 2.0, "settle_s": 10.0}


class AlreadyRunningError(ConfigError):
    """Another deployment runs on the data folder."""

    code = "already_running"
    hint = "Use that one, stop it, or choose another folder with --data-dir."


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running deployment.

    Attributes:
        runtime: Where its parts answer, as in `runtime.json`.
        settings: Settings under which the deployment itself reaches them.
        broker: What its Kafka is.
        clickhouse: Its store.
        worker: Its worker.
        evidence: Its sealer and its witness.
        gateway: Its gateway.
        api: Its API.
    """

    runtime: Runtime
    settings: Settings
    broker: ChosenBroker
    clickhouse: RunningClickHouse
    worker: WatchedProcess
    evidence: EvidenceParts
    gateway: GatewayPart
    api: ApiPart

    def check(self) -> None:
        """Return when the parts that cannot be started again are there.

        Raises:
            RetryableError: One of them has ended.
        """
        if not self.clickhouse.is_running:
            raise RetryableError("ClickHouse has ended", hint=f"See the logs in {self.clickhouse.path}.")
        if not self.broker.is_running():
            raise RetryableError("Kafka has ended", hint=f"See the logs in {self.settings.data_dir}/kafka.")


@contextmanager
def start_deployment(
    settings: Settings,
    *,
    broker: str | None = None,
    port_base: int | None = None,
    say: Say,
    prepare: Callable[[Settings], object] | None = None,
) -> Iterator[Deployment]:
    """Run all embedded parts for the length of the block; `runtime.json` is there as long as they are ready.

    Everything ends with this process, however it ends.

    Args:
        settings: `data_dir` is where everything is kept; addresses in it are replaced by those of the parts.
        broker: `jvm`, `embedded` or `kafka://host:port`; None takes the JVM's where it can be had.
        port_base: Kafka listens on this port (the in-process one on a free one), the registry on the next,
            ClickHouse on the one after, then the gateway, then API and console; free ports when None.
        say: Takes a line for a person; may be called from another thread.
        prepare: Called when the tables are there, before the worker reads them.

    Raises:
        AlreadyRunningError: Another deployment runs on the data folder; says its process id.
        RequestError: `broker` is none of the choices.
        ConfigError: A part that was asked for is missing, or a port is taken.
        RetryableError: A part did not start in time.
    """
    check_choice(broker)
    settings = settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    kafka_port, registry_port, clickhouse_port, gateway_port, api_port = _ports(port_base)
    with ExitStack() as parts:
        parts.enter_context(_lock(folder))
        remove_runtime(folder)  # of a deployment that was killed
        subjects = (*SUBJECTS, *map(ingest_subject, settings.kafka.direct_topics))
        registry = parts.enter_context(
            start_registry(folder / "registry", port=registry_port, subjects=subjects)
        )
        users = _users()
        kafka = parts.enter_context(
            chosen_broker(
                broker,
                settings.kafka,
                folder / "kafka",
                port=kafka_port,
                cache_dir=settings.cache_dir,
                say=say,
            )
        )
        audit = _audit(settings, kafka, registry.url)
        clickhouse = parts.enter_context(
            _start_clickhouse(folder / "clickhouse", clickhouse_port, users, audit)
        )
        settings = _with_parts(settings, kafka, registry.url, clickhouse, users.deployment)
        _migrate(settings)
        if prepare is not None:
            prepare(settings)
        worker = parts.enter_context(
            WatchedProcess(
                "worker",
                ["worker"],
                _as_worker(settings, users.worker),
                folder=folder,
                log=folder / _WORKER_LOG,
                say=say,
            )
        )
        _wait_for(worker, settings)
        evidence = parts.enter_context(start_evidence(settings, _signed_in(settings, users.sealer), say=say))
        api = parts.enter_context(
            start_api(_signed_in(evidence.settings, users.api), port=api_port, store=settings, say=say)
        )
        gateway = parts.enter_context(
            start_gateway(_signed_in(settings, users.gateway), port=gateway_port, store=settings, say=say)
        )
        api.wait()
        runtime = Runtime(
            pid=os.getpid(),
            kafka=kafka.settings.brokers,
            registry_url=registry.url,
            gateway_url=gateway.url,
            gateway_key=gateway.key,
            api_url=api.url,
            console_url=api.console_url,
            api_token=api.token,
            clickhouse=_described(clickhouse, settings.clickhouse, users.analyst),
            evidence=_described_evidence(evidence),
        )
        parts.enter_context(watching_store(settings, say=say))
        write_runtime(folder, runtime)
        parts.callback(remove_runtime, folder)
        yield Deployment(runtime, evidence.settings, kafka, clickhouse, worker, evidence, gateway, api)


def _ports(base: int | None) -> tuple[int, int, int, int, int]:
    return (0, 0, 0, 0, 0) if base is None else (base, base + 1, base + 2, base + 3, base + 4)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    try:
        lock = OwnerLock(folder / _LOCK_FILE)
    except PathOwnedError as error:
        raise AlreadyRunningError(f"a deployment runs already: {error.message}") from error
    with lock:
        yield


class _Users(NamedTuple):
    """The users of the embedded ClickHouse; their tokens are new at every start.

    Everybody who is no part of the deployment signs in as the owner or as the analyst, and is told of.
    """

    owner: Credential
    deployment: Credential
    worker: Credential
    sealer: Credential
    gateway: Credential
    api: Credential
    analyst: Credential


def _users() -> _Users:
    return _Users(
        owner=Credential("default", secrets.token_urlsafe(24), "owner"),
        deployment=Credential("deployment", secrets.token_urlsafe(24), "owner", is_service=True),
        worker=Credential("worker", secrets.token_urlsafe(24), "writer", is_service=True),
        sealer=Credential("sealer", secrets.token_urlsafe(24), "sealer", is_service=True),
        gateway=Credential("gateway", secrets.token_urlsafe(24), "reader", is_service=True),
        # It tells of what it is asked itself.
        api=Credential("api", secrets.token_urlsafe(24), "writer", tables=API_TABLES, is_service=True),
        analyst=Credential("analyst", secrets.token_urlsafe(24), "reader"),
    )


def _audit(settings: Settings, kafka: ChosenBroker, registry_url: str) -> AuditSettings:
    """Return how the front tells of what is asked of it."""
    access, folder = settings.access, settings.data_dir / "access"
    registry = RegistrySettings(url=registry_url)
    route = asyncio.run(find_route(registry, kafka.settings.events_topic))
    return AuditSettings(
        connection=librdkafka_settings(kafka.settings),
        topic=route.topic,
        schema_id=route.schema_id,
        schema_uri=route.schema_uri,
        within_s=access.within_s,
        key_file=str(access.key_file or folder / "key"),
        spool_file=str(folder / "front.spool") if access.when_kafka_is_away == "spool" else "",
        spool_bytes=access.spool_bytes,
    )


def _start_clickhouse(folder: Path, port: int, users: _Users, audit: AuditSettings) -> RunningClickHouse:
    """Start ClickHouse, waiting for that of a killed deployment to notice its end."""
    deadline = time.monotonic() + _LEFTOVERS_S
    while True:
        try:
            return start_clickhouse(folder, port=port, credentials=users, audit=audit)
        except PathOwnedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


def _with_parts(
    settings: Settings,
    kafka: ChosenBroker,
    registry_url: str,
    clickhouse: RunningClickHouse,
    user: Credential,
) -> Settings:
    """Return the settings with the addresses of the parts, and a sign-in."""
    store = {
        "host": clickhouse.host,
        "port": clickhouse.port,
        "secure": False,
        "user": user.user,
        "password": SecretStr(user.token),
        "database": _DATABASE,
        "engine": "MergeTree",
    }
    return settings.model_copy(
        update={
            "kafka": kafka.settings,
            "registry": RegistrySettings(url=registry_url),
            "clickhouse": settings.clickhouse.model_copy(update=store),
        }
    )


def _as_worker(settings: Settings, user: Credential) -> Settings:
    return _signed_in(settings, user).model_copy(
        update={"worker": settings.worker.model_copy(update=_WORKER)}
    )


def _signed_in(settings: Settings, user: Credential) -> Settings:
    sign_in = {"user": user.user, "password": SecretStr(user.token)}
    return settings.model_copy(update={"clickhouse": settings.clickhouse.model_copy(update=sign_in)})


def _wait_for(worker: WatchedProcess, settings: Settings) -> None:
    try:
        wait_until_recording(
            settings, timeout_s=_READY_S, is_hopeless=lambda: worker.deaths >= _FAILED_STARTS
        )
    except RetryableError as error:
        raise RetryableError(
            error.message, hint=f"The worker ends, or hangs, at its start; see {worker.log}."
        ) from error


def _described(
    clickhouse: RunningClickHouse, settings: ClickHouseSettings, analyst: Credential
) -> RuntimeClickHouse:
    return RuntimeClickHouse(
        host=clickhouse.host,
        port=clickhouse.port,
        user=clickhouse.user,
        password=clickhouse.password,
        database=settings.database,
        path=str(clickhouse.path),
        analyst=Account(analyst.user, analyst.token),
    )


def _described_evidence(evidence: EvidenceParts) -> RuntimeEvidence:
    said = evidence.settings.evidence
    return RuntimeEvidence(
        host=said.host,
        deployment=said.deployment,
        store=said.store,
        state=said.state,
        key_file=str(said.key_file),
        policy_file=str(said.policy_file),
        witness_url=evidence.witness_url,
    )


def _migrate(settings: Settings) -> None:
    clients = ClientPool(lambda: http_client(settings.clickhouse))
    reader = Reader(clients)
    try:
        with migrating(reader, memory_of(settings), and_rights=True), clients.borrow() as client:
            apply(client, settings.clickhouse.engine)
    finally:
        reader.close()

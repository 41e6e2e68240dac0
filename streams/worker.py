"""The worker application: Faust with lanes, wired from settings and the ports it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import aiokafka
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import ConfigError, FatalError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Recorder, Sink
from auditstream.core.settings import KafkaSettings, Settings
from streams import faust_security, kafka_security
from streams.agents.record import add_record_agent
from streams.lane import Lane
from streams.lane_services import LaneServices, longest_insert_s, no_checkpoint, no_reference_data
from streams.lanes import Lanes
from streams.log_heartbeats import LOOK_S, Heartbeat, LogHeartbeats
from streams.pacing import Pacing
from streams.producer_start import paced
from streams.publisher import KafkaPublisher
from streams.transport.app import ConsumerLink, LaneApp
from streams.transport.epochs import topic_epochs
from streams.transport.lane_consumer import LaneConsumer
from streams.watchdog import Watchdog

log = get_logger(__name__)

# An insert runs for a while and waits for most of it; more lanes than this share the threads.
_INSERT_THREADS = 8
_WATCH_EVERY_S = 1.0


@dataclass(slots=True)
class WorkerParts:
    """What a worker is given from outside this room.

    Attributes:
        sink: Where rows go.
        recorder: Makes blocks of segments.
        metrics: Where figures go.
        clock: Dates leases and ingest days.
        checkpoint: Called with the name of each step of a segment; fault runs kill here.
        reference_revision: Revision of the reference data that new plans name; must not block.
        heartbeat: Makes the heartbeats of logs; None for a worker that tells none.
    """

    sink: Sink
    recorder: Recorder
    metrics: Metrics = field(default_factory=Metrics)
    clock: Clock = field(default_factory=SystemClock)
    checkpoint: Callable[[str], None] = no_checkpoint
    reference_revision: Callable[[], int] = no_reference_data
    heartbeat: Heartbeat | None = None


def new_worker_app(settings: Settings, parts: WorkerParts) -> LaneApp:
    """Return the Faust application of one worker process; run it with `faust.Worker`."""
    kafka, worker = settings.kafka, settings.worker
    topics = (kafka.events_topic, *kafka.direct_topics)
    app = LaneApp(
        worker.app_id,
        batch_topics=topics,
        broker=faust_security.faust_broker(kafka),
        broker_credentials=faust_security.faust_credentials(kafka),
        consumer_group_instance_id=worker.instance_id or None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=worker.fetch_bytes,
        broker_commit_interval=1.0,
        broker_session_timeout=worker.session_timeout_s,
        broker_heartbeat_interval=worker.heartbeat_s,
        broker_request_timeout=_request_timeout_s(settings),
        broker_check_crcs=True,
        # Waits for lanes to drain on stop; they are quick to.
        stream_wait_empty=True,
        # Counts slabs, not events; lanes take them at once.
        stream_buffer_maxsize=64,
        store="memory://",
        datadir=str(settings.data_dir / "faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
    )
    publisher = _publisher(settings, parts, app)
    app.lanes = Lanes(_lane_services(settings, parts, app, publisher), drain_s=worker.drain_s)
    app.epochs = _epochs(kafka)
    app.quiet_s = _quiet_s(settings)
    add_record_agent(app, *topics)
    _add_watchdog(app, Watchdog(stall_s=worker.stall_s, metrics=parts.metrics))
    if parts.heartbeat is not None:
        _add_heartbeats(app, publisher, LogHeartbeats(parts.heartbeat, partial(_fetched, app)))
    return app


def _publisher(settings: Settings, parts: WorkerParts, app: LaneApp) -> KafkaPublisher:
    publisher = KafkaPublisher(
        lambda: paced(
            aiokafka.AIOKafkaProducer(
                **kafka_security.aiokafka_settings(settings.kafka),
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                linger_ms=20,
                max_request_size=16 * 1024 * 1024,
            )
        ),
        parts.metrics,
    )
    app.on_before_shutdown.connect(_stopper(publisher), weak=False)
    return publisher


def _lane_services(
    settings: Settings, parts: WorkerParts, app: LaneApp, publisher: KafkaPublisher
) -> LaneServices:
    worker, link = settings.worker, ConsumerLink(app)
    return LaneServices(
        sink=parts.sink,
        recorder=parts.recorder,
        publisher=publisher,
        committer=link,
        flow=link,
        builders=ThreadPoolExecutor(worker.threads, thread_name_prefix="build"),
        inserters=ThreadPoolExecutor(_INSERT_THREADS, thread_name_prefix="insert"),
        crash=app.crash,
        metrics=parts.metrics,
        pacing=Pacing(worker.min_delay_s, worker.max_delay_s, worker.inserts_per_s),
        clock=parts.clock,
        lease_s=worker.lease_s,
        store_timeout_s=settings.clickhouse.timeout_s,
        segment_rows=worker.segment_rows,
        segment_bytes=worker.segment_bytes,
        dead_letter_ratio=worker.dead_letter_ratio,
        dead_letter_run=worker.dead_letter_run,
        pause_s=worker.dead_letter_pause_s,
        lost_offsets=worker.lost_offsets,
        quiet_s=_quiet_s(settings),
        reference_revision=parts.reference_revision,
        checkpoint=parts.checkpoint,
    )


def _quiet_s(settings: Settings) -> float:
    """Return how long an insert of an earlier owner may still be on its way."""
    worker = settings.worker
    longest_s = longest_insert_s(worker.lease_s, settings.clickhouse.timeout_s)
    return worker.lease_s + longest_s + worker.clock_skew_s


def _request_timeout_s(settings: Settings) -> float:
    """Faust bounds its recovery, hence the wait for old leases, by the request timeout."""
    return max(90.0, 2 * _quiet_s(settings) + 30.0, settings.worker.session_timeout_s)


def _epochs(kafka: KafkaSettings) -> Callable[..., dict[str, str]]:
    if kafka.epoch:
        return lambda topics: dict.fromkeys(topics, kafka.epoch)
    client = AdminClient(kafka_security.librdkafka_settings(kafka))
    return lambda topics: topic_epochs(client, topics)


def _stopper(publisher: KafkaPublisher) -> Callable[..., Awaitable[None]]:
    async def stop(_app: object, **_kwargs: object) -> None:
        await publisher.stop()

    return stop


def _add_watchdog(app: LaneApp, watchdog: Watchdog) -> None:
    async def watch() -> None:
        while not app.should_stop:
            await asyncio.sleep(_WATCH_EVERY_S)
            try:
                watchdog.look([(lane, _end_offset(app, lane)) for lane in app.lanes])
            except FatalError as error:
                await app.crash(error)
                return

    app.task(watch)


def _add_heartbeats(app: LaneApp, publisher: KafkaPublisher, heartbeats: LogHeartbeats) -> None:
    async def tell() -> None:
        while not app.should_stop:
            await asyncio.sleep(LOOK_S)
            try:
                messages = await asyncio.to_thread(heartbeats.due, list(app.lanes), time.monotonic())
                await publisher.tell_all(messages)
            except (RetryableError, ConfigError, KafkaError) as error:
                log.warning("heartbeats_not_told", error=repr(error)[:300])
            except Exception as error:  # a fault of ours must not end the worker, and must be seen
                log.exception("heartbeats_not_told", error=repr(error)[:300])

    app.task(tell)


def _fetched(app: LaneApp, lane: Lane) -> tuple[int, int] | None:
    return cast("LaneConsumer", app.consumer).last_fetch(lane.log)


def _end_offset(app: LaneApp, lane: Lane) -> int | None:
    """Return the end of the lane's partition as of the last fetch; None while it is not known."""
    try:
        return app.consumer.highwater(TP(lane.log.topic, lane.log.partition))
    except (AssertionError, ConsumerNotStarted):
        return None  # aiokafka asserts that the partition is assigned: a rebalance is under way

"""`auditstream worker`: the Faust worker with the record agent."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(context: typer.Context) -> None:
    """Record events: Kafka to priced, attributed rows in ClickHouse, each exactly once; watch budgets, SLOs.

    Settings come from AUDITSTREAM_* variables. Run as many as there is load, with one app id. The one that
    has the first partition also takes calls off the books that events of two partitions report.
    """
    from streams.allocator import keep_pages

    keep_pages()
    from prometheus_client import start_http_server

    from auditstream.cli.rule_folder import rules_of
    from auditstream.cli.settling import settling_calls
    from auditstream.cli.wiring import load_settings
    from auditstream.core import logs
    from auditstream.core.metrics import process_metrics
    from auditstream.emit.asset_watching import watching_assets
    from auditstream.emit.budget_watching import watching_budgets
    from auditstream.emit.detecting import detecting
    from auditstream.emit.notifying import notifying
    from auditstream.emit.slo_watching import watching_slos
    from schemas.schema_thread import start_schema_store
    from sinks.clickhouse import connect
    from sinks.reference import connect_reference
    from sinks.snapshot_cache import SnapshotCache
    from streams.process import run_until_stopped
    from streams.recording.assembly import new_recorder
    from streams.worker import WorkerParts, new_worker_app

    settings = load_settings(context.obj)
    rules = rules_of(settings.rules)
    logs.configure(style=settings.log_style, level=settings.log_level)
    metrics = process_metrics()
    if settings.worker.metrics_port:
        start_http_server(settings.worker.metrics_port, addr="127.0.0.1")
    schemas = start_schema_store(settings.registry, folder=settings.data_dir / "schemas")
    directory = SnapshotCache(connect_reference(settings.clickhouse))
    directory.start()
    sink = connect(settings.clickhouse)
    recorder = new_recorder(schemas, sink.history(), directory, settings.kafka, rules=rules)
    parts = WorkerParts(
        sink=sink,
        recorder=recorder,
        metrics=metrics,
        reference_revision=directory.newest,
        heartbeat=recorder.heartbeat,
    )
    app = new_worker_app(settings, parts)

    def has_first_partition() -> bool:
        """Kafka gives it to one worker of the group at a time."""
        return app.lanes.get(settings.kafka.events_topic, 0) is not None

    with (
        watching_budgets(settings, metrics, directory.newest),
        watching_slos(settings, metrics, schemas, directory.newest),
        detecting(settings, metrics, schemas, directory.newest),
        notifying(settings, metrics, schemas, directory.newest),
        watching_assets(settings, metrics, directory.newest),
        settling_calls(settings, metrics, is_turn=has_first_partition),
    ):
        run_until_stopped(app)

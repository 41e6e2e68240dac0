"""`auditstream worker`: the Faust worker with the record agent."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(context: typer.Context) -> None:
    """Record events: Kafka to priced, attributed rows in ClickHouse, each exactly once.

    Settings come from AUDITSTREAM_* variables. Run as many as there is load, with one app id.
    """
    from prometheus_client import start_http_server

    from auditstream.cli.wiring import load_settings
    from auditstream.core import logs
    from auditstream.core.metrics import process_metrics
    from schemas.schema_thread import start_schema_store
    from sinks.clickhouse import connect
    from streams.process import run_until_stopped
    from streams.recording.assembly import new_recorder
    from streams.worker import WorkerParts, new_worker_app

    settings = load_settings(context.obj)
    logs.configure(style=settings.log_style, level=settings.log_level)
    metrics = process_metrics()
    if settings.worker.metrics_port:
        start_http_server(settings.worker.metrics_port, addr="127.0.0.1")
    schemas = start_schema_store(settings.registry, folder=settings.data_dir / "schemas")
    sink = connect(settings.clickhouse)
    recorder = new_recorder(schemas, sink.history(), dead_letter_topic=settings.kafka.dead_letter_topic)
    parts = WorkerParts(sink=sink, recorder=recorder, metrics=metrics)
    run_until_stopped(new_worker_app(settings, parts))

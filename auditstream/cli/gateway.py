"""`auditstream gateway`: events over HTTP."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gateway)


def gateway(context: typer.Context) -> None:
    """Take events over HTTP, stamp the tenant of their key, and answer when Kafka has them.

    Settings come from AUDITSTREAM_* variables, `gateway` among them. Keys come from `auditstream keys
    create`. Stops on SIGTERM: takes nothing new, and finishes what it began.
    """
    from auditstream.cli.wiring import load_settings
    from auditstream.core import logs
    from auditstream.core.metrics import process_metrics
    from auditstream.gateway.service import serve
    from sinks.reference import connect_reference
    from streams.event_producer import new_event_producer

    settings = load_settings(context.obj)
    logs.configure(style=settings.log_style, level=settings.log_level)
    serve(
        settings,
        connect_reference(settings.clickhouse),
        process_metrics(),
        lambda topic: new_event_producer(
            settings.kafka, topics=[topic], most_bytes=settings.gateway.sending_bytes
        ),
    )

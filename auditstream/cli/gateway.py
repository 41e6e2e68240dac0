"""`auditstream gateway`: events over HTTP."""

from __future__ import annotations

import typer

_RECORDED_WITHIN_S = 5.0
"""An id that does not begin with its time is looked for on every day: for no longer than a caller waits."""


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
    from auditstream.query.reader import open_reader
    from sinks.reference import connect_reference
    from streams.event_producer import new_event_producer

    settings = load_settings(context.obj)
    logs.configure(style=settings.log_style, level=settings.log_level)
    serve(
        settings,
        connect_reference(settings.clickhouse),
        open_reader(settings.clickhouse, answer_within_s=_RECORDED_WITHIN_S),
        process_metrics(),
        lambda topic: new_event_producer(
            settings.kafka, topics=[topic], most_bytes=settings.gateway.sending_bytes
        ),
    )

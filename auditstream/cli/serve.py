"""`auditstream serve`: the query API and the console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on, instead of the setting's.")] = "",
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port to listen on, instead of the setting's.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file with the certificate chain: HTTPS instead of HTTP.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with its key.")] = None,
) -> None:
    """Answer questions about the record over HTTP: the query API, and the console for people.

    Settings come from AUDITSTREAM_* variables, `api` among them. Who may ask is said by `auditstream tokens
    create`, or by the identity provider of the setting `api.oidc`. Every question is an event first: without
    Kafka nothing is answered. Stops on SIGTERM.
    """
    from auditstream.api import service
    from auditstream.cli.serving import serving
    from auditstream.cli.wiring import load_settings
    from auditstream.console.application import create_console
    from auditstream.core import logs
    from auditstream.embedded.api_part import CONSOLE

    settings = load_settings(context.obj)
    logs.configure(style=settings.log_style, level=settings.log_level)
    old_host, _, old_port = settings.api.listen.rpartition(":")
    api = settings.api.model_copy(
        update={
            "listen": f"{host or old_host}:{port or old_port}",
            "tls_certificate": tls_certificate or settings.api.tls_certificate,
            "tls_key": tls_key or settings.api.tls_key,
        }
    )
    served = serving(settings.model_copy(update={"api": api}))
    service.serve(
        api,
        served.parts,
        mounts=[(CONSOLE, create_console(served.console))],
        home=f"{CONSOLE}/",
        beside=served.beside,
        close=served.close,
    )

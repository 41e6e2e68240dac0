"""`auditstream up`: everything on embedded parts, in the foreground, without traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.cli.remarks import remark

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.embedded.deployment import Deployment

BrokerOption = Annotated[
    str | None,
    typer.Option(
        metavar="embedded|jvm|kafka://HOST:PORT",
        help="Kafka to run on; Apache Kafka on the local JVM where it can be had, else the in-process one.",
    ),
]
PortBaseOption = Annotated[
    int | None,
    typer.Option(min=1_024, max=65_000, help="First of the ports to listen on; free ones when not given."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(context: typer.Context, *, broker: BrokerOption = None, port_base: PortBaseOption = None) -> None:
    """Run Kafka, registry, ClickHouse, worker, gateway and API on this machine until SIGTERM or Ctrl-C.

    Ready when `runtime.json` is in the data directory; other commands find everything by it.
    """
    from auditstream.cli.stopping import Terminated, stopping_once

    try:
        with stopping_once(), running(context.obj, broker, port_base) as deployment:
            stay(deployment)
    except Terminated:
        remark(context.obj, "stopped")


@contextmanager
def running(
    context: Context,
    broker: str | None,
    port_base: int | None,
    prepare: Callable[[Settings], object] | None = None,
) -> Iterator[Deployment]:
    """Run a deployment for the length of the block, and say on stderr where it answers."""
    from auditstream.cli.wiring import load_settings
    from auditstream.embedded.deployment import start_deployment

    say = partial(remark, context)
    settings = load_settings(context)
    with start_deployment(
        settings, broker=broker, port_base=port_base, say=say, prepare=prepare
    ) as deployment:
        runtime = deployment.runtime
        store = runtime.clickhouse
        say(f"ready: kafka {runtime.kafka}, registry {runtime.registry_url}")
        say(f"       gateway {runtime.gateway_url}, clickhouse http://{store.host}:{store.port}")
        say(f"       console {runtime.console_url}, api {runtime.api_url}/api/v1")
        say(f"       secrets, and the token to sign in with: {settings.data_dir}/runtime.json")
        yield deployment


def stay(deployment: Deployment) -> None:
    """Wait for a signal.

    Raises:
        RetryableError: A part that cannot be started again has ended.
    """
    import time

    while True:
        deployment.check()
        time.sleep(0.5)

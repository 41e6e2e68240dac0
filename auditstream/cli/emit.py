"""`auditstream emit`: send a file of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.core.errors import RequestError, RetryableError

if TYPE_CHECKING:
    from auditstream.cli.running import Deployment
    from auditstream.core.settings import Settings
    from auditstream.emit.emission import Carrier, Tally
    from auditstream.emit.reading import Refused
    from auditstream.emit.source import Source

PARTIAL = 7
ACKNOWLEDGED_WITHIN_S = 30.0
"""How long an event may wait for its acknowledgement."""

_MOST_REFUSALS_SHOWN = 100


class FormatName(StrEnum):
    """What a file's lines are."""

    AUDITSTREAM = "auditstream"
    CLOUDEVENTS = "cloudevents"
    CLOUDTRAIL = "cloudtrail"
    BEDROCK_INVOCATION = "bedrock-invocation"
    OPENAI_AUDIT = "openai-audit"
    ANTHROPIC_ACTIVITY = "anthropic-activity"
    OKTA = "okta"
    AZURE_OPENAI = "azure-openai"
    GCP_AUDIT = "gcp-audit"
    GITHUB_AUDIT = "github-audit"
    AZURE_LLM = "azure-llm"
    MOONCAKE = "mooncake"
    COST_CSV = "cost-csv"
    FOCUS = "focus"


class Way(StrEnum):
    """How events travel."""

    KAFKA = "kafka"
    GATEWAY = "gateway"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(emit)


def emit(
    context: typer.Context,
    *,
    file: Annotated[str, typer.Option(help="File of lines; `-` is stdin, *.gz is decompressed.")] = "-",
    format_name: Annotated[
        FormatName, typer.Option("--format", help="What a line is.")
    ] = FormatName.AUDITSTREAM,
    via: Annotated[
        Way, typer.Option(help="How events travel; the gateway stamps them with the tenant of its key.")
    ] = Way.KAFKA,
    url: Annotated[
        str,
        typer.Option(envvar="AUDITSTREAM_SDK_URL", help="Gateway; that of the running deployment if empty."),
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            envvar="AUDITSTREAM_SDK_KEY", help="Key for it; that of the running deployment if empty."
        ),
    ] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of events that name none.")] = "",
    provider: Annotated[str, typer.Option(help="Provider of a trace's calls.")] = "openai",
    model: Annotated[str, typer.Option(help="Model of a trace's calls.")] = "gpt-4o",
    start: Annotated[str, typer.Option(help="Time of a trace's first call, RFC 3339.")] = "",
    topic: Annotated[str, typer.Option(help="Kafka topic; the events' topic of the settings if empty.")] = "",
) -> int:
    """Send events from a file, and print a JSON summary.

    Formats cloudtrail to github-audit are logs of other systems; prompts in them are left out.
    Formats cost-csv and focus make each charge of a bill an event ai.cost.operational.
    Ids of a trace's and a bill's events come from the file's hash and the line, so that sending it twice
    sends duplicates.
    A line that is no event is refused on stderr with its number; the others are sent, and the exit code is 7.
    """
    from auditstream.cli.running import find
    from auditstream.emit import emission
    from auditstream.emit.emission import Tally
    from auditstream.emit.formats import FORMATS
    from auditstream.emit.reading import Options
    from auditstream.emit.source import opened

    options = Options(tenant=tenant, provider=provider, model=model, start=_start(start))
    deployment = find(context.obj)
    on_refusal = _refusal_printer()
    with opened(file) as source, ExitStack() as held:
        if via is Way.GATEWAY:
            carrier, where = _by_gateway(deployment, url, key, on_refusal)
        else:
            carrier, where = held.enter_context(_by_kafka(deployment.settings, topic))
        readings = FORMATS[format_name](source, options)
        tally = Tally()
        try:
            with _progress(context.obj, source, tally) as advance:
                emission.emit(readings, carrier, tally=tally, on_refusal=on_refusal, on_progress=advance)
        finally:
            typer.echo(json.dumps(tally.summary() | where))
    return PARTIAL if tally.refused else 0


@contextmanager
def _by_kafka(settings: Settings, topic: str) -> Iterator[tuple[Carrier, dict[str, str]]]:
    """Lend what carries events to Kafka, and say where; a failure drops what waits."""
    from auditstream.emit.emission import MessageCarrier
    from auditstream.emit.kafka_way import KafkaWay
    from auditstream.emit.route_finder import find_route
    from streams.kafka_security import librdkafka_settings

    route = asyncio.run(find_route(settings.registry, topic or settings.kafka.events_topic))
    way = KafkaWay(librdkafka_settings(settings.kafka), timeout_s=ACKNOWLEDGED_WITHIN_S)
    try:
        yield MessageCarrier(route, way), {"topic": route.topic}
    except RetryableError:
        way.abandon()
        raise


def _by_gateway(
    deployment: Deployment, url: str, key: str, on_refusal: Callable[[Refused], None]
) -> tuple[Carrier, dict[str, str]]:
    """Return what carries events to the gateway, and say where.

    Raises:
        RequestError: Nothing says where it is, or with which key.
    """
    from auditstream.emit.gateway_way import GatewayWay

    runtime = deployment.runtime
    url = url or (runtime.gateway_url if runtime else "")
    key = key or (runtime.gateway_key.get_secret_value() if runtime else "")
    if not url or not key:
        missing = "--key" if url else "--url"
        raise RequestError(
            f"{missing}: is needed where no deployment runs", hint="`auditstream keys create` makes a key."
        )
    return GatewayWay(url, key, timeout_s=ACKNOWLEDGED_WITHIN_S, on_refusal=on_refusal), {"gateway": url}


def _refusal_printer() -> Callable[[Refused], None]:
    shown = 0

    def show(refused: Refused) -> None:
        nonlocal shown
        shown += 1
        if shown <= _MOST_REFUSALS_SHOWN:
            typer.echo(f"refused: {refused}", err=True)
        elif shown == _MOST_REFUSALS_SHOWN + 1:
            typer.echo("refused: more lines, not shown", err=True)

    return show


@contextmanager
def _progress(context: Context, source: Source, tally: Tally) -> Iterator[Callable[[], None]]:
    """Show how far the file has been read, with the rate, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not context.color)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=context.quiet or not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=source.size_bytes)

        def advance() -> None:
            if tally.read % 500 == 0:
                rate = tally.read / max(bar.tasks[0].elapsed or 0.0, 0.001)
                text = f"{tally.read:,} events, {rate:,.0f}/s"
                bar.update(task, completed=source.position_bytes, description=text)

        yield advance


def _start(text: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"--start: {text!r} is not a time as in 2026-01-31T12:00:00Z") from error

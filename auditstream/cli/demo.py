"""`auditstream demo`: a working day of generated traffic on embedded parts, to look at or to check."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from shlex import quote
from shutil import which
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.context import Context
from auditstream.cli.remarks import remark
from auditstream.cli.up import BrokerOption, PortBaseOption, running, stay

if TYPE_CHECKING:
    from rich.progress import Progress

    from auditstream.demo.day import Day
    from auditstream.demo.incident import Outcome as IncidentOutcome
    from auditstream.demo.performance import Outcome
    from auditstream.embedded.deployment import Deployment

_PARTIAL = 7
_TOUR = (
    "search 'event_type:ai.policy.decision policy_verdict:deny'",
    "sql 'SELECT tenant_id, sum(cost_billed) FROM events_current GROUP BY tenant_id'",
    "findings list",
    "status",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    *,
    broker: BrokerOption = None,
    port_base: PortBaseOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same day.")] = 1,
    events: Annotated[int, typer.Option(min=200, help="Number of distinct events.")] = 20_000,
    exit_: Annotated[
        bool, typer.Option("--exit", help="Check what was recorded, print a JSON summary, and end.")
    ] = False,
) -> int:
    """Run everything with a believable working day of three companies' AI traffic, compressed.

    It comes in as users' does: by the SDK, as NDJSON and CloudEvents, and as OpenTelemetry's spans.

    With --exit, ends with 0 when every event was recorded exactly once, densely, sealed and verified, and no
    repeat or dead letter was seen but the planted ones, every planted incident was found and no hour opened
    more than one finding that nothing planted explains; and with 7 when something differs.
    """
    from auditstream.cli.stopping import Terminated, stopping_once

    _check_sdk()
    from auditstream.demo.facts import service_keys, state_facts
    from auditstream.demo.performance import this_day

    day, keys = this_day(seed, events), service_keys()
    is_performed = False
    try:
        with (
            stopping_once(),
            running(
                context.obj, broker, port_base, lambda settings: state_facts(settings.clickhouse, keys)
            ) as deployment,
        ):
            outcome = _perform(context.obj, deployment, day, keys)
            is_performed = True
            if not exit_:
                _print_tour(context.obj, deployment, outcome)
                stay(deployment)
    except Terminated:
        if not is_performed:
            raise
        remark(context.obj, "stopped")
        return 0
    found = summary(day, outcome) | {"seed": seed, "broker": deployment.broker.kind}
    for difference in outcome.findings.differences:
        typer.echo(f"differs: {difference}", err=True)
    typer.echo(json.dumps(found))
    return 0 if found["ok"] else _PARTIAL


def summary(day: Day, outcome: Outcome) -> dict[str, Any]:
    """Return what a demonstration came to, as one object."""
    findings = outcome.findings
    return {
        "produced": findings.produced,
        "recorded": findings.recorded,
        "duplicates": findings.duplicates,
        "planted_duplicates": day.planted.duplicates,
        "dead_letters": findings.dead_letters,
        "planted_dead_letters": day.planted.dead_letters,
        "unpriced": findings.unpriced,
        "unattributed": findings.unattributed,
        "cost_total": f"{findings.cost_total:f}",
        "currency": "USD",
        "tenants": findings.tenants,
        "seconds": round(outcome.seconds, 3),
        "events_per_s": round(outcome.events_per_s, 1),
        "dense": findings.dense,
        "sealed": outcome.sealed,
        "witnessed": outcome.witnessed,
        "verified": outcome.verified,
        "incidents": [_incident(each) for each in outcome.reckoning.outcomes],
        "events_of_incidents": day.events_of_incidents,
        "unexplained_findings": sum(map(len, outcome.reckoning.unexplained.values())),
        "most_unexplained_an_hour": outcome.reckoning.most_unexplained,
        "ok": not findings.differences,
        "differences": findings.differences,
    }


def _incident(outcome: IncidentOutcome) -> dict[str, Any]:
    """Return what came of an incident: which finding found it, if any, and how long that took."""
    found, delay = outcome.finding, outcome.delay
    return {
        "kind": outcome.incident.kind,
        "tenant": outcome.incident.tenant,
        "start": outcome.incident.start.isoformat(),
        "found": found is not None,
        "rule": found.rule if found else None,
        "scope": found.scope if found else None,
        "finding_id": found.finding_id if found else None,
        "delay_s": None if delay is None else round(delay.total_seconds()),
    }


def _check_sdk() -> None:
    """Return where the SDK is installed, by which most of the traffic comes.

    Raises:
        ConfigError: It is not.
    """
    from auditstream.core.errors import ConfigError

    if find_spec("auditstream_sdk") is None:
        raise ConfigError(
            "the demonstration sends by the SDK, which is not installed",
            hint="Install it: pip install 'auditstream[demo]'.",
        )


def _perform(context: Context, deployment: Deployment, day: Day, keys: Mapping[str, str]) -> Outcome:
    """Send the day, wait until it is recorded, and inspect it, with progress on stderr."""
    from auditstream.demo.performance import Performance, asking

    with asking(deployment) as ask, _progress(context) as progress:
        performance = Performance(deployment, day, ask, keys)
        sending = progress.add_task("sent", total=day.expected_messages)
        recording = progress.add_task("recorded", total=day.expected_messages)

        def show(sent: int, recorded: int) -> None:
            progress.update(sending, completed=sent)
            progress.update(recording, completed=recorded)

        performance.send(show)
        performance.drain(partial(show, day.expected_messages))
        sealing = progress.add_task("sealed", total=day.expected_messages)
        performance.seal(lambda sealed: progress.update(sealing, completed=sealed))
        verifying = progress.add_task("verified", total=day.expected_messages)
        performance.verify(lambda done, total: progress.update(verifying, completed=done, total=total))
        finding = progress.add_task("found", total=len(day.incidents), is_rated=False)
        performance.watch(lambda found, total: progress.update(finding, completed=found, total=total))
        return performance.outcome()


@contextmanager
def _progress(context: Context) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Events a second since it began; between two steps of one answer there is next to no time."""

        def render(self, task: Task) -> Text:
            if not task.fields.get("is_rated", True) or not task.elapsed:
                return Text("")
            return Text(f"{task.completed / task.elapsed:,.0f} events/s")

    console = Console(stderr=True, no_color=not context.color)
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), Rate())
    with Progress(*columns, console=console, disable=context.quiet) as progress:
        yield progress


def _print_tour(context: Context, deployment: Deployment, outcome: Outcome) -> None:
    """Say what there is to look at."""
    findings, runtime = outcome.findings, deployment.runtime
    where = f" --data-dir {quote(str(context.data_dir))}" if str(context.data_dir) != ".auditstream" else ""
    program = "auditstream" if which("auditstream") else quote(sys.argv[0])
    lines = [
        f"{findings.recorded} messages recorded in {outcome.seconds:.1f} s: {findings.tenants} tenants, "
        f"{findings.cost_total:.2f} USD, {findings.duplicates} repeats, {findings.dead_letters} dead letters",
        f"{outcome.sealed} sealed, {outcome.witnessed} witnessed: see {deployment.settings.evidence.store}",
        *(f"differs: {difference}" for difference in findings.differences),
        "Try, in another terminal:",
        *(f"  {program}{where} {command}" for command in _TOUR),
        f"In a browser: {runtime.console_url}",
        f"  api_token of {context.data_dir / 'runtime.json'} signs in",
        f"Kafka {runtime.kafka}, registry {runtime.registry_url}/subjects, "
        f"ClickHouse http://{runtime.clickhouse.host}:{runtime.clickhouse.port}",
        "Ctrl-C ends it.",
    ]
    for line in lines:
        remark(context, line)

"""`auditstream findings`: what was found, and what people do about it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.context import Context, Output
from auditstream.cli.finding_mutes import mute
from auditstream.cli.finding_resending import resend
from auditstream.cli.finding_standing import standing_of
from auditstream.cli.remarks import remark
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.emit.triage import ActName
    from schemas.records.vocabulary import FindingStatus

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="First digits of the finding's id, eight or more.")
]
CommentOption = Annotated[str, typer.Option(help="What to say.")]
_Actor = Annotated[str, typer.Option(help="Who does it; the user of the system by default.")]

_SHOWN_DIGITS = 16
_VERSIONS = (
    "version",
    "recorded_at",
    "status",
    "severity",
    "act",
    "actor",
    "assignee",
    "comment",
    "why_nobody_was_called",
)
_LIST_MOST = 100


def register(app: typer.Typer) -> None:
    """Add the command's subcommands."""
    group = typer.Typer(
        help="Findings of detectors and rules: list, show, acknowledge, assign, comment, close, mute.",
        no_args_is_help=True,
    )
    group.command("list")(list_)
    group.command()(show)
    group.command()(acknowledge)
    group.command()(assign)
    group.command()(comment)
    group.command()(close)
    group.command()(mute)
    group.command()(resend)
    app.add_typer(group, name="findings")


def list_(
    context: typer.Context,
    *,
    since: Annotated[str | None, typer.Option(help="Only the last 15m, 2h, 7d.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")] = None,
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    rule: Annotated[str, typer.Option(help="Only of this rule or detector, as spend.surge.")] = "",
    status: Annotated[
        str, typer.Option(help="new, in_progress, suppressed, resolved, open (all but resolved) or all.")
    ] = "open",
    severity: Annotated[str, typer.Option(help="This and graver: low, medium, high, critical.")] = "",
    called: Annotated[
        bool, typer.Option("--called", help="Only those that somebody was called for.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most findings.")] = _LIST_MOST,
) -> None:
    """List findings as they stand, those that went on last first.

    What a person says of one holds until the detector finds that it is over.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.query import findings, periods

    period = periods.period(datetime.now(UTC), since=since, start=start, end=end)
    wanted = findings.Wanted(
        period=period,
        tenant=tenant,
        rule=rule,
        statuses=_statuses(status),
        least_severity=_severity(severity),
        called=called,
    )
    query = " ".join(filter(None, (since, start, end, rule, status, severity)))
    reading = Reading("findings list", query, (findings.READ_FROM,), tenant)
    with told_reader(running.find(context.obj), reading) as reader:
        found = findings.current(reader, wanted, limit=limit)
    drawn = form_of(context.obj) is Output.TABLE
    print_rows(context.obj, found.columns, (_row(row, drawn=drawn) for row in found.rows))
    if len(found.rows) == limit:
        remark(context.obj, f"{limit} findings, there may be more: --limit")


def show(context: typer.Context, id_: IdArgument) -> None:
    """Show a finding: what was seen, and every version of it with who did what."""
    from auditstream.cli.printing import form_of, print_document, print_rows

    standing = standing_of(context.obj, id_, "findings show")
    newest = standing.newest
    document = {
        **newest.to_datum(),
        "status": str(standing.status),
        "severity": _word(newest.severity),
        "assignee": standing.assignee,
    }
    for name in ("act", "actor", "comment", "version"):
        del document[name]
    versions = [_version(each.finding, each.recorded_at) for each in standing.versions]
    if form_of(context.obj) is Output.TABLE:
        print_document(
            context.obj, {name: value for name, value in document.items() if value not in ("", None, [], {})}
        )
        typer.echo("")
        print_rows(context.obj, _VERSIONS, versions)
    else:
        print_document(
            context.obj,
            document | {"versions": [dict(zip(_VERSIONS, each, strict=True)) for each in versions]},
        )


def acknowledge(
    context: typer.Context, id_: IdArgument, *, comment: CommentOption = "", actor: _Actor = ""
) -> None:
    """Say that somebody looks at a finding: nobody needs to look for themselves."""
    _act(context.obj, id_, "acknowledge", actor=actor, comment=comment)


def assign(
    context: typer.Context,
    id_: IdArgument,
    *,
    to: Annotated[str, typer.Option(help="Whom.")],
    comment: CommentOption = "",
    actor: _Actor = "",
) -> None:
    """Give a finding to somebody."""
    _act(context.obj, id_, "assign", actor=actor, assignee=to, comment=comment)


def comment(
    context: typer.Context,
    id_: IdArgument,
    text: Annotated[str, typer.Argument(help="What to say.")],
    *,
    actor: _Actor = "",
) -> None:
    """Say something about a finding."""
    _act(context.obj, id_, "comment", actor=actor, comment=text)


def close(
    context: typer.Context, id_: IdArgument, *, comment: CommentOption = "", actor: _Actor = ""
) -> None:
    """Say that a finding is dealt with; who was called for it is told."""
    _act(context.obj, id_, "close", actor=actor, comment=comment)


def _act(
    context: Context, id_: str, name: ActName, *, actor: str, assignee: str = "", comment: str = ""
) -> None:
    from auditstream.cli import accessing, running
    from auditstream.cli.announcing import ACKNOWLEDGED_WITHIN_S, nothing_changed
    from auditstream.cli.printing import print_document
    from auditstream.emit.announcements import announcer
    from auditstream.emit.findings import publish_findings
    from auditstream.emit.triage import Act, carry_out
    from sinks.clients import ClientPool, http_client

    settings = running.find(context).settings
    standing = standing_of(context, id_, f"findings {name}")
    act = Act(
        name=name,
        actor=actor or accessing.actor(settings),
        at=datetime.now(UTC),
        assignee=assignee,
        comment=comment,
    )
    with closing(ClientPool(lambda: http_client(settings.clickhouse))) as clients:

        def announce(events: list[dict[str, Any]]) -> None:
            with nothing_changed(), announcer(settings, within_s=ACKNOWLEDGED_WITHIN_S) as send:
                send(events)

        made = carry_out(
            standing, act, announce=announce, publish=lambda found: publish_findings(settings, clients, found)
        )
    print_document(
        context,
        {
            "finding_id": made.finding_id,
            "version": made.version,
            "status": str(made.status),
            "act": made.act,
            "actor": made.actor,
            "assignee": made.assignee or standing.assignee,
            "comment": made.comment,
        },
    )


def _statuses(text: str) -> tuple[FindingStatus, ...]:
    from schemas.records.vocabulary import FindingStatus

    known = [each for each in FindingStatus if each is not FindingStatus.UNKNOWN]
    if text == "all":
        return ()
    if text == "open":
        return tuple(each for each in FindingStatus if each is not FindingStatus.RESOLVED)
    found = [each for each in known if each.lower() == text.lower()]
    if not found:
        words = ", ".join(each.lower() for each in known)
        raise RequestError(f"--status: {text!r} is none of {words}, open, all")
    return tuple(found)


def _severity(text: str) -> int:
    from auditstream.detection.severities import Severity

    if not text:
        return 0
    found = [each for each in Severity if each.word.lower() == text.lower()]
    if not found:
        words = ", ".join(each.word.lower() for each in Severity)
        raise RequestError(f"--severity: {text!r} is none of {words}")
    return int(found[0])


def _word(severity: int) -> str:
    from auditstream.detection.severities import Severity

    return Severity(severity).word


def _row(row: tuple[Any, ...], *, drawn: bool) -> tuple[Any, ...]:
    """Return a row for people: the severity as a word; in a table as much of the id as commands need."""
    id_, severity, *rest = row
    return (id_[:_SHOWN_DIGITS] if drawn else id_, _word(severity), *rest)


def _version(finding: Any, recorded_at: datetime) -> tuple[Any, ...]:
    return (
        finding.version,
        recorded_at,
        str(finding.status),
        _word(finding.severity),
        finding.act,
        finding.actor,
        finding.assignee,
        finding.comment,
        finding.suppressed_by or "",
    )

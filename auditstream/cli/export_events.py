"""`auditstream export ocsf|cloudevents|parquet|csv|jsonl`: the events of a search, as files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

# Names of `auditstream.exports.forms.FORMS`, in the order of the help page, with what they are for.
FORMS = {
    "ocsf": "Write events as OCSF 1.8 (Open Cybersecurity Schema Framework), a JSON object a line.",
    "cloudevents": "Write events as CloudEvents 1.0, a JSON object a line; `emit` reads them back.",
    "parquet": "Write events as Parquet, a column a field.",
    "csv": "Write events as CSV, a column a field; lists and maps are JSON.",
    "jsonl": "Write events as JSON, an object a line with the fields that the event has.",
}

_MORE = """

Every event that the search finds is in it, as it was known when the export began; what is recorded meanwhile
is not. Contents (sealed values, bytes as received) are in none of the forms: see `evidence export`. Whole or
not at all: until then the folder is named OUT.partial, and the same command takes it up there.
"""

_ANSWER_WITHIN_S = 600.0


def register(group: typer.Typer) -> None:
    """Add a command a form."""
    for form, said in FORMS.items():
        command = group.command(form, context_settings={"ignore_unknown_options": True})
        command(_command(form, said))


def _command(form: str, said: str) -> Callable[..., None]:
    def events(
        context: typer.Context,
        query: Annotated[
            list[str] | None, typer.Argument(help="As of search; every event when not given.")
        ] = None,
        *,
        out: Annotated[Path, typer.Option(help="Folder to make; it must not be there yet.")],
        since: Annotated[str | None, typer.Option(help="Only the last 15m, 2h, 7d.")] = None,
        start: Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601.")] = None,
        end: Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")] = None,
        tenant: Annotated[str | None, typer.Option(help="Only this tenant's events.")] = None,
        purpose: Annotated[str, typer.Option(help="What it is for; kept in the record of exports.")] = "",
    ) -> None:
        asked = {
            "query": " ".join(query or ()), "since": since, "from": start, "to": end, "tenant": tenant,
        }  # fmt: skip
        _export(context, form, out, asked, purpose)

    events.__doc__ = said + _MORE
    return events


def _export(context: typer.Context, form: str, out: Path, asked: dict[str, str | None], purpose: str) -> None:
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, tell_result, told_reader
    from auditstream.cli.auditing import progress_of
    from auditstream.cli.export_record import record_export_of
    from auditstream.cli.printing import print_document
    from auditstream.exports.exporting import Manifest, export
    from auditstream.exports.forms import form_named
    from auditstream.query import grammar, periods
    from auditstream.query.event_rows import READ_FROM, EventRows

    text, tenant = asked["query"] or "", asked["tenant"]
    terms = grammar.parse(text)
    period = periods.period(datetime.now(UTC), since=asked["since"], start=asked["from"], end=asked["to"])
    deployment = running.find(context.obj)
    reading = Reading(
        f"export {form}",
        text,
        READ_FROM,
        tenant or "",
        purpose,
        destination=str(out.absolute()),
        whole=True,
    )

    def record(done: Manifest) -> None:
        record_export_of(
            deployment.settings,
            reading,
            kind=form,
            rows=done.rows,
            size_bytes=done.size_bytes,
            sha256=done.sha256,
        )
        tell_result(deployment, reading, rows=done.rows, size_bytes=done.size_bytes)

    with (
        told_reader(deployment, reading, answer_within_s=_ANSWER_WITHIN_S) as reader,
        progress_of(context.obj, "events") as advance,
    ):
        rows = EventRows(reader, terms, period, tenant)
        done = export(rows, form_named(form), out, asked, advance=advance, record=record)
    print_document(
        context.obj,
        {
            "folder": str(done.folder),
            "files": len(done.document["files"]),
            "rows": done.rows,
            "bytes": done.size_bytes,
            "manifest_sha256": done.sha256,
        },
    )

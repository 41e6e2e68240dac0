"""`auditstream evidence`: what is handed to an auditor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.auditing import LogOption, VkeyOption
from auditstream.cli.statement import statement

if TYPE_CHECKING:
    from auditstream.evidence.exporting import Exported

_ANSWER_WITHIN_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="evidence", help="What is handed to an auditor.", no_args_is_help=True)
    group.command("export")(export)
    group.command("statement")(statement)
    app.add_typer(group)


def export(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option(help="Folder to make; it must not be there yet.")],
    log: LogOption = None,
    vkey: VkeyOption = None,
    purpose: Annotated[str, typer.Option(help="What it is for; kept in the record of exports.")] = "",
) -> None:
    """Write a bundle that `auditstream-verify` checks with no server of ours.

    It has every value of a log, its tiles and its checkpoint, the list of all logs, and the keys. Each value
    is compared with what was sealed while it is written. Whole or not at all: until then, the folder is named
    OUT.partial, and the same command takes it up there.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, actor, tell_result, told_reader
    from auditstream.cli.auditing import (
        evidence_place,
        known_keys,
        policy_of,
        progress_of,
    )
    from auditstream.cli.export_record import record_export_of
    from auditstream.cli.printing import print_document
    from auditstream.evidence.exporting import Export
    from auditstream.evidence.listing import Trust
    from auditstream.evidence.published import open_published

    deployment = running.find(context.obj)
    settings = deployment.settings
    published = open_published(evidence_place(settings))
    trust = Trust(known_keys(published, vkey), policy_of(settings, None), settings.evidence.deployment_name)
    by, narrowed = actor(settings), " ".join(log or ())
    asked = Reading(
        "evidence export", narrowed, ("events",), purpose=purpose, destination=str(out.absolute()), whole=True
    )

    def record(exported: Exported) -> None:
        record_export_of(
            settings,
            asked,
            kind="evidence",
            rows=exported.leaves,
            size_bytes=exported.value_bytes,
            sha256=exported.manifest_sha256,
        )
        tell_result(deployment, asked, rows=exported.leaves, size_bytes=exported.value_bytes)

    with (
        told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader,
        progress_of(context.obj, "values") as advance,
    ):
        done = Export(published, trust, reader, out, log or ()).run(by, advance, record)
    document = {
        "folder": str(done.folder),
        "logs": done.logs,
        "leaves": done.leaves,
        "value_bytes": done.value_bytes,
        "manifest_sha256": done.manifest_sha256,
    }
    print_document(context.obj, document)
    if not context.obj.quiet:
        sys.stderr.write(f"check it anywhere: auditstream-verify {done.folder} --vkeys FILE\n")

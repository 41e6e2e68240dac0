"""`auditstream assets`: what may be used, and what may not, in one command each."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.reference.documents import Reading

_TypeArgument = Annotated[
    str, typer.Argument(metavar="TYPE", help="agent, model, tool, mcp_server, credential or host.")
]
_IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, as `report discovery` shows it.")]
_TenantOption = Annotated[str, typer.Option(help="Tenant that it holds for; all tenants by default.")]
_OwnerOption = Annotated[str, typer.Option(help="Team or person who answers for it.")]
_DocumentOption = Annotated[
    Path | None,
    typer.Option("--document", help="Write the document for `apply` to this file, and change nothing."),
]
_ActorOption = Annotated[str, typer.Option(help="Who says so; the user of the system by default.")]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(help="What may be used, and what may not.", no_args_is_help=True)
    group.command(name="register")(register_)
    group.command()(ban)
    app.add_typer(group, name="assets")


def register_(
    context: typer.Context,
    asset_type: _TypeArgument,
    asset_id: _IdArgument,
    *,
    tenant: _TenantOption = "",
    owner: _OwnerOption = "",
    purpose: Annotated[str, typer.Option(help="What it is for.")] = "",
    document: _DocumentOption = None,
    actor: _ActorOption = "",
) -> None:
    """Register an asset: it is no finding any more. An event `ai.config.change` tells of it first."""
    _state(context, asset_type, asset_id, "registered", tenant, owner, purpose, document, actor)


def ban(
    context: typer.Context,
    asset_type: _TypeArgument,
    asset_id: _IdArgument,
    *,
    tenant: _TenantOption = "",
    owner: _OwnerOption = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    document: _DocumentOption = None,
    actor: _ActorOption = "",
) -> None:
    """Ban an asset: its next use is a critical finding. An event `ai.config.change` tells of it first.

    Gateways are not asked to refuse it: to stop a key, revoke it with `keys revoke`.
    """
    _state(context, asset_type, asset_id, "banned", tenant, owner, reason, document, actor)


def _state(  # noqa: PLR0917  what both commands take, in their order
    context: typer.Context,
    asset_type: str,
    asset_id: str,
    status: str,
    tenant: str,
    owner: str,
    purpose: str,
    document: Path | None,
    actor: str,
) -> None:
    """Apply a document, or write it; raises as `apply_reading` does."""
    from auditstream.cli.apply import refuse_problems
    from auditstream.reference.documents import Reading

    fields = {
        "kind": "asset",
        "asset_type": asset_type,
        "asset_id": asset_id,
        "tenant_id": tenant,
        "status": status,
        "owner": owner,
        "purpose": purpose,
    }
    text = json.dumps([fields], indent=2) + "\n"
    reading, now = Reading(), datetime.now(UTC)
    reading.add(text, f"assets-{status}.json", now=now)
    refuse_problems(reading)
    if document is not None:
        _write(document, text)
    else:
        _apply(context, reading, actor or getpass.getuser(), now)


def _write(path: Path, text: str) -> None:
    """Write a document to a file that does not exist yet.

    Raises:
        RequestError: There is a file, or its name is not one of JSON.
    """
    if path.suffix != ".json":
        raise RequestError(f"--document: {path} does not end with .json", hint="The document is JSON.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RequestError(f"--document: {path}: {error.strerror}") from error


def _apply(context: typer.Context, reading: Reading, actor: str, now: datetime) -> None:
    from functools import partial

    from auditstream.cli import running
    from auditstream.cli.announcing import announced
    from auditstream.cli.apply import apply_reading
    from sinks.reference import connect_reference

    settings = running.find(context.obj).settings
    store = connect_reference(settings.clickhouse)
    try:
        announcer = partial(announced, settings)
        apply_reading(store, context.obj, reading, actor=actor, dry_run=False, now=now, announcer=announcer)
    finally:
        store.close()

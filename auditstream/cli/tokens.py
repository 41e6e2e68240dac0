"""`auditstream tokens`: who may ask the API and the console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

_COLUMNS = ("token_id", "name", "role", "tenants", "sees_from", "sees_to", "since", "expires", "state")
_Actor = Annotated[str, typer.Option(help="Who says so; the user of the system by default.")]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(
        help="Tokens with which people and programs ask the API and the console.", no_args_is_help=True
    )
    group.command()(create)
    group.command()(revoke)
    group.command(name="list")(list_)
    app.add_typer(group, name="tokens")


def create(
    context: typer.Context,
    *,
    role: Annotated[str, typer.Option(help="viewer, analyst, finops, security, auditor or admin.")],
    tenant: Annotated[
        list[str], typer.Option(help="Tenant whose rows it sees; several times for several, '*' for all.")
    ],
    name: Annotated[str, typer.Option(help="Whose it is: events about what was read say so.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="When: in 30d, 12h, or at a time (ISO 8601). Auditors' must.")
    ] = None,
    sees_from: Annotated[str | None, typer.Option(help="Hides what happened earlier (ISO 8601).")] = None,
    sees_to: Annotated[str | None, typer.Option(help="Hides what happened from then on (ISO 8601).")] = None,
    actor: _Actor = "",
) -> None:
    """Make a token and print it: it is shown this once, and only its hash is kept.

    Events `ai.config.change` and `ai.key.lifecycle` tell of it first: without Kafka nothing is changed.
    """
    from auditstream.access.tokens import create_token, draft
    from auditstream.cli import accessing, keys
    from auditstream.cli.printing import print_document
    from auditstream.query.periods import moment

    now = datetime.now(UTC)
    wanted = draft(
        role=role,
        tenants=tuple(tenant),
        now=now,
        name=name,
        expires_at=_expiry(expires, now),
        sees_from=moment(sees_from) if sees_from else None,
        sees_to=moment(sees_to) if sees_to else None,
    )
    with keys.reference_store(context.obj) as (settings, store), keys.announcing(settings) as announce:
        made = create_token(
            store, wanted, actor=actor or accessing.actor(settings), now=now, announce=announce
        )
    token = made.token
    print_document(
        context.obj,
        {
            "token_id": token.token_id,
            "name": token.name,
            "role": token.role,
            "tenants": list(token.tenants),
            "expires": token.valid_to,
            "token": made.secret,
            "revision": made.revision,
        },
    )


def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Token, as `tokens list` shows it.")],
    *,
    actor: _Actor = "",
) -> None:
    """Revoke a token: it is refused within seconds, and its sessions end.

    Events `ai.config.change` and `ai.key.lifecycle` tell of it first: without Kafka nothing is changed.
    """
    from auditstream.access.tokens import revoke_token
    from auditstream.cli import accessing, keys
    from auditstream.cli.printing import print_document

    with keys.reference_store(context.obj) as (settings, store), keys.announcing(settings) as announce:
        token, revision = revoke_token(
            store,
            token_id,
            actor=actor or accessing.actor(settings),
            now=datetime.now(UTC),
            announce=announce,
        )
    print_document(
        context.obj,
        {"token_id": token.token_id, "revoked_since": token.valid_from, "revision": revision},
    )


def list_(context: typer.Context) -> None:
    """Print the tokens, revoked and expired ones included; tokens themselves are kept nowhere."""
    from auditstream.access.tokens import KIND, newest_of
    from auditstream.cli import keys
    from auditstream.cli.printing import print_rows

    now = datetime.now(UTC)
    with keys.reference_store(context.obj) as (_, store):
        found = newest_of(store.load(store.newest(), kinds=(KIND,)))
    rows: list[Sequence[Any]] = [
        (
            each.token_id,
            each.name,
            each.role,
            " ".join(each.tenants),
            each.sees_from,
            each.sees_to,
            each.valid_from,
            each.valid_to,
            "revoked" if not each.active else "valid" if each.covers(now) else "expired",
        )
        for each in found
    ]
    print_rows(context.obj, _COLUMNS, rows)


def _expiry(text: str | None, now: datetime) -> datetime | None:
    """Return when a token expires: a span from now on, or a time.

    Raises:
        RequestError: It is neither.
    """
    from auditstream.core.errors import RequestError
    from auditstream.query.periods import duration, moment

    if text is None:
        return None
    try:
        return now + duration(text) if text[-1:].isalpha() and text[-1:] != "Z" else moment(text)
    except (RequestError, OverflowError):
        hint = "Write 30d or 12h, or a time as 2026-12-31."
        raise RequestError(f"--expires: {text!r} is no time to come", hint=hint) from None

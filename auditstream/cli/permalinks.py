"""Addresses of the console that show what a command shows, with absolute times, so that they stay true."""

from __future__ import annotations

import webbrowser
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlencode

import typer

from auditstream.cli.context import Context

if TYPE_CHECKING:
    from auditstream.cli.running import Deployment
    from auditstream.query.periods import Period

OpenOption = Annotated[
    bool, typer.Option("--open", help="Open it in the console instead; its address goes to stderr.")
]


def open_events(context: Context, deployment: Deployment, query: str, period: Period, tenant: str) -> None:
    """Open a search.

    Args:
        context: Tells whether the address is to be said.
        deployment: From `running.find`.
        query: The search as typed.
        period: What its range means; one without a start has all of the past.
        tenant: Only this tenant's events; empty for all.

    Raises:
        RequestError: The deployment has no console.
    """
    from auditstream.core.clock import utc_text

    end = period.end or (datetime.now(UTC) if period.start else None)
    parameters = {
        "q": _narrowed(query, tenant),
        "since": "" if period.start or end else "all",
        "from": utc_text(period.start) if period.start else "",
        "to": utc_text(end) if end else "",
    }
    _open(context, deployment, "/events", parameters)


def open_event(context: Context, deployment: Deployment, wanted: str) -> None:
    """Open the page of an event or a leaf. Raises as `open_events`."""
    _open(context, deployment, f"/events/{quote(wanted.strip(), safe='/')}", {})


def open_run(context: Context, deployment: Deployment, trace_id: str) -> None:
    """Open the page of a trace. Raises as `open_events`."""
    _open(context, deployment, f"/runs/{quote(trace_id.strip(), safe='')}", {})


def open_live(context: Context, deployment: Deployment, query: str, tenant: str) -> None:
    """Open the live tail. Raises as `open_events`."""
    _open(context, deployment, "/live", {"q": _narrowed(query, tenant)})


def _narrowed(query: str, tenant: str) -> str:
    """Return a search with the tenant as one more term, since the console has no other place for it."""
    quoted = tenant.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(filter(None, (query, f'tenant:"{quoted}"' if tenant else "")))


def _open(context: Context, deployment: Deployment, path: str, parameters: dict[str, str]) -> None:
    from auditstream.cli.remarks import remark
    from auditstream.core.errors import RequestError

    root = deployment.runtime.console_url if deployment.runtime is not None else ""
    if not root:
        hint = "`auditstream up` and `auditstream demo` run one; runtime.json has its address as console_url."
        raise RequestError("--open: no console runs on this data directory", hint=hint)
    query = urlencode({name: value for name, value in parameters.items() if value})
    address = f"{root.rstrip('/')}{path}{f'?{query}' if query else ''}"
    remark(context, address)
    webbrowser.open(address)

"""`auditstream findings mute`: a mute of what a finding is about, as reference data with an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from auditstream.core.errors import RequestError
from auditstream.core.tenants import UNATTRIBUTED

_LONGEST = timedelta(days=90)  # what is quiet for longer wants a rule that is mended, or a weekly window


def mute(
    context: typer.Context,
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="First digits of the finding's id, eight or more.")
    ],
    *,
    for_: Annotated[str, typer.Option("--for", help="How long: 2h, 7d.")],
    reason: Annotated[str, typer.Option(help="Why nobody needs to be called.")],
    every_scope: Annotated[
        bool, typer.Option("--every-scope", help="All scopes of the tenant, not only the finding's.")
    ] = False,
    actor: Annotated[str, typer.Option(help="Who says so; the user of the system by default.")] = "",
) -> None:
    """Call nobody for findings of this rule, tenant and scope for a while; they are recorded all the same.

    It is reference data: `kind: mute` says the same in a file, and windows of every week. An event
    `ai.config.change` tells of it first. What still goes on at its end is told of then.
    """
    from auditstream.cli import accessing, running
    from auditstream.cli.announcing import announced
    from auditstream.cli.finding_standing import standing_of
    from auditstream.cli.printing import print_document
    from auditstream.emit.config_changes import Applied
    from auditstream.query.periods import duration
    from auditstream.reference.changes import difference
    from auditstream.reference.documents import Stated
    from auditstream.reference.mutes import FindingMute
    from sinks.reference import connect_reference

    length = duration(for_)
    if not timedelta(0) < length <= _LONGEST:
        raise RequestError(f"--for: {for_} is not more than 0 and at most {_LONGEST.days}d")
    if not reason.strip() or len(reason) > 500:
        raise RequestError("--reason: 1 to 500 characters are wanted")
    settings = running.find(context.obj).settings
    finding = standing_of(context.obj, id_, "findings mute").newest
    now = datetime.now(UTC)
    who = actor or accessing.actor(settings)
    fact = FindingMute(
        mute_id=f"{finding.finding_id[:12]}-{now:%Y%m%dT%H%M%S}",
        tenant_id="" if finding.tenant_id == UNATTRIBUTED else finding.tenant_id,
        rule_id=finding.rule_id,
        scope="" if every_scope else finding.scope,
        reason=reason,
        owner=who,
        valid_from=now,
        valid_to=now + length,
    )
    store = connect_reference(settings.clickhouse)
    try:
        base = store.newest()
        stated = Stated(fact, "findings mute", 1, f"finding {finding.finding_id}", dated=True)
        found = difference([stated], store.load(base, kinds=("mute",)), now=now)
        with announced(settings) as announce:
            store.append(
                found.entries,
                base=base,
                actor=who,
                announce=lambda revision: announce(found.changes, Applied(revision, who, now)),
            )
    finally:
        store.close()
    print_document(context.obj, {"kind": "mute", **fact.model_dump()})

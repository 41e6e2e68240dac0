"""`auditstream report slo`: how objectives stand, and what was spent of their error budgets when."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import TenantOption, reference, report_reader
from auditstream.core.errors import NotFoundError

if TYPE_CHECKING:
    from auditstream.notify.slo_standing import SloStanding
    from auditstream.reference.objectives import Objective


def slo(
    context: typer.Context,
    *,
    tenant: TenantOption = None,
    slo_id: Annotated[str | None, typer.Option("--slo", help="Only this objective.")] = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="What each day spent of the error budget, the last day first.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="As it stood then (ISO 8601), by what is recorded now.")
    ] = None,
) -> None:
    """Show every objective: what counts and is good, what is left of its error budget, how fast it burns.

    Burn rates are of windows that end with the last full minute: at 1 the budget lasts its period. ends_at is
    when it is gone at the rate of the last six hours. --output html is one page with pictures.
    """
    from auditstream.cli import running
    from auditstream.cli.context import Output
    from auditstream.cli.printing import print_rows
    from auditstream.emit.slo_memory import SloMemory
    from auditstream.notify.slo_lines import COLUMNS, LEDGER_COLUMNS, ledger_rows, row_of
    from auditstream.query.periods import moment
    from auditstream.query.slo_counts import SloCounts
    from auditstream.query.slo_rows import READ_FROM
    from auditstream.reference.known_objectives import objectives_at

    now = datetime.now(UTC) if at is None else moment(at)
    deployment = running.find(context.obj)
    known = objectives_at(reference(deployment.settings.clickhouse, ("slo",)), now)
    wanted = _wanted([each for each in known if each.active], tenant, slo_id)
    query = f"slo {slo_id or 'every'} at {now.isoformat()}"
    with report_reader(deployment, "slo", query, READ_FROM, tenant) as reader:
        counts = SloCounts(reader)
        standings = [SloMemory(each, counts).standing(now) for each in wanted]
    if context.obj.output is Output.HTML:
        from auditstream.cli.slo_page import page_of

        sys.stdout.write(page_of(standings))
    elif ledger:
        print_rows(context.obj, LEDGER_COLUMNS, (row for each in standings for row in ledger_rows(each)))
    else:
        print_rows(context.obj, COLUMNS, map(row_of, standings))
    remarks(context.obj, _missing(standings))


def _wanted(known: Sequence[Objective], tenant: str | None, slo_id: str | None) -> list[Objective]:
    """Return the objectives that were asked for.

    Raises:
        NotFoundError: The one that was named is not there.
    """
    found = [each for each in known if tenant in {None, each.tenant_id} and slo_id in {None, each.slo_id}]
    if slo_id is not None and not found:
        raise NotFoundError(
            f"--slo: there is no objective {slo_id!r}" + (f" of tenant {tenant}" if tenant else ""),
            hint=f"There are {', '.join(each.slo_id for each in known) or 'none'}.",
        )
    return found


def _missing(standings: Sequence[SloStanding]) -> Iterator[str]:
    if not standings:
        yield "no objective holds: state some with `auditstream apply`, kind slo"
    for each in standings:
        if not each.total.valid:
            yield f"{each.objective.slo_id}: nothing that counts was recorded in its period"

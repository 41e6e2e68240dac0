"""`auditstream report whatif`: what a period's calls would have cost under another model or contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.price_books import KINDS, book_of
from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import (
    PeriodOption,
    TenantOption,
    reference,
    report_reader,
    span_of,
)
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import ClickHouseSettings
    from auditstream.costing.what_if import Change, Supposed
    from auditstream.pricing.pricer import CataloguePricer
    from auditstream.reference.snapshot import Snapshot

_COLUMNS = (
    "line", "tenant_id", "model", "currency", "calls", "tokens", "was", "would_be", "difference",
    "difference_pct", "reason",
)  # fmt: skip


def whatif(
    context: typer.Context,
    *,
    period: PeriodOption = "last-7d",
    model: Annotated[
        str | None,
        typer.Option(help="Let this model answer: MODEL, or PROVIDER/MODEL as openai/gpt-4o-mini."),
    ] = None,
    contract: Annotated[
        Path | None,
        typer.Option(help="Contracts to suppose beside those in force: documents as for `apply`."),
    ] = None,
    cache_read_pct: Annotated[
        int | None, typer.Option(min=0, max=100, help="Let so much of the input be read from the cache.")
    ] = None,
    tenant: TenantOption = None,
    provider: Annotated[str | None, typer.Option(help="Only calls of this provider.")] = None,
    only_model: Annotated[str | None, typer.Option(help="Only calls that this model answered.")] = None,
) -> None:
    """Price a period's calls again as supposed, and show the exact difference from what they cost.

    Each call keeps its own tokens and time. Prices are those that are known now. Calls that have no price,
    as they are or as supposed, are listed with the reason, and are in no difference. A model may need more
    or fewer tokens for the same work than the one that answered: this report cannot know.
    """
    from auditstream.cli import running
    from auditstream.costing.what_if import supposed
    from auditstream.query.priced_calls import READ_FROM, Wanted, priced_calls

    change = _change(model, cache_read_pct, contract)
    span = span_of(period)
    deployment = running.find(context.obj)
    query = f"{period}, model {model}, contract {contract}, cache {cache_read_pct}, {provider} {only_model}"
    with report_reader(deployment, "whatif", query, READ_FROM, tenant) as reader:
        pricer = _pricer(deployment.settings.clickhouse, contract, span.start)
        calls = priced_calls(reader, Wanted(span, tenant, provider, only_model))
        found = supposed(calls, change, pricer)
    _print(context.obj, found)


def _change(model: str | None, cache_read_pct: int | None, contract: Path | None) -> Change:
    from auditstream.costing.what_if import Change

    if model is None and cache_read_pct is None and contract is None:
        raise RequestError("nothing is supposed", hint="Name --model, --contract or --cache-read-pct.")
    if model is None:
        return Change(cache_read_pct=cache_read_pct)
    first, slash, rest = model.partition("/")
    name = rest if slash else first
    if not name or (slash and not first):
        raise RequestError(f"--model: {model!r} is not MODEL or PROVIDER/MODEL")
    return Change(name, first if slash else None, cache_read_pct)


def _pricer(settings: ClickHouseSettings, contract: Path | None, start: datetime) -> CataloguePricer:
    """Return a pricer by the book as known now, and the contracts that are supposed."""
    from auditstream.pricing.pricer import CataloguePricer

    snapshot = reference(settings, KINDS)
    if contract is not None:
        snapshot = _with_contracts(snapshot, contract, start)
    return CataloguePricer(book_of(snapshot))


def _with_contracts(snapshot: Snapshot, path: Path, start: datetime) -> Snapshot:
    """Return what would be known if the documents had been applied; they hold from the period's start."""
    import polars as pl

    from auditstream.cli.apply import read_files
    from auditstream.reference.kinds import KINDS, frame_of
    from auditstream.reference.rates import Contract
    from auditstream.reference.snapshot import Snapshot

    stated = read_files(path, start).stated
    others = [each for each in stated if not isinstance(each.fact, Contract)]
    if others:
        raise RequestError(f"{path}: document {others[0].document} is no contract")
    revision = snapshot.revision + 1
    rows = frame_of(
        KINDS["contract"],
        [each.entry for each in stated],
        revision=revision,
        recorded_at=start,
        actor="supposed",
    )
    tables = {kind: snapshot.rows(kind) for kind in KINDS}
    return Snapshot(revision, tables | {"contract": pl.concat([tables["contract"], rows])})


def _print(context: Any, found: Sequence[Supposed]) -> None:
    from auditstream.cli.printing import print_rows

    rows = [*map(_row, found), *_totals(found)]
    print_rows(context, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))
    left = [each for each in found if each.reason]
    notes = [
        f"not compared: {each.calls} calls of {each.tenant} to {each.model or 'no model'}, "
        f"{each.tokens} tokens: {each.reason}"
        for each in left
    ]
    remarks(context, notes if found else ["no calls were recorded in the period"])


def _row(one: Supposed) -> dict[str, Any]:
    is_compared = not one.reason
    return {
        "line": "compared" if is_compared else "not compared",
        "tenant_id": one.tenant,
        "model": one.model,
        "currency": one.currency or None,
        "calls": one.calls,
        "tokens": one.tokens,
        "was": one.was if is_compared else None,
        "would_be": one.would_be if is_compared else None,
        "difference": one.difference if is_compared else None,
        "difference_pct": one.difference_pct if is_compared else None,
        "reason": one.reason or None,
    }


def _totals(found: Sequence[Supposed]) -> Iterator[dict[str, Any]]:
    """Yield a total a currency, of what can be compared."""
    from auditstream.costing.exact import total
    from auditstream.costing.what_if import Supposed

    for currency in sorted({each.currency for each in found if not each.reason}):
        mine = [each for each in found if not each.reason and each.currency == currency]
        was, would_be = (total(getattr(each, name) for each in mine) for name in ("was", "would_be"))
        calls, tokens = (sum(getattr(each, name) for each in mine) for name in ("calls", "tokens"))
        whole = Supposed("", "", currency, "", calls, tokens, Decimal(was), Decimal(would_be))
        yield _row(whole) | {"line": "total"}

"""What reports share: their options, the reader that was told of, the currency that they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.running import Deployment
    from auditstream.core.settings import ClickHouseSettings
    from auditstream.costing.spent import Spent
    from auditstream.query.named_periods import Span
    from auditstream.query.reader import Reader
    from auditstream.reference.known_rates import KnownRates
    from auditstream.reference.snapshot import Snapshot

PeriodOption = Annotated[
    str,
    typer.Option(
        help="2026-11, 2026-11-03, 2026-W45, last-7d, or FROM/TO (ISO 8601, first moment and first after)."
    ),
]
TenantOption = Annotated[str | None, typer.Option(help="Only what is booked to this tenant.")]
KnownOnOption = Annotated[
    str | None, typer.Option(help="Leave out adjustments that were recorded later (ISO 8601).")
]
CurrencyOption = Annotated[
    str | None,
    typer.Option(help="Convert to this currency (ISO 4217), at the rate of each event's day."),
]

_RATES = ("rate", "tenant")


def span_of(text: str) -> Span:
    """Return the range that `--period` names.

    Raises:
        RequestError: It names none.
    """
    from auditstream.query.named_periods import named_span

    return named_span(text, datetime.now(UTC))


@contextmanager
def report_reader(
    deployment: Deployment, name: str, query: str, tables: Sequence[str], tenant: str | None
) -> Iterator[Reader]:
    """Lend a reader once an event tells of the report; raises as `told_reader` does."""
    from auditstream.cli.accessing import Reading, told_reader

    reading = Reading(f"report {name}", query, tuple(tables), tenant or "", whole=True)
    with told_reader(deployment, reading) as reader:
        yield reader


def reference(settings: ClickHouseSettings, kinds: Sequence[str]) -> Snapshot:
    """Return what is known now of some kinds of reference data.

    Raises:
        RetryableError: No answer.
    """
    from sinks.reference import connect_reference

    with closing(connect_reference(settings)) as store:
        return store.load(store.newest(), kinds=kinds)


def known_rates(settings: ClickHouseSettings) -> KnownRates:
    """Return the rates and the tenants' currencies that are known now; raises as `reference` does."""
    from auditstream.reference.known_rates import KnownRates

    return KnownRates(reference(settings, _RATES))


def known_on_of(text: str | None) -> datetime | None:
    """Return the moment that `--known-on` names.

    Raises:
        RequestError: It names none.
    """
    from auditstream.query.periods import moment

    return None if text is None else moment(text)


def currency_of(text: str) -> str:
    """Return a currency's code.

    Raises:
        RequestError: It is not three letters.
    """
    code = text.strip().upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise RequestError(f"--currency: {text!r} is no ISO 4217 code", hint="Write three letters, as EUR.")
    return code


def unpriced_note(spent: Spent) -> Iterator[str]:
    """Yield a line that says what amounts lack, where they lack something."""
    if spent.unpriced_events:
        yield (
            f"unpriced: {spent.unpriced_events} events with {spent.unpriced_tokens} tokens "
            "have no price: the amounts lack them"
        )

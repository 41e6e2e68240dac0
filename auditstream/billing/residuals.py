"""What a bill says against what the record says: residuals by provider, model, day and currency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from auditstream.billing.bill import Bill
from auditstream.billing.model_names import model_key

ALL_MODELS = "(all)"
NO_MODEL = "(no model)"

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the record has of one provider, model and day.

    Attributes:
        provider: As bills are read: by `services.provider_of`.
        model: Model that answered, else the one asked for.
        day: Day of event_time (UTC).
        currency: ISO 4217 code; '' where nothing has a price.
        amount: Cost as invoiced, net of adjustments.
        unpriced_events: Events that the amount lacks, because they have no price.
    """

    provider: str
    model: str
    day: date
    currency: str
    amount: Decimal
    unpriced_events: int = 0


@dataclass(frozen=True, slots=True)
class Residual:
    """One comparison; the residual is positive when more is billed than recorded.

    Attributes:
        on_bill: Whether the bill has it.
        in_record: Whether the record has it.
    """

    provider: str
    model: str
    day: date
    currency: str
    billed: Decimal = _ZERO
    recorded: Decimal = _ZERO
    unpriced_events: int = 0
    on_bill: bool = False
    in_record: bool = False

    @property
    def residual(self) -> Decimal:
        """Billed less recorded."""
        return self.billed - self.recorded

    @property
    def percent(self) -> Decimal | None:
        """Residual in per cent of what is billed, to two places; None when nothing is billed."""
        if not self.billed:
            return None
        return (self.residual / abs(self.billed) * 100).quantize(Decimal("0.01"))

    @property
    def note(self) -> str:
        """What is to be said of it."""
        said = [
            "" if self.on_bill else "only in the record",
            "" if self.in_record else "only on the bill",
            f"{self.unpriced_events} events without a price" if self.unpriced_events else "",
        ]
        return ", ".join(filter(None, said))

    def is_above(self, limit: Limit) -> bool:
        """Return whether the residual is more than may be."""
        size = abs(self.residual)
        return size > 0 and size >= limit.least and size > limit.ratio * abs(self.billed)


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a residual may be.

    Attributes:
        ratio: Part of what is billed.
        least: Amount below which none counts.
    """

    ratio: Decimal = Decimal("0.01")
    least: Decimal = Decimal("0.01")


def residuals(bill: Bill, record: Iterable[Recorded], days: Sequence[date]) -> list[Residual]:
    """Return the comparisons, by provider, day, model and currency.

    Models are compared under `model_key`. A provider whose bill names no model at all is compared as a whole.
    Only days are compared that the bill is about.

    Args:
        bill: What the provider says.
        record: What we have.
        days: The days that were asked for.
    """
    wanted = {provider: known & set(days) for provider, known in bill.days.items()}
    whole = {provider for provider in bill.days if not _names_models(bill, provider)}
    found: dict[tuple[str, date, str, str], Residual] = {}

    def at(
        provider: str, day: date, model: str, currency: str
    ) -> tuple[tuple[str, date, str, str], Residual]:
        name = ALL_MODELS if provider in whole else model_key(model) or NO_MODEL
        key = (provider, day, name, currency)
        return key, found.get(key, Residual(provider, name, day, currency))

    for line in bill.lines:
        if line.day in wanted[line.provider]:
            key, old = at(line.provider, line.day, line.model, line.currency)
            found[key] = replace(old, billed=old.billed + line.amount, on_bill=True)
    for each in record:
        if each.day in wanted.get(each.provider, ()) and (each.amount or each.unpriced_events):
            currency = each.currency or _only_currency(bill, each.provider)
            key, old = at(each.provider, each.day, each.model, currency)
            unpriced = old.unpriced_events + each.unpriced_events
            amount = old.recorded + each.amount
            found[key] = replace(old, recorded=amount, unpriced_events=unpriced, in_record=True)
    return [found[key] for key in sorted(found)]


def _names_models(bill: Bill, provider: str) -> bool:
    return any(line.model for line in bill.lines if line.provider == provider)


def _only_currency(bill: Bill, provider: str) -> str:
    """Return the currency of a provider's bill, '' when there are several: unpriced events have none."""
    known = {line.currency for line in bill.lines if line.provider == provider}
    return known.pop() if len(known) == 1 else ""

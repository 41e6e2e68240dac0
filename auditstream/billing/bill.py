"""A provider's bill in our terms: one amount a provider, model and day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class BillLine:
    """One charge of one day.

    Attributes:
        provider: As `inference.provider` has it.
        model: What the bill calls the model, or the thing that is charged; '' where it says neither.
        day: Day of the charge (UTC).
        currency: ISO 4217 code.
        amount: What is billed.
    """

    provider: str
    model: str
    day: date
    currency: str
    amount: Decimal


@dataclass(slots=True)
class Bill:
    """What the files of one bill say.

    Attributes:
        lines: The charges that can be compared.
        days: By provider: the days that the bill is about, those without a charge included.
        passed_over: What cannot be compared: sums by reason and currency.
        passed_lines: How many lines those are of, by reason and currency.
    """

    lines: list[BillLine] = field(default_factory=list)
    days: dict[str, set[date]] = field(default_factory=dict)
    passed_over: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    passed_lines: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, line: BillLine) -> None:
        """Add a charge, and its day."""
        self.lines.append(line)
        self.days.setdefault(line.provider, set()).add(line.day)

    def add_days(self, provider: str, first: date, end: date) -> None:
        """Say that the bill is about the days from `first` to before `end`."""
        known = self.days.setdefault(provider, set())
        known.update(first + timedelta(days=number) for number in range((end - first).days))

    def pass_over(self, reason: str, currency: str, amount: Decimal) -> None:
        """Add a charge that cannot be compared."""
        key = (reason, currency)
        self.passed_over[key] = self.passed_over.get(key, Decimal(0)) + amount
        self.passed_lines[key] += 1

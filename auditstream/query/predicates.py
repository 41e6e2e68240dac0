"""Terms of a search as SQL conditions. Values travel as parameters: no text of a user enters the SQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation

from auditstream.core.errors import RequestError
from auditstream.query.fields import Kind
from auditstream.query.grammar import Comparison, QueryError, Term, Words
from auditstream.query.periods import Period, moment
from sinks.expressions import time_text

_INT64 = range(-(1 << 63), 1 << 63)
_TIME = "DateTime64(6, 'UTC')"
_MONEY_DIGITS, _MONEY_DECIMALS = 26, 12  # of Decimal(38, 12), before the point and behind it
_MONEY = Context(prec=_MONEY_DIGITS + _MONEY_DECIMALS)
_WHOLE_DIGITS = 19


class Conditions:
    """Conditions that must all hold, and the parameters that they name."""

    def __init__(self) -> None:
        self._clauses: list[str] = []
        self.parameters: dict[str, object] = {}

    def beside(self) -> Conditions:
        """Return further conditions of the same query, with the parameters in common."""
        others = Conditions()
        others.parameters = self.parameters
        return others

    @property
    def sql(self) -> str:
        """The conditions joined by AND; `1` when there are none."""
        return "\n    AND ".join(self._clauses) or "1"

    def add(self, clause: str) -> None:
        """Demand a condition; its text must be ours."""
        self._clauses.append(clause)

    def bind(self, value: object, sql_type: str) -> str:
        """Return the placeholder of a new parameter."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{sql_type}}}"

    def add_tenant(self, tenant: str) -> None:
        """Demand rows of one tenant."""
        self.add(f"tenant_id = {self.bind(tenant, 'String')}")

    def add_period(self, period: Period) -> None:
        """Demand rows whose event_time is in a range."""
        if period.start is not None:
            self.add(f"event_time >= {self.bind(time_text(period.start), _TIME)}")
        if period.end is not None:
            self.add(f"event_time < {self.bind(time_text(period.end), _TIME)}")

    def add_leaves(self, ranges: Mapping[str, tuple[int, int]]) -> None:
        """Demand leaves of these logs: by log the first index and the one after the last."""
        clauses = [
            f"(log_id = {self.bind(log_id, 'String')} AND leaf_index >= {self.bind(begin, 'UInt64')}"
            f" AND leaf_index < {self.bind(end, 'UInt64')})"
            for log_id, (begin, end) in ranges.items()
        ]
        self.add(f"({' OR '.join(clauses) or '0'})")

    def add_before(self, event_time: datetime, event_id: uuid.UUID) -> None:
        """Demand rows that come before an event in the order of time and id."""
        time = self.bind(time_text(event_time), _TIME)
        # The first condition alone lets the store skip what is newer; the pair decides among equal times.
        self.add(f"event_time <= {time}")
        self.add(f"(event_time, event_id) < ({time}, {self.bind(str(event_id), 'UUID')})")

    def add_after(self, event_time: datetime, event_id: uuid.UUID) -> None:
        """Demand rows that come after an event in the order of time and id."""
        time = self.bind(time_text(event_time), _TIME)
        self.add(f"event_time >= {time}")  # as in `add_before`
        self.add(f"(event_time, event_id) > ({time}, {self.bind(str(event_id), 'UUID')})")

    def add_terms(self, terms: Sequence[Term]) -> None:
        """Demand every term of a search.

        Raises:
            QueryError: A value is not one of its field's kind.
        """
        for term in terms:
            clause = self._words(term) if isinstance(term, Words) else self._comparison(term)
            # What is not there (NULL) does not match, so that its negation does.
            self.add(f"NOT ifNull({clause}, 0)" if term.negated else clause)

    def _words(self, term: Words) -> str:
        text = self.bind(term.text, "String")
        tokens = f"hasAllTokens(search_text, {text})"
        return (
            f"({tokens} AND positionCaseInsensitiveUTF8(search_text, {text}) > 0)" if term.phrase else tokens
        )

    def _comparison(self, term: Comparison) -> str:
        value = self._value(term)
        if term.field.kind == "list":
            clauses = [f"has({column}, {value})" for column in term.field.columns]
        elif term.field.kind == "map":
            key = self.bind(term.key, "String")
            clauses = [
                f"(mapContains({c}, {key}) AND toString({c}[{key}]) = {value})" for c in term.field.columns
            ]
        else:
            operator = "=" if term.operator == ":" else term.operator
            clauses = [f"{column} {operator} {value}" for column in term.field.columns]
        return clauses[0] if len(clauses) == 1 else f"({' OR '.join(clauses)})"

    def _value(self, term: Comparison) -> str:
        """Return the placeholder of a comparison's value."""
        read, sql_type = _READ[term.field.kind]
        return self.bind(read(term), sql_type)


def _wrong(term: Comparison, expected: str) -> QueryError:
    return QueryError(term.position, f"{term.field.name}: {term.value!r} is not {expected}")


def _number(term: Comparison) -> Decimal:
    try:
        number = Decimal(term.value)
    except InvalidOperation:
        raise _wrong(term, "a number") from None
    if not number.is_finite():
        raise _wrong(term, "a finite number")
    return number


def _whole(term: Comparison) -> int:
    number = _number(term)
    # By its exponent first: 1e999999999 is not made into digits.
    is_short = not number or number.adjusted() < _WHOLE_DIGITS
    if not is_short or number != int(number) or int(number) not in _INT64:
        raise _wrong(term, "a whole number of 64 bits")
    return int(number)


def _money(term: Comparison) -> str:
    number = _number(term)
    if number and number.adjusted() >= _MONEY_DIGITS:
        raise _wrong(term, f"an amount with at most {_MONEY_DIGITS} digits before the point")
    # Zero with any exponent is zero; of the default context there are too few digits.
    amount = number.quantize(Decimal(1).scaleb(-_MONEY_DECIMALS), context=_MONEY) if number else Decimal(0)
    if amount != number:
        raise _wrong(term, f"an amount with at most {_MONEY_DECIMALS} decimals")
    return f"{number:f}" if number else "0"


def _flag(term: Comparison) -> bool:
    if term.value.lower() not in {"true", "false"}:
        raise _wrong(term, "true or false")
    return term.value.lower() == "true"


def _time(term: Comparison) -> str:
    try:
        return time_text(moment(term.value))
    except RequestError as error:
        raise QueryError(term.position, f"{term.field.name}: {error.message}", hint=error.hint) from error


def _uuid(term: Comparison) -> str:
    try:
        return str(uuid.UUID(term.value))
    except ValueError:
        raise _wrong(term, "a UUID") from None


def _symbol(term: Comparison) -> str:
    symbol = term.value.upper()
    if symbol not in term.field.symbols:
        raise _wrong(term, f"one of {', '.join(term.field.symbols)}")
    return symbol


def _fraction(term: Comparison) -> float:
    return float(_number(term))


def _text(term: Comparison) -> str:
    return term.value


_READ: Mapping[Kind, tuple[Callable[[Comparison], object], str]] = {
    "text": (_text, "String"),
    "enum": (_symbol, "String"),
    "list": (_text, "String"),
    "map": (_text, "String"),
    "whole": (_whole, "Int64"),
    "fraction": (_fraction, "Float64"),
    "money": (_money, "Decimal(38, 12)"),
    "flag": (_flag, "Bool"),
    "time": (_time, _TIME),
    "uuid": (_uuid, "UUID"),
}
"""How a value of each kind is read, and the type of its parameter."""

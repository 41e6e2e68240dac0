"""A rule's condition as an expression over columns; a field without a value matches nothing.

Sigma compares text without regard to case, unless a rule says `cased`; `*` and `?` stand for any text and any
character. Patterns run on Rust's `regex`, whose time grows with the text alone; what it cannot do in that
time (look-around, back-references) is refused when the rule is read. Keywords without a field are refused:
they would search every column of every event.

Source: Sigma specification 2.1.0, "Sigma Rules" and "Modifiers".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from auditstream.detection.rules.fault import RuleFaultError
from auditstream.detection.rules.fields import Field, LogSource, field_of

MOST_VALUES = 1_000
"""Values that one rule may compare with: each costs a look at every event of the log source."""

_LOWER = "|lower"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition over columns.

    Attributes:
        expression: Whether an event matches, never null; over the inputs.
        inputs: What the expression reads, by name, over the columns of events.
        columns: Columns of events that the inputs read.
        needs: Columns of which an event that matches has all.
        necessary: By input, what it must keep where an event matches: cheaper to ask than the whole.
    """

    expression: pl.Expr
    inputs: dict[str, pl.Expr]
    columns: frozenset[str]
    needs: frozenset[str]
    necessary: Mapping[str, pl.Expr]


def compiled(condition: Any, source: LogSource) -> Compiled:
    """Return a parsed Sigma condition as an expression.

    Args:
        condition: What pySigma parsed.
        source: Log source of the rule.

    Raises:
        RuleFaultError: A field is unknown, a value does not fit its field, or Sigma has a thing here that we
            do not take.
    """
    inputs = Inputs(source)
    node = _node(condition, inputs)
    columns = frozenset(inputs.columns)
    return Compiled(node.expression, inputs.expressions, columns, node.needs, node.necessary)


class Inputs:
    """What a condition reads, gathered while it is compiled."""

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.expressions: dict[str, pl.Expr] = {}
        self.columns: set[str] = set()
        self._values = 0

    def count(self) -> None:
        """Note another value that is compared with."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise RuleFaultError("detection", f"compares with more than {MOST_VALUES} values")

    def field(self, name: str) -> Field:
        """Return a field that is read."""
        found = field_of(name, self.source)
        self.columns.add(found.column)
        self.expressions[found.input] = found.value
        return found

    def lower(self, field: Field) -> pl.Expr:
        """Return the text of a field in small letters, which all comparisons of a rule share."""
        name = field.input + _LOWER
        if isinstance(field.dtype, pl.List):
            self.expressions[name] = field.value.list.eval(pl.element().str.to_lowercase())
        else:
            self.expressions[name] = field.value.str.to_lowercase()
        return pl.col(name)


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of a condition, with what follows from it; as of `Compiled`."""

    expression: pl.Expr
    needs: frozenset[str]
    necessary: Mapping[str, pl.Expr]


def _node(node: Any, inputs: Inputs) -> _Node:
    match node:
        case ConditionAND():
            return _all_of([_node(each, inputs) for each in node.args])
        case ConditionOR():
            return _any_of([_node(each, inputs) for each in _joined(node.args)])
        case ConditionNOT():
            (inner,) = node.args
            return _Node(~_node(inner, inputs).expression, frozenset(), {})
        case _OneOf():
            return _one_of(node, inputs)
        case ConditionFieldEqualsValueExpression():
            return _leaf(node.field, node.value, inputs)
        case ConditionValueExpression():
            raise RuleFaultError(
                "detection", f"keyword {str(node.value)[:40]!r} names no field", hint="Write FIELD|contains."
            )
    raise RuleFaultError("detection", f"{type(node).__name__} is nothing that can be compiled")


def _all_of(parts: list[_Node]) -> _Node:
    necessary: dict[str, pl.Expr] = {}
    for part in parts:
        for name, kept in part.necessary.items():
            necessary[name] = necessary[name] & kept if name in necessary else kept
    expression = reduce(and_, (part.expression for part in parts))
    return _Node(expression, frozenset().union(*(part.needs for part in parts)), necessary)


def _any_of(parts: list[_Node]) -> _Node:
    names = set(parts[0].necessary).intersection(*(part.necessary for part in parts[1:]))
    return _Node(
        reduce(or_, (part.expression for part in parts)),
        parts[0].needs.intersection(*(part.needs for part in parts[1:])),
        {name: reduce(or_, (part.necessary[name] for part in parts)) for name in names},
    )


def _comparing(expression: pl.Expr, column: str) -> _Node:
    """Return a comparison that nothing without a value in a column keeps."""
    read = set(expression.meta.root_names())
    return _Node(expression, frozenset({column}), {read.pop(): expression} if len(read) == 1 else {})


@dataclass(frozen=True, slots=True)
class _OneOf:
    """That a text is one of several, without wildcards: one look-up instead of a comparison each."""

    field: str
    values: tuple[str, ...]


def _joined(nodes: Sequence[Any]) -> Iterable[Any]:
    """Yield the nodes with plain texts of one field put together."""
    plain: dict[str, list[str]] = {}
    for node in nodes:
        if _is_plain(node):
            plain.setdefault(node.field, []).append(str(node.value))
        else:
            yield node
    for field, values in plain.items():
        yield _OneOf(field, tuple(values))


def _is_plain(node: Any) -> bool:
    return (
        isinstance(node, ConditionFieldEqualsValueExpression)
        and type(node.value) is SigmaString
        and not node.value.contains_special()
        and str(node.value) != ""
    )


def _one_of(node: _OneOf, inputs: Inputs) -> _Node:
    field = inputs.field(node.field)
    _check_is_text(field, node.values[0])
    for value in node.values:
        inputs.count()
        _check_symbol(field, value)
    if field.symbols:
        found = pl.col(field.input).is_in([value.upper() for value in node.values])
        return _comparing(found.fill_null(value=False), field.column)
    wanted = [value.lower() for value in node.values]
    return _comparing(_any(field, inputs.lower(field), lambda text: text.is_in(wanted)), field.column)


def _leaf(name: str, value: SigmaType, inputs: Inputs) -> _Node:
    inputs.count()
    field = inputs.field(name)
    has = _has(field)
    match value:
        case SigmaNull() | SigmaExists(exists=False):
            return _Node(~has, frozenset(), {})
        case SigmaString() if not str(value):
            return _Node(~has, frozenset(), {})
        case SigmaExists():
            return _comparing(has, field.column)
        case SigmaExpansion():
            return _any_of([_leaf(name, each, inputs) for each in value.values])
    return _comparing(_comparison(field, value, inputs).fill_null(value=False), field.column)


def _has(field: Field) -> pl.Expr:
    """Return whether a field has a value; an empty text is what was not stated, as in the store."""
    value = pl.col(field.input)
    if isinstance(field.dtype, pl.String):
        return (value != "").fill_null(value=False)
    return value.is_not_null()


def _comparison(field: Field, value: SigmaType, inputs: Inputs) -> pl.Expr:
    raw = pl.col(field.input)
    match value:
        case SigmaString() | SigmaRegularExpression() | SigmaCIDRExpression():
            _check_is_text(field, str(value))
            return _text(field, value, inputs)
        case SigmaFieldReference():
            return _same(field, inputs.field(value.field))
        case SigmaBool() if isinstance(field.dtype, pl.Boolean):
            return raw == bool(value)
        case SigmaBool() if field.column != field.input:  # attributes hold texts
            return raw == str(bool(value)).lower()
        case SigmaCompareExpression():
            return _OPERATORS[value.op](*_numbers(field, value.number))
        case SigmaNumber():
            return _OPERATORS[None](*_numbers(field, value))
    shown = f"{type(value).__name__} {str(value)[:40]!r}"
    raise RuleFaultError(field.name, f"{shown} is nothing that it can be compared with")


_OPERATORS: dict[CompareOperators | None, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    None: lambda left, right: left == right,
    CompareOperators.LT: lambda left, right: left < right,
    CompareOperators.LTE: lambda left, right: left <= right,
    CompareOperators.GT: lambda left, right: left > right,
    CompareOperators.GTE: lambda left, right: left >= right,
    CompareOperators.NEQ: lambda left, right: left != right,
}


def _text(
    field: Field, value: SigmaString | SigmaRegularExpression | SigmaCIDRExpression, inputs: Inputs
) -> pl.Expr:
    raw = pl.col(field.input)
    match value:
        case SigmaRegularExpression():
            pattern = _pattern(field, value)
            return _any(field, raw, lambda text: text.str.contains(pattern))
        case SigmaCIDRExpression():
            starts = [each.removesuffix("*") for each in value.expand()]
            return _any(field, raw, lambda text: reduce(or_, (text.str.starts_with(each) for each in starts)))
        case SigmaCasedString():
            return _any(field, raw, _text_match(value, ignore_case=False))
    if field.symbols and not value.contains_special():
        _check_symbol(field, str(value))
        return raw == str(value).upper()
    return _any(field, inputs.lower(field), _text_match(value, ignore_case=True))


_SIGNS = {SpecialChars.WILDCARD_MULTI: "*", SpecialChars.WILDCARD_SINGLE: "?"}
_PATTERNS = {"*": ".*", "?": "."}

# What texts with wildcards at their ends need is no pattern; `t` is the text.
_SHAPES: dict[str, Callable[[pl.Expr, str], pl.Expr]] = {
    "": lambda text, wanted: text == wanted,
    "t": lambda text, wanted: text == wanted,
    "*": lambda text, _: text != "",
    "t*": lambda text, wanted: text.str.starts_with(wanted),
    "*t": lambda text, wanted: text.str.ends_with(wanted),
    "*t*": lambda text, wanted: text.str.contains(wanted, literal=True),
}


def _text_match(value: SigmaString, *, ignore_case: bool) -> Callable[[pl.Expr], pl.Expr]:
    """Return what tells whether a text matches."""
    shape, plain, pattern = "", "", ""
    for part in value.s:
        if isinstance(part, str):
            text = part.lower() if ignore_case else part
            shape, plain, pattern = shape + "t", plain + text, pattern + re.escape(text)
        elif isinstance(part, SpecialChars):
            shape, pattern = shape + _SIGNS[part], pattern + _PATTERNS[_SIGNS[part]]
        else:
            raise RuleFaultError("detection", f"{str(value)[:40]!r} has a placeholder")
    if shape in _SHAPES:
        matches = _SHAPES[shape]
        return lambda text: matches(text, plain)
    return lambda text: text.str.contains(f"(?s)^{pattern}$")


def _pattern(field: Field, value: SigmaRegularExpression) -> str:
    """Return a pattern that Rust's `regex` takes, in time that grows with the text alone.

    Raises:
        RuleFaultError: It does not.
    """
    letters = {
        SigmaRegularExpressionFlag.IGNORECASE: "i",
        SigmaRegularExpressionFlag.MULTILINE: "m",
        SigmaRegularExpressionFlag.DOTALL: "s",
    }
    flags = "".join(sorted(letters[each] for each in value.flags))
    pattern = f"(?{flags}){value.to_plain()}" if flags else value.to_plain()
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        reason = " ".join(str(error).split())[:200]
        raise RuleFaultError(field.name, f"pattern {pattern[:80]!r} is not one of ours: {reason}") from None
    return pattern


def _any(field: Field, value: pl.Expr, holds: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Return whether a text holds, or one of a list of texts."""
    if isinstance(field.dtype, pl.List):
        return value.list.eval(holds(pl.element())).list.any().fill_null(value=False)
    return holds(value).fill_null(value=False)


def _same(field: Field, other: Field) -> pl.Expr:
    if field.dtype != other.dtype or isinstance(field.dtype, pl.List):
        raise RuleFaultError(field.name, f"cannot be compared with {other.name}: their types differ")
    return pl.col(field.input) == pl.col(other.input)


_PARTS: dict[TimestampPart, Callable[[pl.Expr], pl.Expr]] = {
    TimestampPart.MINUTE: lambda time: time.dt.minute(),
    TimestampPart.HOUR: lambda time: time.dt.hour(),
    TimestampPart.DAY: lambda time: time.dt.day(),
    TimestampPart.WEEK: lambda time: time.dt.week(),
    TimestampPart.MONTH: lambda time: time.dt.month(),
    TimestampPart.YEAR: lambda time: time.dt.year(),
}


def _numbers(field: Field, value: SigmaNumber) -> tuple[pl.Expr, pl.Expr]:
    """Return the two sides of a comparison of numbers."""
    wanted, found = pl.lit(value.number), pl.col(field.input)
    if isinstance(field.dtype, pl.Datetime):
        if not isinstance(value, SigmaTimestampPart):
            raise RuleFaultError(field.name, "is a time: compare a part of it, as `event_time|hour`")
        return _PARTS[value.timestamp_part](found).cast(pl.Int64), wanted
    if isinstance(value, SigmaTimestampPart):
        raise RuleFaultError(field.name, "is no time")
    if isinstance(field.dtype, pl.Int32 | pl.Int64 | pl.Float64):
        return found, wanted
    if isinstance(field.dtype, pl.Decimal):
        return found.cast(pl.Float64), wanted
    if isinstance(field.dtype, pl.String) and not field.symbols:
        return found.cast(pl.Float64, strict=False), wanted
    raise RuleFaultError(field.name, f"is compared with {value.number}, but is no number")


def _check_is_text(field: Field, value: str) -> None:
    inner = field.dtype.inner if isinstance(field.dtype, pl.List) else field.dtype
    if not isinstance(inner, pl.String):
        raise RuleFaultError(field.name, f"is compared with the text {value[:40]!r}, but is {inner}")


def _check_symbol(field: Field, value: str) -> None:
    if field.symbols and value.upper() not in field.symbols:
        raise RuleFaultError(field.name, f"{value[:40]!r} is none of {', '.join(sorted(field.symbols))}")

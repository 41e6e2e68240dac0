"""Which rules match which events of a frame.

Most frames hold nothing that most rules are about: a rule is not asked when a column that it needs is wholly
null, nor about events of another type, and only once where all events say the same. Texts in small letters
and keys of `attributes` are made once for all rules of a log source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.rules.fields import LogSource
from auditstream.detection.rules.rule import Rule
from schemas.sameness import says_one

Rows = NDArray[np.int64]
"""Row numbers, ascending."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The rules of one log source.

    Attributes:
        source: The log source.
        rules: Its rules.
        first: An input, and what it keeps in every event that one of many rules matches; None for few rules.
    """

    source: LogSource
    rules: tuple[Rule, ...]
    first: tuple[str, pl.Expr] | None


class Matcher:
    """Asks rules of frames; holds no state, any thread may use it.

    Args:
        rules: The rules.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        ordered = sorted(
            rules, key=lambda each: (each.source.source, each.source.event_type, each.about.name)
        )
        self._groups = [
            _Group(source, group, _first(group))
            for source, grouped in groupby(ordered, key=lambda each: each.source)
            for group in [tuple(grouped)]
        ]

    @property
    def columns(self) -> frozenset[str]:
        """Columns of events that are read."""
        read = (rule.condition.columns for group in self._groups for rule in group.rules)
        return frozenset({"event_type", "source", "duplicate_of"}).union(*read)

    def matches(self, events: pl.DataFrame) -> Iterator[tuple[Rule, Rows]]:
        """Yield each rule that matches, with the rows that it matches.

        Args:
            events: Events as `schemas.flatten.FRAME_SCHEMA` has them, attributed, priced, and marked with
                `duplicate_of`; `columns` are enough, and polars takes its time for each further one.
        """
        if events.is_empty():
            return
        looked = _Looked(events)
        for group in self._groups:
            asked = [rule for rule in group.rules if all(map(looked.has, rule.condition.needs))]
            if asked and group.source.may_have(looked.distinct):
                yield from _matches(looked, group, asked)


class _Looked:
    """Events, and what a look at whole columns of them said: many rules ask for the same."""

    def __init__(self, events: pl.DataFrame) -> None:
        self.events = events
        self._distinct: dict[str, list[str | None] | None] = {}
        self._same: dict[str, bool] = {}
        self._has: dict[str, bool] = {}

    def has(self, column: str) -> bool:
        """Return whether an event has a value."""
        if column not in self._has:
            self._has[column] = self.events.get_column(column).null_count() < self.events.height
        return self._has[column]

    def is_same(self, column: str) -> bool:
        """Return whether all events say the same, or none says anything."""
        if column not in self._same:
            values = self.events.get_column(column)
            self._same[column] = not self.has(column) or (not values.dtype.is_nested() and says_one(values))
        return self._same[column]

    def distinct(self, column: str) -> list[str | None] | None:
        """Return the texts that there are, None for too many to be looked at one by one."""
        if column not in self._distinct:
            texts = self.events.get_column(column)
            few = texts.head(1) if self.is_same(column) else texts.unique()
            self._distinct[column] = few.to_list() if len(few) <= _FEW else None
        return self._distinct[column]


_FEW = 1_000
"""Different sources of a segment that are looked at one by one."""

_MANY = 8
"""Rules of a log source from which on it pays to ask first what all of them need."""


def _first(rules: tuple[Rule, ...]) -> tuple[str, pl.Expr] | None:
    """Return what to ask first: of the inputs that all rules look at, the one they ask most things of."""
    if len(rules) < _MANY:
        return None
    names = set(rules[0].condition.necessary).intersection(*(rule.condition.necessary for rule in rules))
    if not names:
        return None
    asked = {name: [rule.condition.necessary[name] for rule in rules] for name in sorted(names)}
    name = max(asked, key=lambda each: len({str(kept) for kept in asked[each]}))
    return name, pl.any_horizontal(asked[name])


def _matches(looked: _Looked, group: _Group, rules: list[Rule]) -> Iterator[tuple[Rule, Rows]]:
    events = looked.events
    rows = group.source.rows(events)
    if group.first is not None and len(rows):
        name, kept = group.first
        value = next(rule.condition.inputs[name] for rule in group.rules)
        asked = _part(events, value.meta.root_names(), rows).lazy().select(value.alias(name)).select(kept)
        rows = rows[asked.collect().to_series().to_numpy()]
    if not len(rows):
        return
    columns = sorted(set().union(*(rule.condition.columns for rule in rules)))
    inputs = {name: value for rule in rules for name, value in rule.condition.inputs.items()}
    is_same = all(map(looked.is_same, columns))  # then what the first event is told holds for all of them
    found = (
        _part(events, columns, rows[:1] if is_same else rows)
        .lazy()
        .select(**inputs)
        .select(**{str(number): rule.condition.expression for number, rule in enumerate(rules)})
        .collect()
    )
    for rule, mask in zip(rules, found.iter_columns(), strict=True):
        if mask.any():
            yield rule, rows if is_same else rows[np.flatnonzero(mask.to_numpy())]


def _part(events: pl.DataFrame, columns: Iterable[str], rows: Rows) -> pl.DataFrame:
    part = pl.DataFrame([events.get_column(name) for name in columns])
    return part if len(rows) == events.height else part[rows]

"""Which rules match which events of a frame.

Most frames hold nothing that most rules are about: a rule is not asked when a column that it needs is wholly
null, nor about events of another type. Texts in small letters and keys of `attributes` are made once for all
rules of a log source.
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
        empty: dict[str, bool] = {}

        def has(column: str) -> bool:
            if column not in empty:
                empty[column] = events.get_column(column).null_count() == events.height
            return not empty[column]

        for group in self._groups:
            asked = [rule for rule in group.rules if all(map(has, rule.condition.needs))]
            if asked:
                yield from _matches(events, group, asked)


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


def _matches(events: pl.DataFrame, group: _Group, rules: list[Rule]) -> Iterator[tuple[Rule, Rows]]:
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
    found = (
        _part(events, columns, rows)
        .lazy()
        .select(**inputs)
        .select(**{str(number): rule.condition.expression for number, rule in enumerate(rules)})
        .collect()
    )
    for rule, mask in zip(rules, found.iter_columns(), strict=True):
        if mask.any():
            yield rule, rows[np.flatnonzero(mask.to_numpy())]


def _part(events: pl.DataFrame, columns: Iterable[str], rows: Rows) -> pl.DataFrame:
    part = pl.DataFrame([events.get_column(name) for name in columns])
    return part if len(rows) == events.height else part[rows]

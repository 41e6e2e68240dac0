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

_ROW = "row number"


@dataclass(frozen=True, slots=True)
class _Group:
    """The rules of one log source."""

    source: LogSource
    rules: tuple[Rule, ...]


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
            _Group(source, tuple(group)) for source, group in groupby(ordered, key=lambda each: each.source)
        ]

    def matches(self, events: pl.DataFrame) -> Iterator[tuple[Rule, Rows]]:
        """Yield each rule that matches, with the rows that it matches.

        Args:
            events: Events as `schemas.flatten.FRAME_SCHEMA` has them, attributed, priced, and marked with
                `duplicate_of`.
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
                yield from _matches(events, group.source, asked)


def _matches(events: pl.DataFrame, source: LogSource, rules: list[Rule]) -> Iterator[tuple[Rule, Rows]]:
    rows = events.select(source.rows().arg_true().cast(pl.Int64)).to_series().to_numpy()
    if not len(rows):
        return
    columns = sorted(set().union(*(rule.condition.columns for rule in rules)))
    asked = events.select(columns)
    if len(rows) < events.height:
        asked = asked[rows]
    inputs = {name: value for rule in rules for name, value in rule.condition.inputs.items()}
    read = asked.select(**inputs)
    found = read.select(**{str(number): rule.condition.expression for number, rule in enumerate(rules)})
    for rule, mask in zip(rules, found.iter_columns(), strict=True):
        if mask.any():
            yield rule, rows[np.flatnonzero(mask.to_numpy())]

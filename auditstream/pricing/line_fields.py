"""Fields of a cost line, as events have them.

A text of a line is one of few that are known before, and a block has a line or more an event: computed lines
name their texts by number (an Enum), which is a twentieth of what the texts take.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.flatten import FRAME_SCHEMA

COSTS = "costs"
"""Column of an event: its cost lines."""

_LINES_TYPE = FRAME_SCHEMA[COSTS]
assert isinstance(_LINES_TYPE, pl.List)
assert isinstance(_LINES_TYPE.inner, pl.Struct)
LINE_FIELDS: dict[str, Any] = {field.name: field.dtype for field in _LINES_TYPE.inner.fields}
"""Fields of a cost line with their types."""


def numbered(lines: pl.DataFrame, texts: Iterable[str]) -> pl.DataFrame:
    """Return lines with some of their texts by number.

    Args:
        lines: Any of `LINE_FIELDS`.
        texts: Names of those to number.
    """
    return lines.with_columns(
        pl.col(name).cast(pl.Enum(lines.get_column(name).drop_nulls().unique(maintain_order=True)))
        for name in texts
    )


def spelt_out(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines whose texts are spelt out: their fields have the types of `LINE_FIELDS`."""
    return lines.cast({name: kind for name, kind in LINE_FIELDS.items() if name in lines.columns})

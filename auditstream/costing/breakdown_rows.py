"""Costs by key as rows: what a line of a report says, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from auditstream.costing.breakdown import Block, Line
from auditstream.costing.spent import AMOUNTS, COUNTS

FIGURES = (
    "currency", "events", "unpriced_events", "unpriced_tokens", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_list", "cost_contracted",
    "cost_effective", "cost_billed", "share_pct", "cost_effective_before", "change", "change_pct",
)  # fmt: skip
"""Columns of a line beside its key."""


def rows_of(columns: Sequence[str], blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    """Yield the lines of blocks by column: `line` says which, the dimensions follow, then `FIGURES`."""
    for block in blocks:
        for line in block.lines:
            yield _row("key", columns, line, block.currency)
        ends = {"rest": block.rest, "total": block.total, "unattributed": block.unattributed}
        for name, end in ends.items():
            if end is not None:
                yield _row(name, columns, end, block.currency)
        yield _row("unpriced", columns, block.unpriced, block.currency)


def _row(name: str, columns: Sequence[str], line: Line, currency: str) -> dict[str, Any]:
    return {
        "line": name,
        **dict(zip(columns, line.key, strict=True)),
        "currency": currency or None,
        **figures_of(line),
    }


def figures_of(line: Line) -> dict[str, Any]:
    """Return the figures of a line by column; amounts are null where everything is unpriced."""
    spent = line.spent
    return {
        **{each: getattr(spent, each) for each in COUNTS},
        **{each: getattr(spent, each) if line.has_amounts else None for each in AMOUNTS},
        "share_pct": line.share_pct,
        "cost_effective_before": line.before,
        "change": line.change,
        "change_pct": line.change_pct,
    }

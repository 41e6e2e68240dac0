"""What the store says of itself: its version, its clock, and how many tokens its tables remember."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from auditstream.query.reader import Reader

_NOW = "SELECT toUnixTimestamp64Micro(now64(6)) / 1e6"
_WINDOWS = """
SELECT name, engine_full FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name"""
_WINDOW = re.compile(r"\b(?:non_)?replicated_deduplication_window = (\d+)")


def version(reader: Reader) -> str:
    """Return the server's version.

    Raises:
        RetryableError: No answer.
    """
    return str(reader.table("SELECT version()", {}, doing="connect to ClickHouse").rows[0][0])


def clock_skew_s(reader: Reader, now_s: Callable[[], float] = time.time) -> tuple[float, float]:
    """Return by how many seconds the store's clock is ahead of ours, and the uncertainty either way.

    The uncertainty is half the time that the question took; of a few questions the quickest counts.

    Raises:
        RetryableError: No answer.
    """
    measured = []
    for _ in range(3):
        before = now_s()
        theirs = float(reader.table(_NOW, {}, doing="read of the store's clock").rows[0][0])
        after = now_s()
        measured.append((theirs - (before + after) / 2, (after - before) / 2))
    return min(measured, key=lambda each: each[1])


def token_windows(reader: Reader) -> dict[str, int]:
    """Return how many of the newest inserts each table remembers the tokens of; 0 for none.

    Raises:
        RetryableError: No answer.
    """
    rows = reader.table(_WINDOWS, {}, doing="read of table settings").rows
    found = {str(name): _WINDOW.search(str(engine)) for name, engine in rows}
    return {name: int(match[1]) if match else 0 for name, match in found.items()}

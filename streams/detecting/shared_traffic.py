"""Which keys were nearly the same traffic in the last quarter of an hour: a credential and its project, say.

Findings are told by it, so it is in snapshots, unlike what merely illustrates them (`recent_rows`).
"""

from __future__ import annotations

import io
from collections import Counter, deque
from collections.abc import Collection
from itertools import combinations

import polars as pl

from auditstream.detection.traits import CALLS, COUNTED, EVENTS
from streams.detecting.scope_sums import SCOPES

SAME = 0.9
"""Share of the larger one's traffic that both have from which on they are the same: what is left could not
have made a finding of its own."""

_MINUTES = 15
"""Minutes that are looked at: the longest window of detectors that judge minutes."""

_NAMES = ("tenant", *SCOPES)
_MINUTE = "minute"
_FORM = {_MINUTE: pl.Int64, **dict.fromkeys(_NAMES, pl.String), **dict.fromkeys(COUNTED, pl.Int64)}


class SharedTraffic:
    """Sums of the last minutes by all scopes at once; whole numbers, so that no order matters."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, pl.DataFrame]] = deque()

    def add(self, minute: int, rows: pl.DataFrame) -> None:
        """Take in the rows of a minute, later than every one before."""
        self._minutes.append((minute, rows.group_by(_NAMES).agg(pl.col(COUNTED).sum()).sort(_NAMES)))
        while self._minutes[0][0] <= minute - _MINUTES:
            self._minutes.popleft()

    def alike(self, tenant: str, scopes: Collection[str], measure: str) -> set[tuple[str, str]]:
        """Return the pairs of a tenant's scopes that are nearly the same traffic.

        Args:
            tenant: The tenant.
            scopes: Scopes that are asked about, the empty one for the tenant as a whole.
            measure: What is counted, of `COUNTED`; events where there is none of it.
        """
        rows = pl.concat([pl.DataFrame(schema=_FORM).drop(_MINUTE), *(each for _, each in self._minutes)])
        rows = rows.filter(pl.col("tenant") == tenant)
        if not rows.get_column(measure).sum():
            measure = EVENTS
        found = _alike(rows, scopes, measure)
        if measure == EVENTS:  # a model has calls alone: what else a key does cannot tell them apart
            found = {pair for pair in found if not _has_model(pair)}
            found |= {pair for pair in _alike(rows, scopes, CALLS) if _has_model(pair)}
        return found

    def state(self) -> bytes:
        """Return everything, as Arrow's stream format."""
        frames = [
            frame.select(pl.lit(minute, pl.Int64).alias(_MINUTE), pl.all()) for minute, frame in self._minutes
        ]
        buffer = io.BytesIO()
        pl.concat([pl.DataFrame(schema=_FORM), *frames]).write_ipc_stream(buffer)
        return buffer.getvalue()

    def restore(self, state: bytes) -> None:
        """Take over what `state` returned."""
        rows = pl.read_ipc_stream(io.BytesIO(state))
        self._minutes = deque(
            (int(minute), frame.drop(_MINUTE))
            for (minute,), frame in rows.group_by(_MINUTE, maintain_order=True)
        )


def _alike(rows: pl.DataFrame, scopes: Collection[str], measure: str) -> set[tuple[str, str]]:
    totals: Counter[str] = Counter()
    shared: Counter[tuple[str, str]] = Counter()
    for *names, amount in rows.group_by(SCOPES).agg(pl.col(measure).sum()).iter_rows():
        named = ["", *(f"{kind}={name}" for kind, name in zip(SCOPES, names, strict=True) if name)]
        own = [each for each in named if each in scopes]
        totals.update(dict.fromkeys(own, amount))
        shared.update(dict.fromkeys(combinations(own, 2), amount))
    larger = {(one, other): max(totals[one], totals[other]) for one, other in shared}
    return {pair for pair, both in shared.items() if both > 0 and both >= SAME * larger[pair]}


def _has_model(pair: tuple[str, str]) -> bool:
    return any(each.startswith("model=") for each in pair)

"""A closed minute by key: what every tenant, model, credential, agent and project did in it."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.detector import Bucket, Column, Keys
from streams.detecting.delta import COUNTS, MONEY

SCOPES = ("model", "credential", "agent", "project")
"""What a tenant's usage is told apart by; the tenant as a whole is the empty scope."""


def by_scope(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows added up by tenant and scope, sorted by both.

    Columns: `tenant`, `scope` and `COUNTS`.
    """
    sums = [_of_scope(rows, pl.lit(""))]
    for kind in SCOPES:
        named = rows.filter(pl.col(kind) != "")
        if named.height:
            sums.append(_of_scope(named, pl.lit(f"{kind}=") + pl.col(kind)))
    return pl.concat(sums).sort("tenant", "scope")


def bucket_of(sums: pl.DataFrame, numbers: Keys, minute: int) -> Bucket:
    """Return a minute's sums as detectors take them.

    Args:
        sums: What `by_scope` returned.
        numbers: The number of each row's key; rows of one number are added up.
        minute: The minute since 1970.
    """
    keys, places = np.unique(numbers, return_inverse=True)
    values = {name: _added(sums.get_column(name).to_numpy(), places, len(keys)) for name in COUNTS}
    values["spend"] /= MONEY
    values["usage_spend"] /= MONEY
    return Bucket(minute, 1, keys, values)


def _of_scope(rows: pl.DataFrame, scope: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(scope.alias("scope")).group_by("tenant", "scope").agg(pl.col(COUNTS).sum())


def _added(values: NDArray[np.int64], places: NDArray[np.int64], size: int) -> Column:
    """Return the sums by place; in the order of the rows, so that equal rows give equal bits."""
    added = np.zeros(size)
    np.add.at(added, places, values.astype(np.float64))
    return added

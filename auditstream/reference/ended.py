"""Facts that are told of also once their time is over: whoever acts on them must hear that they ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

import polars as pl

from auditstream.reference.kinds import kind_of
from auditstream.reference.limits import Budget
from auditstream.reference.objectives import Objective
from auditstream.reference.snapshot import Snapshot

Ending = TypeVar("Ending", Budget, Objective)

_JUST_BEFORE = timedelta(microseconds=1)


def held(snapshot: Snapshot, fact: type[Ending], id_: str, at: datetime) -> Ending | None:
    """Return what an id says at a moment, or said last, which is not active then; None before its time.

    Raises:
        InvariantError: The kind was not read.
    """
    return snapshot.find(fact, id_, at=at) or _ended(snapshot, fact, id_, at)


def _ended(snapshot: Snapshot, fact: type[Ending], id_: str, at: datetime) -> Ending | None:
    kind = kind_of(fact)
    (key,) = kind.key
    over = snapshot.intervals(kind.name).filter(pl.col(key) == id_, pl.col("valid_to") <= at)
    if over.is_empty():
        return None
    last = over.sort("valid_to").tail(1)["valid_to"].item() - _JUST_BEFORE
    found = snapshot.find(fact, id_, at=last)
    return None if found is None else found.model_copy(update={"active": False})

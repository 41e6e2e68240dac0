"""The objectives that a snapshot knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
from pydantic import ValidationError

from auditstream.core.logs import get_logger
from auditstream.reference.objectives import Objective
from auditstream.reference.snapshot import Snapshot

log = get_logger(__name__)

_JUST_BEFORE = timedelta(microseconds=1)


def objectives_at(snapshot: Snapshot, at: datetime) -> list[Objective]:
    """Return the objectives that hold at a moment, by id.

    Retired ones are among them, and those that have ended; neither is active. One that another version
    recorded and this one does not understand is told of in the log and left out: it must not keep the others
    from being watched.

    Args:
        snapshot: What is known, kind `slo` among it.
        at: The moment.
    """
    found = (_known(snapshot, each, at) for each in sorted(set(snapshot.rows("slo")["slo_id"].to_list())))
    return [each for each in found if each is not None]


def _known(snapshot: Snapshot, slo_id: str, at: datetime) -> Objective | None:
    try:
        return snapshot.find(Objective, slo_id, at=at) or _ended(snapshot, slo_id, at)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        log.warning("slo_not_understood", slo=slo_id, field=field, reason=first["msg"])
        return None


def _ended(snapshot: Snapshot, slo_id: str, at: datetime) -> Objective | None:
    """Return an objective whose time is over, as it was last; None before its time."""
    held = snapshot.intervals("slo").filter(pl.col("slo_id") == slo_id, pl.col("valid_to") <= at)
    if held.is_empty():
        return None
    last = held.sort("valid_to").tail(1)["valid_to"].item() - _JUST_BEFORE
    objective = snapshot.find(Objective, slo_id, at=last)
    return None if objective is None else objective.model_copy(update={"active": False})

"""The objectives that a snapshot knows."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from auditstream.core.logs import get_logger
from auditstream.reference.ended import held
from auditstream.reference.objectives import Objective
from auditstream.reference.snapshot import Snapshot

log = get_logger(__name__)


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
        return held(snapshot, Objective, slo_id, at)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        log.warning("slo_not_understood", slo=slo_id, field=field, reason=first["msg"])
        return None

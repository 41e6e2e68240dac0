"""Offsets that Kafka lost before they were recorded, as a segment like any other: one leaf that names them.

A replay builds the same block from the plan alone, and needs nothing from Kafka.
"""

from __future__ import annotations

from datetime import UTC, datetime

from auditstream.core.ports import LogId, Lost, LostReason, Plan
from auditstream.ledger.gaps import Gap
from streams.gathering import Batch
from streams.plan import Closed


def plan_over_lost(
    state: Closed, log_start: int, *, reason: LostReason, now_s: float, reference_revision: int
) -> Plan:
    """Return the plan of the gap between what is recorded and what Kafka still has.

    Args:
        state: The closed state, below the log's start.
        log_start: Earliest offset that Kafka still has.
        reason: How far the offsets had come.
        now_s: The time, seconds since the epoch.
        reference_revision: Revision of the reference data, as in every plan.
    """
    return Plan(
        lo=state.next_offset,
        hi=log_start - 1,
        first_index=state.next_index,
        day=datetime.fromtimestamp(now_s, UTC).date(),
        reference_revision=reference_revision,
        lost=Lost(reason, int(now_s * 1000)),
    )


def lost_batch(log: LogId, plan: Plan) -> Batch:
    """Return the one record that stands for a plan's lost offsets, at the first of them."""
    assert plan.lost is not None
    return Batch(
        lo=plan.lo,
        hi=plan.hi,
        offsets=range(plan.lo, plan.lo + 1),
        values=[Gap(str(log), plan.lo, plan.hi, plan.lost.reason).text()],
        timestamps_ms=[plan.lost.noticed_ms],
        headers=None,
    )

"""What a lane starts from: the committed state, checked against what the store holds.

Pure decisions. Anything that the protocol cannot produce stops the worker; it never guesses.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditstream.core.errors import InvariantError, OffsetGapError
from auditstream.core.ports import LogId, Plan, StoredRange
from streams.plan import Closed, State, next_offset_of


def is_remembered(stored: StoredRange, token_window: int) -> bool:
    """Whether the store surely remembers the token of rows that it holds until what was asked for is over.

    Half the window is left for the inserts that may come between this answer and the end of the lease under
    which the caller goes on, and for those that ran side by side, which are counted by when they began.
    """
    return stored.later_segments < max(1, token_window // 2)


def was_never_written(begin: int, end: int) -> bool:
    """Whether a partition's offsets show that nothing was ever written to it, hence recorded from it."""
    return begin == 0 and end == 0


def start_from_store(log: LogId, whole: StoredRange, last: Plan | None, log_start: int) -> State:
    """Return the state that the store's own rows prove, for a log without committed metadata.

    Only valid once every lease that an earlier owner could hold has run out. The log's last segment is taken
    for an open plan, because nothing says that its views and its messages were finished; the replay does.

    Args:
        log: The log.
        whole: What the store holds of the whole log (from offset 0).
        last: The plan of the log's last segment.
        log_start: Earliest offset that Kafka still has.

    Raises:
        InvariantError: The store's indexes are not dense.
    """
    if last is None:
        return Closed(log_start, 0)
    if whole.last_index + 1 != whole.first_index + whole.rows:
        raise InvariantError(
            f"{log}: {whole.rows} rows with leaf indexes {whole.first_index}..{whole.last_index}"
        )
    if last.lost is not None or last.lo >= log_start:
        return last
    return Closed(last.hi + 1, whole.last_index + 1)


def require_in_views(segment_id: str, lacking: Sequence[str]) -> None:
    """Return when the views have a segment that no replay can bring to them any more.

    Args:
        segment_id: The segment.
        lacking: The views that lack it.

    Raises:
        InvariantError: There are such.
    """
    if lacking:
        raise InvariantError(
            f"{segment_id}: its rows are in the table, but not in {', '.join(lacking)}",
            hint=f"auditstream doctor rebuild --segment {segment_id} adds what is missing.",
        )


def start_closed(log: LogId, state: Closed, whole: StoredRange) -> None:
    """Return when the store agrees with a closed state.

    Args:
        log: The log.
        state: The committed state.
        whole: What the store holds of the whole log (from offset 0).

    Raises:
        InvariantError: The store is ahead of or behind the state.
    """
    if whole.last_index != state.next_index - 1 or whole.last_offset >= state.next_offset:
        raise InvariantError(
            f"{log}: committed up to offset {state.next_offset - 1}, index {state.next_index - 1}; "
            f"the store holds up to offset {whole.last_offset}, index {whole.last_index}"
        )


def start_open(log: LogId, plan: Plan, *, stored: StoredRange, whole: StoredRange) -> None:
    """Return when the store agrees with an open plan: it has the plan's rows, or it ends where they begin.

    Args:
        log: The log.
        plan: The committed plan.
        stored: What the store holds at or above the plan's first offset.
        whole: What the store holds of the whole log (from offset 0).

    Raises:
        InvariantError: Rows that are neither below the plan nor a run that begins with it.
    """
    if stored.rows == 0:
        if whole.last_index != plan.first_index - 1:
            raise InvariantError(
                f"{log}: plan {plan.lo}-{plan.hi} begins at index {plan.first_index}, "
                f"the store ends at index {whole.last_index}"
            )
        return
    whole_run = stored.last_index + 1 == stored.first_index + stored.rows
    if stored.first_index != plan.first_index or stored.last_offset > plan.hi or not whole_run:
        raise InvariantError(
            f"{log}: plan {plan.lo}-{plan.hi} from index {plan.first_index}; the store holds {stored.rows} "
            f"rows with indexes {stored.first_index}..{stored.last_index} up to offset {stored.last_offset}"
        )


def first_needed(state: State, log_start: int) -> int:
    """Return the first offset that a lane can use of what Kafka still has: all below is recorded, or lost."""
    recorded = state.hi + 1 if isinstance(state, Plan) and state.lost is not None else next_offset_of(state)
    return max(recorded, log_start)


def is_beyond_replay(plan: Plan, log_start: int) -> bool:
    """Whether Kafka no longer has all that a replay of the plan needs."""
    return plan.lost is None and plan.lo < log_start


def close_without_replay(plan: Plan, stored: StoredRange) -> Closed:
    """Return the state that an open plan comes to whose records Kafka lost, whole or in part.

    Only valid once every lease under the plan has run out: then its block, which is all of it or nothing, is
    either in the store or never will be, and the plan's offsets may be planned anew.

    Args:
        plan: The plan.
        stored: What the store holds at or above the plan's first offset.
    """
    if stored.rows:
        return Closed(plan.hi + 1, stored.last_index + 1)
    return Closed(plan.lo, plan.first_index)


def require_nothing_lost(log: LogId, state: Closed, log_start: int) -> None:
    """Return when Kafka still has the offset that comes next.

    Raises:
        OffsetGapError: It does not.
    """
    if state.next_offset < log_start:
        raise OffsetGapError(f"{log}: offsets {state.next_offset}..{log_start - 1} were never recorded")


def require_replayable(log: LogId, plan: Plan, log_start: int) -> None:
    """Return when Kafka still has all that a replay of the plan needs.

    Raises:
        OffsetGapError: It does not.
    """
    if is_beyond_replay(plan, log_start):
        raise OffsetGapError(f"{log}: offsets {plan.lo}..{log_start - 1} were planned but never recorded")

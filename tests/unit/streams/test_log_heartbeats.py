"""Heartbeats of logs: each in its time, and quiet only where nothing is left."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import pytest

from auditstream.core.ports import LogId, Outbound, Plan
from schemas.packaged import schema_json
from streams.detecting.delta import DeltaReader
from streams.lane import Lane
from streams.lane_services import LaneServices, Membership
from streams.log_heartbeats import EVERY_S, SLACK_US, LogHeartbeats
from streams.plan import Closed, State
from tests.support.recorders import recorder_of

LOG = LogId("audit.events.v1", 2, "0a1b2c3d")
PLAN = Plan(5, 9, 105, date(2026, 1, 1))
AT_MS = 1_800_000_000_000


def lane_in(state: State) -> Lane:
    """Return a lane that does nothing, hence needs nobody."""
    nobody: Any = None
    services = LaneServices(*[nobody] * 8)
    return Lane(LOG, Membership("m", 1), state, services)


def told(lane: Lane, fetched: tuple[int, int] | None) -> tuple[int, int]:
    """Return what a lane's heartbeat says: the index that comes next, and until when it is quiet."""
    heard: list[tuple[int, int]] = []

    def heartbeat(log: LogId, index: int, quiet_until_us: int) -> Outbound:
        assert log == LOG
        heard.append((index, quiet_until_us))
        return Outbound("t", b"", b"")

    LogHeartbeats(heartbeat, lambda _lane: fetched).due([lane], 0.0)
    [found] = heard
    return found


def test_a_log_whose_end_is_recorded_was_quiet_until_shortly_before_the_last_fetch() -> None:
    assert told(lane_in(Closed(40, 140)), (AT_MS, 40)) == (140, AT_MS * 1_000 - SLACK_US)


@pytest.mark.parametrize("fetched", [None, (AT_MS, 41)])
def test_a_log_with_something_left_or_never_fetched_claims_nothing(fetched: tuple[int, int] | None) -> None:
    assert told(lane_in(Closed(40, 140)), fetched) == (140, 0)


def test_of_an_open_plan_what_is_before_it_is_published() -> None:
    assert told(lane_in(PLAN), (AT_MS, 10)) == (105, 0)


def test_a_lane_tells_at_once_and_then_now_and_then_and_a_dead_one_never() -> None:
    lane, dead = lane_in(Closed(0, 0)), lane_in(Closed(0, 0))
    dead.dead = True
    heartbeats = LogHeartbeats(lambda *_: Outbound("t", b"", b""), lambda _lane: None)
    counts = [
        len(heartbeats.due([lane, dead], at_s)) for at_s in (0.0, 0.5, EVERY_S - 0.1, EVERY_S, EVERY_S + 1)
    ]
    assert counts == [1, 0, 0, 1, 0]


def test_detection_reads_what_the_recorder_says() -> None:
    message = recorder_of().heartbeat(LOG, 140, AT_MS * 1_000)
    assert (message.topic, message.key) == ("audit.usage.v1", b"")
    reader = DeltaReader(lambda _ref: schema_json("usage_delta"))
    found = reader.read(message.value, cast("Any", message.headers), AT_MS)
    assert found.is_heartbeat
    assert (found.log_id, found.index, found.rows) == (str(LOG), 140, {})
    assert (found.recorded_until_us, found.written_us) == (AT_MS * 1_000, AT_MS * 1_000)

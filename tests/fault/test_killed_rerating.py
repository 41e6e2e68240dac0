"""A re-rating killed at each of its inserts, and run again: the books end the same."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from tests.support.databases import migrated_database
from tests.support.fault_worker import FAULT_AT
from tests.support.processes import Children
from tests.support.rated_books import LOGS, WEEK, RatedBooks, reported_call
from tests.support.rerating_process import CHEAP, books_at

DEAR_CALL = Decimal("0.004")
NET = "SELECT sum(events), sum(input_tokens), sum(cost_billed) FROM costs_current"
BOOKED = "SELECT count(), uniqExact(adjustment_id) FROM cost_adjustments"
ADJUSTMENTS = "SELECT * EXCEPT recorded_at FROM cost_adjustments ORDER BY adjustment_id"

pytestmark = pytest.mark.fault


def killed(children: Children, database: ClickHouseSettings, order: str) -> int:
    """Run a re-rating that signals itself, and return its exit code."""
    where = {
        "HOST": database.host,
        "PORT": str(database.port),
        "USER": database.user,
        "PASSWORD": database.password.get_secret_value(),
        "DATABASE": database.database,
    }
    environment = {f"AUDITSTREAM_CLICKHOUSE__{name}": value for name, value in where.items()}
    child = children.fork("rerating", "tests.support.rerating_process", {**environment, FAULT_AT: order})
    return child.wait(within_s=100)


@pytest.mark.parametrize(
    ("step", "appends"),
    [
        pytest.param("before_append", (1, 2, 2), id="before"),
        pytest.param("after_append", (1, 1), id="after", marks=pytest.mark.long),
    ],
)
def test_a_run_that_is_killed_at_each_insert_and_run_again_ends_the_same(
    clickhouse: RunningClickHouse, children: Children, step: str, appends: Sequence[int]
) -> None:
    with migrated_database(clickhouse) as database:
        dear = books_at(database)
        cheap = RatedBooks(dear.store, [CHEAP])
        for number, log in enumerate(LOGS):
            arrived = WEEK + timedelta(seconds=number)
            cheap.record(reported_call("r-1"), reported_call(), log=log, arrived=arrived)
        dear.clock.advance(86_400)  # ids do not depend on when a run is
        dear.rerate()
        undisturbed = dear.store.ask(ADJUSTMENTS)
        dear.store.client.command("TRUNCATE TABLE cost_adjustments")

        for append in appends:  # each run gets one insert further
            assert killed(children, database, f"{step}:{append}:SIGKILL") == -signal.SIGKILL
        assert dear.store.ask(BOOKED) == [(4, 4)], "something is left to do"
        assert killed(children, database, "never:0:SIGKILL") == 0

        assert dear.store.ask(NET) == [(4, 4000, 4 * DEAR_CALL)]
        assert dear.store.ask(BOOKED) == [(6, 6)]
        assert dear.store.ask(ADJUSTMENTS) == undisturbed, "ids or content of an adjustment"
        assert dear.rerate().adjustments == 0

"""A re-rating killed at each of its inserts, and run again: the books end the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.clients import http_client
from sinks.migrate import apply, create_database
from tests.support.engines import settings_of
from tests.support.rated_books import LOGS, WEEK, RatedBooks, reported_call
from tests.support.rerating_process import CHEAP, books_at

ROOT = Path(__file__).parents[2]
DEAR_CALL = Decimal("0.004")
NET = "SELECT sum(events), sum(input_tokens), sum(cost_billed) FROM costs_current"
BOOKED = "SELECT count(), uniqExact(adjustment_id) FROM cost_adjustments"

pytestmark = pytest.mark.fault


def killed(where: Sequence[str], order: str) -> int:
    """Run a re-rating that signals itself, and return its exit code."""
    program = [sys.executable, "-m", "tests.support.rerating_process", *where, order]
    return subprocess.run(program, cwd=ROOT, check=False, timeout=120).returncode


@pytest.mark.parametrize(
    ("step", "appends"), [("before_append", (1, 2, 2)), ("after_append", (1, 1))], ids=["before", "after"]
)
def test_a_run_that_is_killed_at_each_insert_and_run_again_ends_the_same(
    clickhouse: RunningClickHouse, step: str, appends: Sequence[int]
) -> None:
    database = f"rerated_{uuid.uuid4().hex[:12]}"
    where = (clickhouse.host, str(clickhouse.port), clickhouse.password, database)
    with http_client(settings_of(clickhouse, "default")) as admin:
        create_database(admin, database)
    with http_client(settings_of(clickhouse, database)) as client:
        apply(client, "MergeTree")
    dear = books_at(*where)
    cheap = RatedBooks(dear.store, [CHEAP])
    for number, log in enumerate(LOGS):
        arrived = WEEK + timedelta(seconds=number)
        cheap.record(reported_call("r-1"), reported_call(), log=log, arrived=arrived)

    for append in appends:  # each run gets one insert further
        assert killed(where, f"{step}:{append}:SIGKILL") == -signal.SIGKILL
    assert dear.store.ask(BOOKED) == [(4, 4)], "something is left to do"
    assert killed(where, "never:0:SIGKILL") == 0

    assert dear.store.ask(NET) == [(4, 4000, 4 * DEAR_CALL)]
    assert dear.store.ask(BOOKED) == [(6, 6)]
    assert dear.rerate().adjustments == 0
    dear.store.client.command(f"DROP DATABASE {database}")

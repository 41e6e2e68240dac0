"""Events that are sent again: kept in the log, marked, and counted once, also across a restart."""

from __future__ import annotations

import pytest

from tests.support.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(300)]


def test_repeats_are_marked_and_counted_once_also_by_a_worker_that_was_not_there(
    deployment: Deployment,
) -> None:
    """The successor of a killed worker reads from the store which ids its predecessor recorded."""
    first = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    with deployment.journal(repeat_share=0.3, limit=2_000) as journal:
        first.wait_until(lambda: deployment.rows() >= 700, within_s=40, what="rows arrive")
        first.kill()
        deployment.worker(WORKER__INSTANCE_ID="one")
        journal.await_acknowledgements(2_000, within_s=60)
    verdict = deployment.verdict(journal)
    repeats, current = deployment.ask(
        "SELECT countIf(duplicate_of IS NOT NULL), (SELECT count() FROM events_current) FROM events"
    )[0]

    assert verdict.holds, verdict
    assert repeats == verdict.rows - current > 300

"""Segments that were left half-way: a view that failed, dead letters that were not published."""

from __future__ import annotations

import signal

import pytest

from tests.support.deployment import Deployment
from tests.support.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(480)]


def test_a_view_that_failed_in_mid_segment_is_healed_by_the_replay(deployment: Deployment) -> None:
    """The view's target is gone for a while: the worker stops, its successor finishes the same plan."""
    victim = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    with deployment.journal(limit=1_500) as journal:
        victim.wait_until(lambda: deployment.rows() >= 300, within_s=60, what="rows arrive")
        deployment.store.command("RENAME TABLE usage_1m TO usage_1m_away")
        assert victim.wait(within_s=60) != 0
        deployment.store.command("RENAME TABLE usage_1m_away TO usage_1m")
        deployment.worker(WORKER__INSTANCE_ID="one")
        journal.await_acknowledgements(1_500, within_s=60)
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict


def test_dead_letters_that_were_not_published_are_published_by_the_replay(deployment: Deployment) -> None:
    """Killed between insert and publish; readers drop what is published twice by its id."""
    victim = deployment.ready_worker(fault_at="insert:1:SIGKILL", WORKER__INSTANCE_ID="one")
    deployment.kafka.produce(deployment.topic, [b"not an event"] * 5, partition=0)
    assert victim.wait(within_s=60) == -signal.SIGKILL
    heir = deployment.worker(WORKER__INSTANCE_ID="one")
    heir.wait_for_line("plan_replayed", within_s=60)
    letters = deployment.kafka.consume(deployment.dead_letter_topic, 5, timeout_s=60)
    wait_until(lambda: deployment.rows() == 5, within_s=60, what="the rows are there, once")

    ids = sorted(dict(letter.headers() or [])["dead_letter_id"] for letter in letters)
    log_ids = deployment.ask("SELECT DISTINCT log_id FROM events")
    assert ids == [f"{log_ids[0][0]}/{offset}".encode() for offset in range(5)]
    assert {letter.value() for letter in letters} == {b"not an event"}

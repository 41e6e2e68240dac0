"""Workers killed with SIGKILL: at each numbered step of a segment, and at random under load."""

from __future__ import annotations

import random
import signal

import pytest

from tests.support.deployment import Deployment
from tests.support.examples import at_length
from tests.support.fault_worker import STEPS

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(480)]


ALWAYS = ("plan", "insert", "close")


@pytest.mark.parametrize("step", [*ALWAYS, *at_length(step for step in STEPS if step not in ALWAYS)])
def test_a_worker_killed_at_a_step_loses_and_doubles_nothing(deployment: Deployment, step: str) -> None:
    """Killed at the third pass of the step, then again at the second of its successor."""
    first = deployment.ready_worker(fault_at=f"{step}:3:SIGKILL", WORKER__INSTANCE_ID="one")
    with deployment.journal() as journal:
        assert first.wait(within_s=40) == -signal.SIGKILL
        second = deployment.worker(fault_at=f"{step}:2:SIGKILL", WORKER__INSTANCE_ID="one")
        assert second.wait(within_s=40) == -signal.SIGKILL
        deployment.worker(WORKER__INSTANCE_ID="one")
        journal.await_acknowledgements(2_000, within_s=30)
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict


@pytest.mark.long
def test_workers_killed_twenty_times_at_random_lose_and_double_nothing(deployment: Deployment) -> None:
    """One static member, so that its successor takes the partitions at once."""
    chance = random.Random(20)
    victim = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    with deployment.journal() as journal:
        for _ in range(20):
            enough = deployment.rows() + chance.randrange(1, 700)
            victim.wait_until(lambda more=enough: deployment.rows() >= more, within_s=40, what="rows arrive")
            victim.kill()
            victim = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    verdict = deployment.verdict(journal, within_s=90)

    assert verdict.holds, verdict


@pytest.mark.long
def test_one_of_two_dynamic_members_killed_leaves_its_partitions_to_the_other(deployment: Deployment) -> None:
    victim, survivor = deployment.ready_worker(), deployment.ready_worker()
    with deployment.journal() as journal:
        victim.wait_until(lambda: deployment.rows() >= 1_000, within_s=40, what="rows arrive")
        victim.kill()
        journal.await_acknowledgements(journal.acknowledgements + 2_000, within_s=30)
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict
    assert survivor.is_running

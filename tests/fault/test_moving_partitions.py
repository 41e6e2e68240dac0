"""Partitions that move between workers: joins and leaves, frozen workers, lost group offsets."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from tests.support.deployment import LEASE_S, PARTITIONS, SESSION_S, Deployment
from tests.support.faults import Hold
from tests.support.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(480)]


@pytest.mark.long
def test_workers_that_come_and_go_ten_times_lose_and_double_nothing(deployment: Deployment) -> None:
    steady = deployment.ready_worker()
    with deployment.journal() as journal:
        for _ in range(10):
            guest = deployment.ready_worker()
            more = deployment.rows() + 200
            guest.wait_until(lambda more=more: deployment.rows() >= more, within_s=40, what="rows arrive")
            guest.terminate()
            assert guest.wait(within_s=30) == 0
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict
    assert steady.is_running


@pytest.mark.parametrize("step", ["plan", pytest.param("send", marks=pytest.mark.long)])
def test_a_worker_frozen_until_its_group_has_moved_on_writes_nothing_more(
    deployment: Deployment, step: str
) -> None:
    """Stopped between plan and insert, resumed after lease and session have passed."""
    heir = deployment.ready_worker()
    frozen = deployment.ready_worker(fault_at=f"{step}:3:SIGSTOP")
    with deployment.journal() as journal:
        heir.wait_for_line("lanes_begun", times=3, within_s=SESSION_S + 30)  # alone, together, alone again
        more = deployment.rows() + 1_000
        heir.wait_until(lambda: deployment.rows() >= more, within_s=40, what="rows arrive")
        frozen.resume()
        journal.await_acknowledgements(journal.acknowledgements + 1_000, within_s=30)
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict


def test_an_insert_in_flight_past_its_lease_is_refused_by_the_store(deployment: Deployment) -> None:
    """The worker that sent it is killed, its successor replays the plan, and then the insert arrives."""
    hold = Hold()
    victim = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    deployment.proxy.inject(hold, skip=4)
    with deployment.journal() as journal:
        held = deployment.proxy.await_happening("hold", within_s=40)
        victim.kill()
        deployment.worker(WORKER__INSTANCE_ID="one")
        wait_until(lambda: deployment.rows() >= 1_500, within_s=60, what="the successor goes on")
        wait_until(
            lambda: time.monotonic() - held.at_s > LEASE_S, within_s=2 * LEASE_S, what="the lease runs out"
        )
        hold.release()
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict


@pytest.mark.long
@pytest.mark.parametrize("how", ["deleted", "reset"])
def test_lost_group_offsets_with_an_insert_in_flight_double_nothing(deployment: Deployment, how: str) -> None:
    """Without committed metadata a worker waits for old leases to run out, then goes by the store's rows."""
    hold = Hold()
    victim = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    deployment.proxy.inject(hold, skip=4)
    with deployment.journal(limit=2_500) as journal:
        deployment.proxy.await_happening("hold", within_s=40)
        victim.kill()
        wait_until(lambda: lose_offsets(deployment, how), within_s=30, what="the group is empty")
        heir = deployment.worker()
        heir.wait_for_line("no_committed_plan", within_s=30)
        hold.release()
        heir.wait_for_line("lanes_begun", within_s=60)
        journal.await_acknowledgements(2_500, within_s=30)
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict


def lose_offsets(deployment: Deployment, how: str) -> bool:
    """Delete the group's offsets, or set them to 0 without metadata; False while members are left."""
    admin = deployment.kafka.admin
    try:
        if how == "deleted":
            admin.delete_consumer_groups([deployment.group])[deployment.group].result(10)
        else:
            zeros = [TopicPartition(deployment.topic, number, 0) for number in range(PARTITIONS)]
            request = ConsumerGroupTopicPartitions(deployment.group, zeros)
            altered = admin.alter_consumer_group_offsets([request])[deployment.group].result(10)
            return not any(partition.error for partition in altered.topic_partitions)
    except KafkaException:
        return False
    return True

"""Kafka loses offsets before they are recorded: its log is cut while no worker runs, or while one waits."""

from __future__ import annotations

import base64
import signal
import uuid
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from auditstream.ledger.gaps import Gap, gap_of
from auditstream.ledger.merkle import leaf_hash
from schemas.codec import decode
from schemas.framing import framing_of
from schemas.packaged import schema_json
from sinks.clients import ClientPool, http_client
from sinks.leaf_source import ClickHouseLeaves
from tests.support.deployment import Deployment, framed_event
from tests.support.faults import Refuse
from tests.support.processes import Child

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(480)]

STARTS = [pytest.param(16, id="in part", marks=pytest.mark.long), pytest.param(20, id="whole")]
"""First offset that is left of the records below 20: a part of a planned segment, or none of it."""

RECORD = {"WORKER__LOST_OFFSETS": "record", "WORKER__INSTANCE_ID": "one"}

KINDS = "SELECT kafka_offset, leaf_index, leaf_kind FROM events WHERE kafka_partition = 0 ORDER BY leaf_index"


def produce(deployment: Deployment, count: int) -> None:
    events = [framed_event(uuid.uuid4(), number) for number in range(count)]
    deployment.kafka.produce(deployment.topic, events, partition=0)


def cut(deployment: Deployment, start: int) -> None:
    """Delete the records of partition 0 below an offset, as retention does."""
    place = TopicPartition(deployment.topic, 0, start)
    futures = deployment.kafka.admin.delete_records([place])
    assert [future.result(30).low_watermark for future in futures.values()] == [start]


def recorded(deployment: Deployment) -> Sequence[Sequence[Any]]:
    return [tuple(row) for row in deployment.ask(KINDS)]


def events(first: int, to: int, *, index: int) -> list[tuple[int, int, int]]:
    """Return the rows of events at offsets `[first, to)`, whose leaves begin at an index."""
    return [(offset, index + offset - first, 0) for offset in range(first, to)]


def gaps(deployment: Deployment) -> list[Gap]:
    values = deployment.ask("SELECT base64Encode(raw) FROM events WHERE leaf_kind = 2 ORDER BY leaf_index")
    return [gap_of(base64.b64decode(value)) for (value,) in values]


def await_rows(deployment: Deployment, worker: Child, count: int) -> None:
    worker.wait_until(lambda: deployment.rows() >= count, within_s=90, what=f"{count} rows are there")


def record_and_close(deployment: Deployment, count: int) -> None:
    """Have the first events recorded by a worker that leaves nothing open, however slow it is."""
    worker = deployment.ready_worker(WORKER__INSTANCE_ID="one", WORKER__DRAIN_S="60")
    produce(deployment, count)
    await_rows(deployment, worker, count)
    worker.terminate()
    assert worker.wait(within_s=60) == 0


def findings(deployment: Deployment, count: int) -> list[dict[str, Any]]:
    messages = deployment.kafka.consume(deployment.findings_topic, count, timeout_s=60)
    values = [message.value() or b"" for message in messages]
    return [decode(each[framing_of(each).payload_offset :], schema_json("finding")) for each in values]


def test_offsets_lost_while_no_worker_ran_are_one_leaf_and_recording_goes_on(deployment: Deployment) -> None:
    worker = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    produce(deployment, 10)
    await_rows(deployment, worker, 10)
    worker.kill()
    produce(deployment, 10)
    cut(deployment, 16)
    heir = deployment.worker(**RECORD)
    await_rows(deployment, heir, 15)

    assert recorded(deployment) == [*events(0, 10, index=0), (10, 10, 2), *events(16, 20, index=11)]
    log_id = str(deployment.ask("SELECT DISTINCT log_id FROM events")[0][0])
    assert gaps(deployment) == [Gap(log_id, 10, 15, "never_planned")]
    [finding] = findings(deployment, 1)
    assert (finding["rule_id"], finding["observed"]) == ("offsets.lost", 6.0)
    assert finding["segment_id"] == f"{log_id}/10-15"

    # The leaf is sealed as every other: what the row gives is what was recorded.
    with closing(ClientPool(lambda: http_client(deployment.database))) as clients:
        checked = ClickHouseLeaves(clients, log_id).read(0, 100).checked()
    assert len(checked.hashes) == 15
    assert checked.hashes[10] == leaf_hash(checked.entries[10])

    # Nothing of it is an event.
    assert deployment.ask("SELECT count() FROM events_current") == [(14,)]
    assert deployment.ask("SELECT sum(events) FROM usage_1m") == [(14,)]
    assert heir.is_running


@pytest.mark.long
def test_a_worker_that_was_not_told_to_record_losses_stops_and_says_which(deployment: Deployment) -> None:
    worker = deployment.ready_worker(WORKER__INSTANCE_ID="one")
    produce(deployment, 10)
    await_rows(deployment, worker, 10)
    worker.kill()
    produce(deployment, 10)
    cut(deployment, 16)
    heir = deployment.worker(WORKER__INSTANCE_ID="one")

    assert heir.wait(within_s=90) != 0
    assert any("offsets 10..15 were never recorded" in line for line in heir.lines())
    assert recorded(deployment) == events(0, 10, index=0)

    # Told to, its successor goes on where it stopped.
    later = deployment.worker(**RECORD)
    await_rows(deployment, later, 15)
    assert recorded(deployment) == [*events(0, 10, index=0), (10, 10, 2), *events(16, 20, index=11)]


@pytest.mark.parametrize("start", STARTS)
def test_a_planned_segment_that_kafka_lost_and_the_store_never_had_is_given_up_for_a_gap(
    deployment: Deployment, start: int
) -> None:
    """Killed between plan and insert, with offsets 10 to 19 planned."""
    record_and_close(deployment, 10)
    produce(deployment, 10)
    victim = deployment.worker(fault_at="plan:1:SIGKILL", WORKER__INSTANCE_ID="one")
    assert victim.wait(within_s=60) == -signal.SIGKILL
    cut(deployment, start)
    heir = deployment.worker(**RECORD)
    heir.wait_for_line("plan_beyond_replay", within_s=60)
    produce(deployment, 5)
    await_rows(deployment, heir, 11 + 25 - start)

    assert recorded(deployment) == [*events(0, 10, index=0), (10, 10, 2), *events(start, 25, index=11)]
    [gap] = gaps(deployment)
    assert (gap.first, gap.last, gap.reason) == (10, start - 1, "never_written")


@pytest.mark.long
@pytest.mark.parametrize("start", STARTS)
def test_a_planned_segment_that_kafka_lost_and_the_store_has_is_no_gap(
    deployment: Deployment, start: int
) -> None:
    """Killed between insert and close; nothing is lost, so that nobody has to be told to record losses."""
    record_and_close(deployment, 10)
    produce(deployment, 10)
    victim = deployment.worker(fault_at="insert:1:SIGKILL", WORKER__INSTANCE_ID="one")
    assert victim.wait(within_s=60) == -signal.SIGKILL
    cut(deployment, start)
    heir = deployment.worker(WORKER__INSTANCE_ID="one")
    heir.wait_for_line("plan_beyond_replay", within_s=60)
    produce(deployment, 5)
    await_rows(deployment, heir, 25)

    assert recorded(deployment) == events(0, 25, index=0)
    assert heir.is_running


def test_a_log_that_is_cut_while_its_store_is_away_is_begun_again_by_the_same_worker(
    deployment: Deployment,
) -> None:
    """The lane holds two segments and fetches no more; what comes after them is lost meanwhile."""
    worker = deployment.ready_worker(**RECORD, WORKER__SEGMENT_ROWS="5")
    produce(deployment, 10)
    await_rows(deployment, worker, 10)
    refusal = deployment.proxy.inject(Refuse(503), times=None)
    produce(deployment, 5)
    worker.wait_until(lambda: refusal.struck > 0, within_s=60, what="the store refuses")
    for _ in range(12):
        produce(deployment, 5)
    end = deployment.kafka.end_offsets(deployment.topic)[0]
    cut(deployment, end)
    deployment.proxy.clear()
    produce(deployment, 5)
    worker.wait_until(
        lambda: any(row[0] == end + 4 for row in recorded(deployment)),
        within_s=90,
        what="the end is recorded",
    )

    rows = recorded(deployment)
    assert [index for _, index, _ in rows] == list(range(len(rows)))
    taken = {offset for offset, _, kind in rows if kind == 0}
    lost = [offset for gap in gaps(deployment) for offset in range(gap.first, gap.last + 1)]
    assert sorted([*taken, *lost]) == list(range(end + 5)), "every offset is recorded once, or in one gap"
    assert lost, "the lane held less than was produced"
    assert worker.is_running

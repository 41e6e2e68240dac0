"""Committed offsets while the group's coordinator is on the move."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from auditstream.query.group_offsets import committed_offsets


class Group:
    """A consumer whose broker answers with errors first."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)

    def committed(self, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return [TopicPartition(each.topic, each.partition, 7) for each in wanted]


WANTED = [TopicPartition("events", 0)]


def test_a_coordinator_that_is_on_the_move_is_waited_for() -> None:
    group = Group(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)

    (found,) = committed_offsets(group, WANTED, timeout_s=5)  # type: ignore[arg-type]

    assert found.offset == 7


@pytest.mark.parametrize(
    ("error", "timeout_s"), [(KafkaError.GROUP_AUTHORIZATION_FAILED, 5), (KafkaError.NOT_COORDINATOR, -1)]
)
def test_what_does_not_pass_or_takes_too_long_is_told(error: int, timeout_s: float) -> None:
    with pytest.raises(KafkaException):
        committed_offsets(Group(error), WANTED, timeout_s=timeout_s)  # type: ignore[arg-type]


def test_of_no_partitions_none_are_asked_for() -> None:
    assert committed_offsets(Group(KafkaError._FAIL), [], timeout_s=5) == []  # type: ignore[arg-type]

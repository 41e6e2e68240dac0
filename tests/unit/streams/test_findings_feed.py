"""Whose place in the findings topic a member of a group keeps."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from auditstream.core.settings import KafkaSettings
from streams import findings_feed
from streams.findings_feed import FindingsFeed

TOPIC = KafkaSettings().findings_topic


class Group:
    """A member's consumer, and what its group has committed; messages are of no schema."""

    def __init__(self, _settings: dict[str, Any]) -> None:
        self.committed_to: dict[int, int] = {0: 90, 1: 10}
        self.messages: list[tuple[int, int]] = []

    def subscribe(self, _topics: Sequence[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def committed(self, partitions: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        return [
            TopicPartition(TOPIC, each.partition, self.committed_to[each.partition]) for each in partitions
        ]

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read on from there."""

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        del asynchronous
        self.committed_to |= {each.partition: each.offset for each in offsets}

    def poll(self, _within_s: float) -> Any:
        if not self.messages:
            return None
        partition, offset = self.messages.pop(0)
        says = {"topic": TOPIC, "partition": partition, "offset": offset, "error": None, "value": b"?"}
        return SimpleNamespace(**{name: lambda value=value: value for name, value in says.items()})

    def rebalance(self, gone: Sequence[int], come: Sequence[int]) -> None:
        for callback, partitions in (("on_revoke", gone), ("on_assign", come)):
            self.callbacks[callback](self, [TopicPartition(TOPIC, each) for each in partitions])


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> FindingsFeed:
    monkeypatch.setattr(findings_feed, "Consumer", Group)
    made = FindingsFeed(KafkaSettings(), "group", SimpleNamespace(), session_timeout_s=6.0)  # type: ignore[arg-type]
    group_of(made).rebalance([], [0, 1])
    return made


def group_of(feed: FindingsFeed) -> Group:
    return feed._consumer  # type: ignore[return-value]


def test_what_was_read_is_kept(feed: FindingsFeed) -> None:
    group_of(feed).messages = [(0, 90), (1, 10)]
    before = feed.place()
    feed.next()
    feed.settle(before)
    assert group_of(feed).committed_to == {0: 90, 1: 10}
    feed.next()
    feed.settle()
    assert group_of(feed).committed_to == {0: 91, 1: 11}


def test_a_partition_of_another_member_keeps_the_place_that_it_has_there(feed: FindingsFeed) -> None:
    group = group_of(feed)
    group.messages = [(0, 90)]
    feed.next()
    place = feed.place()
    group.rebalance([0, 1], [1])
    group.committed_to[0] = 500  # by the other one

    feed.settle()
    feed.settle(place)
    assert group.committed_to == {0: 500, 1: 10}

    group.rebalance([1], [0, 1])
    feed.settle()
    feed.settle(place)
    assert group.committed_to == {0: 500, 1: 10}

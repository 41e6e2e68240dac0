"""Snapshots by revision, and the newest revision, over a store that can be made not to answer."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from auditstream.core.errors import RetryableError, StoreTimeoutError
from auditstream.reference.snapshot import Snapshot
from sinks.snapshot_cache import SnapshotCache


class Answers:
    def __init__(self, *newest: int | RetryableError) -> None:
        self.waiting = list(newest)
        self.loaded: list[int] = []
        self.asked_often = Event()
        self.down = False

    def newest(self) -> int:
        answer = self.waiting.pop(0) if len(self.waiting) > 1 else self.waiting[0]
        if len(self.waiting) == 1:
            self.asked_often.set()
        if isinstance(answer, RetryableError):
            raise answer
        return answer

    def load(self, revision: int, *, kinds: Iterable[str]) -> Snapshot:
        if self.down:
            raise StoreTimeoutError("no answer")
        self.loaded.append(revision)
        return Snapshot(revision)


def test_a_revision_is_read_once():
    answers = Answers(1)
    cache = SnapshotCache(answers)

    assert cache.get(1) is cache.get(1)
    assert answers.loaded == [1]


def test_threads_that_want_the_same_revision_read_it_once():
    answers = Answers(1)
    cache = SnapshotCache(answers)
    together = Barrier(4)

    def want() -> Snapshot:
        together.wait(5)
        return cache.get(1)

    with ThreadPoolExecutor(4) as pool:
        found = [future.result(10) for future in [pool.submit(want) for _ in range(4)]]

    assert answers.loaded == [1]
    assert len({id(each) for each in found}) == 1


def test_the_revision_that_was_used_longest_ago_is_let_go():
    answers = Answers(1)
    cache = SnapshotCache(answers, keep=2)

    for revision in (1, 2, 1, 3, 1, 2):
        cache.get(revision)

    assert answers.loaded == [1, 2, 3, 2]


def test_a_store_that_does_not_answer_is_asked_again_the_next_time():
    answers = Answers(1)
    cache = SnapshotCache(answers)
    answers.down = True

    with pytest.raises(RetryableError):
        cache.get(1)
    answers.down = False

    assert cache.get(1).revision == 1


def test_nothing_is_planned_before_the_newest_revision_is_known():
    with pytest.raises(RetryableError):
        SnapshotCache(Answers(3)).newest()


def test_the_newest_revision_never_goes_back():
    cache = SnapshotCache(Answers(3, 2))

    assert [cache.refresh(), cache.refresh()] == [3, 3]


def test_the_newest_revision_is_followed_past_an_outage():
    answers = Answers(StoreTimeoutError("down"), 1, StoreTimeoutError("down"), 2)
    cache = SnapshotCache(answers, every_s=0.001)

    cache.start(timeout_s=10)
    assert answers.asked_often.wait(10)
    cache.close()

    assert 2 == cache.refresh() == cache.newest()


def test_a_store_that_never_answers_ends_the_start():
    cache = SnapshotCache(Answers(StoreTimeoutError("down")), every_s=0.001)

    with pytest.raises(RetryableError):
        cache.start(timeout_s=0)

"""The processes of a run use one broker, which ends with the last of them and not with the first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.brokers import NAMES, Broker, Choice
from tests.support.shared_broker import shared

BOUND_S = 30.0


class User:
    """What a process of the run does; a file lock takes each opening of the file for another process's."""

    def __init__(self, pool: ThreadPoolExecutor, folder: Path) -> None:
        self.choice = Choice("embedded", [])
        self._pool, self._folder, self._stack = pool, folder, ExitStack()

    def comes(self) -> Broker:
        return self._pool.submit(self._stack.enter_context, shared(self.choice, self._folder)).result(BOUND_S)

    def leaves(self) -> threading.Event:
        left = threading.Event()
        self._pool.submit(self._stack.close).add_done_callback(lambda _: left.set())
        return left


MakeUser = Callable[[], User]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[MakeUser]:
    """Make users of one run, all of which have left at the end."""
    users: list[User] = []
    with ThreadPoolExecutor(6) as pool:  # twice as many as there are users: all may wait while all leave

        def make() -> User:
            users.append(User(pool, tmp_path / "kafka"))
            return users[-1]

        yield make
        for each in users:
            each.leaves()


def test_whoever_comes_later_gets_the_first_one_s_broker(user: MakeUser) -> None:
    first, second = user(), user()
    second.choice.kind = "docker"  # where a container did not start, the first has taken something else

    address = first.comes().bootstrap

    assert second.comes().bootstrap == address
    assert str(second.choice) == NAMES["embedded"]


def test_the_broker_is_there_until_its_last_user_leaves(user: MakeUser) -> None:
    first, second, third = user(), user(), user()
    address = first.comes().bootstrap
    second.comes()

    over = first.leaves()

    assert third.comes().bootstrap == address  # the first one waits
    assert third.leaves().wait(BOUND_S)
    assert not over.is_set()
    assert second.leaves().wait(BOUND_S)
    assert over.wait(BOUND_S)


def test_after_the_last_another_is_started(user: MakeUser) -> None:
    first, second = user(), user()
    first.comes()
    assert first.leaves().wait(BOUND_S)

    again = second.comes()

    assert again.admin.list_topics(timeout=BOUND_S).brokers

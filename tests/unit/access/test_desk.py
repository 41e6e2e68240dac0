"""The desk: nothing is lent before it is told of, and what is lent is held to who asks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auditstream.access.desk import Question
from auditstream.access.principal import Principal
from auditstream.access.roles import Role
from auditstream.access.telling import Teller
from auditstream.core.errors import NotAllowedError, RetryableError
from auditstream.emit.access_record import AccessRecord, Event
from auditstream.query.periods import Period
from tests.support.access_house import HERE, NOW, House

VIEWER = Principal(id="tk1", name="ann", role=Role.VIEWER, tenants=frozenset({"acme"}))
ASKED = Question("search", "model:gpt-4o", ("events_current",), caller=HERE)


@pytest.fixture
def house() -> House:
    return House()


def test_a_question_is_told_of_before_anything_is_lent(house: House) -> None:
    scope = house.desk.admit(VIEWER, ASKED, may="events")

    (told,) = house.told.events
    assert told["event_type"] == "ai.data_access"
    assert (told["actor_id"], told["credential_id"], told["outcome"]) == ("ann", "tk1", "SUCCESS")
    assert told["src_ip"] == "192.0.2.7"
    assert told["attributes"]["command"] == "search"
    assert told["attributes"]["tenant"] == "acme"
    assert "gpt-4o" not in str(told)
    assert scope == VIEWER.scope


def test_what_cannot_be_told_of_is_not_lent(house: House) -> None:
    house.told.refuses = RetryableError("Kafka is away")

    with pytest.raises(RetryableError):
        house.desk.ask(VIEWER, ASKED, may="events")


def test_a_role_that_may_not_ask_is_refused_and_that_is_told_of(house: House) -> None:
    with pytest.raises(NotAllowedError):
        house.desk.ask(VIEWER, ASKED, may="costs")

    assert [each["outcome"] for each in house.told.events] == ["BLOCKED"]


def test_another_tenant_that_is_asked_for_is_nobody(house: House) -> None:
    scope = house.desk.admit(VIEWER, Question("search", tenant="globex"), may="events")

    assert scope.tenants == frozenset()


def test_the_same_query_has_the_same_name_and_another_another(house: House) -> None:
    for text in ("a", "a", "b"):
        house.desk.ask(VIEWER, Question("search", text), may="events")

    first, again, other = (each["data_access"]["query_hmac"] for each in house.told.events)
    assert first == again != other


class Slow:
    """A record whose every telling waits for leave."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.began = threading.Event()
        self.go = threading.Event()
        self.fails = False

    def announce(self, events: Sequence[Event]) -> None:
        self.batches.append(len(events))
        self.began.set()
        assert self.go.wait(10)
        if self.fails:
            raise RetryableError("Kafka is away")


def told_together(slow: Slow, count: int) -> list[str]:
    """Tell of one act, and of others while it is told of; return what became of each."""
    teller, results = Teller(AccessRecord(slow.announce)), list[str]()
    event: Any = {"event_type": "ai.data_access"}

    def tell() -> None:
        try:
            teller.tell([event])
            results.append("told")
        except RetryableError as error:
            results.append(error.code)

    threads = [threading.Thread(target=tell) for _ in range(count)]
    threads[0].start()
    assert slow.began.wait(10)
    for each in threads[1:]:
        each.start()
    while len(teller._queue) < count - 1:
        threading.Event().wait(0.001)
    slow.go.set()
    for each in threads:
        each.join(10)
    return results


def test_questions_that_come_together_are_told_of_together() -> None:
    slow = Slow()

    assert told_together(slow, 20) == ["told"] * 20
    assert slow.batches == [1, 19]


def test_none_of_those_that_could_not_be_told_of_goes_on() -> None:
    slow = Slow()
    slow.fails = True

    assert told_together(slow, 5) == ["access_not_recorded"] * 5


@pytest.mark.parametrize(
    "part",
    [
        {"tenants": frozenset({"acme"})},
        {"period": Period(start=NOW)},
        {"period": Period(end=NOW)},
    ],
)
def test_a_question_about_everything_is_refused_to_who_sees_a_part_and_that_is_told_of(
    house: House, part: dict[str, Any]
) -> None:
    whole = Principal(id="tk2", name="ada", role=Role.ADMIN, tenants=None)
    question = Question("verify", tables=("events",))

    with pytest.raises(NotAllowedError, match="every tenant"):
        house.desk.admit_whole(replace(whole, **part), question, may="verify")
    house.desk.admit_whole(whole, question, may="verify")

    assert [each["outcome"] for each in house.told.events] == ["BLOCKED", "SUCCESS"]


def test_a_role_that_may_not_ask_about_everything_is_refused_once(house: House) -> None:
    with pytest.raises(NotAllowedError, match="role viewer"):
        house.desk.admit_whole(VIEWER, Question("verify"), may="verify")

    assert [each["outcome"] for each in house.told.events] == ["BLOCKED"]

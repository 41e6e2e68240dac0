"""What is on its way: commits to the group, inserts to the store, answers that come back or do not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.property.protocol_model import Answer, Commit, Rules, Send, State, Step
from tests.property.protocol_weather import Weather
from tests.support.model_group import CommitRefusedError, ModelGroup
from tests.support.model_store import Insert, LateInsertError, ModelStore

_BUSY = 0.05  # share of the inserts that the store refuses for now
_FAIL_VIEW = 0.1  # share of the inserts whose view fails after the rows were added
_BRISK = 0.7  # chance that a query at work does its next thing at once

Note = Callable[..., None]
"""Takes a sentence about what happened, and what it happened to."""


class Network:
    """Requests in flight; each `deliver_…` moves one of them on.

    Attributes:
        commits: Commits in flight by member, in the order of sending.
        inserts: Inserts in flight or at work.
        stuck: Requests that move slowly.
        is_calm: Whether nothing is lost, stuck or refused any more.
    """

    def __init__(
        self,
        group: ModelGroup[State],
        store: ModelStore,
        rules: Rules,
        weather: Weather,
        chance: Random,
        note: Note,
    ) -> None:
        self.commits: dict[str, list[Commit]] = {}
        self.inserts: list[Send] = []
        self.stuck: list[Step] = []
        self.is_calm = False
        self._group = group
        self._store = store
        self._rules = rules
        self._weather = weather
        self._chance = chance
        self._note = note

    def send_commit(self, commit: Commit) -> None:
        """Put a commit on its way."""
        self.commits.setdefault(commit.lane.member, []).append(commit)
        self._may_get_stuck(commit)

    def send_insert(self, send: Send) -> None:
        """Put an insert on its way."""
        self.inserts.append(send)
        self._may_get_stuck(send)

    def movable_commits(self) -> list[Commit]:
        """Return the commits that may arrive now: one that was given up may come after later ones."""
        return [commit for channel in self.commits.values() for commit in self._next(channel)]

    def movable_inserts(self) -> list[Send]:
        """Return the inserts that may move now."""
        return [send for send in self.inserts if self._moves(send)]

    def is_hopeless(self, step: Step) -> bool:
        """Whether no answer to a request will come soon."""
        if step in self.stuck:
            return True
        return not (step in self.inserts or any(step in channel for channel in self.commits.values()))

    def hold_up(self, share: float) -> None:
        """Let a share of the inserts in flight get stuck."""
        self.stuck += [send for send in self.inserts if self._chance.random() < share]

    def deliver_commit(self, commit: Commit) -> None:
        """Let a commit arrive at the group, which accepts or refuses it."""
        lane = commit.lane
        channel = self.commits[lane.member]
        channel.remove(commit)
        if not channel:
            del self.commits[lane.member]
        member, generation = (lane.member, lane.generation)
        if not self._rules.pins_generation:
            member, generation = lane.worker.identity()
        try:
            self._group.commit(member, generation, lane.partition, commit.committed)
        except CommitRefusedError:
            self._note("commit refused", lane, commit.committed)
            answer = Answer.REFUSED
        else:
            self._note("commit accepted", lane, commit.committed)
            answer = Answer.DONE
        if not self._loses_answer(self._weather.lost_commit_answers):
            commit.settle(answer)

    def deliver_insert(self, send: Send) -> bool:
        """Let an insert arrive at the store, or do its next things there; return whether rows were added."""
        added_before = self._store.inserts
        try:
            answer = self._arrive(send.insert) if send.insert.stop_at is None else None
            while answer is None and self._chance.random() < _BRISK:
                answer = self._advance(send.insert)
        except LateInsertError:
            self._note("late insert refused", send.insert)
            answer = Answer.REFUSED
        except TimeoutError:
            self._note("insert stopped at its time limit", send.insert)
            answer = Answer.UNKNOWN
        if answer is not None:
            self.inserts.remove(send)
            if not self._loses_answer(self._weather.lost_answers):
                send.settle(answer)
        return self._store.inserts > added_before

    def _arrive(self, insert: Insert) -> Answer | None:
        if not self.is_calm and self._chance.random() < _BUSY:
            self._note("store is busy", insert)
            return Answer.REFUSED
        self._store.begin(insert)
        return None

    def _advance(self, insert: Insert) -> Answer | None:
        is_view = insert.todo[0] is None
        if is_view and not self.is_calm and self._chance.random() < _FAIL_VIEW:
            self._note("view failed", insert)
            return Answer.UNKNOWN
        if self._store.advance(insert):
            self._note("rows added", insert)
        elif not is_view:
            self._note("token known, block dropped", insert)
        return None if insert.todo else Answer.DONE

    def _next(self, channel: list[Commit]) -> list[Commit]:
        return [commit for commit in self._on_the_wire(channel) if self._moves(commit)]

    def _on_the_wire(self, channel: list[Commit]) -> list[Commit]:
        """Return the commits that were sent: a lane's next one waits for the answer to the last."""
        sent: list[Commit] = []
        for commit in channel:
            if all(other.is_answered for other in sent if other.lane is commit.lane):
                sent.append(commit)
        return sent

    def _moves(self, step: Step) -> bool:
        return step not in self.stuck or self._chance.random() < self._weather.pace

    def _may_get_stuck(self, step: Step) -> None:
        if not self.is_calm and self._chance.random() < self._weather.slow:
            self.stuck.append(step)

    def _loses_answer(self, share: float) -> bool:
        return not self.is_calm and self._chance.random() < share

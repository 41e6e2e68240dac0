"""The one path of every format: drafts are judged, counted, sent, and answered by the request's mode."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from auditstream.core.errors import RetryableError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Placed
from auditstream.core.settings import Mode
from auditstream.gateway.batch_queue import BatchQueue, Producer
from auditstream.gateway.credentials import Principal
from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.judging import Judge, Judged
from auditstream.gateway.limits import Limits
from auditstream.gateway.problems import RefusedError, Rejected, of_events
from auditstream.gateway.receipts import Receipt, Receipts

SentNow = Callable[[Sequence[int], Sequence[Placed] | RefusedError], None]

_RETRY_S = 2.0
AT_ONCE = 100
"""Events that are judged before other requests have a turn: a few milliseconds."""


@dataclass(slots=True)
class Outcome:
    """What became of a request's events.

    Attributes:
        ids: Ids of those that all in-sync replicas have, in the order of the request.
        receipts: Where they are, likewise.
        rejected: Those that were refused, likewise.
        queued: How many were queued, in mode `batch`.
    """

    ids: list[str] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    queued: int = 0


class Intake:
    """Takes drafts.

    Args:
        judge: Makes messages of them.
        producer: Where messages go.
        queue: Where they wait in mode `batch`.
        limits: Rates and quotas.
        receipts: What was accepted.
        metrics: What is counted.
        within_s: How long Kafka may take.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        producer: Producer,
        queue: BatchQueue,
        limits: Limits,
        receipts: Receipts,
        metrics: Metrics,
        within_s: float,
    ) -> None:
        self._judge = judge
        self._producer = producer
        self._queue = queue
        self._limits = limits
        self._receipts = receipts
        self._metrics = metrics
        self._within_s = within_s

    async def take(self, drafts: Sequence[Draft], principal: Principal, mode: Mode, *, route: str) -> Outcome:
        """Return what became of the drafts.

        Args:
            drafts: The request's events.
            principal: Who sends them.
            mode: How the request is answered.
            route: For metrics.

        Raises:
            RefusedError: No event was accepted; or, in mode `blocking-strict`, one was not.
        """
        try:
            outcome = await self._take(drafts, principal, mode)
        except RefusedError as error:
            if not error.rejected and drafts:
                self.count(route, error.code, len(drafts))
            for each in error.rejected:
                self.count(route, each.refusal.code)
            raise
        if outcome.receipts:
            self.count(route, "accepted", len(outcome.receipts))
        if outcome.queued:
            self.count(route, "queued", outcome.queued)
        for each in outcome.rejected:
            self.count(route, each.refusal.code)
        return outcome

    def now(self) -> datetime:
        """Return when events are first seen that are judged now."""
        return self._judge.now()

    def judged_now(self, draft: Draft, principal: Principal, seen: datetime) -> Judged | None:
        """Return what a draft is recorded as, counted as its sender's; None where `take` has to judge.

        None is what is refused, and what has to wait for a key.
        """
        if principal.policy.seals:
            return None
        try:
            judged = self._judge.judge(draft, principal, seen)
            if isinstance(judged, Judged):
                self._limits.take(principal, 1)
                return judged
        except (RetryableError, RefusedError):
            pass
        return None

    def put_off(self, principal: Principal) -> None:
        """Count one event of `judged_now` no more: `take` will, or Kafka did not acknowledge it."""
        self._limits.give_back(principal, 1)

    def send_now(self, judged: Sequence[Judged], told: SentNow) -> bool:
        """Send events of several requests, unless it would have to wait; return whether they are under way.

        Args:
            judged: One event of each request.
            told: Called with indexes of those that are acknowledged, and where they are; or with why some
                are not.
        """
        begun_s = time.perf_counter()

        def tell(indexes: Sequence[int], placed: Sequence[Placed] | RetryableError) -> None:
            if isinstance(placed, RetryableError):
                told(indexes, _unavailable(placed))
                return
            took_s = time.perf_counter() - begun_s
            for _ in indexes:
                self._metrics.observe("auditstream_gateway_produce_seconds", took_s)
            told(indexes, placed)

        messages = [each.message for each in judged]
        return self._producer.send_now(messages, within_s=self._within_s, told=tell)

    def accepted(self, judged: Judged, placed: Placed, principal: Principal, outcome: Outcome) -> None:
        """Add an event that all in-sync replicas have to what became of its request."""
        outcome.ids.append(judged.event_id)
        outcome.receipts.append(
            self._receipts.accept(judged.event_id, judged.value_sha256, placed, principal.tenant_id)
        )

    def count(self, route: str, reason: str, by: int = 1) -> None:
        """Count events of a route by what became of them."""
        self._metrics.count("auditstream_gateway_events_total", by, route=route, reason=reason)

    async def _take(self, drafts: Sequence[Draft], principal: Principal, mode: Mode) -> Outcome:
        judged, rejected = await self._judged(drafts, principal)
        if rejected and (mode == "blocking-strict" or not judged):
            raise of_events(rejected)
        outcome = Outcome(rejected=rejected)
        if not judged:
            return outcome
        self._limits.take(principal, len(judged))
        taken = 0
        try:
            if mode == "batch":
                self._enqueue(judged, outcome)
            else:
                await self._send(judged, principal, mode, outcome)
            taken = len(outcome.receipts) + outcome.queued
        finally:
            if taken < len(judged):
                self._limits.give_back(principal, len(judged) - taken)
        return outcome

    def _enqueue(self, judged: Sequence[Judged], outcome: Outcome) -> None:
        if not self._queue.put([each.message for each in judged]):
            raise RefusedError("busy", "the queue of mode batch is full", retry_after_s=_RETRY_S)
        outcome.queued = len(judged)

    async def _judged(
        self, drafts: Sequence[Draft], principal: Principal
    ) -> tuple[list[Judged], list[Rejected]]:
        found: list[Judged | Rejected] = []
        try:
            for begin in range(0, len(drafts), AT_ONCE):
                some = drafts[begin : begin + AT_ONCE]
                if principal.policy.seals:  # a new key waits for the disk
                    found += await asyncio.to_thread(self._judge_some, some, principal)
                else:
                    found += self._judge_some(some, principal)
                    if begin + AT_ONCE < len(drafts):
                        await asyncio.sleep(0)
        except RetryableError as error:
            raise _unavailable(error) from error
        judged = [each for each in found if isinstance(each, Judged)]
        return judged, [each for each in found if isinstance(each, Rejected)]

    def _judge_some(self, drafts: Sequence[Draft], principal: Principal) -> list[Judged | Rejected]:
        judge, seen = self._judge.judge, self._judge.now()
        return [judge(draft, principal, seen) for draft in drafts]

    async def _send(
        self, judged: Sequence[Judged], principal: Principal, mode: Mode, outcome: Outcome
    ) -> None:
        begun_s = time.perf_counter()
        try:
            placed = await self._producer.send([each.message for each in judged], within_s=self._within_s)
        except RetryableError as error:
            raise _unavailable(error) from error
        self._metrics.observe("auditstream_gateway_produce_seconds", time.perf_counter() - begun_s)
        for each, place in zip(judged, placed, strict=True):
            if place is not None:
                self.accepted(each, place, principal, outcome)
                continue
            detail = f"Kafka did not acknowledge within {self._within_s:g} s; send it again"
            outcome.rejected.append(Rejected(each.index, Refusal("unavailable", "", detail)))
        if len(outcome.receipts) < len(judged):
            outcome.rejected.sort(key=lambda one: one.index)
            if mode == "blocking-strict":
                missing = len(judged) - len(outcome.receipts)
                raise RefusedError(
                    "unavailable",
                    f"Kafka did not acknowledge {missing} of {len(judged)} events; send all of them again",
                    retry_after_s=_RETRY_S,
                    rejected=outcome.rejected,
                )


def _unavailable(error: RetryableError) -> RefusedError:
    return RefusedError("unavailable", error.message, retry_after_s=_RETRY_S)

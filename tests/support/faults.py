"""What can go wrong with one insert between a worker and the store, and the schedule that says when.

A fault strikes INSERT requests only; reads pass. Several injections may be open: the oldest that applies to
a request strikes, and a request meets at most one fault.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

_ERROR_NAMES = {
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    252: "TOO_MANY_PARTS",
    469: "VIOLATED_CONSTRAINT",
    999: "KEEPER_EXCEPTION",
}


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """What the proxy knows of an insert before it decides: the statement's start and its token."""

    statement: str
    token: str


class Fault:
    """Base of all faults; `kind` is the word that the proxy's record uses."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Refuse(Fault):
    """Answer with an HTTP status that says nothing of ClickHouse; the store sees nothing."""

    kind: ClassVar[str] = "refuse"
    status: int = 503


@dataclass(frozen=True)
class Reset(Fault):
    """Reset the connection as soon as the request's head is read; the store sees nothing."""

    kind: ClassVar[str] = "reset"


@dataclass(frozen=True)
class AnswerError(Fault):
    """Answer with a ClickHouse error code; the store sees nothing."""

    kind: ClassVar[str] = "answer_error"
    code: int = 252

    @property
    def text(self) -> str:
        """The body that ClickHouse sends with an error."""
        name = _ERROR_NAMES.get(self.code, "UNKNOWN_EXCEPTION")
        return f"Code: {self.code}. DB::Exception: fault injected. ({name})\n"


@dataclass(frozen=True)
class Delay(Fault):
    """Keep the whole request in flight for a time; then it reaches the store, client or no client."""

    kind: ClassVar[str] = "delay"
    seconds: float = 1.0


class Hold(Fault):
    """Keep the whole request in flight until the test calls `release()`, client or no client."""

    kind: ClassVar[str] = "hold"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._released = False
        self._waiting: list[Callable[[], object]] = []

    def release(self) -> None:
        """Let every request that this fault holds, and every later one, go on to the store."""
        with self._lock:
            self._released = True
            waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()

    def when_released(self, go_on: Callable[[], object]) -> None:
        """Call `go_on` at the release, or now when that has been."""
        with self._lock:
            if not self._released:
                self._waiting.append(go_on)
                return
        go_on()


@dataclass(frozen=True)
class Withhold(Fault):
    """Accept and time out: the store applies and answers, the client never hears of it and has to give up."""

    kind: ClassVar[str] = "withhold"


@dataclass(frozen=True)
class AnswerThenCut(Fault):
    """The store applies, the client gets the whole answer, then finds its kept-alive connection ended."""

    kind: ClassVar[str] = "answer_then_cut"


@dataclass(frozen=True)
class CutMidBody(Fault):
    """Send the store a share of the body, then end both connections."""

    kind: ClassVar[str] = "cut_mid_body"
    share: float = 0.5


@dataclass(frozen=True)
class CutAfterApply(Fault):
    """The store applies and answers; the client's connection is reset instead."""

    kind: ClassVar[str] = "cut_after_apply"


@dataclass(frozen=True)
class GoDown(Fault):
    """The store goes down on receipt: all connections are reset, new ones refused, for a time."""

    kind: ClassVar[str] = "go_down"
    seconds: float = 1.0


Choice = Callable[[], Fault | None]


@dataclass
class Injection:
    """One standing order of the schedule; counts what it did.

    Attributes:
        times: How many more requests it strikes; None for no limit.
        skip: How many more requests it lets pass first.
        starts_s: Monotonic time before which it lets all pass.
        ends_s: Monotonic time after which it is over; None for never.
        every_s: Least time between two strikes.
        where: Which requests it is about; all when None.
    """

    choose: Choice
    times: int | None = 1
    skip: int = 0
    starts_s: float = 0.0
    ends_s: float | None = None
    every_s: float = 0.0
    where: Callable[[InsertRequest], bool] | None = None
    struck: int = 0

    def strike(self, request: InsertRequest, now_s: float) -> Fault | None:
        """Return the fault for this request, or None when the injection does not apply to it."""
        if self.times == 0 or now_s < self.starts_s or (self.ends_s is not None and now_s > self.ends_s):
            return None
        if self.where is not None and not self.where(request):
            return None
        if self.skip > 0:
            self.skip -= 1
            return None
        fault = self.choose()
        if fault is None:
            return None
        self.struck += 1
        self.starts_s = now_s + self.every_s
        self.times = None if self.times is None else self.times - 1
        return fault


class Schedule:
    """The open injections, oldest first. Safe to use from any thread."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._open: list[Injection] = []

    def inject(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        skip: int = 0,
        after_s: float = 0.0,
        for_s: float | None = None,
        every_s: float = 0.0,
        where: Callable[[InsertRequest], bool] | None = None,
    ) -> Injection:
        """Order `fault` for the next `times` inserts (None: all of them).

        Args:
            fault: What to do.
            times: How many inserts to strike.
            skip: How many inserts to let pass before the first.
            after_s: Strike nothing for so long from now.
            for_s: The order lapses so long after it starts.
            every_s: Least time between two strikes.
            where: Strike only inserts for which this returns True.
        """
        return self._add(lambda: fault, times, skip, after_s, for_s, every_s, where)

    def draw(
        self,
        weights: Mapping[Fault, float],
        *,
        share: float,
        seed: int,
        times: int | None = None,
        after_s: float = 0.0,
        for_s: float | None = None,
        where: Callable[[InsertRequest], bool] | None = None,
    ) -> Injection:
        """Order a fault drawn by weight for a random `share` of the inserts, reproducible by `seed`."""
        chance = random.Random(seed)
        faults, parts = list(weights), list(weights.values())

        def choose() -> Fault | None:
            return chance.choices(faults, parts)[0] if chance.random() < share else None

        return self._add(choose, times, 0, after_s, for_s, 0.0, where)

    def take(self, request: InsertRequest) -> Fault | None:
        """Return the fault that strikes this request, if any."""
        now_s = self._now_s()
        with self._lock:
            for injection in self._open:
                fault = injection.strike(request, now_s)
                if fault is not None:
                    return fault
        return None

    def clear(self) -> None:
        """Lift all orders; requests that are held or delayed already stay so."""
        with self._lock:
            self._open.clear()

    def _add(
        self,
        choose: Choice,
        times: int | None,
        skip: int,
        after_s: float,
        for_s: float | None,
        every_s: float,
        where: Callable[[InsertRequest], bool] | None,
    ) -> Injection:
        starts_s = self._now_s() + after_s
        ends_s = None if for_s is None else starts_s + for_s
        injection = Injection(choose, times, skip, starts_s, ends_s, every_s, where)
        with self._lock:
            self._open.append(injection)
        return injection

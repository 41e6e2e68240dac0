"""Asyncio in virtual time: nothing sleeps, the clock jumps to the next thing that is due.

One `VirtualTime` may carry several loops, one for each process that a test pretends to have. A loop can be
frozen (what falls due meanwhile happens when it thaws) or killed (what falls due never happens), while the
rest of the world, for example a request that is already on its way, goes on. Everything runs in the calling
thread, in an order that depends on nothing but the calls: the same seed gives the same run.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import heapq
import itertools
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")

_TICK_S = 1e-9


class OnItsWayError(BaseException):
    """Raised by a blocking call that sends a request: the answer comes later, or never.

    `VirtualExecutor` catches it and calls `send(answer)`; whoever carries the request calls `answer` with a
    value or an exception. No code after the blocking call in the submitted function runs.
    """

    def __init__(self, send: Callable[[Callable[[Any], None]], None]) -> None:
        super().__init__("the answer is on its way")
        self.send = send


class VirtualTime:
    """A clock with a queue of what happens when.

    Attributes:
        now: Seconds since the start.
        errors: What loops would have logged: exceptions of callbacks and tasks that nobody looked at.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.errors: list[dict[str, Any]] = []
        self._numbers = itertools.count()
        self._later: list[tuple[float, int, VirtualLoop | None, asyncio.Handle]] = []
        self._ready: collections.deque[tuple[VirtualLoop | None, asyncio.Handle]] = collections.deque()
        self._world = VirtualLoop(self)
        self._running: VirtualLoop | None = None

    def at(self, when: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back at a time, whatever happens to any loop."""
        self._world.call_at(when, callback, *arguments)

    def after(self, delay: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back after a delay, whatever happens to any loop."""
        self._world.call_at(self.now + delay, callback, *arguments)

    def step(self) -> bool:
        """Do the next thing; False when there is none."""
        if not self._ready:
            if not self._later:
                return False
            when, _, loop, handle = heapq.heappop(self._later)
            # At least a tick: code that waits for a rounding error's worth of time must come to an end.
            self.now = max(self.now + _TICK_S, when)
            self._ready.append((loop, handle))
        loop, handle = self._ready.popleft()
        if not handle.cancelled() and loop is not None:
            loop.pass_on(handle)
        return True

    def run_until(self, when: float, done: Callable[[], bool] = bool) -> bool:
        """Do what falls due up to `when`, or until `done()`; return whether it is done."""
        try:
            while not done():
                if not self._ready and (not self._later or self._later[0][0] > when):
                    self.now = max(self.now, when)
                    return done()
                self.step()
            return True
        finally:
            self.enter(None)

    def run(self, main: Coroutine[Any, Any, T], *, limit: float = 10_000.0) -> T:
        """Run a coroutine on a loop of its own to its end, like `asyncio.run`.

        Raises:
            AssertionError: It waits for something that never comes, or takes more than `limit` seconds.
        """
        loop = VirtualLoop(self)
        task = loop.create_task(main)
        try:
            self.run_until(self.now + limit, task.done)
            assert task.done(), f"still waiting after {self.now} virtual seconds"
            return task.result()
        finally:
            loop.close()

    def enter(self, loop: VirtualLoop | None) -> None:
        """Make a loop the running one; a switch costs a microsecond, hence only when it is another."""
        if loop is not self._running:
            asyncio._set_running_loop(loop)
            self._running = loop

    def enqueue(self, loop: VirtualLoop, handle: asyncio.Handle, when: float | None = None) -> None:
        """Queue a handle of a loop, at once when `when` is None."""
        if when is None:
            self._ready.append((loop, handle))
        else:
            heapq.heappush(self._later, (when, next(self._numbers), loop, handle))

    def drain_ready(self) -> None:
        """Do everything that is due now, at most 10,000 things."""
        for _ in range(10_000):
            if not self._ready:
                break
            self.step()
        self.enter(None)


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop on a `VirtualTime`: timers, futures, tasks and executors; no files and no sockets."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._tasks: list[asyncio.Task[Any]] = []
        self._held: list[asyncio.Handle] = []
        self._frozen = False
        self._killed = False

    def freeze(self) -> None:
        """Let nothing of this loop happen until it thaws, as SIGSTOP does."""
        self._frozen = True

    def thaw(self) -> None:
        """Let what was held back happen now."""
        self._frozen = False
        held, self._held = self._held, []
        for handle in held:
            self._time.enqueue(self, handle)

    def kill(self) -> None:
        """Let nothing of this loop happen any more, not even clean-up, as SIGKILL does."""
        self._killed = True

    def close(self) -> None:
        """Cancel what is left and let it end, so that no task is destroyed while pending."""
        self._killed = self._frozen = False
        for _ in range(10):
            pending = [task for task in self._tasks if not task.done()]
            if not pending:
                break
            for task in pending:
                task.cancel()
            self._time.drain_ready()
        self._tasks.clear()
        self._killed = True

    def is_running(self) -> bool:
        return not self._killed

    def is_closed(self) -> bool:
        return self._killed

    def get_debug(self) -> bool:
        return False

    def time(self) -> float:
        return self._time.now

    def pass_on(self, handle: asyncio.Handle) -> None:
        """Run a handle that is due, or hold it back, or drop it."""
        if self._killed:
            return
        if self._frozen:
            self._held.append(handle)
            return
        self._time.enter(self)
        handle._run()

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._time.enqueue(self, handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._time.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._time.enqueue(self, handle, when)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it in the queue; it is skipped when it falls due."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks = [each for each in self._tasks if not each.done()] + [task]
        return task

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> Any:
        assert executor is not None, "virtual time has no default executor"
        return asyncio.wrap_future(executor.submit(func, *args), loop=self)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._time.errors.append(context)


class VirtualExecutor(Executor):
    """Runs a function on its loop's process after a delay, and hands its result over after another.

    Args:
        loop: The process that the threads belong to: they freeze and die with it.
        delay: Returns the next delay in seconds.
    """

    def __init__(self, loop: VirtualLoop, delay: Callable[[], float] = lambda: 0.001) -> None:
        self._loop = loop
        self._delay = delay

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._loop.call_later(self._delay(), self._start, future, fn, args, kwargs)
        return future

    def _start(
        self, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = fn(*args, **kwargs)
        except OnItsWayError as request:
            request.send(lambda answer: self._loop.call_soon_threadsafe(_settle, future, answer))
            return
        except BaseException as error:
            result = error
        self._loop.call_later(self._delay(), _settle, future, result)


def _settle(future: Future[Any], answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)

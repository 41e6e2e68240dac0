"""Work beside what a block does: a thread that is told to end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def beside(name: str, work: Callable[[Event], object], *, end_s: float) -> Iterator[None]:
    """Do work on a daemon thread for the length of the block.

    Args:
        name: Name of the thread.
        work: Given an event that is set at the end of the block, soon after which it returns.
        end_s: How long the block waits for that.
    """
    stopping = Event()
    thread = Thread(target=work, args=(stopping,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(end_s)

"""Ending a command in the foreground by a signal, in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM: somebody asks this process to end."""


@contextmanager
def stopping_once() -> Iterator[None]:
    """Raise `Terminated` or KeyboardInterrupt at the first SIGTERM or SIGINT of the block, and only then.

    What is started in the block is stopped by its context managers; a second signal must not break that off.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    is_stopping = False

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping:
            return
        is_stopping = True
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

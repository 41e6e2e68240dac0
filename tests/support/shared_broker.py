"""One broker for all processes of a run: the first that needs it starts it, and ends it when none uses it.

Who uses the broker holds a shared lock on a file, so that its owner can wait for the others by taking the
lock alone. A process that dies has let go.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tests.support import brokers
from tests.support.brokers import NAMES, Broker, Choice

_USERS = "users.lock"
_TURN = "turn.lock"
_ADDRESS = "address"  # "<kind> <host:port>"


@contextmanager
def shared(choice: Choice, folder: Path) -> Iterator[Broker]:
    """Yield the broker that a process of this run has started, or start it.

    Who has started it leaves the block only when all others have left theirs: do so where no test is timed.

    Args:
        choice: Which; its kind becomes that of the broker that is there.
        folder: The same in all processes of a run, and in no other run; made when it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / _ADDRESS
    with ExitStack() as stack:
        users = stack.enter_context((folder / _USERS).open("ab"))
        fcntl.flock(users, fcntl.LOCK_SH)
        with _turn(folder):
            if address.exists():
                kind, bootstrap = address.read_text(encoding="ascii").split()
                assert kind in NAMES
                choice.kind = kind
                broker = Broker(choice.kind, bootstrap)
            else:
                # A folder of its own, for an earlier broker of the run may have left its log.
                broker = stack.enter_context(brokers.opened(choice, folder / f"kafka-{os.getpid()}"))
                address.write_text(f"{broker.kind} {broker.bootstrap}", encoding="ascii")
                stack.callback(_wait_for_others, users, address)
        yield broker


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    with (folder / _TURN).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wait_for_others(users: IO[bytes], address: Path) -> None:
    """Return when nobody else uses the broker; who comes later finds none, and starts another."""
    fcntl.flock(users, fcntl.LOCK_EX)
    address.unlink()

"""Sealers as processes on a real disk: killed at every file operation, or several at once. Run as a module.

`kill BASE BEFORE AFTER` and `race BASE PROCESSES ROUNDS` print one JSON object on what they saw; they end
with 1 where something did not hold. They fork, for which the process of a test run has too many threads.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from auditstream.ledger.leaves import StoredLeaves
from auditstream.ledger.merkle import root_of
from auditstream.ledger.tile_reader import HashReader
from auditstream.sealer.sealing import StoreBehindError, seal_once
from auditstream.sealer.tile_store import MovedError
from tests.support.dying_files import DyingFiles, moments
from tests.support.logs import KEY, LeavesInMemory, Place, run_of
from tests.support.sealing_faults import Growth, published

_SLOT = struct.Struct("Q")


def kill_everywhere(base: Path, growth: Growth) -> dict[str, int]:
    """Kill a sealer between file operations and within writes; check what is left, go on, check again."""
    first = _new_place(base / "first")
    growth.prepare(first)
    files = DyingFiles()
    growth.go_on(Place(base / "first", files))
    expected = first.contents()
    for at, done in moments(files.operated):
        place = _new_place(base / f"{at}-{done}")
        growth.prepare(place)
        _kill(growth, place.folder.parent, at, done=done)
        growth.check(place)
        growth.go_on(place)
        growth.check(place)
        assert published(place).size == growth.after
        assert place.contents() == expected
    return {"operations": len(files.operated)}


def race(base: Path, processes: int, rounds: int) -> dict[str, int]:
    """Let sealers run at once on a log that grows; check every checkpoint that one of them published."""
    place = _new_place(base)
    sizes = mmap.mmap(-1, _SLOT.size * processes)
    children = [_forked(lambda at=at: _seal_rounds(place, sizes, at, rounds)) for at in range(processes)]
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert statuses == [0] * processes, statuses
    heads, lost = [], 0
    for at in range(processes):
        seen = json.loads((base / f"{at}.json").read_text())
        heads += [(size, bytes.fromhex(root)) for size, root in seen["heads"]]
        lost += seen["lost"]
    hashes = run_of(0, published(place).size).hashes()
    assert len({size for size, _ in heads}) == len(heads), "two checkpoints of one size"
    assert all(root_of(hashes[:size]) == root for size, root in heads)
    assert HashReader(len(hashes), place.store.read).root() == published(place).root
    return {"published": len(heads), "lost": lost, "size": len(hashes)}


class _SharedLeaves(LeavesInMemory):
    """A source that grows by what every process adds to it."""

    def __init__(self, slots: mmap.mmap) -> None:
        super().__init__(0)
        self._slots = slots

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        self.size = sum(size for (size,) in _SLOT.iter_unpack(self._slots[:]))
        return super().read(first_index, limit)


def _seal_rounds(place: Place, slots: mmap.mmap, at: int, rounds: int) -> None:
    heads, lost = [], 0
    for number in range(rounds):
        _SLOT.pack_into(slots, at * _SLOT.size, 7 * (number + 1))
        try:
            sealed = seal_once(_SharedLeaves(slots), place.store, KEY, place.memory)
        except (MovedError, StoreBehindError):  # another was quicker, or has sealed what came after this look
            lost += 1
        else:
            heads += [(sealed.head.size, sealed.head.root.hex())] if sealed else []
    (place.folder.parent / f"{at}.json").write_text(json.dumps({"heads": heads, "lost": lost}))


def _kill(growth: Growth, base: Path, at: int, *, done: bool) -> None:
    """Grow the log in a process that kills itself at an operation."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = _forked(lambda: growth.go_on(Place(base, DyingFiles(at, done=done, die=die))))
    status = os.waitpid(child, 0)[1]
    assert status == signal.SIGKILL, status


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def _new_place(base: Path) -> Place:
    base.mkdir()
    return Place(base)


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    command, base, first, second = arguments
    if command == "kill":
        seen = kill_everywhere(Path(base), Growth(int(first), int(second)))
    else:
        seen = race(Path(base), int(first), int(second))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1:])

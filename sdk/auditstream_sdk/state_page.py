"""One page of a spool, mapped into memory: what a process had recorded and settled when it was killed.

A store to a shared mapping is the kernel's at once: it survives the death of the process, at the cost of some
dozen nanoseconds and no system call. A loss of power it survives as far as the kernel wrote it out; for that
case the page also has a number that was synced ahead, which no recorded one was above.

Layout, 4096 bytes: at 0 the magic; from 64 on, unsigned 64-bit numbers in the machine's byte order (a spool
never leaves its machine); from 1024 on, facts that never change, as JSON up to the first NUL.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_PAGE_BYTES = 4096
_MAGIC = b"ASDKSPL1"
_FACTS_AT = 1024
_OFFSET_BITS = 40

_RECORDED, _RESERVED, _CURRENT, _CLOSED, _OVER = 8, 9, 10, 12, 13  # in words of 8 bytes, so from byte 64 on
_SLOTS = (16, 18)
"""Two pairs of position and losses; `_CURRENT` says which one holds, so that both change in one store."""


@dataclass(frozen=True)
class Facts:
    """What holds for all of an instance's spool.

    Attributes:
        instance: Id of the instance.
        source: Its source.
        tenant: Tenant that its client names; empty where it does not.
        key_fingerprint: Of the key that it was to be sent with.
        boot: Which run of the machine's kernel it was written in; empty where that is unknown.
        started_ms: When it began, in milliseconds since 1970.
    """

    instance: str
    source: str
    tenant: str
    key_fingerprint: str
    boot: str
    started_ms: int


class StatePage:
    """The page of one instance, locked by the process that has it open.

    Raises:
        BlockingIOError: Another process has it.
        ValueError: It is no such page.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path, facts: Facts | None = None) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if facts is not None else 0)
        self._fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if facts is not None:
                self._write_first(facts)
            self._check()
            self._map = mmap.mmap(self._fd, _PAGE_BYTES)
        except BaseException:
            os.close(self._fd)
            raise
        self._words = memoryview(self._map).cast("Q")
        try:
            self.facts = self._read_facts()
        except ValueError:
            self.close()
            raise

    def _check(self) -> None:
        found = os.fstat(self._fd)
        if found.st_nlink == 0:
            raise BlockingIOError("it was sent and taken away meanwhile")
        if found.st_size != _PAGE_BYTES:
            raise ValueError(f"{self.path} is not a page of {_PAGE_BYTES} bytes")

    def _write_first(self, facts: Facts) -> None:
        body = json.dumps(asdict(facts)).encode()
        if len(body) > _PAGE_BYTES - _FACTS_AT:
            raise ValueError("source and tenant are too long for a spool")
        page = bytearray(_PAGE_BYTES)  # written, not sparse: a full disk shows here and not as SIGBUS later
        page[: len(_MAGIC)] = _MAGIC
        page[_FACTS_AT : _FACTS_AT + len(body)] = body
        os.pwrite(self._fd, page, 0)
        os.fsync(self._fd)

    def _read_facts(self) -> Facts:
        if self._map[: len(_MAGIC)] != _MAGIC:
            raise ValueError(f"{self.path} is not a spool's page")
        try:
            return Facts(**json.loads(self._map[_FACTS_AT:].split(b"\0", 1)[0]))
        except TypeError as error:
            raise ValueError(f"{self.path}: {error}") from None

    @property
    def recorded(self) -> int:
        """Highest number given to an event."""
        return self._words[_RECORDED]

    def set_recorded(self, number: int) -> None:
        """Note the number of an event, before its caller goes on."""
        self._words[_RECORDED] = number

    @property
    def reserved(self) -> int:
        """Number that none was above when the page was last synced."""
        return self._words[_RESERVED]

    def reserve(self, number: int) -> None:
        """Reserve numbers up to this one, on disk."""
        self._words[_RESERVED] = number
        self.sync()

    @property
    def settled(self) -> tuple[int, int]:
        """File and offset in it up to which everything is acknowledged, or refused and told of."""
        position = self._words[_SLOTS[self._words[_CURRENT] & 1]]
        return position >> _OFFSET_BITS, position & (1 << _OFFSET_BITS) - 1

    @property
    def dropped(self) -> int:
        """Events that the reports before that position are about."""
        return self._words[_SLOTS[self._words[_CURRENT] & 1] + 1]

    def settle(self, file: int, offset: int, dropped: int) -> None:
        """Move position and losses, both or neither."""
        other = 1 - (self._words[_CURRENT] & 1)
        self._words[_SLOTS[other]] = file << _OFFSET_BITS | offset
        self._words[_SLOTS[other] + 1] = dropped
        self._words[_CURRENT] = other

    @property
    def is_complete(self) -> bool:
        """Whether everything recorded had been written when the client was closed."""
        return bool(self._words[_CLOSED])

    def set_complete(self) -> None:
        """Say so, on disk."""
        self._words[_CLOSED] = 1
        self.sync()

    @property
    def is_over(self) -> bool:
        """Whether all of the spool is settled, and only files are left to be deleted."""
        return bool(self._words[_OVER])

    def set_over(self) -> None:
        """Say so, on disk, before the first file goes: without its files a spool looks lost."""
        self._words[_OVER] = 1
        self.sync()

    def sync(self) -> None:
        """Write the page out."""
        self._map.flush()
        os.fsync(self._fd)

    def remove(self) -> None:
        """Delete the page, still locked."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of page and lock."""
        self._words.release()
        self._map.close()
        os.close(self._fd)


def current_boot() -> str:
    """Return the id of this run of the kernel; empty where there is none to read."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""

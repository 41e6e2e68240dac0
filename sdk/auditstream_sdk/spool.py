"""A log on disk: every event is in it before it is sent, so a killed process loses only what was in memory.

An instance has a page (`<instance>.state`) and files (`<instance>-<number>.log`); it writes the last file,
and a file is deleted when all of it is settled. A process that adopts the spool of a dead one reads it the
same way. Several processes share the folder: each has its own files, and the lock on the page says who lives.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from auditstream_sdk.logs import CONTROL_BYTES, within
from auditstream_sdk.records import HEAD_BYTES as RECORD_HEAD_BYTES
from auditstream_sdk.records import MOST_BYTES, Kind, Record, packed, scan
from auditstream_sdk.segments import (
    HEAD_BYTES,
    base_of,
    create_segment,
    segment_numbers,
    segment_path,
    sync_folder,
    write_all,
)
from auditstream_sdk.state_page import Facts, StatePage

_SEGMENT_BYTES = 8 * 1024 * 1024
"""A file is closed at this size: deleting a settled one frees room, and a scan at start reads at most one."""

_OTHERS_EVERY_S = 5.0
"""How often the folder's other files are added up; a process writes some megabytes meanwhile."""


@dataclass(frozen=True)
class Damage:
    """Records that a file had and that cannot be read.

    Attributes:
        first: First number that is lost.
        last: Last number that is lost; before `first` when nothing numbered was.
        unread_bytes: How much of the file was passed over.
    """

    first: int
    last: int
    unread_bytes: int


class SpoolLog:
    """The log of one instance.

    Args:
        folder: The spool.
        page: The instance's page, open.
        most_bytes: Bound on the folder.

    Attributes:
        page: The instance's page.
        cut_bytes: What was cut off the end of an adopted spool: a record that was being written.
        damages: What was passed over since it was last looked at; whoever looks empties it.
        dropped: Events that the reports in it, and those that were sent from it, are about.
        reported: Ids of the reports that an adopted spool held: a process that died before it had settled
            what they are about told of it already.
    """

    def __init__(self, folder: Path, page: StatePage, most_bytes: int) -> None:
        self.page = page
        self.cut_bytes = 0
        self.damages: list[Damage] = []
        self.dropped = page.dropped
        self.reported: set[str] = set()
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = min(_SEGMENT_BYTES, max(most_bytes // 8, 64 * 1024))
        self._sizes: dict[int, int] = {}
        self._others_bytes = 0
        self._others_at = 0.0
        self._write_fd = -1
        self._read_fd = -1
        self._is_closed = False
        self._unsettled: list[Record] = []
        self._read_number = 0
        self._unread_bytes = 0
        self._open()

    def _open(self) -> None:
        """Find where to go on; of an instance without files, make the first."""
        instance = self.instance
        files = segment_numbers(self._folder, instance)
        while files:
            path = segment_path(self._folder, instance, files[-1])
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            base = base_of(fd)
            if base is not None:
                break
            self.cut_bytes += os.fstat(fd).st_size
            os.close(fd)
            path.unlink()
            files.pop()
        if not files:
            self._number, self._file = 0, 1
            self._write_fd = create_segment(segment_path(self._folder, instance, 1), 0)
            self._sizes[1] = HEAD_BYTES
        else:
            self._file, self._write_fd, self._number = files[-1], fd, base or 0
            self._sizes = {file: segment_path(self._folder, instance, file).stat().st_size for file in files}
            self._cut_tail()
        file, offset = self.page.settled
        if file not in self._sizes or offset < HEAD_BYTES:
            file, offset = min(self._sizes), HEAD_BYTES
        self._at = (file, min(offset, self._sizes[file]))
        base = self._open_reader()
        settled = scan(os.pread(self._read_fd, self._at[1] - HEAD_BYTES, HEAD_BYTES)).records
        self._read_number = settled[-1].number if settled else base or 0
        if files:
            self._find_reports()

    def _find_reports(self) -> None:
        for file in [each for each in self._sizes if each >= self._at[0]]:
            start = self._at[1] if file == self._at[0] else HEAD_BYTES
            fd = os.open(segment_path(self._folder, self.instance, file), os.O_RDONLY | os.O_CLOEXEC)
            try:
                records = scan(os.pread(fd, self._sizes[file], start)).records
            finally:
                os.close(fd)
            self.reported |= {record.event_id for record in records if record.kind is Kind.LOSS}
            self.dropped += sum(record.lost for record in records)

    def _cut_tail(self) -> None:
        found = scan(os.pread(self._write_fd, self._sizes[self._file], HEAD_BYTES), HEAD_BYTES)
        if found.records:
            self._number = found.records[-1].number
        if found.unread_bytes:
            self.cut_bytes += found.unread_bytes
            os.ftruncate(self._write_fd, found.end)
            self._sizes[self._file] = found.end

    def _open_reader(self) -> int | None:
        if self._read_fd >= 0:
            os.close(self._read_fd)
        path = segment_path(self._folder, self.instance, self._at[0])
        self._read_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return base_of(self._read_fd)

    @property
    def instance(self) -> str:
        """Instance whose events it holds."""
        return self.page.facts.instance

    @property
    def number(self) -> int:
        """Every `source_seq` up to this one is told of in what was appended."""
        return self._number

    @property
    def size_bytes(self) -> int:
        """What its files take."""
        return sum(self._sizes.values())

    def append(self, records: Sequence[Record]) -> int:
        """Append records and return how many of them fitted into the folder's bound.

        Raises:
            OSError: None was appended: the disk does not take them.
        """
        fitting = self._fitting(records)
        if not fitting:
            return 0
        if self._sizes[self._file] >= self._segment_bytes:
            self._next_file()
        data = packed(records[:fitting])
        write_all(self._write_fd, data)
        self._sizes[self._file] += len(data)
        self._number = records[fitting - 1].number
        self.dropped += sum(record.lost for record in records[:fitting])
        return fitting

    def _fitting(self, records: Sequence[Record]) -> int:
        size = self.size_bytes + self._others()
        for count, record in enumerate(records):
            size += record.size_bytes
            if size > self._most_bytes + (0 if record.kind is Kind.EVENT else CONTROL_BYTES):
                return count
        return len(records)

    def _others(self) -> int:
        """Return what the folder's other instances take, looked at now and then."""
        if monotonic() >= self._others_at:
            self._others_at = monotonic() + _OTHERS_EVERY_S
            self._others_bytes = 0
            for entry in os.scandir(self._folder):
                if entry.name.endswith(".log") and not entry.name.startswith(self.instance):
                    try:
                        self._others_bytes += entry.stat().st_size
                    except FileNotFoundError:  # sent meanwhile
                        continue
        return self._others_bytes

    def _next_file(self) -> None:
        os.fdatasync(self._write_fd)
        path = segment_path(self._folder, self.instance, self._file + 1)
        fd = create_segment(path, self._number)
        sync_folder(self._folder)
        os.close(self._write_fd)
        self._file, self._write_fd = self._file + 1, fd
        self._sizes[self._file] = HEAD_BYTES

    def read(self, most_events: int, most_bytes: int) -> list[Record]:
        """Return the oldest records that are not settled, at least one if there is any.

        Raises:
            OSError: They cannot be read.
        """
        while True:
            file, offset = self._at
            left = self._sizes[file] - offset
            found = self._scanned(
                offset, min(left, most_bytes + RECORD_HEAD_BYTES * most_events), most_events
            )
            if not found and left:
                found = self._scanned(offset, min(left, MOST_BYTES), 1)  # one record, larger than a batch
            if found:
                self._unsettled = within(found, most_bytes)
                return self._unsettled
            if left:
                self._pass_over(left)
            if file == self._file:
                return []
            self._leave_file()

    def _scanned(self, offset: int, size: int, most: int) -> list[Record]:
        return scan(os.pread(self._read_fd, size, offset), offset, most).records

    def _pass_over(self, left: int) -> None:
        """Give up the rest of a file."""
        file = self._at[0]
        self._unread_bytes += left
        self._at = (file, self._sizes[file])
        if file == self._file:
            self._go_on_from(self._number)

    def _leave_file(self) -> None:
        left = self._at[0]
        following = min(each for each in self._sizes if each > left)
        self._at = (following, min(HEAD_BYTES, self._sizes[following]))
        self.page.settle(*self._at, self.page.dropped)
        base = self._open_reader()
        if base is None:  # its head is rotten: so is whatever follows it
            self._pass_over(self._sizes[following] - self._at[1])
        else:
            self._go_on_from(base)
        segment_path(self._folder, self.instance, left).unlink(missing_ok=True)
        del self._sizes[left]

    def _go_on_from(self, number: int) -> None:
        """Note what is missing before the next record that can be read."""
        if self._unread_bytes or number > self._read_number:
            self.damages.append(Damage(self._read_number + 1, number, self._unread_bytes))
            self._unread_bytes = 0
        self._read_number = max(self._read_number, number)

    def settle(self, count: int) -> None:
        """Forget the first records of what was read last: they are acknowledged, or refused and told of."""
        done, self._unsettled = self._unsettled[:count], self._unsettled[count:]
        if done:
            file, offset = self._at
            self._at = (file, offset + sum(record.size_bytes for record in done))
            self._read_number = done[-1].number
            dropped = self.page.dropped + sum(record.lost for record in done)
            self.page.settle(*self._at, dropped)

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits."""
        return self._at == (self._file, self._sizes[self._file])

    def sync(self) -> None:
        """Make what was appended survive a loss of power."""
        os.fdatasync(self._write_fd)

    def close(self) -> None:
        """Let go of it; delete it when nothing waits."""
        if self.is_settled:
            self.page.set_over()
            remove(self._folder, self.page)
        self.abandon()

    def abandon(self) -> None:
        """Close the files, once, and touch nothing: in a forked child they are the parent's.

        Of a client that was closed before the fork the numbers of the files are somebody else's by now.
        """
        if self._is_closed:
            return
        self._is_closed = True
        os.close(self._write_fd)
        os.close(self._read_fd)
        self.page.close()


def remove(folder: Path, page: StatePage) -> None:
    """Delete a spool that is over; called again, it goes on where the last call was stopped."""
    for number in segment_numbers(folder, page.facts.instance):
        segment_path(folder, page.facts.instance, number).unlink(missing_ok=True)
    page.remove()


def own_log(folder: Path, facts: Facts, most_bytes: int) -> SpoolLog:
    """Return a new instance's log.

    Raises:
        OSError: The folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    page = StatePage(folder / f"{facts.instance}.state", facts)
    try:
        return SpoolLog(folder, page, most_bytes)
    except OSError:
        page.remove()
        page.close()
        raise

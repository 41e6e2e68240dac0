"""A folder of part files and their manifest, written piece by piece and taken up where it was broken off.

Until it is whole the folder is named OUT.partial. There, `progress.jsonl` has what is exported, fixed once,
and a line for each part that is written to the end: a part without a line is written again. Memory is that of
one batch of the store, whatever the number of events.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast

import pyarrow as pa

from auditstream.core.clock import utc_text
from auditstream.core.errors import AuditStreamError, RequestError, RetryableError
from auditstream.core.hashed_stream import HashedStream
from auditstream.exports.forms import Form
from auditstream.query.event_rows import Plan, Stretch, cursor_of, read_plan

MANIFEST = "manifest.json"
PROGRESS = "progress.jsonl"

PART_ROWS = 50_000
"""Rows of a part at most: a file of some ten to hundred megabytes, half a minute's work to lose."""

_FORM = "auditstream-export/v1"
_HASHED_AT_ONCE = 1 << 20

Advance = Callable[[int, int], object]


class Rows(Protocol):
    """Where rows come from; `EventRows` is the store's."""

    def plan(self, stretch_rows: int) -> Plan:
        """Fix what is exported."""
        ...

    def batches(
        self, plan: Plan, stretch: Stretch, *, after: str = "", limit: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows of a stretch in order."""
        ...


class RowsChangedError(RetryableError):
    """The store has other rows than when the export began."""

    code = "export_rows_changed"
    hint = "Were days dropped by retention meanwhile? Delete the .partial folder, and export again."


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export.

    Attributes:
        file: Its name in the folder.
        rows: Rows in it.
        bytes: Its size.
        sha256: Its hash, lower-case hex.
        stretch: Number of the plan's stretch that it is of.
        after: Cursor on its last row.
    """

    file: str
    rows: int
    bytes: int
    sha256: str
    stretch: int
    after: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was exported.

    Attributes:
        folder: Where.
        document: Content of the manifest.
        sha256: Hash of the manifest, lower-case hex.
    """

    folder: Path
    document: Mapping[str, Any]
    sha256: str

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return int(self.document["rows"])

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return int(self.document["bytes"])


def export(
    rows: Rows,
    form: Form,
    out: Path,
    asked: Mapping[str, Any],
    *,
    advance: Advance = lambda _done, _total: None,
    record: Callable[[Manifest], object] = lambda _: None,
    part_rows: int = PART_ROWS,
) -> Manifest:
    """Write a folder and return its manifest; take up what an earlier call with the same arguments left.

    Args:
        rows: What is exported.
        form: Form of the files.
        out: Folder to make; its parents are made, too.
        asked: What was asked for, as query and tenant: it stands in the manifest, and tells whether what lies
            there is of the same export. Texts, numbers and None alone.
        advance: Told how many rows are written, and how many there are.
        record: Told of the export when all is written and not yet named; an error of it ends the export,
            which can be taken up then.
        part_rows: Rows of a part at most.

    Raises:
        RequestError: The folder is there already, cannot be written, or is being written by somebody else.
        RowsChangedError: The store has other rows than when it began.
        RetryableError: The store does not answer; call it again.
    """
    if out.exists():
        raise RequestError(f"{out}: is there already", hint="Name a folder that is not there.")
    partial = out.with_name(f"{out.name}.partial")
    try:
        if partial.exists() and not (partial / PROGRESS).exists() and any(partial.iterdir()):
            raise RequestError(f"{partial}: is there, and no export wrote it", hint="Name another folder.")
        partial.mkdir(parents=True, exist_ok=True)
        with _held(partial / PROGRESS) as progress_file:
            run = _Run(partial, form, {"form": form.name, **asked}, progress_file, part_rows)
            run.begin(rows)
            run.write(rows, advance)
            manifest = run.finish(out)
            record(manifest)
            (partial / PROGRESS).unlink()
            partial.rename(out)
    except OSError as error:
        raise RequestError(f"{partial}: {error.strerror or error}") from error
    return manifest


@contextmanager
def _held(path: Path) -> Iterator[IO[bytes]]:
    """Open the file of progress, for one process at a time."""
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RequestError(
                f"{path.parent}: another process writes it", hint="Wait for it, or name another folder."
            ) from None
        yield file


class _Run:
    """One export, from whatever was there to its manifest."""

    def __init__(
        self, folder: Path, form: Form, asked: Mapping[str, Any], progress: IO[bytes], part_rows: int
    ) -> None:
        self._folder = folder
        self._form = form
        self._asked = asked
        self._progress = progress
        self._part_rows = part_rows
        self._plan: Plan | None = None
        self._parts: list[Part] = []

    def begin(self, rows: Rows) -> None:
        """Take up what is there, if it is of the same export; else begin anew."""
        self._progress.seek(0)
        self._plan, self._parts = self._read(self._progress.read().decode(errors="replace").splitlines())
        if self._plan is None:
            self._empty()
            self._plan = rows.plan(self._part_rows)
        # What is unreadable at its end goes, and what was done is written down once more.
        self._progress.truncate(0)
        self._note({"asked": self._asked, "plan": self._plan.document()})
        for part in self._parts:
            self._note(asdict(part))

    def write(self, rows: Rows, advance: Advance) -> None:
        """Write every part that is not there."""
        plan = self._known_plan()
        done = sum(part.rows for part in self._parts)
        advance(done, plan.rows)
        for number, stretch in enumerate(plan.stretches):
            there = [part for part in self._parts if part.stretch == number]
            written = sum(part.rows for part in there)
            after = there[-1].after if there else ""
            while written < stretch.rows:
                part = self._part(rows, plan, number, after)
                written, after = written + part.rows, part.after
                self._parts.append(part)
                self._note(asdict(part))
                done += part.rows
                advance(done, plan.rows)
            if written != stretch.rows:
                raise RowsChangedError(
                    f"{written} rows from {utc_text(stretch.start)} on, where {stretch.rows} were counted"
                )

    def finish(self, out: Path) -> Manifest:
        """Write the manifest."""
        plan = self._known_plan()
        document = {
            "form": _FORM,
            "kind": self._form.name,
            "schema": dict(self._form.schema),
            "media_type": self._form.media_type,
            "asked": dict(self._asked),
            "period": {
                "from": utc_text(plan.period.start) if plan.period.start else None,
                "to": utc_text(plan.period.end) if plan.period.end else None,
            },
            "known_on": utc_text(plan.known_on),
            "logs": dict(plan.logs),
            "exported_at": utc_text(datetime.now(UTC)),
            "rows": sum(part.rows for part in self._parts),
            "bytes": sum(part.bytes for part in self._parts),
            "files": [
                {"file": part.file, "rows": part.rows, "bytes": part.bytes, "sha256": part.sha256}
                for part in self._parts
            ],
        }
        data = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
        with (self._folder / MANIFEST).open("wb") as file:
            file.write(data)
            _keep(file)
        return Manifest(out, document, hashlib.sha256(data).hexdigest())

    def _part(self, rows: Rows, plan: Plan, number: int, after: str) -> Part:
        stretch = plan.stretches[number]
        name = f"{self._form.name}-{len(self._parts) + 1:05d}.{self._form.suffix}"
        temporary = self._folder / f".{name}"
        count, last = 0, after
        with temporary.open("wb") as raw:
            stream = HashedStream(raw)
            writer = self._form.open(cast("IO[bytes]", stream))
            for batch in rows.batches(plan, stretch, after=after, limit=self._part_rows):
                writer.write(batch)
                count += batch.num_rows
                last = cursor_of(batch)
            writer.close()
            _keep(raw)
        if not count:
            raise RowsChangedError(f"no more rows from {utc_text(stretch.start)} on")
        temporary.rename(self._folder / name)
        return Part(name, count, stream.size_bytes, stream.digest.hexdigest(), number, last)

    def _read(self, lines: list[str]) -> tuple[Plan | None, list[Part]]:
        """Return the plan and the parts that are whole; no plan where it is another export's, or none."""
        try:
            first = json.loads(lines[0])
            if first["asked"] != dict(self._asked):
                return None, []
            plan = read_plan(first["plan"])
        except (ValueError, IndexError, KeyError, TypeError, AuditStreamError):
            return None, []
        parts: list[Part] = []
        for line in lines[1:]:
            try:
                part = Part(**json.loads(line))
                whole = _hash_of(self._folder / part.file) == part.sha256
            except (ValueError, TypeError, FileNotFoundError):
                break  # the last line of a run that was killed
            if not whole:
                break
            parts.append(part)
        return plan, parts

    def _empty(self) -> None:
        for path in self._folder.iterdir():
            if path.name != PROGRESS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _note(self, line: Mapping[str, Any]) -> None:
        self._progress.write(json.dumps(line).encode() + b"\n")
        _keep(self._progress)

    def _known_plan(self) -> Plan:
        assert self._plan is not None
        return self._plan


def _keep(file: IO[bytes]) -> None:
    """Return once what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_HASHED_AT_ONCE):
            digest.update(data)
    return digest.hexdigest()

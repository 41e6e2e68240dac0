"""Evidence taken along: published files and values in one folder, for a verifier that needs nothing of ours.

The folder is made under another name beside its own and gets its name when it is whole. Broken off, it is
taken up where it stopped, as long as the same checkpoints are published; else it begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditstream.core.errors import RequestError, VerificationError
from auditstream.evidence.findings import Finding
from auditstream.evidence.listing import PublishedLog, Trust, read_listing
from auditstream.evidence.published import LISTING, VKEYS, Published
from auditstream.evidence.raw_values import FILE_LEAVES, encoded, raw_path
from auditstream.evidence.statements import statement_names
from auditstream.evidence.tree_files import TreeFiles
from auditstream.ledger.leaves import ENTRY_BYTES, NO_VALUE_HASH
from auditstream.ledger.tiles import FULL_WIDTH, Bundle, Tile, new_tiles
from auditstream.query.reader import Reader
from auditstream.query.value_rows import bytes_of_runs, values_of

MANIFEST = "manifest.json"

_FORM = "auditstream-evidence/v1"
_BATCH_FILES = 16
_MOST_BYTES = 64 * 1024 * 1024  # of values held at once, single ones apart

Advance = Callable[[int, int], object]


class ExportRefusedError(VerificationError):
    """What would be exported is not what was signed."""

    code = "export_refused"
    hint = "Run `auditstream verify`: it names everything that does not hold."


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to.

    Attributes:
        folder: Where it is.
        logs: Logs in it.
        leaves: Values in it.
        value_bytes: Bytes of the values.
        manifest_sha256: Hash of its manifest, lower-case hex.
    """

    folder: Path
    logs: int
    leaves: int
    value_bytes: int
    manifest_sha256: str


class Export:
    """One export.

    Args:
        published: What was published.
        trust: Keys, policy, and the name of the deployment.
        reader: What reads values.
        out: The folder to make.
        logs: Origins or log ids; all when empty.
    """

    def __init__(
        self, published: Published, trust: Trust, reader: Reader, out: Path, logs: Sequence[str] = ()
    ) -> None:
        if out.exists():
            raise RequestError(f"{out} exists already", hint="Name a folder that is to be made.")
        self._published = published
        self._trust = trust
        self._reader = reader
        self._out = out
        self._partial = out.with_name(f"{out.name}.partial")
        self._logs = tuple(logs)
        self._done = 0
        self._total = 0
        self._bytes = 0

    def run(self, by: str, advance: Advance, recorded: Callable[[Exported], object]) -> Exported:
        """Make the folder.

        Args:
            by: Who asked for it.
            advance: Told how many values are written, and how many there are.
            recorded: Called when everything is written, before the folder has its name.

        Raises:
            ExportRefusedError: What is published does not hold, or a value is not what was sealed.
            RequestError: A log is not published, or the folder cannot be written.
            RetryableError: The store does not answer; run it again.
        """
        listing = read_listing(self._published, self._trust)
        _refuse(listing.findings)
        chosen = [log for log in listing.logs if not self._logs or {log.origin, log.log_id} & {*self._logs}]
        missing = [name for name in self._logs if not any(name in {g.origin, g.log_id} for g in chosen)]
        if missing:
            raise RequestError(f"no log {missing[0]!r} is published")
        self._total = sum(log.opened.checkpoint.size for log in chosen)
        try:
            self._begin(chosen)
            self._put(LISTING, listing.list_bytes or b"")
            self._put(VKEYS, self._trust.vkeys.to_bytes())
            self._statements()
            for log in chosen:
                self._log(log, advance)
            manifest = self._manifest(listing.deployment, chosen, by)
            self._put(MANIFEST, manifest)
            done = Exported(
                self._out, len(chosen), self._total, self._bytes, hashlib.sha256(manifest).hexdigest()
            )
            recorded(done)
            self._partial.rename(self._out)
        except OSError as error:
            raise RequestError(f"{self._partial}: {error.strerror}") from error
        return done

    def _begin(self, chosen: Sequence[PublishedLog]) -> None:
        """Take up what is there if it is of the same checkpoints."""
        same = all(_content(self._partial / log.log_id / "checkpoint") == log.data for log in chosen)
        if self._partial.exists() and not same:
            shutil.rmtree(self._partial)
        self._partial.mkdir(parents=True, exist_ok=True)
        for log in chosen:
            self._put(f"{log.log_id}/checkpoint", log.data)

    def _statements(self) -> None:
        for name in statement_names(self._published):
            data = self._published.read(name)
            if data is not None:
                self._put(name, data)

    def _log(self, log: PublishedLog, advance: Advance) -> None:
        files = TreeFiles(self._published, log.log_id, log.opened.checkpoint)
        size = files.shape.size
        for tile in new_tiles(0, size):
            if tile.level:
                data = self._needed(log, tile)
                self._put(f"{log.log_id}/{tile.path}", data)
        for first in range(0, size, _BATCH_FILES * FILE_LEAVES):
            self._batch(log, files, first, min(_BATCH_FILES * FILE_LEAVES, size - first), advance)

    def _batch(self, log: PublishedLog, files: TreeFiles, first: int, count: int, advance: Advance) -> None:
        """Write tiles, entries and values of some files."""
        sizes: dict[int, int] | None = None
        for start in range(first, first + count, FILE_LEAVES):
            leaves = min(FILE_LEAVES, first + count - start)
            hashes = list(self._tiles(log, files, start, leaves))
            target = self._partial / raw_path(log.log_id, start)
            if not target.exists():
                if sizes is None:
                    sizes = bytes_of_runs(self._reader, log.log_id, first, count, FILE_LEAVES)
                step = _step(sizes.get(start // FILE_LEAVES, 0), leaves)
                self._values(log, target, start, hashes, step)
            self._bytes += target.stat().st_size - 4 * leaves
            self._done += leaves
            advance(self._done, self._total)

    def _tiles(self, log: PublishedLog, files: TreeFiles, start: int, leaves: int) -> Iterator[bytes]:
        """Write the tiles and bundles over some leaves; yield the hash that each commits to."""
        for tile in range(start // FULL_WIDTH, -(-(start + leaves) // FULL_WIDTH)):
            width = files.shape.width(tile)
            data, bundle, entries = files.tile(tile), files.bundle(tile), files.entries(tile)
            if data is None or bundle is None or entries is None:
                name = Bundle(tile, width).path
                raise ExportRefusedError(
                    f"{log.origin}: the tile or the bundle {name} is missing or malformed"
                )
            self._put(f"{log.log_id}/{Tile(0, tile, width).path}", data)
            self._put(f"{log.log_id}/{Bundle(tile, width).path}", bundle)
            yield from (entry[ENTRY_BYTES - 32 :] for entry in entries)

    def _values(
        self, log: PublishedLog, target: Path, start: int, hashes: Sequence[bytes], step: int
    ) -> None:
        """Write one file of values, each compared with what was sealed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        with temporary.open("wb") as file:
            for first in range(start, start + len(hashes), step):
                count = min(step, start + len(hashes) - first)
                found = list(values_of(self._reader, log.log_id, first, count))
                _check(log, found, first, hashes[first - start : first - start + count])
                file.writelines(encoded(value for _, value in found))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)

    def _needed(self, log: PublishedLog, tile: Tile) -> bytes:
        data = self._published.read(f"{log.log_id}/{tile.path}")
        if data is None:
            full = self._published.read(f"{log.log_id}/{Tile(tile.level, tile.index).path}")
            data = None if full is None else full[: tile.size_bytes]
        if data is None or len(data) != tile.size_bytes:
            raise ExportRefusedError(f"{log.origin}: {tile.path} is missing or malformed")
        return data

    def _put(self, name: str, data: bytes) -> None:
        path = self._partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _manifest(self, deployment: str, chosen: Sequence[PublishedLog], by: str) -> bytes:
        manifest: dict[str, Any] = {
            "form": _FORM,
            "deployment": deployment,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "exported_by": by,
            "leaves": self._total,
            "value_bytes": self._bytes,
            "logs": [
                {
                    "origin": log.origin,
                    "folder": log.log_id,
                    "size": log.opened.checkpoint.size,
                    "root": log.opened.checkpoint.root.hex(),
                }
                for log in chosen
            ],
        }
        return (json.dumps(manifest, indent=2) + "\n").encode()


def _check(
    log: PublishedLog, found: Sequence[tuple[int, bytes | None]], first: int, hashes: Sequence[bytes]
) -> None:
    indexes = [index for index, _ in found]
    expected = list(range(first, first + len(hashes)))
    if indexes != expected:
        odd = min({*indexes} ^ {*expected}, default=next((i for i in indexes if indexes.count(i) > 1), first))
        raise ExportRefusedError(f"{log.origin}: leaf {odd} is missing or recorded twice")
    for (index, value), wanted in zip(found, hashes, strict=True):
        have = NO_VALUE_HASH if value is None else hashlib.sha256(value).digest()
        if have != wanted:
            raise ExportRefusedError(
                f"{log.origin}: leaf {index}: sealed value {wanted.hex()}, recorded {have.hex()}"
            )


def _step(size: int, leaves: int) -> int:
    """Return how many leaves to read at once, so that their values have some 64 MB at most."""
    return leaves if size <= _MOST_BYTES else max(1, leaves * _MOST_BYTES // size)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        raise ExportRefusedError(f"what is published does not hold: {findings[0]}")

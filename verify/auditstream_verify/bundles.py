"""An exported bundle: every value, entry, tile, checkpoint, and the list of all logs.

Names: `<log>/checkpoint`, `<log>/tile/<level>/<index>`, `<log>/tile/entries/<index>`, `logs`, `statements/*`,
`raw/<log>/<first leaf, 12 digits>`, where <log> is topic/partition/epoch. Values: 4,096 a file, each behind
its length in four bytes, 0xFFFFFFFF alone for a null value. Entry, 74 bytes, big-endian: version 1, kind,
leaf index (8), Kafka offset (8), timestamp (8), event id (16), SHA-256 of the value (32; zeros if null).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from auditstream_verify.notes import (
    ED25519,
    BrokenError,
    Checkpoint,
    Key,
    Policy,
    from_base64,
    number,
    open_checkpoint,
    open_log_list,
    open_note,
)
from auditstream_verify.trees import WIDTH, leaf_hash, place, root_of, root_with_edge

FILE_LEAVES = 4096
ENTRY_BYTES = 74
MOST_NAMED = 1_000  # findings of one range that are named one by one

_RANGE_FILES = 8
_MAX_FILE_BYTES = 32 * 1024 * 1024
_PLAINLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Finding:
    """What does not hold: in which log, at which leaf (None for the log as a whole), and what."""

    log: str
    index: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.log} {'' if self.index is None else f'leaf {self.index} '}{self.text}"


@dataclass
class Result:
    """What a check came to."""

    findings: list[Finding] = field(default_factory=list)
    logs: int = 0
    leaves: int = 0
    statements: int = 0


@dataclass(frozen=True)
class Range:
    """A run of leaves of one log, small enough for one step."""

    root: Path
    log: str
    origin: str
    size: int
    first: int
    count: int


@dataclass
class Walked:
    """What a run of leaves gives: the root of each full tile, the hashes behind the last one."""

    findings: list[Finding] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    edge: list[bytes] = field(default_factory=list)
    last_offset: int = -1
    first_offset: int = -1


def check_bundle(
    root: Path,
    keys: Sequence[Key],
    policy: Policy | None,
    *,
    only: Sequence[str] = (),
    processes: int = 1,
    advance: Callable[[int], object] = lambda _: None,
) -> Result:
    """Check a bundle: what its list names is there, whole, and what was signed.

    Args:
        root: Folder of the bundle.
        keys: Keys that are trusted beforehand.
        policy: Which witnesses must have cosigned; None asks for nobody.
        only: Origins of logs, where a bundle does not have them all.
        processes: How many to use.
        advance: Told how many more leaves have been checked.
    """
    result = Result()
    try:
        deployment, listed = open_log_list(read(root, "logs"), keys)
    except BrokenError as error:
        result.findings.append(Finding("logs", None, f"the list of all logs: {error}"))
        return result
    wanted = {log.origin: log for log in listed if not only or log.origin in only}
    for origin in only:
        if origin not in wanted:
            result.findings.append(Finding(origin, None, "is not in the signed list of logs"))
    for log in sorted(there(root)):
        if not any(each.origin == f"{deployment}/{log}" for each in listed):
            result.findings.append(Finding(f"{deployment}/{log}", None, "is not in the signed list of logs"))
    hashes: dict[str, _Tree] = {}
    for origin, said in wanted.items():
        log = origin.removeprefix(f"{deployment}/")
        if len(log.split("/")) != 3 or {"", ".", ".."} & set(log.split("/")):
            result.findings.append(Finding(origin, None, "is not named topic/partition/epoch"))
            continue
        try:
            checkpoint, cosigners = open_checkpoint(
                read(root, f"{log}/checkpoint"),
                origin,
                [*keys, *(policy.witnesses.values() if policy else ())],
            )
        except BrokenError as error:
            result.findings.append(Finding(origin, None, f"checkpoint: {error}"))
            continue
        if policy is not None and not policy.is_met_by(cosigners):
            result.findings.append(Finding(origin, None, "the quorum has not cosigned the checkpoint"))
        tree = _check_log(root, log, checkpoint, result, processes=processes, advance=advance)
        hashes[origin] = tree
        result.findings += tree.differs(said, "the signed list of logs")
        result.logs += 1
        result.leaves += checkpoint.size
    _check_statements(root, deployment, keys, hashes, result)
    return result


def there(root: Path) -> Iterator[str]:
    """Yield the logs that have a folder."""
    for folder in root.glob("*/*/*"):
        parts = folder.relative_to(root).parts
        if parts[0] not in {"raw", "statements"} and folder.is_dir():
            yield "/".join(parts)


def read(root: Path, name: str) -> bytes:
    """Return a file of the bundle; links are not followed, and nothing endless is read."""
    try:
        with os.fdopen(os.open(root / name, _PLAINLY), "rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BrokenError(f"{name} cannot be read: {getattr(error, 'strerror', error)}") from error
    if len(data) > _MAX_FILE_BYTES:
        raise BrokenError(f"{name} is larger than anything in a bundle")
    return data


class _Tree:
    """A log's tree as its leaves give it."""

    def __init__(self, root: Path, log: str, checkpoint: Checkpoint, walked: Sequence[Walked]) -> None:
        self.checkpoint = checkpoint
        self._root, self._log = root, log
        self.roots = [each for part in walked for each in part.roots]
        self.edge = walked[-1].edge if walked else []

    def differs(self, said: Checkpoint, whose: str) -> list[Finding]:
        """Return whether a former state is not the beginning of this one."""
        origin = self.checkpoint.origin
        if said.size > self.checkpoint.size:
            return [Finding(origin, None, f"{whose} has {said.size} leaves, the log {self.checkpoint.size}")]
        full, rest = divmod(said.size, WIDTH)
        try:
            edge = self._leaves(full)[:rest] if rest else []
        except BrokenError as error:
            return [Finding(origin, None, str(error))]
        if root_with_edge(self.roots[:full], edge) != said.root:
            return [Finding(origin, None, f"its first {said.size} leaves do not have the root of {whose}")]
        return []

    def _leaves(self, tile: int) -> list[bytes]:
        if tile == len(self.roots):
            return self.edge
        data = read(self._root, f"{self._log}/tile/0/{place(tile)}")
        return [data[at : at + 32] for at in range(0, len(data), 32)]


def _check_log(
    root: Path,
    log: str,
    checkpoint: Checkpoint,
    result: Result,
    *,
    processes: int,
    advance: Callable[[int], object],
) -> _Tree:
    step = FILE_LEAVES * _RANGE_FILES
    ranges = [
        Range(root, log, checkpoint.origin, checkpoint.size, first, min(step, checkpoint.size - first))
        for first in range(0, checkpoint.size, step)
    ]
    walked: list[Walked] = []
    for part, done in zip(ranges, _walked(ranges, processes), strict=True):
        if walked and -1 < done.first_offset <= walked[-1].last_offset:
            text = f"Kafka offset {done.first_offset} does not follow {walked[-1].last_offset}"
            done.findings.append(Finding(checkpoint.origin, part.first, text))
        walked.append(done)
        result.findings += done.findings
        advance(part.count)
    tree = _Tree(root, log, checkpoint, walked)
    result.findings += _upper_tiles(root, log, checkpoint.origin, tree.roots)
    found = root_with_edge(tree.roots, tree.edge)
    if found != checkpoint.root:
        text = f"root: expected {checkpoint.root.hex()} as signed, found {found.hex()}"
        result.findings.append(Finding(checkpoint.origin, None, text))
    return tree


def _walked(ranges: Sequence[Range], processes: int) -> Iterator[Walked]:
    if processes == 1 or len(ranges) == 1:
        yield from map(walk, ranges)
        return
    with ProcessPoolExecutor(max_workers=processes) as pool:
        yield from pool.map(walk, ranges)


def walk(part: Range) -> Walked:
    """Check a run of leaves: values against entries, entries against tiles."""
    walked = Walked()
    for first in range(part.first, part.first + part.count, FILE_LEAVES):
        count = min(FILE_LEAVES, part.size - first)
        name = f"raw/{part.log}/{first:012}"
        try:
            values = _value_hashes(part.root / name, count)
        except BrokenError as error:
            values = []
            walked.findings.append(Finding(part.origin, first, f"{name}: {error}"))
        for start in range(first, first + count, WIDTH):
            width = min(WIDTH, part.size - start)
            given = values[start - first : start - first + width]
            try:
                hashes = _tile(part, start, width, given, walked)
            except BrokenError as error:
                walked.findings.append(Finding(part.origin, start, str(error)))
                hashes = [bytes(32)] * width
            if width == WIDTH:
                walked.roots.append(root_of(hashes))
            else:
                walked.edge = hashes
    if len(walked.findings) > MOST_NAMED:
        more = len(walked.findings) - MOST_NAMED
        del walked.findings[MOST_NAMED:]
        walked.findings.append(Finding(part.origin, part.first, f"and {more} more findings from here on"))
    return walked


def _tile(part: Range, start: int, width: int, values: Sequence[bytes], walked: Walked) -> list[bytes]:
    """Return the hashes of the leaves under one tile, after comparing values, entries and tile."""
    entries = _entries(read(part.root, f"{part.log}/tile/entries/{place(start // WIDTH, width)}"), width)
    hashes = [leaf_hash(entry) for entry in entries]
    name = f"tile/0/{place(start // WIDTH, width)}"
    tile = read(part.root, f"{part.log}/{name}")
    if len(tile) != 32 * width:
        raise BrokenError(f"{name} has {len(tile)} bytes, not {32 * width}")
    for index, (entry, found) in enumerate(zip(entries, hashes, strict=True), start=start):
        at = 32 * (index - start)
        if found != tile[at : at + 32]:
            text = f"{name}: its hash is {tile[at : at + 32].hex()}, that of its entry {found.hex()}"
            walked.findings.append(Finding(part.origin, index, text))
        if len(entry) != ENTRY_BYTES or entry[0] != 1 or int.from_bytes(entry[2:10], "big") != index:
            walked.findings.append(Finding(part.origin, index, "the entry is not one of this leaf"))
            continue
        offset = int.from_bytes(entry[10:18], "big")
        if offset <= walked.last_offset:
            text = f"Kafka offset {offset} does not follow {walked.last_offset}"
            walked.findings.append(Finding(part.origin, index, text))
        walked.first_offset = offset if walked.first_offset < 0 else walked.first_offset
        walked.last_offset = offset
        if values and values[index - start] != entry[42:]:
            text = f"value: expected hash {entry[42:].hex()}, found {values[index - start].hex()}"
            walked.findings.append(Finding(part.origin, index, text))
    return hashes


def _entries(bundle: bytes, width: int) -> list[bytes]:
    entries, at = [], 0
    for _ in range(width):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 > len(bundle) or end > len(bundle):
            raise BrokenError(f"a bundle of {width} entries ends inside one")
        entries.append(bundle[at + 2 : end])
        at = end
    if at != len(bundle):
        raise BrokenError("a bundle goes on after its entries")
    return entries


def _value_hashes(path: Path, count: int) -> list[bytes]:
    """Return the hash of each value of a file, reading it piece by piece."""
    hashes = []
    try:
        with os.fdopen(os.open(path, _PLAINLY), "rb") as file:
            for _ in range(count):
                head = file.read(4)
                length = int.from_bytes(head, "big")
                if len(head) < 4:
                    raise BrokenError("it ends before its last value")
                if length == 0xFFFFFFFF:
                    hashes.append(bytes(32))
                    continue
                digest = hashlib.sha256()
                while length:
                    piece = file.read(min(length, 1 << 20))
                    if not piece:
                        raise BrokenError("it ends inside a value")
                    digest.update(piece)
                    length -= len(piece)
                hashes.append(digest.digest())
            if file.read(1):
                raise BrokenError("it goes on after its last value")
    except OSError as error:
        raise BrokenError(f"it cannot be read: {error.strerror}") from error
    return hashes


def _upper_tiles(root: Path, log: str, origin: str, roots: Sequence[bytes]) -> Iterator[Finding]:
    """Yield the tiles above level 0 that do not hold the roots of the tiles below them."""
    level, row = 1, list(roots)
    while row:
        below = []
        for start in range(0, len(row), WIDTH):
            hashes = row[start : start + WIDTH]
            name = f"tile/{level}/{place(start // WIDTH, len(hashes))}"
            try:
                if read(root, f"{log}/{name}") != b"".join(hashes):
                    yield Finding(origin, None, f"{name} does not hold the roots of the tiles below it")
            except BrokenError as error:
                yield Finding(origin, None, str(error))
            if len(hashes) == WIDTH:
                below.append(root_of(hashes))
        level, row = level + 1, below


def _check_statements(
    root: Path, deployment: str, keys: Sequence[Key], trees: dict[str, _Tree], result: Result
) -> None:
    """Check who signed completeness statements, and the checkpoints that they rest on."""
    signers = [key for key in keys if key.name == deployment and key.kind == ED25519]
    for path in sorted((root / "statements").rglob("*")):
        if path.is_dir():
            continue
        name = path.relative_to(root).as_posix()
        try:
            text, _ = open_note(read(root, name), signers)
            for said in _checkpoints_in(text, trees):
                result.findings += trees[said.origin].differs(said, name)
        except BrokenError as error:
            result.findings.append(Finding(name, None, str(error)))
        result.statements += 1


def _checkpoints_in(text: str, trees: dict[str, _Tree]) -> Iterator[Checkpoint]:
    """Yield what a statement says of logs that are here: an origin, a size and a root, side by side."""
    if not text.startswith("auditstream-completeness/v1\n"):
        raise BrokenError("not a completeness statement")
    for line in text.split("\n"):
        items = line.split(" ")
        for at, item in enumerate(items[:-2]):
            if item in trees:
                yield Checkpoint(item, number(items[at + 1]), from_base64(items[at + 2]))

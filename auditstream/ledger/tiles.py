"""Tiles and entry bundles of a log (C2SP tlog-tiles): names, bytes, and which ones growth makes.

A tile of level L holds up to 256 node hashes of tree level 8L, 32 bytes each; a bundle holds the entries
under one tile of level 0. One that is not full yet is partial and carries its width in its name; a full one
never changes, and once it is there, its partial forebears may vanish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from auditstream.core.errors import VerificationError
from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.merkle import MAX_SIZE

TILE_HEIGHT = 8  # tree levels that a tile covers
FULL_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 63  # what a name may say; the largest log ends at level 7
MAX_ENTRY_BYTES = 2**16 - 1  # a bundle writes an entry's length in two bytes
CHECKPOINT = "checkpoint"  # name of the signed checkpoint, which alone changes

_LENGTH_BYTES = 2
_MAX_INDEX = MAX_SIZE >> TILE_HEIGHT
_NAME = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TileError(VerificationError):
    """A tile, a bundle or the name of one is not of the form that tlog-tiles prescribes."""

    code = "tile"
    hint = "What is stored is damaged: restore it, or derive it again from the entries."


@dataclass(frozen=True, slots=True)
class Tile:
    """The name of one tile.

    Attributes:
        level: 0 for leaf hashes, L for nodes of tree level 8L.
        index: Position from the left among the tiles of its level.
        width: Number of hashes, 1 to 256.

    Raises:
        TileError: A number is out of its range.
    """

    level: int
    index: int
    width: int = FULL_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            raise TileError(f"a tile's level is 0 to {MAX_LEVEL}, not {self.level}")
        _check_place(self.index, self.width)

    @property
    def path(self) -> str:
        """Name under the log's prefix, as `tile/0/x001/234.p/17`."""
        return f"tile/{self.level}/{_place(self.index, self.width)}"

    @property
    def size_bytes(self) -> int:
        """Length of the tile's bytes."""
        return self.width * HASH_BYTES


@dataclass(frozen=True, slots=True)
class Bundle:
    """The name of one bundle of entries: those under the tile of level 0 with the same index and width.

    Raises:
        TileError: A number is out of its range.
    """

    index: int
    width: int = FULL_WIDTH

    def __post_init__(self) -> None:
        _check_place(self.index, self.width)

    @property
    def path(self) -> str:
        """Name under the log's prefix, as `tile/entries/x001/234.p/17`."""
        return f"tile/entries/{_place(self.index, self.width)}"


AnyTile = TypeVar("AnyTile", bound=Tile | Bundle)


def whole(tile: AnyTile) -> AnyTile:
    """Return the full tile or bundle that this one becomes."""
    return replace(tile, width=FULL_WIDTH)


def parse_tile_path(path: str) -> Tile | Bundle:
    """Return what a name stands for; exactly one name stands for each tile and bundle.

    Raises:
        TileError: It is the name of neither.
    """
    match = _NAME.fullmatch(path)
    if match is None:
        raise TileError(f"not the name of a tile or a bundle: {path[:100]!r}")
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = int(match["width"] or FULL_WIDTH)
    tile = Bundle(index, width) if match["level"] == "entries" else Tile(int(match["level"]), index, width)
    if tile.path != path:
        raise TileError(f"{path!r} is named {tile.path!r}")
    return tile


def new_tiles(old_size: int, new_size: int) -> list[Tile]:
    """Return the tiles that a log of `new_size` leaves has and one of `old_size` has not, lower levels first.

    Raises:
        TileError: The log does not grow, or is too large.
    """
    _check_growth(old_size, new_size)
    tiles: list[Tile] = []
    level = 0
    while new_size >> level * TILE_HEIGHT:
        places = _new_places(old_size >> level * TILE_HEIGHT, new_size >> level * TILE_HEIGHT)
        tiles += [Tile(level, index, width) for index, width in places]
        level += 1
    return tiles


def new_bundles(old_size: int, new_size: int) -> list[Bundle]:
    """Return the bundles that a log of `new_size` leaves has and one of `old_size` has not.

    Raises:
        TileError: The log does not grow, or is too large.
    """
    _check_growth(old_size, new_size)
    return [Bundle(index, width) for index, width in _new_places(old_size, new_size)]


def right_edge(size: int) -> list[Tile]:
    """Return the partial tiles of a log of this size, lower levels first: what its growth goes on from."""
    levels = range((size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT)
    counts = ((level, size >> level * TILE_HEIGHT) for level in levels)
    return [
        Tile(level, count // FULL_WIDTH, count % FULL_WIDTH) for level, count in counts if count % FULL_WIDTH
    ]


def hashes_in(tile: Tile, data: bytes) -> list[bytes]:
    """Return the hashes that a tile's bytes hold.

    Raises:
        TileError: The bytes are too short or too long.
    """
    if len(data) != tile.size_bytes:
        raise TileError(f"{tile.path} takes {tile.size_bytes} bytes, found {len(data)}")
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def entries_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a bundle: each entry behind its length in two bytes, big-endian.

    Raises:
        TileError: There are none or more than 256, or one is longer than 65,535 bytes.
    """
    if not 1 <= len(entries) <= FULL_WIDTH:
        raise TileError(f"a bundle holds 1 to {FULL_WIDTH} entries, not {len(entries)}")
    lengths = set(map(len, entries))
    if max(lengths) > MAX_ENTRY_BYTES:
        raise TileError(f"an entry has at most {MAX_ENTRY_BYTES} bytes, not {max(lengths)}")
    prefixes = {length: length.to_bytes(_LENGTH_BYTES, "big") for length in lengths}
    if len(lengths) == 1:  # as ours are: ten times as fast
        (prefix,) = prefixes.values()
        return prefix + prefix.join(entries)
    return b"".join([prefixes[len(entry)] + entry for entry in entries])


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle that holds `width` of them; never reads past so many.

    Raises:
        TileError: The bytes hold fewer entries, or more.
    """
    _check_place(0, width)
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise TileError(f"a bundle of {width} entries ends inside entry {len(entries)}")
        entries.append(data[start:at])
    if at != len(data):
        raise TileError(f"{len(data) - at} bytes follow the last of {width} entries in a bundle")
    return entries


def _new_places(old_count: int, new_count: int) -> Iterator[tuple[int, int]]:
    """Yield index and width of each tile of one level that its growth from old to new count makes."""
    if old_count == new_count:
        return
    for index in range(old_count // FULL_WIDTH, new_count // FULL_WIDTH):
        yield index, FULL_WIDTH
    if new_count % FULL_WIDTH:
        yield new_count // FULL_WIDTH, new_count % FULL_WIDTH


def _place(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == FULL_WIDTH else f"{path}.p/{width}"


def _check_place(index: int, width: int) -> None:
    if not 0 <= index <= _MAX_INDEX:
        raise TileError(f"a tile's index is 0 to {_MAX_INDEX}, not {index}")
    if not 1 <= width <= FULL_WIDTH:
        raise TileError(f"a tile's width is 1 to {FULL_WIDTH}, not {width}")


def _check_growth(old_size: int, new_size: int) -> None:
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise TileError(f"a log does not grow from {old_size} to {new_size}")

"""Names, widths and bytes of tiles against the examples that C2SP tlog-tiles publishes."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditstream.ledger.merkle import MAX_SIZE
from auditstream.ledger.tiles import (
    MAX_ENTRY_BYTES,
    Bundle,
    Tile,
    TileError,
    entries_bundle,
    hashes_in,
    new_bundles,
    new_tiles,
    parse_bundle,
    parse_tile_path,
    right_edge,
    whole,
)
from tests.support.examples import examples

INDEXES = st.integers(0, MAX_SIZE >> 8)
WIDTHS = st.integers(1, 256)
TILES = st.builds(Tile, st.integers(0, 63), INDEXES, WIDTHS) | st.builds(Bundle, INDEXES, WIDTHS)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Tile(1, 1, 17), "tile/1/001.p/17"),
        (Tile(63, 999), "tile/63/999"),
        (Tile(0, 1000, 255), "tile/0/x001/000.p/255"),
        (Bundle(1234067), "tile/entries/x001/x234/067"),
        (Bundle(273, 112), "tile/entries/273.p/112"),
    ],
)
def test_a_tile_has_the_published_name(tile, path):
    assert tile.path == path
    assert parse_tile_path(path) == tile


def test_a_log_of_70000_has_the_published_tiles():
    tiles = new_tiles(0, 70_000)

    assert [tile for tile in tiles if tile.level == 0] == [Tile(0, n) for n in range(273)] + [
        Tile(0, 273, 112)
    ]
    assert [tile for tile in tiles if tile.level == 1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert [tile for tile in tiles if tile.level == 2] == [Tile(2, 0, 1)]
    assert len(tiles) == 277
    assert new_bundles(0, 70_000) == [Bundle(n) for n in range(273)] + [Bundle(273, 112)]
    assert right_edge(70_000) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]


@pytest.mark.parametrize("size", [0, 256, 65_536, 2**24])
def test_a_log_whose_tiles_are_full_has_at_most_one_partial_tile(size):
    assert right_edge(size) == ([Tile(size.bit_length() // 8, 0, 1)] if size else [])


@settings(max_examples=examples(100), deadline=None)
@given(TILES)
def test_a_name_stands_for_its_tile(tile):
    assert parse_tile_path(tile.path) == tile
    assert whole(tile).path == tile.path.partition(".p/")[0]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/8/0/067",  # the older layout of Go's sumdb, with the height in the name
        "tile/0/67",
        "tile/00/067",
        "tile/64/067",
        "tile/-1/067",
        "tile/0/x000/067",
        "tile/0/x001/x234/67",
        "tile/0/001/234",
        "tile/0/x001",
        "tile/0/067.p/0",
        "tile/0/067.p/256",
        "tile/0/067.p/01",
        "tile/0/067.p/1/",
        "tile/0/067.p/",
        "tile/0/067\n",
        "tile/0/٠٦٧",
        "tile/entries/../067",
        "tile/data/067",
        "/tile/0/067",
        "tile/0/" + "x999/" * 5 + "999",  # past the last tile of the largest log
        "tile/0/" + "x001/" * 100_000 + "067",
    ],
)
def test_no_other_name_stands_for_a_tile(path):
    with pytest.raises(TileError):
        parse_tile_path(path)


@settings(max_examples=examples(100), deadline=None)
@given(st.text(alphabet="tileenrs/x0123456789.p", max_size=40).map(lambda rest: f"tile/{rest}") | st.text())
def test_any_text_is_a_name_or_refused(path):
    try:
        tile = parse_tile_path(path)
    except TileError:
        return
    assert tile.path == path


@pytest.mark.parametrize("width", [0, 257, -1])
def test_a_tile_is_not_empty_and_not_wider_than_256(width):
    with pytest.raises(TileError):
        Tile(0, 0, width)
    with pytest.raises(TileError):
        Bundle(0, width)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=5))
def test_growth_in_steps_ends_with_the_tiles_of_growth_at_once(sizes):
    steps = [0, *sorted(sizes)]
    stepwise = set()
    for old, new in zip(steps, steps[1:], strict=False):
        stepwise |= set(new_tiles(old, new))
    at_once = set(new_tiles(0, steps[-1]))

    assert at_once <= stepwise
    assert {tile for tile in stepwise if tile.width == 256} == {tile for tile in at_once if tile.width == 256}
    assert set(new_tiles(steps[-1], steps[-1])) == set()


def test_a_log_never_shrinks():
    with pytest.raises(TileError):
        new_tiles(2, 1)
    with pytest.raises(TileError):
        new_bundles(0, MAX_SIZE + 1)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.binary(max_size=100), min_size=1, max_size=256))
@example([b""])
@example([b"x" * MAX_ENTRY_BYTES] * 256)
def test_a_bundle_gives_its_entries_back(entries):
    assert parse_bundle(entries_bundle(entries), len(entries)) == entries


def test_a_bundle_writes_lengths_before_entries():
    assert entries_bundle([b"", b"ab", b"c" * 258]) == b"\0\0\0\2ab\1\2" + b"c" * 258


@pytest.mark.parametrize("entries", [[], [b"x"] * 257, [b"x", b"y" * 65_536]])
def test_a_bundle_is_bounded(entries):
    with pytest.raises(TileError):
        entries_bundle(entries)


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=600), st.integers(-1, 300))
def test_any_bytes_are_a_bundle_or_refused(data, width):
    try:
        entries = parse_bundle(data, width)
    except TileError:
        return
    assert len(entries) == width
    assert entries_bundle(entries) == data


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=256), st.data())
def test_a_bundle_that_is_cut_off_or_longer_is_refused(entries, data):
    whole_bundle = entries_bundle(entries)
    cut = data.draw(st.integers(0, len(whole_bundle) - 1))

    for wrong in (whole_bundle[:cut], whole_bundle + b"\0", whole_bundle + b"\0\0"):
        with pytest.raises(TileError):
            parse_bundle(wrong, len(entries))


@pytest.mark.parametrize("size", [0, 31, 33, 63, 65, 8192])
def test_a_tile_of_another_length_than_its_name_says_is_refused(size):
    with pytest.raises(TileError, match=r"tile/0/000\.p/2 takes 64 bytes"):
        hashes_in(Tile(0, 0, 2), bytes(size))

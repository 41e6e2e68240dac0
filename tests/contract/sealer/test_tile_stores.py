"""What every tile store and every register promises, over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from auditstream.core.errors import ConfigError
from auditstream.ledger.tiles import CHECKPOINT, TileError
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.sealing import seal_once
from auditstream.sealer.tile_store import MovedError, OtherBytesError, Register, StoreDownError, TileStore
from tests.support import parts
from tests.support.logs import KEY, LeavesInMemory, Place
from tests.support.object_server import BUCKET, ObjectServer, object_server

TILE, PARTIAL, BUNDLE = "tile/0/x001/234", "tile/0/000.p/7", "tile/entries/000.p/7"


class Kept(NamedTuple):
    """A store and a register, each opened twice as two processes would."""

    store: TileStore
    other_store: TileStore
    register: Register
    other_register: Register


@pytest.fixture
def objects() -> Iterator[ObjectServer]:
    with object_server() as server:
        yield server


def bucket_of(server: ObjectServer):
    try:
        from obstore.store import S3Store
    except ImportError:
        parts.skip_part("object store", "obstore is not installed", can_be_installed=True)
    return S3Store(
        BUCKET,
        endpoint=server.url,
        access_key_id="id",
        secret_access_key="secret",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 1, "backoff": {"init_backoff": timedelta(milliseconds=1)}},
    )


def in_a_bucket(server: ObjectServer) -> tuple[TileStore, Register]:
    bucket = bucket_of(server)
    from auditstream.sealer.object_store import ObjectRegister, ObjectStore

    return ObjectStore(bucket, "logs/one/"), ObjectRegister(bucket, "memory/one")


def in_a_folder(base: Path) -> tuple[TileStore, Register]:
    return FolderStore(LockedFolder(base, "logs/one")), FolderRegister(LockedFolder(base, "memory"), "one")


@pytest.fixture(params=["folder", "objects"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "folder":
        one, other = in_a_folder(tmp_path), in_a_folder(tmp_path)
    else:
        server = request.getfixturevalue("objects")
        one, other = in_a_bucket(server), in_a_bucket(server)
    return Kept(one[0], other[0], one[1], other[1])


def test_what_is_written_is_read_by_everybody(kept: Kept) -> None:
    kept.store.write_once({TILE: b"t" * 8192, BUNDLE: b"entries"})

    assert kept.other_store.read(TILE) == b"t" * 8192
    assert kept.other_store.read(BUNDLE) == b"entries"
    assert kept.other_store.read(PARTIAL) is None


def test_writing_the_same_bytes_again_is_no_change(kept: Kept) -> None:
    kept.store.write_once({TILE: b"tile"})
    kept.other_store.write_once({TILE: b"tile", PARTIAL: b"partial"})

    assert sorted(kept.store.list()) == [PARTIAL, TILE]


def test_other_bytes_under_a_name_are_refused_and_the_first_stay(kept: Kept) -> None:
    kept.store.write_once({TILE: b"tile"})

    with pytest.raises(OtherBytesError, match=TILE):
        kept.other_store.write_once({TILE: b"other"})
    assert kept.store.read(TILE) == b"tile"


@pytest.mark.parametrize("name", ["checkpoint", "../tile/0/000", "tile/0/../../x", "tile/0/0", ".lock", ""])
def test_only_names_of_tiles_are_written(kept: Kept, name: str) -> None:
    with pytest.raises(TileError):
        kept.store.write_once({name: b"data"})
    assert list(kept.store.list()) == []


def test_names_are_listed_by_folder(kept: Kept) -> None:
    names = [TILE, PARTIAL, BUNDLE, "tile/0/000.p/8", "tile/0/001", "tile/1/000", "tile/entries/001"]
    kept.store.write_once(dict.fromkeys(names, b"data"))
    kept.store.replace_checkpoint(None, b"checkpoint")

    assert sorted(kept.store.list()) == sorted([*names, CHECKPOINT])
    assert sorted(kept.store.list("tile/0/000.p/")) == [PARTIAL, "tile/0/000.p/8"]
    assert list(kept.store.list("tile/7/")) == []


def test_what_is_removed_is_gone_whether_it_was_there_or_not(kept: Kept) -> None:
    kept.store.write_once({TILE: b"tile", PARTIAL: b"partial"})
    kept.other_store.remove([PARTIAL, BUNDLE])

    assert list(kept.store.list()) == [TILE]


def test_a_checkpoint_is_replaced_only_by_who_knows_it(kept: Kept) -> None:
    kept.store.replace_checkpoint(None, b"1")
    kept.other_store.replace_checkpoint(b"1", b"2")

    for former in (None, b"1", b"3", b""):
        with pytest.raises(MovedError):
            kept.store.replace_checkpoint(former, b"4")
    assert kept.store.read(CHECKPOINT) == b"2"


def test_a_register_is_replaced_only_by_who_knows_it(kept: Kept) -> None:
    assert kept.register.read() is None
    with pytest.raises(MovedError):
        kept.register.replace(b"1", b"2")
    kept.register.replace(None, b"1")
    kept.other_register.replace(b"1", b"2")

    with pytest.raises(MovedError):
        kept.register.replace(b"1", b"3")
    assert kept.register.read() == b"2"


def test_of_many_who_replace_at_once_one_succeeds_each_time(kept: Kept) -> None:
    def add(number: int) -> int:
        register = (kept.register, kept.other_register)[number % 2]
        former = register.read()
        count = int((former or b"0").partition(b" ")[0])
        try:
            register.replace(former, b"%d by %d" % (count + 1, number))
        except MovedError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        done = sum(threads.map(add, range(80)))

    assert (kept.register.read() or b"").startswith(b"%d by " % done)


def test_a_log_is_sealed_and_has_the_files_of_a_log_in_a_folder(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "expected").mkdir()
    expected = Place(tmp_path / "expected")
    for size in (200, 700):
        seal_once(LeavesInMemory(size), kept.store, KEY, kept.register)
        seal_once(LeavesInMemory(size), expected.store, KEY, expected.memory)

    assert {name: kept.store.read(name) for name in kept.store.list()} == expected.contents()


def test_a_write_whose_answer_was_lost_counts(objects: ObjectServer) -> None:
    store, _ = in_a_bucket(objects)
    objects.lost_answers = 1
    store.write_once({TILE: b"tile"})
    store.replace_checkpoint(None, b"1")
    objects.lost_answers = 1
    store.replace_checkpoint(b"1", b"2")

    assert objects.objects == {f"logs/one/{TILE}": b"tile", "logs/one/checkpoint": b"2"}


def test_a_conflict_with_a_write_under_way_is_no_other_bytes(objects: ObjectServer) -> None:
    store, _ = in_a_bucket(objects)
    objects.conflicts = 100
    with pytest.raises(StoreDownError):
        store.write_once({TILE: b"tile"})
    with pytest.raises((StoreDownError, MovedError)):
        store.replace_checkpoint(None, b"1")

    objects.conflicts = 0
    store.write_once({TILE: b"tile"})
    assert store.read(TILE) == b"tile"


def test_every_write_to_a_bucket_is_conditional(objects: ObjectServer) -> None:
    store, register = in_a_bucket(objects)
    for size in (200, 700):
        seal_once(LeavesInMemory(size), store, KEY, register)

    assert {name for name, _ in objects.conditions} == {"If-None-Match", "If-Match"}
    assert len(objects.conditions) >= len(objects.objects) + 2


def test_a_bucket_that_does_not_answer_is_told(objects: ObjectServer) -> None:
    store, register = in_a_bucket(objects)
    objects.down = True

    for call in (
        lambda: store.read(TILE),
        lambda: store.write_once({TILE: b"tile"}),
        lambda: store.replace_checkpoint(None, b"1"),
        lambda: store.remove([PARTIAL]),
        lambda: list(store.list()),
        register.read,
    ):
        with pytest.raises(StoreDownError):
            call()


def test_a_bucket_that_overlooks_conditions_is_found_out(objects: ObjectServer) -> None:
    bucket = bucket_of(objects)
    from auditstream.sealer.object_store import require_conditional_writes

    require_conditional_writes(bucket, "probe")
    require_conditional_writes(bucket, "probe")
    objects.heeds_conditions = False
    with pytest.raises(ConfigError, match="overwrote probe"):
        require_conditional_writes(bucket, "probe")

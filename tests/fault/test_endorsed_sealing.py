"""A fault at every file operation of sealer and witness: nothing unwitnessed is published, and no fork."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.errors import RetryableError
from auditstream.ledger.checkpoints import open_checkpoint, parse_checkpoint
from auditstream.ledger.merkle import root_of
from auditstream.ledger.notes import Note, parse_note
from auditstream.ledger.tile_reader import HashReader, prove_consistency
from auditstream.ledger.tiles import CHECKPOINT
from auditstream.ledger.witnessing import WitnessRequest, parse_answer
from auditstream.sealer.file_system import FileSystem
from auditstream.sealer.folder_store import FolderRegister
from auditstream.sealer.known_logs import FixedLogs
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.sealing import publish_again, publish_signed, seal_once
from auditstream.sealer.tile_store import StoreDownError
from auditstream.sealer.witness import Witness, register_name
from tests.support.dying_files import DeadError, DyingFiles, FailingFiles, VolatileFiles, moments
from tests.support.logs import KEY, LeavesInMemory, Place, run_of
from tests.support.witnesses import KEY as WITNESS
from tests.support.witnesses import NOW_S

pytestmark = pytest.mark.fault

BASE = Path("/disk")
BEFORE, AFTER, LATER = 200, 530, 600


class AwayError(RetryableError):
    code = "away"


class Asked:
    """Asks a witness on a disk, as the client over HTTP does.

    Args:
        files: The witness's file operations.
    """

    def __init__(self, files: FileSystem, place: Place) -> None:
        self._files = files
        self._place = place

    def __call__(self, signed: Note, former: Note | None) -> Note:
        checkpoint = parse_checkpoint(signed.text)
        reader = HashReader(checkpoint.size, self._place.store.read)
        witness = Witness(WITNESS, FixedLogs([KEY.verifier]), self._register, ManualClock(NOW_S))
        old = 0
        for _ in range(2):
            proof = tuple(prove_consistency(reader, old)) if old else ()
            try:
                answer = witness.add_checkpoint(WitnessRequest(old, proof, signed.to_bytes()).to_bytes())
            except StoreDownError as error:
                raise AwayError("503") from error
            if answer.status == 200:
                lines = parse_answer(answer.body.encode(), checkpoint)
                return Note(signed.text, (*signed.signatures, *lines))
            old = int(answer.body)
        raise AssertionError(answer)

    def _register(self, name: str) -> FolderRegister:
        return FolderRegister(LockedFolder(BASE, "witness", self._files), name)


def go_on(files: FileSystem, size: int) -> None:
    """Do a round as the service does it: first what was signed, then what is new, then fresh cosignatures."""
    place = Place(BASE, files)
    endorse = Asked(files, place)
    publish_signed(place.store, KEY, place.memory, endorse=endorse)
    seal_once(LeavesInMemory(size), place.store, KEY, place.memory, endorse=endorse)
    publish_again(place.store, KEY, place.memory, endorse=endorse)


def check(files: FileSystem) -> int:
    """Check that what is published is true, whole and witnessed; return its size."""
    place = Place(BASE, files)
    opened = open_checkpoint(place.store.read(CHECKPOINT) or b"", KEY.verifier, cosigners=[WITNESS.verifier])
    head = opened.checkpoint
    assert opened.by_cosigners
    assert head.root == root_of(run_of(0, head.size).hashes())
    assert HashReader(head.size, place.store.read).root() == head.root
    cosigned = FolderRegister(LockedFolder(BASE, "witness", files), register_name(KEY.name)).read() or b""
    last = parse_checkpoint(parse_note(cosigned).text)
    assert last.size >= head.size
    assert last.root == root_of(run_of(0, last.size).hashes())
    return head.size


def prepared() -> VolatileFiles:
    disk = VolatileFiles(BASE)
    go_on(disk, BEFORE)
    return disk


def operations() -> list[str]:
    files = DyingFiles(files=prepared())
    go_on(files, AFTER)
    return files.operated


def deaths() -> Iterator[VolatileFiles]:
    """Yield a disk for every moment at which all may end: between operations, and within a write."""
    first, names = prepared(), operations()
    assert {"create", "write", "sync", "rename", "unlink", "lock", "close"} <= set(names)
    for at, done in moments(names):
        disk = deepcopy(first)
        with pytest.raises(DeadError):
            go_on(DyingFiles(at, done=done, files=disk), AFTER)
        yield disk


def test_whoever_is_killed_at_any_operation_leaves_a_witnessed_log_that_goes_on() -> None:
    seen = set()

    for disk in deaths():
        seen.add(check(disk))
        go_on(disk, LATER)
        assert check(disk) == LATER

    assert seen == {BEFORE, AFTER}


@pytest.mark.long
def test_an_operation_that_fails_is_told_and_the_next_round_goes_on() -> None:
    first, names = prepared(), operations()

    for at in range(len(names)):
        disk = deepcopy(first)
        with pytest.raises(RetryableError):
            go_on(FailingFiles(at, disk), AFTER)
        check(disk)
        go_on(disk, LATER)
        assert check(disk) == LATER


def test_a_witness_that_is_away_for_many_rounds_costs_nothing_but_time() -> None:
    disk = prepared()
    place = Place(BASE, disk)

    def away(signed: Note, former: Note | None) -> Note:
        raise AwayError("away")

    for size in range(BEFORE + 10, AFTER, 50):
        with pytest.raises(AwayError):
            publish_signed(place.store, KEY, place.memory, endorse=away)
            seal_once(LeavesInMemory(size), place.store, KEY, place.memory, endorse=away)
        assert check(disk) == BEFORE
    go_on(disk, AFTER)

    assert check(disk) == AFTER

"""A fault at every single file operation of a round, in turn: no fork, no checkpoint ahead of its tiles."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest

from auditstream.core.errors import VerificationError
from auditstream.sealer.sealing import SealRefusedError, seal_once
from auditstream.sealer.tile_store import MovedError, StoreDownError
from tests.support.dying_files import DeadError, DyingFiles, FailingFiles, VolatileFiles, moments
from tests.support.examples import at_length
from tests.support.logs import KEY, Place
from tests.support.sealing_faults import Growth, Rewritten, published, remembered

pytestmark = pytest.mark.fault

GROWTHS = [
    pytest.param(Growth(0, 300), id="0-300"),
    pytest.param(Growth(300, 301), id="300-301"),
    pytest.param(Growth(200, 530), id="200-530", marks=pytest.mark.long),
]

BASE = Path("/disk")


@pytest.fixture(params=GROWTHS)
def growth(request: pytest.FixtureRequest) -> Growth:
    return request.param


def prepared(growth: Growth) -> VolatileFiles:
    """Return a disk on which the first size is sealed."""
    disk = VolatileFiles(BASE)
    growth.prepare(Place(BASE, disk))
    return disk


def faultless(growth: Growth) -> tuple[dict[str, bytes], list[str]]:
    """Return the log's files after a growth without faults, and the operations that it took."""
    disk = prepared(growth)
    files = DyingFiles(files=disk)
    growth.go_on(Place(BASE, files))
    return Place(BASE, disk).contents(), files.operated


def deaths(growth: Growth) -> Iterator[VolatileFiles]:
    """Yield a disk for every moment at which the sealer may end: between operations, and within a write."""
    first = prepared(growth)
    _, names = faultless(growth)
    assert {"create", "write", "sync", "rename", "lock", "close"} <= set(names)
    for at, done in moments(names):
        disk = deepcopy(first)
        with pytest.raises(DeadError):
            growth.go_on(Place(BASE, DyingFiles(at, done=done, files=disk)))
        yield disk


def test_a_sealer_that_is_killed_leaves_a_whole_log_and_the_next_one_goes_on(growth: Growth) -> None:
    expected, _ = faultless(growth)

    for disk in deaths(growth):
        place = Place(BASE, disk)
        growth.check(place)
        growth.go_on(place)
        growth.check(place)
        assert published(place).size == growth.after
        assert place.contents() == expected


def test_rows_that_are_forged_after_a_kill_are_not_signed_over_what_was() -> None:
    growth, outcomes = Growth(200, 530), set()

    for disk in deaths(growth):
        place = Place(BASE, disk)
        before = published(place), remembered(place)
        try:
            seal_once(Rewritten(600, forged=250), place.store, KEY, place.memory)
        except VerificationError as error:
            outcomes.add(error.code)
            assert (published(place), remembered(place)) == before
        else:
            outcomes.add("sealed")
            # Nothing over the leaf had been signed, so nothing is contradicted; or all was sealed before.
            assert before[1].size == growth.before or before[0].size == growth.after

    assert outcomes == {"sealed", "other_bytes"}


def test_a_signature_that_was_not_published_binds_also_where_the_tiles_are_gone() -> None:
    growth, refused = Growth(0, 300), 0

    for disk in deaths(growth):
        place = Place(BASE, disk)
        if remembered(place).size == published(place).size:
            continue
        place.store.remove(place.contents())
        with pytest.raises(SealRefusedError, match="size 300"):
            seal_once(Rewritten(600, forged=250), place.store, KEY, place.memory)
        assert published(place).size == 0
        refused += 1
    assert refused > 0


def test_an_operation_that_fails_is_told_and_the_same_sealer_goes_on(growth: Growth) -> None:
    first = prepared(growth)
    expected, names = faultless(growth)

    for at in range(len(names)):
        disk = deepcopy(first)
        place = Place(BASE, FailingFiles(at, disk))
        with pytest.raises(StoreDownError, match="broken on purpose"):
            growth.go_on(place)
        growth.check(Place(BASE, disk))
        growth.go_on(place)
        assert place.contents() == expected


@pytest.mark.parametrize("seed", [0, *at_length((1, 2))])
def test_a_loss_of_power_at_any_operation_leaves_a_whole_log(growth: Growth, seed: int) -> None:
    random, first = Random(seed), prepared(growth)
    _, names = faultless(growth)

    for at in range(len(names)):
        disk = deepcopy(first)
        with pytest.raises(DeadError):
            growth.go_on(Place(BASE, DyingFiles(at, files=disk)))
        disk.lose_power(random)
        place = Place(BASE, disk)
        growth.check(place)
        growth.go_on(place)
        disk.lose_power(random)
        growth.check(place)
        assert published(place).size == growth.after


class TwoAtOnce(DyingFiles):
    """Lets another sealer do a whole round before the n-th operation."""

    def __init__(self, at: int, disk: VolatileFiles, growth: Growth) -> None:
        super().__init__(files=disk)
        self._turn = at
        self._place = Place(BASE, disk)
        self._growth = growth
        self.done = False

    def _operate(self, name: str, arguments: tuple[object, ...]) -> object:
        # Between lock and close the other one waits, so its turn comes once this one has given the lock back.
        if len(self.operated) >= self._turn and not self.done and not self._open:
            self.done = True
            self._growth.go_on(self._place)
        return super()._operate(name, arguments)


def test_a_second_sealer_at_any_moment_makes_no_fork(growth: Growth) -> None:
    first = prepared(growth)
    expected, names = faultless(growth)
    lost = 0

    for at in range(len(names)):
        disk = deepcopy(first)
        try:
            growth.go_on(Place(BASE, TwoAtOnce(at, disk, growth)))
        except MovedError:
            lost += 1
        place = Place(BASE, disk)
        growth.check(place)
        assert published(place).size == growth.after
        assert place.contents() == expected
    assert lost > 0

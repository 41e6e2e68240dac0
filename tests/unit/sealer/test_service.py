"""Rounds of the sealer over all logs: what is published, what is told, what one log cannot do to another."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.exposition import generate_latest

from auditstream.core.errors import VerificationError
from auditstream.core.secret_file import KeyFileError
from auditstream.ledger.checkpoints import Checkpoint, open_checkpoint
from auditstream.ledger.cosignatures import cosigned_at
from auditstream.ledger.leaves import LeafError, MissingLeafError, StoredLeaves
from auditstream.ledger.merkle import EMPTY_ROOT, root_of
from auditstream.ledger.notes import parse_note
from auditstream.ledger.vkeys import Vkeys
from auditstream.sealer.key_file import KeyRing, new_ring
from auditstream.sealer.places import LogIdError, checked_log_id
from auditstream.sealer.seal_memory import TreeHead
from auditstream.sealer.sealing import SealRefusedError
from tests.support.logs import LeavesInMemory, run_of
from tests.support.sealers import DEPLOYMENT, FRESH_S, LOG_A, LOG_B, NOW_S, Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, a=300, b=70)


def state(size: int, log_id: str = LOG_A) -> Checkpoint:
    return Checkpoint(f"{DEPLOYMENT}/{log_id}", size, root_of(run_of(0, size).hashes()))


def own_time(deployment: Deployment, log_id: str = LOG_A) -> int:
    origin = f"{DEPLOYMENT}/{log_id}"
    key = deployment.ring.cosigner(origin).verifier
    opened = open_checkpoint(deployment.note(log_id) or b"", *deployment.verifiers(log_id), cosigners=[key])
    return max(cosigned_at(each.signature) for each in opened.by_cosigners)


def codes(deployment: Deployment) -> list[tuple[str, str, bool]]:
    return [(each.log_id, each.error.code, each.is_refusal) for each in deployment.troubles]


# What is published


def test_a_round_seals_every_log_and_lists_it(deployment: Deployment):
    done = deployment.sealer().round()

    assert deployment.published(LOG_A) == state(300)
    assert deployment.published(LOG_B) == state(70, LOG_B)
    assert [(log.origin, log.size, log.root) for log in deployment.listed().logs] == [
        (each.origin, each.size, each.root) for each in (state(300), state(70, LOG_B))
    ]
    assert deployment.listed().time_s == NOW_S
    assert (done.leaves, done.troubles) == (370, [])
    assert {log_id: each.size for log_id, each in done.states.items()} == {LOG_A: 300, LOG_B: 70}


def test_keys_of_everything_that_signs_are_published(deployment: Deployment):
    deployment.sealer().round()
    known, ring = deployment.vkeys(), deployment.ring

    assert known.signers(DEPLOYMENT) == ring.verifiers(DEPLOYMENT)
    for log_id in (LOG_A, LOG_B):
        origin = f"{DEPLOYMENT}/{log_id}"
        assert known.signers(origin) == ring.verifiers(origin)
        assert set(ring.cosigner_verifiers(origin)) <= set(known.cosigners())


def test_a_log_is_listed_before_its_first_checkpoint(deployment: Deployment):
    deployment.recorded.sources[LOG_B] = WithGap(70, missing=0)
    deployment.sealer().round()

    found = deployment.listed().find(f"{DEPLOYMENT}/{LOG_B}")
    assert found is not None
    assert (found.size, found.root) == (0, EMPTY_ROOT)


def test_a_round_without_news_changes_nothing(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    before = files(deployment.base)
    deployment.advance(10)

    assert sealer.round().published == []
    assert files(deployment.base) == before


def test_checkpoint_and_list_are_fresh_news_or_none(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    deployment.advance(FRESH_S)

    done = sealer.round()

    assert sorted(each.size for each in done.published) == [70, 300]
    assert done.leaves == 0
    assert own_time(deployment) == NOW_S + FRESH_S
    assert deployment.listed().time_s == NOW_S + FRESH_S
    assert deployment.published() == state(300)


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_clock_that_steps_is_followed_at_once(deployment: Deployment, step: int):
    sealer = deployment.sealer()
    sealer.round()
    deployment.clock.advance(step)
    sealer.round()

    assert own_time(deployment) == NOW_S + step
    assert deployment.listed().time_s == NOW_S + step
    deployment.grow()
    sealer.round()
    assert deployment.published() == state(400)


def test_a_log_that_appears_is_sealed_in_the_next_round(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    newer = "audit.events.v1/0/99887766"
    deployment.recorded.sources[newer] = LeavesInMemory(5)
    sealer.round()

    assert deployment.published(newer) == state(5, newer)
    assert deployment.listed().find(f"{DEPLOYMENT}/{newer}") is not None


def test_a_log_whose_rows_are_gone_stays_listed_and_fresh(deployment: Deployment):
    deployment.sealer().round()
    deployment.recorded.sources[LOG_B].size = 0
    del deployment.recorded.sources[LOG_B]
    deployment.advance(FRESH_S)
    deployment.sealer().round()

    found = deployment.listed().find(f"{DEPLOYMENT}/{LOG_B}")
    assert found is not None
    assert found.size == 70
    assert own_time(deployment, LOG_B) == NOW_S + FRESH_S
    assert codes(deployment) == [(LOG_B, "store_behind", False)]


def test_the_table_of_checkpoints_gets_a_row_each(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    deployment.grow()
    sealer.round()

    rows = [
        (row.log_id, row.size, row.note == deployment.note(row.log_id)) for row in deployment.recorded.rows
    ]
    assert sorted(rows) == [(LOG_A, 300, False), (LOG_A, 400, True), (LOG_B, 70, True)]


def test_rows_wait_until_the_table_answers_and_hold_nothing_up(deployment: Deployment):
    sealer = deployment.sealer()
    deployment.recorded.table_down = True
    sealer.round()
    assert deployment.published() == state(300)
    assert codes(deployment) == [("", "store_busy", False)]
    deployment.recorded.table_down = False
    sealer.round()

    assert sorted(row.size for row in deployment.recorded.rows) == [70, 300]


def test_what_an_earlier_process_published_and_did_not_insert_is_inserted(deployment: Deployment):
    deployment.recorded.table_down = True
    deployment.sealer().round()
    deployment.recorded.table_down = False
    deployment.sealer().round()
    deployment.sealer().round()

    assert sorted(row.size for row in deployment.recorded.rows) == [70, 300]


def test_metrics_say_how_far_and_how_old(deployment: Deployment):
    deployment.sealer().round()
    text = generate_latest(deployment.metrics.registry).decode()

    labels = '{partition="0",topic="audit.events.v1"}'
    assert f"auditstream_sealed_leaves_total{labels} 300.0" in text
    assert f"auditstream_sealed_size{labels} 300.0" in text
    assert f"auditstream_checkpoint_time_seconds{labels} 1.79e+09" in text
    assert "auditstream_seal_rounds_total 1.0" in text


# Troubles


class WithGap(LeavesInMemory):
    """A log of which one leaf is missing."""

    def __init__(self, size: int, missing: int) -> None:
        super().__init__(size)
        self.missing: int | None = missing

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        if self.missing is None or first_index > self.missing:
            return super().read(first_index, limit)
        if first_index == self.missing:
            raise MissingLeafError(f"leaf {first_index} is missing", index=first_index)
        return super().read(first_index, min(limit, self.missing - first_index))


class Forged(LeavesInMemory):
    """A log of which one recorded hash is not that of its row."""

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        stored = super().read(first_index, limit)
        return replace(stored, recorded=[*stored.recorded[:-1], bytes(32)]) if len(stored) else stored


def test_a_log_that_is_refused_is_told_of_and_stops_no_other(deployment: Deployment):
    deployment.recorded.sources[LOG_A] = Forged(300)
    deployment.sealer().round()

    assert deployment.published(LOG_A) is None
    assert deployment.published(LOG_B) == state(70, LOG_B)
    assert codes(deployment) == [(LOG_A, "leaf", True)]
    assert isinstance(deployment.troubles[0].error, LeafError)
    text = generate_latest(deployment.metrics.registry).decode()
    assert 'auditstream_seal_failures_total{reason="leaf"} 1.0' in text


def test_a_gap_is_a_lag_at_first_and_a_removal_when_it_stays(deployment: Deployment):
    deployment.recorded.sources[LOG_A] = WithGap(300, missing=100)
    sealer = deployment.sealer()
    for _ in range(3):
        sealer.round()
        deployment.advance(30)

    assert codes(deployment) == [
        (LOG_A, "leaf_missing", False),
        (LOG_A, "leaf_missing", False),
        (LOG_A, "leaf_missing", True),
    ]
    assert deployment.published() is None
    assert deployment.published(LOG_B) == state(70, LOG_B)


def test_a_replica_that_catches_up_was_no_removal(deployment: Deployment):
    source = deployment.recorded.sources[LOG_A] = WithGap(300, missing=100)
    sealer = deployment.sealer()
    sealer.round()
    deployment.advance(50)
    source.missing = None
    sealer.round()
    assert deployment.published() == state(300)
    deployment.advance(50)
    deployment.recorded.sources[LOG_A].size = 250
    sealer.round()

    assert codes(deployment)[-1] == (LOG_A, "store_behind", False)


def test_rows_that_are_cut_off_are_told_of(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    deployment.recorded.sources[LOG_A].size = 299
    sealer.round()
    deployment.advance(60)
    sealer.round()

    assert codes(deployment) == [(LOG_A, "store_behind", False), (LOG_A, "store_behind", True)]
    assert deployment.published() == state(300)


def test_a_hint_that_lags_is_no_removal(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    deployment.recorded.hidden[LOG_A] = 200
    sealer.round()
    deployment.grow()
    sealer.round()
    assert deployment.published() == state(300)  # nobody said that there is more
    deployment.advance(FRESH_S)
    sealer.round()

    assert deployment.published() == state(400)
    assert deployment.troubles == []


def test_times_stay_fresh_while_the_store_is_away(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    deployment.recorded.down = True
    deployment.advance(FRESH_S)
    sealer.round()

    assert own_time(deployment) == NOW_S + FRESH_S
    assert {code for _, code, _ in codes(deployment)} == {"store_busy"}
    deployment.recorded.down = False
    deployment.grow()
    sealer.round()
    assert deployment.published() == state(400)


@pytest.mark.parametrize(
    "log_id",
    [
        *("../../etc/0/0a1b2c3d", "logs/0/0a1b2c3d", "a/0", "a/0/b/c", "a/-1/b", "a/01/b", "a/0/", "/0/b"),
        *("a/0/..", "a b/0/c", "a\n/0/c", "vkeys.txt/0/c", "raw/0/c", "..\x00/0/c"),
    ],
)
def test_a_forged_log_id_is_refused_and_nothing_is_written_under_it(deployment: Deployment, log_id: str):
    with pytest.raises(LogIdError):
        checked_log_id(log_id)
    deployment.recorded.sources[log_id] = LeavesInMemory(5)
    deployment.sealer().round()

    assert codes(deployment) == [(log_id, "log_id", True)]
    assert deployment.published() == state(300)
    top = {path.name for path in (deployment.base / "evidence").iterdir()} - {".lock", ".new"}
    assert top == {"audit.events.v1", "logs", "vkeys.txt"}


def test_a_key_file_that_is_gone_stops_signing_and_is_told_of(deployment: Deployment):
    def gone() -> KeyRing:
        raise KeyFileError("gone")

    done = deployment.sealer(keys=gone).round()

    assert deployment.note() is None
    assert [each.error.code for each in done.troubles] == ["key_file"]


# Old state


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.endswith(".lock")}


def put_back(old: Path, present: Path) -> None:
    shutil.rmtree(present)
    shutil.copytree(old, present)


def test_a_memory_of_another_tree_is_refused_and_nothing_is_published(deployment: Deployment):
    deployment.sealer().round()
    register = deployment.memory.register(f"{LOG_A}/signed")
    register.replace(register.read(), TreeHead(350, bytes(32)).to_bytes())
    before = deployment.note()
    deployment.grow(by=100)
    deployment.sealer().round()

    assert codes(deployment) == [(LOG_A, "seal_refused", True)]
    assert isinstance(deployment.troubles[0].error, SealRefusedError)
    assert deployment.note() == before


def test_a_published_folder_that_was_put_back_goes_on_and_never_forks(deployment: Deployment, tmp_path: Path):
    deployment.sealer().round()
    shutil.copytree(tmp_path / "evidence", tmp_path / "old")
    deployment.grow()
    deployment.sealer().round()
    put_back(tmp_path / "old", tmp_path / "evidence")

    deployment.sealer().round()

    assert deployment.published() == state(400)
    deployment.grow()
    deployment.sealer().round()
    assert deployment.published() == state(500)


def test_a_published_folder_that_was_put_back_over_forged_rows_is_refused(
    deployment: Deployment, tmp_path: Path
):
    deployment.sealer().round()
    shutil.copytree(tmp_path / "evidence", tmp_path / "old")
    deployment.grow()
    deployment.sealer().round()
    put_back(tmp_path / "old", tmp_path / "evidence")
    deployment.recorded.sources[LOG_A] = Rewritten(400)

    deployment.sealer().round()

    assert codes(deployment) == [(LOG_A, "seal_refused", True)]
    assert deployment.published() == state(300)


class Rewritten(LeavesInMemory):
    """Leaves of which every one from 300 on is another than before, hashes and all."""

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        stored = super().read(first_index, limit)
        run = stored.run
        hashes = [
            bytes(32) if first_index + at >= 300 else value for at, value in enumerate(run.value_sha256)
        ]
        run = replace(run, value_sha256=hashes)
        return StoredLeaves(run, run.hashes())


def test_a_list_that_is_ahead_of_a_checkpoint_is_not_taken_back(deployment: Deployment, tmp_path: Path):
    deployment.sealer().round()
    older = deployment.note()
    deployment.grow()
    deployment.sealer().round()
    (tmp_path / "evidence" / LOG_A / "checkpoint").write_bytes(older or b"")
    deployment.recorded.down = True  # so that it is not overtaken in the same round
    deployment.advance(FRESH_S)
    deployment.sealer().round()

    found = deployment.listed().find(f"{DEPLOYMENT}/{LOG_A}")
    assert found is not None
    assert found.size == 400
    assert ("", "list_rollback", True) in codes(deployment)


def test_a_list_of_somebody_else_stays_as_evidence_and_is_told_of(deployment: Deployment, tmp_path: Path):
    deployment.sealer().round()
    other = Deployment(tmp_path / "other", a=1)
    (tmp_path / "other").mkdir()
    other.sealer().round()
    theirs = (tmp_path / "other" / "evidence" / "logs").read_bytes()
    (tmp_path / "evidence" / "logs").write_bytes(theirs)
    deployment.sealer().round()

    assert (tmp_path / "evidence" / "logs").read_bytes() == theirs
    assert [(code, refusal) for _, code, refusal in codes(deployment)] == [("note", True)]


# Keys


def test_a_rotated_key_signs_from_the_next_round_and_old_checkpoints_stay_valid(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.round()
    before, old = deployment.note() or b"", deployment.ring
    deployment.ring = deployment.ring.rotated()
    deployment.grow()
    sealer.round()

    newest = deployment.verifiers(LOG_A)[-1]
    assert open_checkpoint(deployment.note() or b"", newest).checkpoint == state(400)
    assert open_checkpoint(before, *deployment.verifiers(LOG_A)).checkpoint == state(300)
    assert deployment.vkeys().signers(f"{DEPLOYMENT}/{LOG_A}") == deployment.verifiers(LOG_A)
    # Who knows the old key of the deployment still reads the list, and finds the new keys of the logs in it.
    data = (deployment.base / "evidence" / "logs").read_bytes()
    signers = {each.key_id for each in parse_note(data).signatures}
    assert signers == {each.key_id for each in deployment.ring.verifiers(DEPLOYMENT)}
    assert old.verifiers(DEPLOYMENT)[0].key_id in signers
    assert [log.key for log in deployment.listed().logs] == [
        deployment.verifiers(log_id)[-1] for log_id in (LOG_A, LOG_B)
    ]


def test_a_lost_key_is_replaced_without_a_gap_where_its_public_half_is_named(deployment: Deployment):
    deployment.sealer().round()
    deployment.ring = new_ring(deployment.vkeys())
    deployment.grow()
    deployment.sealer().round()

    assert deployment.troubles == []
    newest = deployment.verifiers(LOG_A)[-1]
    assert open_checkpoint(deployment.note() or b"", newest).checkpoint == state(400)


def test_a_key_out_of_nowhere_signs_nothing_over_what_another_one_signed(deployment: Deployment):
    deployment.sealer().round()
    before = files(deployment.base)
    deployment.ring = new_ring()
    deployment.grow()
    deployment.sealer().round()

    assert files(deployment.base) == before
    assert all(isinstance(each.error, VerificationError) for each in deployment.troubles)
    assert deployment.troubles


def test_public_keys_never_leave_the_published_file(deployment: Deployment):
    deployment.sealer().round()
    first = deployment.vkeys()
    deployment.ring = deployment.ring.rotated()
    deployment.sealer().round()

    assert deployment.vkeys().keys[: len(first.keys)] == first.keys
    assert first != Vkeys()


# Two at once


def test_two_sealers_in_turn_make_one_history(deployment: Deployment):
    one, other = deployment.sealer(), deployment.sealer()
    for sealer in (one, other, other, one):
        deployment.grow()
        sealer.round()

    assert deployment.published() == state(700)
    assert deployment.troubles == []


def test_a_round_that_is_to_stop_leaves_a_whole_log(deployment: Deployment):
    sealer = deployment.sealer()
    sealer.stop()
    done = sealer.round()
    sealer.run()

    assert done.published == []
    deployment.sealer().round()
    assert deployment.published() == state(300)

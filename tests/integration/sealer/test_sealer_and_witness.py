"""The sealer's service against a witness over HTTP: away and back, new logs and keys, old state, forks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from auditstream.embedded.loopback_ports import free_port
from auditstream.ledger.checkpoints import open_checkpoint
from auditstream.ledger.cosignatures import cosigned_at
from auditstream.ledger.leaves import StoredLeaves
from auditstream.sealer.known_logs import DeploymentLogs, list_reader
from auditstream.sealer.witness_panel import WitnessPanel
from tests.support.logs import LeavesInMemory
from tests.support.processes import wait_until
from tests.support.sealers import DEPLOYMENT, FRESH_S, LOG_A, NOW_S, Deployment
from tests.support.witnesses import KEY, RunningWitness, served, witness_in


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, a=300)


@contextmanager
def witnessing(deployment: Deployment, port: int = 0) -> Iterator[RunningWitness]:
    """Run a witness that trusts what the deployment lists."""
    known = DeploymentLogs(
        deployment.ring.verifiers(DEPLOYMENT)[:1], list_reader(str(deployment.base / "evidence"))
    )
    with served(witness_in(deployment.base, known, clock=deployment.clock), port=port) as running:
        yield running


def codes(deployment: Deployment) -> list[tuple[str, bool]]:
    return [(each.error.code, each.is_refusal) for each in deployment.troubles]


def witnessed_at(deployment: Deployment, log_id: str = LOG_A) -> int | None:
    data = deployment.note(log_id) or b""
    opened = open_checkpoint(data, *deployment.verifiers(log_id), cosigners=[KEY.verifier])
    return max((cosigned_at(each.signature) for each in opened.by_cosigners), default=None)


def size(deployment: Deployment, log_id: str = LOG_A) -> int:
    published = deployment.published(log_id)
    return 0 if published is None else published.size


def test_the_first_round_of_a_new_log_is_witnessed_because_it_is_listed_first(deployment: Deployment):
    with witnessing(deployment) as witness, WitnessPanel(witness.policy()) as panel:
        sealer = deployment.sealer(panel)
        sealer.round()
        assert (size(deployment), witnessed_at(deployment)) == (300, NOW_S)
        newer = "audit.events.v1/7/0a1b2c3d"
        deployment.recorded.sources[newer] = LeavesInMemory(5)
        sealer.round()

    assert (size(deployment, newer), witnessed_at(deployment, newer)) == (5, NOW_S)
    assert deployment.troubles == []
    assert {row.witnesses for row in deployment.recorded.rows} == {(KEY.name,)}


def test_a_rotated_key_needs_no_word_to_a_witness_that_knows_the_old_one(deployment: Deployment):
    with witnessing(deployment) as witness, WitnessPanel(witness.policy()) as panel:
        sealer = deployment.sealer(panel)
        sealer.round()
        deployment.ring = deployment.ring.rotated()
        deployment.grow()
        deployment.advance(1)

        def is_sealed() -> bool:
            sealer.round()
            return size(deployment) == 400

        # The witness looks at the list again a moment after it has looked.
        wait_until(is_sealed, within_s=30, what="400 leaves under the new key")

    assert open_checkpoint(deployment.note() or b"", deployment.verifiers(LOG_A)[-1])


def test_a_witness_that_goes_and_comes_back(deployment: Deployment):
    port = free_port()
    with witnessing(deployment, port) as witness:
        policy = witness.policy()
        with WitnessPanel(policy) as panel:
            deployment.sealer(panel).round()
    with WitnessPanel(policy, timeout_s=1.0) as panel:
        sealer = deployment.sealer(panel)
        for _ in range(3):
            deployment.grow()
            deployment.advance(30)
            sealer.round()
        # What was witnessed stays, with its own time; the log's own is fresh all the same.
        assert (size(deployment), witnessed_at(deployment)) == (300, NOW_S)
        own = deployment.ring.cosigner(f"{DEPLOYMENT}/{LOG_A}").verifier
        opened = open_checkpoint(deployment.note() or b"", *deployment.verifiers(LOG_A), cosigners=[own])
        assert cosigned_at(opened.by_cosigners[0].signature) == NOW_S + FRESH_S
        assert codes(deployment) == 3 * [("quorum_missed", False)]
        with witnessing(deployment, port):
            sealer.round()

    assert (size(deployment), witnessed_at(deployment)) == (600, NOW_S + 90)


def test_state_that_was_put_back_as_a_whole_is_seen_by_the_witness(deployment: Deployment, tmp_path: Path):
    with witnessing(deployment) as witness, WitnessPanel(witness.policy()) as panel:
        deployment.sealer(panel).round()
        for name in ("evidence", "seal"):
            shutil.copytree(tmp_path / name, tmp_path / "old" / name)
        deployment.grow()
        deployment.sealer(panel).round()
        assert size(deployment) == 400
        for name in ("evidence", "seal"):
            shutil.rmtree(tmp_path / name)
            shutil.copytree(tmp_path / "old" / name, tmp_path / name)
        # The rows were written anew after the copy: fewer or more of them, nothing is published.
        deployment.recorded.sources[LOG_A] = Rewritten(350)
        deployment.sealer(panel).round()
        assert codes(deployment) == [("witness_ahead", True)]
        deployment.recorded.sources[LOG_A] = Rewritten(450)
        deployment.sealer(panel).round()

    assert size(deployment) == 300
    assert codes(deployment)[-1][1] is True


def test_state_that_was_put_back_over_the_same_rows_goes_on(deployment: Deployment, tmp_path: Path):
    with witnessing(deployment) as witness, WitnessPanel(witness.policy()) as panel:
        deployment.sealer(panel).round()
        for name in ("evidence", "seal"):
            shutil.copytree(tmp_path / name, tmp_path / "old" / name)
        deployment.grow()
        deployment.sealer(panel).round()
        for name in ("evidence", "seal"):
            shutil.rmtree(tmp_path / name)
            shutil.copytree(tmp_path / "old" / name, tmp_path / name)
        deployment.grow()
        deployment.sealer(panel).round()

    assert size(deployment) == 500
    assert deployment.troubles == []


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


def test_of_two_sealers_with_forked_rows_and_a_key_each_has_one_is_witnessed(tmp_path: Path):
    honest = Deployment(tmp_path / "honest", a=400)
    forger = Deployment(tmp_path / "forger", a=0)
    forger.recorded.sources[LOG_A] = Rewritten(400)
    forger.ring = honest.ring  # the key was stolen
    for each in (honest, forger):
        each.base.mkdir()
    with witnessing(honest) as witness, WitnessPanel(witness.policy()) as panel:
        honest.sealer(panel).round()
        with WitnessPanel(witness.policy()) as other:
            forger.sealer(other).round()

    assert size(honest) == 400
    assert size(forger) == 0
    assert codes(forger) == [("witness_contradicts", True)]

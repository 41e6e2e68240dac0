"""A witness: what it remembers before it answers, and whom it trusts."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.errors import RetryableError
from auditstream.ledger.checkpoints import Checkpoint, parse_checkpoint
from auditstream.ledger.cosignatures import cosigned_at
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.log_list import ListedLog, log_list, sign_log_list
from auditstream.ledger.merkle import EMPTY_ROOT, root_of
from auditstream.ledger.notes import Note, parse_note, verify_note
from auditstream.ledger.witnessing import SIZE_TYPE, parse_answer
from auditstream.sealer.known_logs import AllKnownLogs, DeploymentLogs, FixedLogs, list_reader
from auditstream.sealer.tile_store import MovedError, Register, StoreDownError
from auditstream.sealer.witness import Witness, register_name
from tests.support.witnesses import (
    DEPLOYMENT,
    FORGED,
    KEY,
    KNOWN,
    LEAVES,
    LOG,
    NOW_S,
    OTHER,
    register_in,
    request,
    witness_in,
)


def remembered(folder: Path, origin: str = LOG.name) -> Checkpoint | None:
    data = register_in(folder, register_name(origin)).read()
    return None if data is None else parse_checkpoint(parse_note(data).text)


def test_a_cosignature_states_the_time_and_verifies(tmp_path: Path):
    answer = witness_in(tmp_path, KNOWN).add_checkpoint(request(0, 7))

    assert answer.status == 200
    checkpoint = Checkpoint(LOG.name, 7, root_of(LEAVES[:7]))
    (cosignature,) = parse_answer(answer.body.encode(), checkpoint)
    assert cosigned_at(cosignature) == NOW_S
    assert verify_note(Note(checkpoint.text, (cosignature,)).to_bytes(), [KEY.verifier])


def test_what_is_cosigned_is_remembered_with_the_signature_of_its_log(tmp_path: Path):
    witness = witness_in(tmp_path, KNOWN)
    witness.add_checkpoint(request(0, 7))

    data = register_in(tmp_path, register_name(LOG.name)).read() or b""

    assert remembered(tmp_path) == Checkpoint(LOG.name, 7, root_of(LEAVES[:7]))
    assert verify_note(data, [LOG.verifier])


def test_what_is_not_cosigned_is_not_remembered(tmp_path: Path):
    witness = witness_in(tmp_path, KNOWN)
    witness.add_checkpoint(request(0, 100))

    statuses = [
        witness.add_checkpoint(body).status
        for body in (
            request(100, 200, leaves=FORGED),
            request(100, 100, leaves=FORGED),
            request(7, 200),
            request(0, 7, key=OTHER),
            b"nothing",
        )
    ]

    assert statuses == [422, 409, 409, 404, 400]
    assert remembered(tmp_path) == Checkpoint(LOG.name, 100, root_of(LEAVES[:100]))
    assert remembered(tmp_path, OTHER.name) is None


def test_the_same_checkpoint_is_cosigned_again_at_a_later_time(tmp_path: Path):
    clock = ManualClock(NOW_S)
    witness = witness_in(tmp_path, KNOWN, clock=clock)
    witness.add_checkpoint(request(0, 100))
    clock.advance(60)

    answer = witness.add_checkpoint(request(100, 100))

    assert answer.status == 200
    (cosignature,) = parse_answer(answer.body.encode(), Checkpoint(LOG.name, 100, root_of(LEAVES[:100])))
    assert cosigned_at(cosignature) == NOW_S + 60


def test_a_witness_that_died_before_it_answered_goes_on_from_what_it_stored(tmp_path: Path):
    class DeadError(BaseException):
        pass

    class Dies:
        def now_s(self) -> float:
            raise DeadError

    with pytest.raises(DeadError):
        witness_in(tmp_path, KNOWN, clock=Dies()).add_checkpoint(request(0, 100))
    assert remembered(tmp_path) == Checkpoint(LOG.name, 100, root_of(LEAVES[:100]))

    again = witness_in(tmp_path, KNOWN)
    assert again.add_checkpoint(request(0, 200)).body == "100\n"
    assert again.add_checkpoint(request(100, 100)).status == 200
    assert again.add_checkpoint(request(100, 200)).status == 200


class Interrupted:
    """A register behind whose first reader's back another request is answered."""

    def __init__(self, register: Register, other: Witness, body: bytes) -> None:
        self._register = register
        self._other = other
        self._body = body

    def read(self) -> bytes | None:
        found = self._register.read()
        body, self._body = self._body, b""
        if body:
            assert self._other.add_checkpoint(body).status == 200
        return found

    def replace(self, former: bytes | None, new: bytes) -> None:
        self._register.replace(former, new)


def interrupted(folder: Path, body: bytes) -> Witness:
    other = witness_in(folder, KNOWN)
    register = Interrupted(register_in(folder, register_name(LOG.name)), other, body)
    return Witness(KEY, KNOWN, lambda name: register, ManualClock(NOW_S))


def test_the_race_of_the_specification_does_not_roll_the_witness_back(tmp_path: Path):
    witness_in(tmp_path, KNOWN).add_checkpoint(request(0, 50))

    # Request A with size 100 is judged; B with size 200 is judged, stored, answered; A is to be stored.
    answer = interrupted(tmp_path, request(50, 200)).add_checkpoint(request(50, 100))

    assert (answer.status, answer.body, answer.content_type) == (409, "200\n", SIZE_TYPE)
    assert remembered(tmp_path) == Checkpoint(LOG.name, 200, root_of(LEAVES))


def test_of_two_forked_histories_at_once_one_is_cosigned(tmp_path: Path):
    witness_in(tmp_path, KNOWN).add_checkpoint(request(0, 50))

    answer = interrupted(tmp_path, request(50, 200)).add_checkpoint(request(50, 200, leaves=FORGED))

    assert answer.status == 409
    assert remembered(tmp_path) == Checkpoint(LOG.name, 200, root_of(LEAVES))


def test_forked_histories_from_many_threads_end_in_one(tmp_path: Path):
    witness = witness_in(tmp_path, KNOWN)
    answers: list[tuple[str, int]] = []
    start = threading.Barrier(8)

    def ask(name: str, leaves: list[bytes]) -> None:
        start.wait()
        answers.append((name, witness.add_checkpoint(request(0, 150, leaves=leaves)).status))

    threads = [threading.Thread(target=ask, args=each) for each in 4 * [("true", LEAVES), ("forged", FORGED)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({name for name, status in answers if status == 200}) == 1
    assert {status for _, status in answers} == {200, 409}


def test_a_memory_that_never_rests_or_is_away_cosigns_nothing(tmp_path: Path):
    class Moving:
        def read(self) -> bytes | None:
            return None

        def replace(self, former: bytes | None, new: bytes) -> None:
            raise MovedError("again")

    class Down(Moving):
        def read(self) -> bytes | None:
            raise StoreDownError("away")

    for register in (Moving(), Down()):
        witness = Witness(KEY, KNOWN, lambda name, register=register: register, ManualClock(NOW_S))
        with pytest.raises(RetryableError):
            witness.add_checkpoint(request(0, 7))


# Whom it trusts


def listed(*logs: SignerKey, by: SignerKey = DEPLOYMENT) -> bytes:
    entries = [ListedLog(log.verifier, 0, EMPTY_ROOT) for log in logs]
    return sign_log_list(log_list(DEPLOYMENT.name, NOW_S, entries), by).to_bytes()


class Listed:
    """A list that a test changes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.now_s = 0.0
        self.logs = DeploymentLogs((DEPLOYMENT.verifier,), lambda: self.data, lambda: self.now_s)


def test_a_log_that_appears_in_the_list_is_known_at_once():
    deployment = Listed(listed(LOG))
    assert deployment.logs.keys(LOG.name) == (LOG.verifier,)
    assert deployment.logs.keys(OTHER.name) == ()
    deployment.data = listed(LOG, OTHER)

    assert deployment.logs.keys(OTHER.name) == (OTHER.verifier,)


def test_a_rotated_key_takes_the_place_of_the_old_one():
    deployment = Listed(listed(LOG))
    deployment.logs.keys(LOG.name)
    newer = SignerKey(LOG.name, b"n" * 32)
    deployment.data = listed(newer)
    deployment.now_s = 1.0

    assert deployment.logs.keys(LOG.name) == (newer.verifier,)


def test_a_list_that_somebody_else_signed_changes_nothing(caplog: pytest.LogCaptureFixture):
    deployment = Listed(listed(LOG))
    deployment.logs.keys(LOG.name)
    deployment.data = listed(OTHER, by=SignerKey(DEPLOYMENT.name, b"x" * 32))

    assert deployment.logs.keys(OTHER.name) == ()
    assert deployment.logs.keys(LOG.name) == (LOG.verifier,)


def test_logs_of_another_deployment_are_not_looked_up():
    def never() -> bytes:
        raise AssertionError

    logs = DeploymentLogs((DEPLOYMENT.verifier,), never)

    assert logs.keys("audit.example/demonstration/events/0/5f3759df") == ()


def test_sources_are_joined():
    logs = AllKnownLogs([FixedLogs([LOG.verifier]), Listed(listed(LOG, OTHER)).logs])

    assert logs.keys(LOG.name) == (LOG.verifier,)
    assert logs.keys(OTHER.name) == (OTHER.verifier,)


def test_a_list_is_read_from_a_folder(tmp_path: Path):
    read = list_reader(str(tmp_path))
    with pytest.raises(RetryableError):
        read()
    (tmp_path / "logs").write_bytes(b"list")

    assert read() == b"list"

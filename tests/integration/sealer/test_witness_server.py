"""A witness over HTTP, and what asks it: answers byte for byte, and every way in which one can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from aiohttp import web

from auditstream.core.clock import ManualClock
from auditstream.core.errors import AuditStreamError, ConfigError, RetryableError
from auditstream.ledger.checkpoints import open_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey, cosigned_at
from auditstream.ledger.notes import Note, parse_note, sign_note
from auditstream.ledger.policies import parse_policy
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tile_reader import HashReader
from auditstream.ledger.witnessing import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, SIZE_TYPE, parse_request
from auditstream.sealer.endorsing import Endorser, QuorumMissedError
from auditstream.sealer.known_logs import FixedLogs, list_reader
from auditstream.sealer.tile_store import StoreDownError
from auditstream.sealer.witness import Witness
from auditstream.sealer.witness_client import (
    WitnessAheadError,
    WitnessAwayError,
    WitnessClient,
    WitnessContradictsError,
    WitnessRefusesError,
)
from auditstream.sealer.witness_panel import NO_WITNESSES, WitnessPanel
from tests.support.witnesses import (
    FORGED,
    KEY,
    KNOWN,
    LEAVES,
    LOG,
    NOW_S,
    RunningWitness,
    request,
    served,
    served_app,
    witness_in,
)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[RunningWitness]:
    with served(witness_in(tmp_path, KNOWN)) as running:
        yield running


def post(url: str, body: bytes) -> tuple[int, bytes, str]:
    with urllib3.PoolManager(retries=False) as http:
        answer = http.request("POST", f"{url}/add-checkpoint", body=body)
        return answer.status, answer.data, answer.headers.get("Content-Type", "")


def test_it_answers_over_http_as_the_specification_says(tmp_path: Path):
    with served(witness_in(tmp_path, KNOWN)) as running:
        assert post(running.url, request(0, 7))[0] == 200
        assert post(running.url, request(0, 9)) == (409, b"7\n", SIZE_TYPE)
        assert post(running.url, request(7, 9, leaves=LEAVES[1:]))[0] == 422
        assert post(running.url, b"")[0] == 400
        assert post(running.url, bytes(MAX_REQUEST_BYTES + 1))[0] == 413
        with urllib3.PoolManager(retries=False) as http:
            assert http.request("GET", running.url).data.decode() == f"{KEY.verifier.text}\n"
            assert http.request("GET", f"{running.url}/healthz").status == 200
            assert http.request("GET", f"{running.url}/add-checkpoint").status == 405


def test_a_witness_that_cannot_remember_says_503(tmp_path: Path):
    class Down:
        def read(self) -> bytes | None:
            raise StoreDownError("away")

        def replace(self, former: bytes | None, new: bytes) -> None:
            raise StoreDownError("away")

    with served(Witness(KEY, KNOWN, lambda name: Down(), ManualClock(NOW_S))) as running:
        assert post(running.url, request(0, 7))[0] == 503


def test_a_list_is_read_over_http(tmp_path: Path):
    async def logs(_: web.Request) -> web.Response:
        return web.Response(body=b"list")

    app = web.Application()
    app.add_routes([web.get("/evidence/logs", logs)])
    with served_app(app) as url:
        assert list_reader(f"{url}/evidence/")() == b"list"
        with pytest.raises(RetryableError, match="404"):
            list_reader(url)()
    with pytest.raises(RetryableError, match="does not answer"):
        list_reader(url)()


# The client


def reader(size: int, leaves: list[bytes] = LEAVES) -> HashReader:
    edge = TileEdge()
    edge.extend(leaves[:size])
    return HashReader(size, {tile.path: data for tile, data in edge.partial_tiles()}.get)


def note(size: int, leaves: list[bytes] = LEAVES) -> Note:
    return parse_note(parse_request(request(0, size, leaves=leaves)).checkpoint)


def ask(client: WitnessClient, size: int, leaves: list[bytes] = LEAVES) -> list[int]:
    signed = note(size, leaves)
    checkpoint = open_checkpoint(signed.to_bytes(), LOG.verifier).checkpoint
    return [cosigned_at(each) for each in client.cosign(signed, checkpoint, reader(size, leaves))]


def client_of(running: RunningWitness, **options: float) -> WitnessClient:
    return WitnessClient(running.policy().witnesses[0], **options)


def test_a_client_asks_on_from_the_size_that_the_witness_names(witness: RunningWitness):
    assert ask(client_of(witness), 100) == [NOW_S]
    assert ask(client_of(witness), 200) == [NOW_S]  # this one does not know the size
    client = client_of(witness)
    assert ask(client, 200) == [NOW_S]
    assert ask(client, 200) == [NOW_S]


def test_a_witness_that_is_ahead_is_told_from_one_that_saw_another_history(witness: RunningWitness):
    ask(client_of(witness), 150)

    with pytest.raises(WitnessAheadError) as caught:
        ask(client_of(witness), 100)
    assert caught.value.size == 150
    with pytest.raises(WitnessContradictsError, match="another root"):
        ask(client_of(witness), 150, FORGED)
    with pytest.raises(WitnessContradictsError, match="does not continue 150"):
        ask(client_of(witness), 200, FORGED)


def test_a_witness_that_does_not_know_the_log_refuses(tmp_path: Path):
    with served(witness_in(tmp_path, FixedLogs([]))) as running, pytest.raises(WitnessRefusesError):
        ask(client_of(running), 7)


def test_a_cosignature_of_another_key_is_no_answer(witness: RunningWitness):
    other = RunningWitness(witness.url, CosignerSecretKey.generate(KEY.name))
    with pytest.raises(WitnessRefusesError, match="no known key"):
        ask(client_of(other), 7)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def answering(handler: Handler) -> Iterator[RunningWitness]:
    app = web.Application()
    app.add_routes([web.post("/add-checkpoint", handler)])
    with served_app(app) as url:
        yield RunningWitness(url)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"", WitnessAwayError),
        (503, b"", WitnessAwayError),
        (429, b"", WitnessAwayError),
        (302, b"", WitnessRefusesError),
        (200, b"", WitnessRefusesError),
        (200, b"nonsense\n", WitnessRefusesError),
        (200, bytes(MAX_ANSWER_BYTES + 1), WitnessRefusesError),
        (409, b"", WitnessRefusesError),
        (409, b"-7\n", WitnessRefusesError),
        (409, b"0\n", WitnessContradictsError),
        (409, b"9\n", WitnessAheadError),
    ],
)
def test_every_other_answer_is_an_error_with_a_meaning(
    status: int, body: bytes, error: type[AuditStreamError]
):
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "/elsewhere"})

    with answering(handler) as running, pytest.raises(error) as caught:
        ask(client_of(running), 7)
    assert type(caught.value) is error


def test_a_witness_that_names_another_size_each_time_is_left(tmp_path: Path):
    sizes = iter(range(1, 100))

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=409, body=f"{next(sizes)}\n".encode())

    with answering(handler) as running, pytest.raises(WitnessAwayError, match="each time"):
        ask(client_of(running), 150)


def test_a_witness_that_hangs_or_drips_is_away_in_time():
    released = asyncio.Event()

    async def hangs(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async def drips(incoming: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(incoming)
        for _ in range(1_000):
            await answer.write(b"x")
            await asyncio.sleep(0.02)
        return answer

    for handler in (hangs, drips):
        with answering(handler) as running, pytest.raises(WitnessAwayError):
            ask(client_of(running, timeout_s=0.3), 7)


# Endorsing

OWN = CosignerSecretKey.generate(f"{LOG.name}/cosigner")


def endorser(panel: WitnessPanel, clock: ManualClock, leaves: list[bytes] = LEAVES) -> Endorser:
    edge = TileEdge()
    edge.extend(leaves)
    files: dict[str, bytes] = {}
    for size in range(1, len(leaves) + 1):
        grown = TileEdge()
        grown.extend(leaves[:size])
        files |= {tile.path: data for tile, data in grown.partial_tiles()}
    return Endorser(OWN, (LOG.verifier,), read=files.get, panel=panel, clock=clock)  # type: ignore[arg-type]


def times(data: Note) -> dict[str, int]:
    keys = [OWN.verifier, KEY.verifier]
    opened = open_checkpoint(data.to_bytes(), LOG.verifier, cosigners=keys)
    return {each.key.name: cosigned_at(each.signature) for each in opened.by_cosigners}


def test_a_checkpoint_carries_the_log_s_own_time_and_the_witness_s(witness: RunningWitness):
    with WitnessPanel(witness.policy()) as panel:
        endorsed = endorser(panel, ManualClock(NOW_S + 5))(note(100), None)

    assert times(endorsed) == {OWN.name: NOW_S + 5, KEY.name: NOW_S}


def test_without_witnesses_the_log_states_the_time_alone():
    with WitnessPanel(NO_WITNESSES) as panel:
        assert times(endorser(panel, ManualClock(NOW_S))(note(100), None)) == {OWN.name: NOW_S}


def test_a_quorum_that_is_missed_names_who_was_away(tmp_path: Path):
    with served(witness_in(tmp_path, KNOWN)) as running:
        policy = running.policy()
    with WitnessPanel(policy, timeout_s=1.0) as panel:
        with pytest.raises(QuorumMissedError, match="'w1' does not answer"):
            endorser(panel, ManualClock(NOW_S))(note(100), None)
        with pytest.raises(QuorumMissedError, match="'w1' is away"):  # not asked again in this round
            endorser(panel, ManualClock(NOW_S))(note(100), None)


def test_an_older_cosignature_stays_while_its_witness_is_away(tmp_path: Path):
    clock = ManualClock(NOW_S)
    with served(witness_in(tmp_path, KNOWN)) as running:
        policy = running.policy()
        with WitnessPanel(policy) as panel:
            published = endorser(panel, clock)(note(100), None)
    clock.advance(60)

    with WitnessPanel(policy, timeout_s=1.0) as panel:
        again = endorser(panel, clock)(note(100), published)
        assert times(again) == {OWN.name: NOW_S + 60, KEY.name: NOW_S}
        with pytest.raises(QuorumMissedError):  # it says nothing of another checkpoint
            endorser(panel, clock)(note(150), published)


def test_a_contradiction_is_told_even_where_the_quorum_does_not_need_it(witness: RunningWitness):
    ask(client_of(witness), 150)
    for quorum, raised in (("w1", True), ("none", False)):
        with WitnessPanel(witness.policy(quorum)) as panel:
            forging = endorser(panel, ManualClock(NOW_S), FORGED)
            if raised:
                with pytest.raises(WitnessContradictsError):
                    forging(note(200, FORGED), None)
            else:
                forging(note(200, FORGED), None)
            assert [error.code for error in forging.contradictions] == ["witness_contradicts"]


def test_answers_are_counted_by_witness(witness: RunningWitness):
    answers: list[tuple[str, str]] = []
    with WitnessPanel(
        witness.policy(), answered=lambda name, answer: answers.append((name, answer))
    ) as panel:
        endorser(panel, ManualClock(NOW_S))(note(100), None)
        with pytest.raises(WitnessAheadError):
            endorser(panel, ManualClock(NOW_S))(note(50), None)

    assert answers == [("w1", "cosigned"), ("w1", "witness_ahead")]


def test_a_quorum_that_no_url_can_meet_is_refused_at_the_start():
    policy = parse_policy(f"witness w1 {KEY.verifier.text}\nquorum w1\n".encode())
    with pytest.raises(ConfigError, match="URL"):
        WitnessPanel(policy)


def test_a_note_of_another_log_s_key_is_not_endorsed():
    stranger = sign_note(note(100).text, type(LOG)(LOG.name, b"x" * 32))
    with WitnessPanel(NO_WITNESSES) as panel, pytest.raises(AuditStreamError):
        endorser(panel, ManualClock(NOW_S))(stranger, None)

"""The witness protocol: requests byte for byte, and every answer of the specification's table."""

from __future__ import annotations

import base64

import pytest

from auditstream.ledger.checkpoints import Checkpoint, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.merkle import EMPTY_ROOT, root_of
from auditstream.ledger.notes import Note
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tile_reader import HashReader, prove_consistency
from auditstream.ledger.witnessing import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    RefusedError,
    Status,
    WitnessingError,
    WitnessRequest,
    answer_text,
    claimed_origin,
    judge,
    parse_answer,
    parse_request,
    parse_size,
)

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
OTHER = SignerKey("audit.example/demo/events/1/5f3759df", b"o" * 32)
IMPOSTOR = SignerKey(LOG.name, b"i" * 32)
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32)
LEAVES = [bytes([number]) * 32 for number in range(200)]
FORGED = [*LEAVES[:100], bytes(32), *LEAVES[101:]]


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> tuple[bytes, ...]:
    edge = TileEdge.read(0, lambda tile: b"")
    edge.extend(leaves[:new])
    files = {tile.path: data for tile, data in edge.partial_tiles()}
    return tuple(prove_consistency(HashReader(new, files.get), old)) if old else ()


def state(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint(LOG.name, size, root_of(leaves[:size]))


def request(
    old: int, new: int, *, key: SignerKey = LOG, leaves: list[bytes] = LEAVES, **other: object
) -> WitnessRequest:
    checkpoint = sign_checkpoint(state(new, leaves), key).to_bytes()
    hashes = proof(old, new, leaves) if old <= new else ()
    return WitnessRequest(old, hashes, checkpoint, **other)  # type: ignore[arg-type]


def refusal(*arguments: object) -> tuple[Status, int | None]:
    with pytest.raises(RefusedError) as caught:
        judge(*arguments)  # type: ignore[arg-type]
    return caught.value.status, caught.value.size


def test_the_example_of_the_specification_is_read_and_written():
    body = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
        "\n"
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        "\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
        "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    ).encode()

    found = parse_request(body)

    assert (found.old_size, len(found.proof)) == (20852014, 4)
    assert claimed_origin(found) == "example.com/behind-the-sofa"
    assert found.to_bytes() == body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty line"),
        (b"old 0\n", "empty line"),
        (b"new 0\n\nx", "begins with"),
        (b"old 00\n\nx", "decimal"),
        (b"old 9223372036854775808\n\nx", "larger"),
        (b"old 1\nnot base64\n\nx", "base64"),
        (b"old 1\n" + base64.b64encode(bytes(31)) + b"\n\nx", "32 bytes"),
        (b"old 1\n" + 64 * (base64.b64encode(bytes(32)) + b"\n") + b"\nx", "empty line|at most 63"),
        (b"\xff\n\nx", "ascii"),
        (b"old 1\n\n" + bytes(MAX_REQUEST_BYTES), "bytes"),
    ],
)
def test_a_malformed_request_is_refused(data: bytes, reason: str):
    with pytest.raises(WitnessingError, match=reason):
        parse_request(data)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (0, 200), (7, 7), (7, 200), (199, 200), (128, 200)])
def test_a_log_that_only_grew_is_cosigned(old: int, new: int):
    last = state(old) if old else None

    assert judge(request(old, new), [LOG.verifier], last).checkpoint == state(new)


def test_a_log_goes_on_under_another_trusted_key():
    assert judge(request(7, 9, key=IMPOSTOR), [LOG.verifier, IMPOSTOR.verifier], state(7)).by_log


def test_400_without_a_checkpoint_or_with_an_old_size_above_the_new_one():
    nothing = WitnessRequest(0, (), b"nothing\n")

    assert refusal(nothing, [LOG.verifier], None) == (Status.MALFORMED, None)
    assert refusal(request(9, 7), [LOG.verifier], state(9)) == (Status.MALFORMED, None)


def test_404_for_an_unknown_log():
    assert refusal(request(0, 7), [], None) == (Status.UNKNOWN_LOG, None)


def test_403_without_a_signature_of_a_trusted_key():
    assert refusal(request(0, 7, key=IMPOSTOR), [LOG.verifier], None) == (Status.NOT_SIGNED, None)
    assert refusal(request(0, 7), [OTHER.verifier], None) == (Status.NOT_SIGNED, None)


def test_403_with_a_signature_that_does_not_hold():
    good = request(0, 7)
    bad = WitnessRequest(0, (), good.checkpoint.replace(b"\n7\n", b"\n8\n"))

    assert refusal(bad, [LOG.verifier], None) == (Status.NOT_SIGNED, None)


def test_409_says_the_size_that_was_cosigned_last():
    assert refusal(request(0, 9), [LOG.verifier], state(7)) == (Status.CONFLICT, 7)
    assert refusal(request(5, 9), [LOG.verifier], None) == (Status.CONFLICT, 0)
    assert refusal(request(5, 6), [LOG.verifier], state(7)) == (Status.CONFLICT, 7)


def test_409_for_another_root_at_the_same_size():
    assert refusal(request(150, 150, leaves=FORGED), [LOG.verifier], state(150)) == (Status.CONFLICT, 150)


def test_422_for_another_history():
    assert refusal(request(150, 200, leaves=FORGED), [LOG.verifier], state(150)) == (
        Status.NOT_CONSISTENT,
        None,
    )


def test_422_for_a_proof_of_something_else():
    good = request(150, 200)
    for hashes in (good.proof[:-1], (*good.proof, bytes(32)), good.proof[::-1]):
        bad = WitnessRequest(150, hashes, good.checkpoint)
        assert refusal(bad, [LOG.verifier], state(150)) == (Status.NOT_CONSISTENT, None)
    from_nothing = WitnessRequest(0, (bytes(32),), good.checkpoint)
    assert refusal(from_nothing, [LOG.verifier], None) == (Status.NOT_CONSISTENT, None)
    same = WitnessRequest(7, (bytes(32),), request(7, 7).checkpoint)
    assert refusal(same, [LOG.verifier], state(7)) == (Status.NOT_CONSISTENT, None)


def test_an_answer_is_signature_lines():
    cosignature = WITNESS.cosign(state(7), 1_790_000_000)

    text = answer_text([cosignature, cosignature])

    assert parse_answer(text.encode(), state(7)) == (cosignature, cosignature)
    note = Note(state(7).text, (cosignature,))
    assert note.to_bytes().endswith(answer_text([cosignature]).encode())


@pytest.mark.parametrize("data", [b"", b"\n", b"no\n", b"\xff\n", b"7\n", bytes(MAX_ANSWER_BYTES + 1)])
def test_any_other_answer_is_refused(data: bytes):
    with pytest.raises(WitnessingError):
        parse_answer(data, state(7))


def test_an_answer_with_a_text_of_its_own_is_refused():
    cosignature = WITNESS.cosign(Checkpoint(LOG.name, 0, EMPTY_ROOT), 1)
    with pytest.raises(WitnessingError):
        parse_answer(f"another\n\n{answer_text([cosignature])}".encode(), state(7))


def test_the_size_of_a_conflict_is_a_decimal():
    assert parse_size(b"20852014\n") == 20852014
    for data in (b"", b"-1\n", b"07\n", b"7\n\n", b"\xff\n"):
        with pytest.raises(WitnessingError):
            parse_size(data)

"""Vectors that others have published: proofs, signed notes, and the checkpoints of a whole small log."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from auditstream.ledger.checkpoints import open_checkpoint
from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.merkle import Frontier, leaf_hash
from auditstream.ledger.notes import NoteError, verify_note
from auditstream.ledger.proofs import (
    ProofError,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)

_FILE = Path(__file__).parents[2] / "data" / "merkle-vectors" / "vectors.jsonl"
VECTORS = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]
# They hold in their library, which compares the roots of two equal sizes without looking at them.
NO_HASHES = [
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    "subtreeconsistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    "subtreeconsistency/additional/subtree-is-empty-sizes-are-equal-one-subtree-root-valid-tree-root-random-proof-is-empty.json",
    "subtreeconsistency/additional/subtree-is-empty-sizes-are-equal-zero-subtree-root-valid-tree-root-random-proof-is-empty.json",
]


def check(vector: dict[str, Any]) -> None:
    kind = vector["file"].partition("/")[0]
    proof = [base64.b64decode(each) for each in vector["proof"] or ()]
    root = {name: base64.b64decode(vector.get(name) or "") for name in ("root", "leafHash", "root1", "root2")}
    match kind:
        case "inclusion":
            verify_inclusion(vector["leafIdx"], vector["treeSize"], root["leafHash"], proof, root["root"])
        case "consistency":
            verify_consistency(vector["size1"], vector["size2"], root["root1"], root["root2"], proof)
        case "subtreeinclusion":
            verify_subtree_inclusion(
                vector["leafIdx"],
                vector["start"],
                vector["end"],
                leaf_hash=root["leafHash"],
                proof=proof,
                root=root["root"],
            )
        case "subtreeconsistency":
            verify_subtree_consistency(
                vector["start"],
                vector["end"],
                vector["size"],
                subtree_root=root["root1"],
                root=root["root2"],
                proof=proof,
            )
        case _:
            raise AssertionError(kind)


def named(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", [pytest.param(each, id=each["file"]) for each in vectors])


def test_the_vectors_are_all_there():
    assert len(VECTORS) == 518
    assert sum(vector["wantErr"] for vector in VECTORS) == 482


@named([vector for vector in VECTORS if vector["wantErr"]])
def test_every_proof_that_must_fail_is_refused(vector):
    with pytest.raises(ProofError):
        check(vector)


@named([vector for vector in VECTORS if not vector["wantErr"] and vector["file"] not in NO_HASHES])
def test_every_proof_that_must_hold_does(vector):
    check(vector)


@named([vector for vector in VECTORS if vector["file"] in NO_HASHES])
def test_words_in_place_of_roots_are_refused_and_hold_when_they_are_hashes(vector):
    with pytest.raises(ProofError, match="not 32 bytes"):
        check(vector)

    as_hashes = {name: widened(vector[name]) for name in ("root1", "root2")}
    check(vector | as_hashes)


def widened(root: str) -> str:
    return base64.b64encode(base64.b64decode(root).ljust(32)).decode()


# C2SP/C2SP, signed-note.md (the specification's own example).
SPECIFICATION = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()
FOO = VerifierKey.parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")

# golang.org/x/mod, sumdb/note/note_test.go (BSD-3-Clause).
PETER = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
ENOCH = VerifierKey.parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
TEXT = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
BY_PETER = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = (
    "— EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


def test_the_note_of_the_specification_is_verified():
    note, (signature,) = verify_note(SPECIFICATION, [FOO])

    assert note.text == "This is an example message.\n"
    assert signature.key == FOO
    assert note.to_bytes() == SPECIFICATION


@pytest.mark.parametrize("known", [[PETER], [ENOCH], [ENOCH, PETER]])
def test_signatures_of_known_keys_are_verified_and_others_passed_over(known):
    _, verified = verify_note(f"{TEXT}\n{BY_PETER}{BY_ENOCH}".encode(), known)

    assert {each.key for each in verified} == set(known)


@pytest.mark.parametrize(
    "malformed",
    [
        TEXT,
        TEXT + "\n",
        TEXT + "\n" + BY_PETER[:-1],
        "\x01" + TEXT + "\n" + BY_PETER,
        TEXT + "\n" + "— Bad Name" + BY_PETER.removeprefix("— PeterNeumann"),
        TEXT + "\n" + BY_PETER + "Unexpected line.\n",
        TEXT + "\n" + BY_PETER[:60] + "ABCD" + BY_PETER[60:],
    ],
)
def test_notes_that_go_refuses_are_refused(malformed):
    with pytest.raises(NoteError):
        verify_note(malformed.encode(), [PETER])


def test_a_note_that_is_not_utf_8_is_refused():
    with pytest.raises(NoteError, match="UTF-8"):
        verify_note(b"\xff" + f"{TEXT}\n{BY_PETER}".encode(), [PETER])


# transparency-dev/tessera at 1811ae1a7c40, testdata/log and build_log.sh (Apache-2.0): its entries, its key,
# and the signature of its checkpoint at each size. Roots and texts are derived here.
TESSERA = VerifierKey.parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
TESSERA_SIGNER = "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg"
ENTRIES = b"one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split()
SIGNATURES = [
    "M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=",
    "M9e0lhr9kuLxGdAtaUrhm84TQffVsLdcy808sN0a3WyniNlfcr9+bywoiIke1YYciCNjJGkCgIlQ8b16jhsmg/SChAM=",
    "M9e0llH4NKmlf0u7C8tkJioQOmi7l5ELqljXgKRg6R3G5JJ7vx7emDWo5fpqKuA/Dk/jRrI6il+7QCVirNhyUAWGoAk=",
    "M9e0lvAQRtH832pk2RTbeSeZMkp4FZSdJYFBUjO5SKxuRbywPUF3cx+HUrb50kjd3rUWW/fj53Wj1dwcwh9bGQnqVAg=",
    "M9e0lnFuWt0cp60moO4jAkeXvMNLIIOGn4WdyeHQurBt9mBi0tWdfkldiAt9k0FpwuZymvttsVn9uwyouXU3vPpeNAc=",
    "M9e0lmn5eDHyHP10zJObZdFAX2y1V8fdDKBi4IiHbDYf1TCUBwxZOhqwv2QZCqrdda2zTRTrmnwjwscN5RBTEmZUYAs=",
    "M9e0ln+nHSdGSHEZBcjvqyYDXDbG8WxDwCDjbbGAMv/NTynAtJWhckSXIpuwpN3yJ4PTtzUbD34YGqIZr6RgJRn16gU=",
    "M9e0luA5JhTRUki/BBQD0QNiH6AEJ2pdtsA5CQjqJErViuuKrN6513RCTL2640wXJv0dCed3neRGI6dMzBq9uANf2Qc=",
    "M9e0lq1EK37dHtgv9O3UzPxisw5vwIPcJsX9ab0xt4mvVfbdUR1fbMjN6sBFYpBoBEmD4+cWhj/AVgI5MitCO5+mews=",
    "M9e0ls3mdnWX0qk4P3uGG0eYiFRWSwPR+RdeD1ARmrHPHjXP0x9UJWASPFTOTqJo0mp7Epck2O9RFB0J9IjDdAewagw=",
    "M9e0lrmwaVEOWFZ+HS5ITnRd2YMOSWE5QeoYu+6DHwJLnJ+SVeJ2ZiYeD7lVC5oGJx76gbfLSyCUEq6D8JkarrsuiQQ=",
    "M9e0lqbRtWirJwbUy4w3VrK2RyzfW8P+OIkc8t6b6AVG/tQd1Q2SN+uCLYzNNFnf/PhzeCdURSGQe1MRnohCxPu21wg=",
    "M9e0lrFzoTgi+ovhrqX0DpsEAp3wLu1coMLIkeCwSkGfS4Ox4pLXo2LHudqm4merh0ZkCNzHr8kQwq5gS5mmimIvdA4=",
    "M9e0liO8x8xfEOGmZVYODUjQajkEpjccPQ9EkG3yEEDet4K3BWE/DFRPH6H+b6gFFFaG5KS1bBmYS/xeZJs8lj+z+wM=",
    "M9e0lu8roIpjC+NXEG7JDkajIahoYDYWgxDtxfx/6rzLoztU9t/PvivZ48xt8ygJpjzaboSpkbVv3Jb+D3NdXWQf5wo=",
    "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=",
]


@pytest.mark.parametrize("size", range(16))
def test_the_checkpoints_of_a_tessera_log_are_those_of_its_entries(size):
    root = Frontier().extend([leaf_hash(entry) for entry in ENTRIES[:size]]).root
    text = f"example.com/log/testdata\n{size}\n{base64.b64encode(root).decode()}\n"

    opened = open_checkpoint(f"{text}\n— {TESSERA.name} {SIGNATURES[size]}\n".encode(), TESSERA)

    assert opened.checkpoint.size == size
    assert opened.checkpoint.root == root


def test_a_signer_key_of_go_is_read_and_written():
    signer = SignerKey.parse(TESSERA_SIGNER)

    assert signer.verifier == TESSERA
    assert signer.secret_text == TESSERA_SIGNER

"""Trust policies, rule by rule (c2sp.org/tlog-policy)."""

from __future__ import annotations

import itertools

import pytest

from auditstream.ledger.checkpoints import Checkpoint, CheckpointError, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerKey, CosignerSecretKey
from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.notes import Note, NoteError, Signature
from auditstream.ledger.policies import (
    MAX_DEFINITIONS,
    MAX_POLICY_BYTES,
    Group,
    LogEntry,
    PolicyError,
    Witness,
    parse_policy,
)

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
SECRETS = {
    name: CosignerSecretKey(f"{name}.example", name.encode() * 16) for name in ("X1", "X2", "X3", "Y1", "Y2")
}
CHECKPOINT = Checkpoint(LOG.name, 9, bytes(range(32)))

WITNESSES = "".join(f"witness {name} {secret.verifier.text}\n" for name, secret in SECRETS.items())
POLICY = f"""\
# The example of the specification.
log {LOG.verifier.text}

{WITNESSES}
group X-witnesses 2 X1 X2 X3
\tgroup  Y-witnesses\tany Y1 Y2 \t
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigned(*names: str) -> bytes:
    cosignatures = [SECRETS[name].cosign(CHECKPOINT, 1) for name in names]
    return Note(CHECKPOINT.text, (*sign_checkpoint(CHECKPOINT, LOG).signatures, *cosignatures)).to_bytes()


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as error:
        parse_policy(text.encode())
    assert error.value.exit_code == 78
    return error.value.message


def test_the_example_of_the_specification_is_read():
    policy = parse_policy(POLICY.encode())

    assert policy.logs == (LogEntry(LOG.verifier),)
    assert policy.witnesses[0] == Witness("X1", SECRETS["X1"].verifier)
    assert policy.groups == (
        Group("X-witnesses", 2, ("X1", "X2", "X3")),
        Group("Y-witnesses", 1, ("Y1", "Y2")),
        Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
    )


def test_urls_may_follow_keys():
    text = (
        f"log {LOG.verifier.text} https://log.example/\n"
        f"witness w {SECRETS['X1'].verifier.text} https://witness.example/\nquorum w\n"
    )
    policy = parse_policy(text.encode())

    assert policy.logs[0].url == "https://log.example/"
    assert policy.witnesses[0].url == "https://witness.example/"


@pytest.mark.parametrize(
    "names", [each for count in range(6) for each in itertools.combinations(SECRETS, count)], ids="-".join
)
def test_a_quorum_of_groups_is_met_by_enough_of_each(names):
    enough = len({"X1", "X2", "X3"} & set(names)) >= 2 and bool({"Y1", "Y2"} & set(names))
    policy = parse_policy(POLICY.encode())

    if enough:
        assert policy.open_checkpoint(cosigned(*names)).checkpoint == CHECKPOINT
    else:
        with pytest.raises(CheckpointError, match="quorum 'X-and-Y' is not met"):
            policy.open_checkpoint(cosigned(*names))


def test_a_witness_that_cosigned_twice_counts_once():
    policy = parse_policy(POLICY.encode())

    with pytest.raises(CheckpointError, match="not met"):
        policy.open_checkpoint(cosigned("X1", "X1", "Y1"))


def test_a_cosignature_that_does_not_hold_refuses_the_checkpoint_even_with_a_quorum():
    forged = SECRETS["X3"].cosign(Checkpoint(LOG.name, 8, bytes(range(32))), 1)
    data = cosigned("X1", "X2", "Y1") + f"{forged.line}\n".encode()

    with pytest.raises(NoteError, match="X3"):
        parse_policy(POLICY.encode()).open_checkpoint(data)


def test_unknown_witnesses_neither_help_nor_harm():
    policy = parse_policy(f"log {LOG.verifier.text}\nquorum none\n".encode())
    unknown = Signature("unknown.example", b"\0\0\0\0", b"anything")

    assert policy.open_checkpoint(cosigned("X1")).by_cosigners == ()
    assert policy.open_checkpoint(cosigned() + f"{unknown.line}\n".encode()).checkpoint == CHECKPOINT


def test_a_single_witness_may_be_the_quorum():
    policy = parse_policy(f"log {LOG.verifier.text}\n{WITNESSES}quorum Y1\n".encode())

    assert policy.is_met_by([SECRETS["Y1"].verifier])
    assert not policy.is_met_by([SECRETS["Y2"].verifier])


def test_a_log_is_known_by_its_origin_and_has_to_sign():
    other = SignerKey("audit.example/other", b"o" * 32)
    policy = parse_policy(f"log {other.verifier.text}\nquorum none\n".encode())
    impostor = SignerKey(other.name, LOG.seed)

    with pytest.raises(CheckpointError, match="knows no log"):
        policy.open_checkpoint(cosigned())
    with pytest.raises(NoteError, match="no known key"):
        policy.open_checkpoint(sign_checkpoint(Checkpoint(other.name, 9, bytes(32)), impostor).to_bytes())


def test_a_log_whose_keys_rotate_has_a_line_for_each():
    successor = SignerKey(LOG.name, b"s" * 32)
    lines = f"log {LOG.verifier.text}\nlog {successor.verifier.text}\nquorum none\n"

    for signer in (LOG, successor):
        opened = parse_policy(lines.encode()).open_checkpoint(sign_checkpoint(CHECKPOINT, signer).to_bytes())
        assert [each.key for each in opened.by_log] == [signer.verifier]


def test_a_policy_may_know_no_logs():
    assert parse_policy(b"quorum none\n").logs == ()


def test_there_is_exactly_one_quorum():
    assert "quorum line, found none" in refused(WITNESSES)
    assert "line 2: a second quorum" in refused("quorum none\nquorum none\n")


def test_names_are_defined_above_where_they_are_used():
    assert "no witness or group 'X1'" in refused(f"quorum X1\n{WITNESSES}")
    assert "no witness or group 'g'" in refused(f"{WITNESSES}group h any g\ngroup g any X1\nquorum h\n")
    assert "no witness or group 'g'" in refused(f"{WITNESSES}group g any g\nquorum g\n")
    assert "no witness or group 'none'" in refused(f"{WITNESSES}group g any none\nquorum g\n")


def test_a_name_is_taken_once():
    key = SECRETS["X1"].verifier.text
    assert "'X1' is taken" in refused(f"{WITNESSES}group X1 any X2\nquorum X1\n")
    assert "'none' is taken" in refused(f"witness none {key}\nquorum none\n")
    assert "'w' is taken" in refused(f"witness w {key}\nwitness w {SECRETS['X2'].verifier.text}\nquorum w\n")


def test_a_witness_is_in_one_group_only():
    assert "'X1' is in a group already" in refused(
        f"{WITNESSES}group g any X1\ngroup h all X1 X2\nquorum h\n"
    )
    assert "'X1' is in a group already" in refused(f"{WITNESSES}group g 2 X1 X1\nquorum g\n")


@pytest.mark.parametrize("threshold", ["0", "3", "-1", "02", "1.5", "most", "\u0662", "9" * 5000])
def test_a_threshold_is_1_to_the_number_of_members(threshold):
    assert "threshold" in refused(f"{WITNESSES}group g {threshold} X1 X2\nquorum g\n")


def test_a_public_key_stands_for_one_witness_and_one_log_whatever_its_name():
    again = CosignerKey("other.example", SECRETS["X1"].verifier.public_key)
    assert "second witness with the public key" in refused(f"{WITNESSES}witness Z {again.text}\nquorum Z\n")

    same = VerifierKey("other.example", LOG.verifier.public_key)
    assert "second log with the public key" in refused(
        f"log {LOG.verifier.text}\nlog {same.text}\nquorum none\n"
    )


def test_logs_and_witnesses_have_keys_of_their_own_kind():
    assert "line 1: the key of" in refused(f"log {SECRETS['X1'].verifier.text}\nquorum none\n")
    assert "line 1: the key of" in refused(f"witness w {LOG.verifier.text}\nquorum w\n")


@pytest.mark.parametrize(
    "line",
    [
        "log",
        "log a b c",
        f"log {LOG.verifier.text} https://a https://b",
        "witness X1",
        "group g",
        "group g any",
        "quorum",
        "quorum none none",
        "Quorum none",
        "logs a",
        "threshold 1",
    ],
)
def test_any_other_line_is_refused(line):
    assert refused(f"{line}\nquorum none\n").startswith("line 1: ")


@pytest.mark.parametrize("octet", [b"\0", b"\r", b"\x0b", b"\x1b", b"\x7f"])
def test_tab_and_newline_are_the_only_control_characters(octet):
    with pytest.raises(PolicyError, match="control characters"):
        parse_policy(b"# " + octet + b"\nquorum none\n")


def test_names_are_octets_and_compared_as_such():
    kelvin, key = "\u212a".encode(), SECRETS["X1"].verifier.text.encode()
    parse_policy(b"witness \xff\xfe " + key + b"\nquorum \xff\xfe\n")

    with pytest.raises(PolicyError, match="no witness"):
        parse_policy(b"witness " + kelvin + b" " + key + b"\nquorum K\n")
    with pytest.raises(PolicyError, match="no witness"):
        parse_policy(b"witness \xff " + key + b"\nquorum \xfe\n")
    with pytest.raises(PolicyError, match="not a line"):  # a no-break space parts nothing
        parse_policy("quorum\u00a0none\n".encode())


def test_a_file_that_may_be_cut_off_is_refused():
    assert "cut off" in refused(POLICY.removesuffix("\n"))
    assert "cut off" in refused("")


def test_the_members_of_a_policy_are_bounded():
    keys = [
        CosignerKey("w.example", number.to_bytes(32, "big")).text for number in range(MAX_DEFINITIONS + 1)
    ]
    lines = [f"witness w{number} {key}\n" for number, key in enumerate(keys)]

    assert len(parse_policy("".join([*lines[:-1], "quorum w0\n"]).encode()).witnesses) == MAX_DEFINITIONS
    assert "more than" in refused("".join([*lines, "quorum w0\n"]))
    assert "at most" in refused("#" * MAX_POLICY_BYTES + "\n")


def test_a_chain_of_groups_may_be_as_long_as_there_is_room():
    chain = "".join(f"group g{number} any g{number - 1}\n" for number in range(1, MAX_DEFINITIONS))
    last = MAX_DEFINITIONS - 1
    policy = parse_policy(f"{WITNESSES}group g0 any X1\n{chain}quorum g{last}\n".encode())

    assert policy.is_met_by([SECRETS["X1"].verifier])
    assert not policy.is_met_by([SECRETS["X2"].verifier])

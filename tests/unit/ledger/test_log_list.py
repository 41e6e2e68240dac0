"""The signed list of logs: what it says, and every list that is refused."""

from __future__ import annotations

import base64

import pytest

from auditstream.ledger.checkpoints import CheckpointError
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.log_list import (
    MAX_LOGS,
    ListedLog,
    LogList,
    LogListError,
    log_list,
    open_log_list,
    parse_log_list,
    sign_log_list,
)
from auditstream.ledger.merkle import EMPTY_ROOT
from auditstream.ledger.notes import MAX_NOTE_BYTES, NoteError, sign_note

NAME = "audit.example/demo"
DEPLOYMENT = SignerKey(NAME, b"d" * 32)
OTHER = SignerKey("audit.example/other", b"o" * 32)
FIRST = SignerKey(f"{NAME}/events/0/5f3759df", b"1" * 32)
SECOND = SignerKey(f"{NAME}/events/1/5f3759df", b"2" * 32)
ROOT = bytes(range(224, 256))
ROOT_LINE = base64.b64encode(ROOT).decode()
LOGS = (ListedLog(FIRST.verifier, 7, ROOT), ListedLog(SECOND.verifier, 0, EMPTY_ROOT))
LISTED = LogList(NAME, 1_790_000_000, LOGS)
HEAD = f"auditstream-logs/v1\n{NAME}\ntime 1790000000\n"
LINE = f"{FIRST.name} {FIRST.verifier.text} 7 {ROOT_LINE}\n"


def test_the_text_is_deployment_time_and_a_line_a_log():
    empty = base64.b64encode(EMPTY_ROOT).decode()

    assert LISTED.text == HEAD + LINE + f"{SECOND.name} {SECOND.verifier.text} 0 {empty}\n"
    assert parse_log_list(LISTED.text) == LISTED


def test_a_signed_list_is_opened_with_a_key_of_its_deployment():
    data = sign_log_list(LISTED, DEPLOYMENT).to_bytes()
    newer = SignerKey(NAME, b"e" * 32)

    assert open_log_list(data, DEPLOYMENT.verifier) == LISTED
    assert open_log_list(data, newer.verifier, DEPLOYMENT.verifier) == LISTED
    with pytest.raises(NoteError, match="no known key"):
        open_log_list(data, newer.verifier)


def test_logs_are_put_in_the_order_of_their_origins():
    assert log_list(NAME, 1_790_000_000, reversed(LOGS)) == LISTED


def test_a_deployment_without_logs_has_an_empty_list():
    empty = LogList(NAME, 0, ())

    assert open_log_list(sign_log_list(empty, DEPLOYMENT).to_bytes(), DEPLOYMENT.verifier) == empty


def test_a_log_is_found_by_its_origin():
    assert LISTED.find(SECOND.name) == LOGS[1]
    assert LISTED.find(f"{NAME}/events/2/5f3759df") is None


def test_a_log_that_is_left_out_makes_another_text():
    data = sign_log_list(LISTED, DEPLOYMENT).to_bytes()

    with pytest.raises(NoteError, match="does not hold"):
        open_log_list(data.replace(LINE.encode(), b""), DEPLOYMENT.verifier)


def test_a_list_of_another_deployment_is_neither_signed_nor_opened():
    other = f"auditstream-logs/v1\n{NAME}\ntime 1\n"

    with pytest.raises(LogListError, match="the key is of"):
        sign_log_list(LISTED, OTHER)
    with pytest.raises(LogListError, match="the key is of"):
        open_log_list(sign_note(other, OTHER).to_bytes(), OTHER.verifier)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with"),
        (HEAD[:-1], "newline"),
        (HEAD.replace("v1", "v2"), "begins with"),
        (f"auditstream-logs/v1\n{NAME}\n", "begins with"),
        (HEAD.replace("time ", ""), "no time"),
        (HEAD.replace("1790000000", "01"), "line 3"),
        (HEAD.replace("1790000000", "-1"), "line 3"),
        (HEAD.replace("1790000000", str(2**63)), "line 3"),
        (HEAD + "\n", "found 1 items"),
        (HEAD + LINE.replace(" 7 ", "  7 "), "found 5 items"),
        (HEAD + LINE.replace(" 7 ", " 07 "), "line 4"),
        (HEAD + LINE.replace(" 7 ", " 0 "), "size 0 cannot have root"),
        (HEAD + LINE.replace(ROOT_LINE, ROOT_LINE.rstrip("=")), "base64"),
        (HEAD + LINE.replace(ROOT_LINE, base64.b64encode(ROOT[:31]).decode()), "32 bytes"),
        (HEAD + LINE.replace(f"{FIRST.name} ", f"{SECOND.name} "), "the key is of"),
        (HEAD + LINE.replace("\n", "\r\n"), "base64"),
        (HEAD + LINE + LINE, "there twice"),
        (HEAD + "".join(f"{log.line}\n" for log in reversed(LOGS)), "out of order"),
        (HEAD.replace(NAME, "audit.example/de"), ""),
    ],
)
def test_any_other_text_is_refused(text: str, reason: str):
    if not reason:
        text += LINE  # of a deployment whose name only begins like this one
        reason = "not of the deployment"
    with pytest.raises(LogListError, match=reason):
        parse_log_list(text)


def test_two_logs_may_not_share_a_key():
    same = ListedLog(SignerKey(SECOND.name, FIRST.seed).verifier, 7, ROOT)

    with pytest.raises(LogListError, match="same public key"):
        LogList(NAME, 0, (LOGS[0], same))


def test_a_listed_log_is_in_a_state_that_a_log_can_be_in():
    with pytest.raises(CheckpointError):
        ListedLog(FIRST.verifier, 7, EMPTY_ROOT)


def test_the_number_of_logs_and_the_length_are_bounded_before_a_line_is_read():
    with pytest.raises(LogListError, match="at most 10000 logs"):
        parse_log_list(HEAD + "\n" * (MAX_LOGS + 1))
    with pytest.raises(LogListError, match="bytes"):
        parse_log_list(HEAD + "x" * MAX_NOTE_BYTES)

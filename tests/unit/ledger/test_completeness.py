"""Completeness statements: one text for each, no contradiction in it, and only its key signs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from auditstream.core.errors import VerificationError
from auditstream.ledger.completeness import (
    Completeness,
    CompletenessError,
    Counted,
    Missing,
    Numbered,
    OfLog,
    RestsOn,
    Unnumbered,
    open_completeness,
    parse_completeness,
    sign_completeness,
)
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.notes import NoteError

NAME = "example.org/prod"
KEY = SignerKey(NAME, bytes(range(32)))
COMPLETE = Completeness(
    deployment=NAME,
    day=date(2026, 1, 31),
    time_s=1_769_990_400,
    state="closed",
    logs=(RestsOn(f"{NAME}/audit.events.v1/0/00000000", 40, b"r" * 32, 30),),
    numbered=(Numbered("urn:a", "one", 1, 20, 20, 20, 20), Numbered("urn:a", "two", -5, 4, 10, 10, 10)),
)
DIFFERENT = replace(
    COMPLETE,
    state="open",
    scope="urn:a b\n%",
    numbered=(Numbered("urn:a b\n%", "", 1, 20, 15, 14, 13), Numbered("urn:a b\n%", "-", 1, 1, 1, 1, 1)),
    missing=(Missing("urn:a b\n%", "", 3, 5), Missing("urn:a b\n%", "", 9, 9)),
    more_missing=(Counted("urn:a b\n%", "", 1),),
    reused=(Counted("urn:a b\n%", "-", 2),),
    unnumbered=(Unnumbered("urn:b", "x", 3, 2, 1),),
    rejected=(OfLog("audit.events.v1/0/00000000", 4),),
    lost=(OfLog("audit.events.v1/0/00000000", 9),),
    unsealed=(OfLog("audit.events.v1/0/00000000", 2),),
)
TEXT = """\
auditstream-completeness/v1
example.org/prod
day 2026-01-31
time 1769990400
scope all
state closed
log example.org/prod/audit.events.v1/0/00000000 40 cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI= 30
numbered urn:a one 1 20 20 20 20 20
numbered urn:a two -5 4 10 10 10 10
verdict complete
"""


def test_a_statement_has_the_text_that_the_format_says() -> None:
    assert COMPLETE.text == TEXT


@pytest.mark.parametrize("statement", [COMPLETE, DIFFERENT], ids=["complete", "different"])
def test_a_statement_reads_as_it_was_written(statement: Completeness) -> None:
    assert parse_completeness(statement.text) == statement
    assert open_completeness(sign_completeness(statement, KEY).to_bytes(), KEY.verifier) == statement


def test_only_a_day_without_any_difference_is_complete() -> None:
    assert COMPLETE.is_complete
    assert replace(COMPLETE, unnumbered=(Unnumbered("b", "", 1, 1, 1),)).is_complete
    for name in ("reused", "rejected", "lost", "unsealed"):
        assert not replace(COMPLETE, **{name: getattr(DIFFERENT, name)}).is_complete
    assert not replace(COMPLETE, unnumbered=(Unnumbered("b", "", 2, 1, 2),)).is_complete
    assert not replace(COMPLETE, numbered=(Numbered("a", "", 1, 2, 2, 1, 2),)).is_complete
    assert "verdict different" in DIFFERENT.text


@pytest.mark.parametrize(
    "changes",
    [
        {"numbered": (Numbered("a", "", 1, 5, 4, 4, 4),)},  # one is missing, and not named
        {"missing": (Missing("urn:a", "one", 1, 1),)},  # none is missing
        {"numbered": (Numbered("a", "", 5, 1, 0, 0, 0),)},
        {"numbered": (Numbered("a", "", 1, 1, 1, 2, 1),)},
        {"numbered": (Numbered("a", "", 1, 1, 1, 1, 2),)},
        {"time_s": -1},
        {"logs": (RestsOn("another.org/prod/a/0/00000000", 1, b"r" * 32, 1),)},
        {"logs": (RestsOn(f"{NAME}/a/0/00000000", 0, b"r" * 32, 1),)},  # size 0 has the empty root
    ],
)
def test_what_contradicts_itself_is_no_statement(changes: dict[str, object]) -> None:
    with pytest.raises(VerificationError):
        replace(COMPLETE, **changes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("verdict complete", "verdict different"),
        ("v1\n", "v2\n"),
        ("day 2026-01-31", "day 20260131"),
        ("day 2026-01-31", "day 2026-02-31"),
        ("time 1769990400", "time 01769990400"),
        ("state closed", "state closed "),
        ("scope all", "scope -"),
        ("scope all", "scope source all"),
        ("one 1 20 20", "one 1 20 19"),
        ("one 1 20 20 20", "one 1 20 20 21"),
        ("urn:a one 1", "urn%3Aa one 1"),
        ("-5", "-0"),
        ("numbered", "number"),
        ("\nverdict", "\n\nverdict"),
        ("numbered urn:a one 1 20 20 20 20 20\n", ""),
        ("= 30\n", "= 30 \n"),
        (TEXT, TEXT[:-1]),
        (TEXT, TEXT + "\n"),
        ("numbered urn:a one 1 20 20 20 20 20\nnumbered urn:a two -5 4 10 10 10 10\n",
         "numbered urn:a two -5 4 10 10 10 10\nnumbered urn:a one 1 20 20 20 20 20\n"),
    ],
)  # fmt: skip
def test_any_other_text_is_refused_or_says_something_else(old: str, new: str) -> None:
    assert old in TEXT
    changed = TEXT.replace(old, new, 1)

    try:
        found = parse_completeness(changed)
    except CompletenessError:
        return
    assert found != COMPLETE
    assert found.text == changed


def test_another_key_or_a_changed_text_does_not_pass() -> None:
    note = sign_completeness(COMPLETE, KEY).to_bytes()

    with pytest.raises(NoteError):
        open_completeness(note, SignerKey(NAME, b"x" * 32).verifier)
    with pytest.raises(NoteError):
        open_completeness(note.replace(b"closed", b"open"), KEY.verifier)
    with pytest.raises(CompletenessError, match="the key is of"):
        sign_completeness(COMPLETE, SignerKey("example.org/other", b"x" * 32))

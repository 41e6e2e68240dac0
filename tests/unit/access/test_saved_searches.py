"""Saved searches: whose they are, who sees them, and that what is kept is what was saved."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.access import saved_searches
from auditstream.access.principal import Principal
from auditstream.access.roles import Role
from auditstream.access.saved_searches import SavedSearches
from auditstream.core.errors import NotFoundError, RequestError, RetryableError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHAT = [("columns", "who"), ("q", "outcome:failure"), ("columns", "cost"), ("since", "7d"), ("evil", "x")]


def of(name: str, *tenants: str) -> Principal:
    return Principal(id=name, name=name, role=Role.VIEWER, tenants=frozenset(tenants) if tenants else None)


ANN, BEN, EVE, ADMIN = of("ann", "acme"), of("ben", "acme", "globex"), of("eve", "globex"), of("root")


def test_what_is_kept_is_what_was_saved(tmp_path: Path) -> None:
    made = SavedSearches(tmp_path).save(ANN, "  My  failures ", WHAT, is_shared=False, now=NOW)

    assert SavedSearches(tmp_path).visible(ANN) == [made]
    assert made.name == "My failures"
    assert made.parameters == (
        ("q", "outcome:failure"), ("since", "7d"), ("columns", "who"), ("columns", "cost"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("is_shared", "seen_by"), [(False, ["ann"]), (True, ["ann", "ben", "root"])]
)  # fmt: skip
def test_a_search_is_seen_by_its_owner_and_shared_with_those_of_the_same_tenants(
    tmp_path: Path, is_shared: bool, seen_by: list[str]
) -> None:
    saved = SavedSearches(tmp_path)
    saved.save(ANN, "x", WHAT, is_shared=is_shared, now=NOW)

    assert [who.id for who in (ANN, BEN, EVE, ADMIN) if saved.visible(who)] == seen_by


def test_only_the_owner_deletes(tmp_path: Path) -> None:
    saved = SavedSearches(tmp_path)
    made = saved.save(ANN, "x", WHAT, is_shared=True, now=NOW)

    with pytest.raises(NotFoundError):
        saved.delete(ADMIN, made.id)
    with pytest.raises(NotFoundError):
        saved.delete(ANN, "../../etc/passwd")
    saved.delete(ANN, made.id)
    assert saved.visible(ANN) == []


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\x00b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="name"):
        SavedSearches(tmp_path).save(ANN, name, WHAT, is_shared=False, now=NOW)


def test_there_is_an_end_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_searches, "MOST", 2)
    saved = SavedSearches(tmp_path)
    for _ in range(2):
        saved.save(ANN, "x", WHAT, is_shared=False, now=NOW)

    with pytest.raises(RequestError, match="saved already"):
        saved.save(ANN, "x", WHAT, is_shared=False, now=NOW)
    saved.save(BEN, "x", WHAT, is_shared=False, now=NOW)


def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path) -> None:
    saved = SavedSearches(tmp_path)
    made = saved.save(ANN, "x", WHAT, is_shared=False, now=NOW)
    (tmp_path / "0190a8c0-0000-7000-8000-000000000000.json").write_text("{")
    (tmp_path / "notes.json").write_text("{}")

    assert saved.visible(ANN) == [made]


def test_a_process_without_a_folder_says_so() -> None:
    with pytest.raises(RetryableError):
        SavedSearches(None).save(ANN, "x", WHAT, is_shared=False, now=NOW)

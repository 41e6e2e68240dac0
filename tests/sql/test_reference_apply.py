"""The apply command on the engine in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.cli.apply import apply_to
from auditstream.cli.context import Context, Output
from auditstream.core.errors import RequestError
from auditstream.reference.kinds import KINDS
from auditstream.reference.owners import Credential, Tenant
from sinks.clients import ClientPool
from sinks.reference import ReferenceStore
from tests.support.engines import OpenClient
from tests.support.facts import day
from tests.support.stores import ClickHouseStore

EXAMPLES = Path(__file__).parents[2] / "examples" / "reference"
JSONL = Context(output=Output.JSONL)


@pytest.fixture
def reference(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[ReferenceStore]:
    database = str(migrated.value("SELECT currentDatabase()"))
    for table in ("reference_revisions", *(kind.table for kind in KINDS.values())):
        migrated.client.command(f"TRUNCATE TABLE {table}")
    store = ReferenceStore(ClientPool(lambda: engine(database)))
    yield store
    store.close()


def applied(store: ReferenceStore, path: Path, *, at: int = 100, dry_run: bool = False) -> int:
    return len(apply_to(store, JSONL, path, actor="me", dry_run=dry_run, now=day(at)))


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_examples_are_applied_once_and_the_second_time_change_nothing(reference, capsys):
    assert applied(reference, EXAMPLES) == 21
    first = printed(capsys)
    assert applied(reference, EXAMPLES, at=200) == 0
    second = printed(capsys)

    assert {1} == {row["revision"] for row in (*first, *second)}
    assert {
        row["kind"]: row["new"] + row["changed"] for row in first if row["kind"] in {"tenant", "credential"}
    } == {"tenant": 3, "credential": 6}
    assert {0} == {row["new"] + row["changed"] + row["repeated"] for row in second}


def test_a_revoked_credential_of_the_examples_is_active_before_only(reference):
    applied(reference, EXAMPLES)
    known = reference.load(reference.newest())

    held = [known.find(Credential, "globex-triage-2025", at=day(at)).active for at in (-1, 0)]

    assert held == [True, False]


def test_an_undated_document_applied_again_later_changes_nothing(reference, tmp_path):
    file = tmp_path / "tenant.yaml"
    file.write_text("kind: tenant\ntenant_id: a\nname: A\n")

    assert [applied(reference, file, at=1), applied(reference, file, at=2)] == [1, 0]
    file.write_text("kind: tenant\ntenant_id: a\nname: B\n")
    assert applied(reference, file, at=3) == 1

    known = reference.load(reference.newest())
    assert [known.find(Tenant, "a", at=day(at)).name for at in (2, 3)] == ["A", "B"]


def test_nothing_is_written_when_one_document_is_wrong(reference, tmp_path):
    (tmp_path / "a.yaml").write_text("kind: tenant\ntenant_id: a\nname: A\n")
    (tmp_path / "b.json").write_text('[{"kind": "tenant", "tenant_id": "b"}, {"kind": "agent"}]')

    with pytest.raises(RequestError) as refused:
        applied(reference, tmp_path)

    assert reference.newest() == 0
    assert "b.json, document 1: name: missing" in refused.value.message
    assert "b.json, document 2: agent_id: missing" in refused.value.message


def test_a_dry_run_shows_the_difference_and_writes_nothing(reference, tmp_path, capsys):
    file = tmp_path / "tenant.yaml"
    file.write_text("kind: tenant\ntenant_id: a\nname: A\n")
    applied(reference, file, at=1)
    file.write_text("kind: tenant\ntenant_id: a\nname: B\n")
    capsys.readouterr()

    assert applied(reference, file, at=2, dry_run=True) == 1

    (row,) = printed(capsys)
    assert tuple(row[name] for name in ("kind", "key", "change", "field", "before", "after")) == (
        "tenant",
        "a",
        "changed",
        "name",
        "A",
        "B",
    )
    assert reference.newest() == 1


def test_a_folder_without_documents_is_an_error(reference, tmp_path):
    with pytest.raises(RequestError, match="no documents"):
        applied(reference, tmp_path)

"""`auditstream schema` against the embedded registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import schema
from auditstream.embedded.registry import start_registry
from schemas.packaged import schema_json
from tests.support.command_line import Run, command_line, rows_of

SUBJECT = "audit.events.v1-value"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """The command line beside a registry that is empty."""
    monkeypatch.delenv("AUDITSTREAM_TEST_SHARED_DATA", raising=False)
    with start_registry(tmp_path / "registry", subjects=()) as registry:
        monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", registry.url)
        monkeypatch.setenv("AUDITSTREAM_DATA_DIR", str(tmp_path))
        yield command_line(monkeypatch, schema)


def changed(folder: Path, change: Any) -> Path:
    """Write the event schema with a change to a file."""
    avro = schema_json("audit_event")
    change(avro["fields"])
    path = folder / "changed.avsc"
    path.write_text(json.dumps(avro))
    return path


def test_registering_again_changes_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    codes = [run("schema", "register", "--topic", "audit.direct.acme.v1") for _ in range(2)]
    rows = rows_of(capsys.readouterr().out)

    assert codes == [0, 0]
    assert rows[:5] == rows[5:]
    assert [(row["subject"], row["level"]) for row in rows[:5]] == [
        (SUBJECT, "FULL_TRANSITIVE"),
        ("audit.usage.v1-value", "BACKWARD_TRANSITIVE"),
        ("audit.findings.v1-value", "BACKWARD_TRANSITIVE"),
        ("audit.signals.v1-value", "BACKWARD_TRANSITIVE"),
        ("audit.direct.acme.v1-value", "FULL_TRANSITIVE"),
    ]
    assert rows[0]["id"] == rows[4]["id"]


def test_what_is_registered_may_follow_itself(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("schema", "check") == 0
    run("schema", "register")
    capsys.readouterr()

    assert run("schema", "check") == 0
    assert {(row["compatible"], row["version"]) for row in rows_of(capsys.readouterr().out)} == {(True, 1)}


def test_a_schema_that_may_not_follow_is_objected_to_by_us_and_by_the_registry(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("schema", "register")
    capsys.readouterr()
    file = changed(tmp_path, lambda fields: fields.append({"name": "added", "type": "string"}))

    code = run("schema", "check", "--subject", SUBJECT, "--file", file)

    rows = rows_of(capsys.readouterr().out)
    assert code == 2
    assert {row["said_by"] for row in rows} == {"auditstream", "registry"}
    assert all("the reader has no default" in row["reason"] for row in rows)
    assert (rows[0]["path"], rows[0]["direction"], rows[0]["version"]) == ("added", "backward", 1)


def test_a_schema_that_may_follow_is_shown_field_by_field(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("schema", "register")
    capsys.readouterr()
    added = {"name": "added", "type": ["null", "string"], "default": None}
    file = changed(tmp_path, lambda fields: fields.append(added))

    codes = [
        run("schema", "check", "--subject", SUBJECT, "--file", file),
        run("schema", "diff", "1", file),
        run("schema", "diff"),
    ]

    checked, difference = rows_of(capsys.readouterr().out)
    assert codes == [0, 0, 0]
    assert checked["compatible"]
    assert difference == {
        "change": "added",
        "path": "added",
        "what": "field",
        "old": "",
        "new": "null | string",
    }


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", "--subject", "nobody"), 4),
        (("check", "--file", "x.avsc"), 2),
        (("diff", "1"), 4),
        (("diff", "packaged", "none.avsc"), 4),
    ],
)
def test_what_does_not_exist_ends_with_its_code(run: Run, arguments: tuple[str, ...], code: int) -> None:
    assert run("schema", *arguments) == code

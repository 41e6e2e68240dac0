"""Schemas on disk are whole or absent, and belong to one registry."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from schemas.registry_client import RegisteredSchema
from schemas.schema_folder import SchemaFolder

GUID = UUID("01234567-89ab-cdef-0123-456789abcdef")
SCHEMA = RegisteredSchema(text='{"type": "record"}', id=7, guid=GUID)


def _file(root: Path) -> Path:
    return next(root.rglob("*.json"))


def test_a_schema_is_found_by_the_name_it_was_kept_under(tmp_path: Path) -> None:
    folder = SchemaFolder(tmp_path / "new" / "schemas", "http://registry:8081")
    folder.write(7, SCHEMA)
    folder.write(GUID, SCHEMA)

    again = SchemaFolder(tmp_path / "new" / "schemas", "http://registry:8081/")

    assert again.read(7) == again.read(GUID) == SCHEMA
    assert again.read(8) is None


def test_a_schema_without_a_guid_comes_back_without_one(tmp_path: Path) -> None:
    folder = SchemaFolder(tmp_path, "http://registry:8081")
    folder.write(7, RegisteredSchema(text="{}", id=7))

    assert folder.read(7) == RegisteredSchema(text="{}", id=7)


def test_another_registry_has_other_schemas_under_the_same_ids(tmp_path: Path) -> None:
    SchemaFolder(tmp_path, "http://one:8081").write(7, SCHEMA)

    assert SchemaFolder(tmp_path, "http://two:8081").read(7) is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"id": 7}', '{"id":7,"guid":"x","schema":"{}"}', "\xff"]
)
def test_a_damaged_file_counts_as_absent_and_is_replaced(tmp_path: Path, content: str) -> None:
    folder = SchemaFolder(tmp_path, "http://registry:8081")
    folder.write(7, SCHEMA)
    _file(tmp_path).write_bytes(content.encode("latin-1"))

    assert folder.read(7) is None

    folder.write(7, SCHEMA)

    assert folder.read(7) == SCHEMA


def test_a_write_that_is_cut_short_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SchemaFolder(tmp_path, "http://registry:8081")
    folder.write(7, SCHEMA)

    def cut(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", cut)
    with pytest.raises(OSError, match="no space left"):
        folder.write(7, RegisteredSchema(text="other", id=7))

    assert folder.read(7) == SCHEMA
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["7.json"]
    assert json.loads(_file(tmp_path).read_text())["schema"] == SCHEMA.text

"""Schemas on disk, for a worker that starts while the registry is down: one file a schema, written whole."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from uuid import UUID, uuid4

from schemas.framing import SchemaRef
from schemas.registry_client import RegisteredSchema


class SchemaFolder:
    """A folder of schemas of one registry, by id, GUID or subject (for our own).

    Methods block and may be called from any thread.

    Args:
        root: Parent folder of the folders of all registries; made when needed.
        registry_url: Registry whose ids these are: the same id means another schema in another registry.
    """

    def __init__(self, root: Path, registry_url: str) -> None:
        digest = hashlib.sha256(registry_url.rstrip("/").encode()).hexdigest()
        self._folder = root / digest[:16]

    def read(self, ref: SchemaRef | str) -> RegisteredSchema | None:
        """Return a schema; None when it is not there or its file is damaged."""
        try:
            content = json.loads(self._path(ref).read_text(encoding="utf-8"))
            guid = content["guid"]
            return RegisteredSchema(
                text=str(content["schema"]), id=content["id"], guid=None if guid is None else UUID(guid)
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def write(self, ref: SchemaRef | str, schema: RegisteredSchema) -> None:
        """Keep a schema. A reader sees the whole file or none, whenever the process is killed.

        Raises:
            OSError: The folder cannot be written.
        """
        guid = None if schema.guid is None else str(schema.guid)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{uuid4().hex}.partial"
        try:
            with partial.open("w", encoding="utf-8") as file:
                json.dump({"id": schema.id, "guid": guid, "schema": schema.text}, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path(ref))
        finally:
            partial.unlink(missing_ok=True)

    def _path(self, ref: SchemaRef | str) -> Path:
        return self._folder / f"{ref}.json"

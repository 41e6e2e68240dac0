"""What the embedded registry holds: schemas by id, versions by subject, levels and modes; kept in one file.

Identity is the schema's JSON text without white space, or, when a request asks for normalisation, its JSON
data whatever the order of attributes. Names are not resolved. An id belongs to a schema, not to a subject,
and is never given to another one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

from auditstream.core.errors import ConfigError, SchemaError
from auditstream.embedded.registry_errors import (
    incompatible,
    invalid_level,
    invalid_mode,
    invalid_schema,
    read_only,
    schema_not_found,
    subject_not_found,
    version_not_found,
)
from schemas.avro_text import parse_named
from schemas.compatibility import Incompatibility, Level, incompatibilities
from schemas.packaged import AvroSchema

DEFAULT_LEVEL: Level = "BACKWARD"  # as Confluent's
MODES = ("READWRITE", "READONLY")


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """One schema.

    Attributes:
        id: Registry id, from 1.
        guid: MD5 of the text as a UUID: the same schema has the same GUID in every data folder.
        text: JSON text without white space.
    """

    id: int
    guid: str
    text: str

    @property
    def json(self) -> AvroSchema:
        """The schema as JSON data that `schemas.compatibility` takes."""
        return _as_object(json.loads(self.text))


@dataclass(frozen=True, slots=True)
class Version:
    """One schema in one subject.

    Attributes:
        subject: Name of the subject.
        number: Version, from 1.
        schema: The schema.
    """

    subject: str
    number: int
    schema: StoredSchema


class RegistryContents:
    """The contents of one registry; not for use by several threads at once.

    Args:
        file: Where they are kept; read when it exists, written whole at every change.

    Raises:
        ConfigError: The file is not one of ours.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._schemas: list[StoredSchema] = []
        self._subjects: dict[str, list[int]] = {}
        self._levels: dict[str, str] = {}
        self._modes: dict[str, str] = {}
        if file.exists():
            self._read()

    @property
    def subjects(self) -> list[str]:
        """Names of all subjects, in order."""
        return sorted(self._subjects)

    def schema(self, schema_id: int) -> StoredSchema:
        """Return a schema by its id.

        Raises:
            RegistryRefusalError: 40403.
        """
        if not 1 <= schema_id <= len(self._schemas):
            raise schema_not_found()
        return self._schemas[schema_id - 1]

    def schema_by_guid(self, guid: str) -> StoredSchema:
        """Return a schema by its GUID.

        Raises:
            RegistryRefusalError: 40403.
        """
        found = next((schema for schema in self._schemas if schema.guid == guid.lower()), None)
        if found is None:
            raise schema_not_found()
        return found

    def uses(self, schema: StoredSchema) -> list[Version]:
        """Return every version that is this schema."""
        return [each for subject in self.subjects for each in self.versions(subject) if each.schema == schema]

    def versions(self, subject: str) -> list[Version]:
        """Return all versions of a subject, oldest first.

        Raises:
            RegistryRefusalError: 40401.
        """
        if subject not in self._subjects:
            raise subject_not_found(subject)
        ids = self._subjects[subject]
        return [Version(subject, number, self.schema(i)) for number, i in enumerate(ids, start=1)]

    def version(self, subject: str, number: int | None) -> Version:
        """Return one version of a subject, the latest when `number` is None.

        Raises:
            RegistryRefusalError: 40401 or 40402.
        """
        versions = self.versions(subject)
        if number is None:
            return versions[-1]
        if not 1 <= number <= len(versions):
            raise version_not_found(number)
        return versions[number - 1]

    def look_up(self, subject: str, text: str, *, normalize: bool = False) -> Version:
        """Return the version of a subject that is this schema.

        Raises:
            RegistryRefusalError: 40401, 40403 or 42201.
        """
        wanted = _identity(_parsed(text)[0], normalize=normalize)
        for version in self.versions(subject):
            if _identity(json.loads(version.schema.text), normalize=normalize) == wanted:
                return version
        raise schema_not_found()

    def register(self, subject: str, text: str, *, normalize: bool = False) -> Version:
        """Add a schema to a subject, unless it is there already, and return its version.

        Raises:
            RegistryRefusalError: 409 when the subject's level forbids it, 42201, or 42205.
        """
        avro, _ = _parsed(text)
        if subject in self._subjects:
            wanted = _identity(avro, normalize=normalize)
            for version in self.versions(subject):
                if _identity(json.loads(version.schema.text), normalize=normalize) == wanted:
                    return version
        if self.mode(subject) == "READONLY":
            raise read_only(subject)
        problems = self.problems(subject, text)
        if problems:
            raise incompatible(subject, map(str, problems), self.level(subject))
        schema = self._keep(_identity(avro, normalize=False))
        self._subjects.setdefault(subject, []).append(schema.id)
        self._write()
        return self.version(subject, None)

    def problems(self, subject: str, text: str, against: Version | None = None) -> Sequence[Incompatibility]:
        """Return why a schema may not be added to a subject; nothing speaks against the first one.

        Args:
            subject: Name of the subject.
            text: The schema.
            against: The version to compare with; those that the subject's level names when None.

        Raises:
            RegistryRefusalError: 42201.
        """
        _, schema = _parsed(text)
        if against is not None:
            earlier = [against.schema.json]
        else:
            earlier = [v.schema.json for v in self.versions(subject)] if subject in self._subjects else []
        return incompatibilities(schema, earlier, self.level(subject))

    def level(self, subject: str = "") -> Level:
        """Return the level that holds for a subject, or for all that have none of their own when empty."""
        found = self._levels.get(subject) or self._levels.get("") or DEFAULT_LEVEL
        return next(level for level in get_args(Level) if level == found)

    def own_level(self, subject: str) -> str | None:
        """Return the level that was set for the subject itself."""
        return self._levels.get(subject)

    def set_level(self, subject: str, level: str | None) -> None:
        """Set a subject's level, the default of all when `subject` is empty; None takes it back.

        Raises:
            RegistryRefusalError: 42203.
        """
        if level is not None and level not in get_args(Level):
            raise invalid_level()
        _set(self._levels, subject, level)
        self._write()

    def mode(self, subject: str = "") -> str:
        """Return the mode that holds for a subject, or for all that have none of their own when empty."""
        return self._modes.get(subject) or self._modes.get("") or MODES[0]

    def own_mode(self, subject: str) -> str | None:
        """Return the mode that was set for the subject itself."""
        return self._modes.get(subject)

    def set_mode(self, subject: str, mode: str | None) -> None:
        """Set a subject's mode, the default of all when `subject` is empty; None takes it back.

        Raises:
            RegistryRefusalError: 42204.
        """
        if mode is not None and mode not in MODES:
            raise invalid_mode()
        _set(self._modes, subject, mode)
        self._write()

    def _keep(self, text: str) -> StoredSchema:
        guid = str(UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest()))
        known = next((schema for schema in self._schemas if schema.guid == guid), None)
        if known is None:
            known = StoredSchema(len(self._schemas) + 1, guid, text)
            self._schemas.append(known)
        return known

    def _read(self) -> None:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            self._schemas = [StoredSchema(**schema) for schema in content["schemas"]]
            self._subjects, self._levels = content["subjects"], content["levels"]
            self._modes = content["modes"]
        except (ValueError, TypeError, LookupError) as error:
            raise ConfigError(
                f"{self._file} is not a registry's file: {error}", hint="Move the data folder away."
            ) from error

    def _write(self) -> None:
        """Write the file whole: a reader sees the old one or the new one, whenever the process is killed."""
        content = {
            "schemas": [asdict(schema) for schema in self._schemas],
            "subjects": self._subjects,
            "levels": self._levels,
            "modes": self._modes,
        }
        partial = self._file.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)


def _parsed(text: str) -> tuple[Any, AvroSchema]:
    """Return a schema's JSON data as given, and in the form of an object."""
    try:
        avro = json.loads(text)
        schema = _as_object(avro)
        parse_named(schema)
    except (ValueError, TypeError, RecursionError, SchemaError) as error:
        raise invalid_schema(str(error)) from error
    return avro, schema


def _as_object(avro: Any) -> AvroSchema:
    if isinstance(avro, str):
        return {"type": avro}
    if isinstance(avro, dict):
        return avro
    raise TypeError("a union on its own is no schema of a subject here")


def _identity(avro: Any, *, normalize: bool) -> str:
    return json.dumps(avro, separators=(",", ":"), sort_keys=normalize, ensure_ascii=False)


def _set(values: dict[str, str], key: str, value: str | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value

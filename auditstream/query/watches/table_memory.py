"""What the store's tables, rights and rows were when they were last known to be right: a file.

It is written at the first look and by migrations, beside the sealer's own memory, and not in the store: who
can change the store must not be able to change what it is compared with.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from auditstream.core.errors import ConfigError

FILE_NAME = "tables.json"

_STRICT = ConfigDict(extra="forbid")


class TableMemoryError(ConfigError):
    """The memory of the tables cannot be read or written."""

    code = "table_memory"
    hint = "Look at the tables, then take the present ones for right: `auditstream migrate remember`."


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class TableIdentity:
    """What makes a table the one that it is.

    Attributes:
        uuid: Another one after DROP and CREATE, EXCHANGE, CREATE OR REPLACE.
        engine: Name of its engine.
        sql: Its CREATE statement: columns, constraints, keys, TTL, settings.
    """

    uuid: str
    engine: str
    sql: str


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class OpenFinding:
    """A finding that was told of.

    Attributes:
        version: Number of its newest update.
        is_open: Whether it is not over.
        rule, scope, title, severity, passes: As the observation that it began with.
        since: When it was first seen, ISO 8601.
    """

    version: int
    is_open: bool
    rule: str
    scope: str
    title: str
    severity: int
    passes: bool
    since: str


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class Remembered:
    """What a memory holds.

    Attributes:
        form: Version of the file.
        tables: Identity by name.
        rows: Rows by name of an append-only table.
        short: Tables that had fewer rows than that at the last look, and may lag.
        mutations: Mutations that are known to be right, as `table/id`.
        running: Mutations that were not done at the last look.
        rights: Rights on the tables, a line each; None before the first look at them.
        findings: Findings by id.
    """

    form: Literal["auditstream-tables/v1"] = "auditstream-tables/v1"
    tables: Mapping[str, TableIdentity] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    short: tuple[str, ...] = ()
    mutations: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    rights: tuple[str, ...] | None = None
    findings: Mapping[str, OpenFinding] = field(default_factory=dict)


_TYPE = TypeAdapter(Remembered)


@dataclass(frozen=True, slots=True)
class TableMemory:
    """The file.

    Attributes:
        path: Where it is.
    """

    path: Path

    def read(self) -> Remembered | None:
        """Return what is remembered, None before the first look.

        Raises:
            TableMemoryError: The file is not one, or may not be read.
        """
        try:
            return _TYPE.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TableMemoryError(f"{self.path}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise TableMemoryError(f"{self.path}: {where}: {first['msg']}") from error

    def write(self, remembered: Remembered) -> None:
        """Remember; on disk when this returns, whole or not at all.

        Raises:
            TableMemoryError: The file cannot be written.
        """
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(_TYPE.dump_json(remembered, indent=1))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise TableMemoryError(f"{self.path}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                draft.unlink()

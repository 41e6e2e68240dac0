"""The numbered SQL files: how they are found, told apart and made into statements.

A file `NNNN_name.sql` holds statements that end with `;` at the end of a line. Each can be repeated without
harm (`IF NOT EXISTS`). Placeholders: `${replicated}` before an engine's name, `${window}` for the settings of
the deduplication window. A file that was applied is never edited: write the next one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Literal

from auditstream.core.errors import ConfigError

Engine = Literal["MergeTree", "ReplicatedMergeTree"]

TOKEN_WINDOW = 10_000
"""Inserts whose tokens a table remembers: at least 20 times the partitions that a deployment may have."""

PLACEHOLDERS: Mapping[Engine, Mapping[str, str]] = {
    "MergeTree": {
        "replicated": "",
        "window": f"non_replicated_deduplication_window = {TOKEN_WINDOW}",
    },
    "ReplicatedMergeTree": {
        "replicated": "Replicated",
        # The default of one hour would forget a token before the number of inserts does.
        "window": f"replicated_deduplication_window = {TOKEN_WINDOW}, "
        "replicated_deduplication_window_seconds = 604800",
    },
}
"""What the placeholders stand for, by the kind of the tables."""

_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_COMMENT_LINES = re.compile(r"^\s*--.*$", re.MULTILINE)
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|$)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the file as it is packaged, placeholders and all, 64 lower-case hex digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, engine: Engine) -> list[str]:
        """Return the file's statements in order, ready to run on tables of `engine`."""
        return statements_of(self.text, PLACEHOLDERS[engine])


def packaged() -> list[Migration]:
    """Return the migrations that ship with this version, in order.

    Raises:
        ConfigError: The files are not numbered 1, 2, 3, ...
    """
    folder = resources.files("sinks") / "migrations"
    named = [(_FILE_NAME.fullmatch(file.name), file) for file in folder.iterdir()]
    found = [
        Migration(int(match["version"]), match["name"], file.read_text(encoding="utf-8"))
        for match, file in named
        if match
    ]
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ConfigError("sinks/migrations: the files are not numbered without a gap from 0001")
    return found


def packaged_statements(file_name: str, placeholders: Mapping[str, str]) -> list[str]:
    """Return the statements of another file of the migrations' folder."""
    text = (resources.files("sinks") / "migrations" / file_name).read_text(encoding="utf-8")
    return statements_of(text, placeholders)


def statements_of(text: str, placeholders: Mapping[str, str]) -> list[str]:
    """Return the statements of an SQL file, placeholders filled in, comment lines left out."""
    filled = Template(_COMMENT_LINES.sub("", text)).substitute(placeholders)
    return [statement.strip() for statement in _END_OF_STATEMENT.split(filled) if statement.strip()]


def quoted_name(name: str) -> str:
    """Return `name` as a quoted identifier of SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quoted_text(text: str) -> str:
    """Return `text` as a string literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

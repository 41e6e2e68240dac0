"""The server's roles on the engine in this process, which reads them from a file and takes one by SET ROLE.

The engine cannot create roles by SQL. It has no place for row policies either: they are left out, or those of
one role are everybody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

from clickhouse_connect.driver.client import Client

from sinks.clients import embedded_client
from sinks.migrate import create_database

OpenAs = Callable[[str], Client]
"""Opens a client with the rights of a role and no others."""

OWNER = "migrator"
_STATEMENT = re.compile(r"(?:GRANT|REVOKE) .* (?:TO|FROM) (?P<role>\w+)", re.DOTALL)


@contextmanager
def engine_with_roles(
    folder: Path, database: str, statements: Sequence[str], *, rows: Mapping[str, str] | None = None
) -> Iterator[OpenAs]:
    """Yield what opens clients of an engine whose roles are as granted; `OWNER` may do everything.

    Args:
        folder: Where the engine keeps its data and its configuration.
        database: Made, and the current one of every client.
        statements: GRANT and REVOKE statements; others are passed over.
        rows: Condition of the rows that everybody sees, by table; all rows of other tables.
    """
    config = _written(folder, statements, {database: rows or {}})
    path = Path(f"{folder / 'data'}?config-file={config}")

    def open_as(role: str) -> Client:
        client = embedded_client(path, database=database)
        client.command(f"SET ROLE {role}")
        return client

    with embedded_client(path) as anchor:
        create_database(anchor, database)
        yield open_as


@contextmanager
def engine_of_owner(folder: Path) -> Iterator[OpenAs]:
    """Yield what opens clients of a database of an engine, who may do and see everything, rights included."""
    path = Path(f"{folder / 'data'}?config-file={_written(folder, ())}")

    def open_client(database: str) -> Client:
        client = embedded_client(path, database=database)
        client.command(f"SET ROLE {OWNER}")
        return client

    with open_client("default"):
        yield open_client


def _written(
    folder: Path, statements: Sequence[str], policies: Mapping[str, Mapping[str, str]] | None = None
) -> Path:
    granted = {OWNER: ["GRANT ALL ON *.* WITH GRANT OPTION"]}
    for statement in statements:
        found = _STATEMENT.fullmatch(statement)
        if found is not None:
            bare = statement[: found.start("role")].rsplit(maxsplit=1)[0]  # the role is that of its section
            granted.setdefault(found["role"], []).append(bare)
    root = ET.Element("clickhouse")
    for empty in ("profiles", "quotas"):
        ET.SubElement(ET.SubElement(root, empty), "default")
    roles = ET.SubElement(root, "roles")
    for role, grants in granted.items():
        _add_grants(ET.SubElement(roles, role), grants)
    user = ET.SubElement(ET.SubElement(root, "users"), "default")
    ET.SubElement(user, "password").text = ""
    ET.SubElement(ET.SubElement(user, "networks"), "ip").text = "::/0"
    for name in ("profile", "quota"):
        ET.SubElement(user, name).text = "default"
    _add_grants(user, [f"GRANT {role}" for role in granted])
    databases = ET.SubElement(user, "databases")
    for database, rows in (policies or {}).items():
        tables = ET.SubElement(databases, database)
        for table, condition in rows.items():
            ET.SubElement(ET.SubElement(tables, table), "filter").text = condition
    ET.ElementTree(root).write(folder / "users.xml")
    config = ET.Element("clickhouse")
    ET.SubElement(config, "users_config").text = str(folder / "users.xml")
    ET.ElementTree(config).write(folder / "config.xml")
    return folder / "config.xml"


def _add_grants(parent: ET.Element, grants: Sequence[str]) -> None:
    holder = ET.SubElement(parent, "grants")
    for grant in grants:
        ET.SubElement(holder, "query").text = grant

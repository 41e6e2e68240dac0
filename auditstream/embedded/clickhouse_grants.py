"""What the engine itself allows each statement list: roles in a `users.xml`, taken by `SET ROLE`.

The engine cannot create users or roles by SQL (it has no storage for them), but reads them from a file. It
has one user, who holds nothing himself, only the roles below; a connection that took one of them has no
other rights: no other tables, no files and no network, whatever the statement says. This is the second line
behind `clickhouse_permissions`; what it cannot refuse (the function `file()`, INTO OUTFILE, KILL QUERY of
one's own user) is refused there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

from auditstream.embedded.clickhouse_credentials import SEALER_TABLES, StatementList

_CONFIG_FILE = "config.xml"
_USERS_FILE = "users.xml"


def engine_role(statements: StatementList) -> str:
    """Return the engine's role for a statement list."""
    return f"auditstream_{statements}"


def write_config(folder: Path, databases: Sequence[str]) -> Path:
    """Write the engine's configuration into `folder`; return the file to start the engine with.

    Args:
        folder: Existing folder that belongs to the data path's owner.
        databases: Databases that writers may insert into and readers select from.
    """
    config = ET.Element("clickhouse")
    ET.SubElement(config, "users_config").text = str(folder / _USERS_FILE)
    _write(config, folder / _CONFIG_FILE)
    _write(_users(databases), folder / _USERS_FILE)
    return folder / _CONFIG_FILE


def _users(databases: Sequence[str]) -> ET.Element:
    root = ET.Element("clickhouse")
    for empty in ("profiles", "quotas"):
        ET.SubElement(ET.SubElement(root, empty), "default")
    roles = ET.SubElement(root, "roles")
    select = [f"GRANT SELECT, SHOW, dictGet ON {_quoted(name)}.*" for name in databases]
    insert = [f"GRANT INSERT ON {_quoted(name)}.*" for name in databases]
    _role(roles, "owner", ["GRANT ALL ON *.* WITH GRANT OPTION"])
    _role(roles, "writer", select + insert)
    checkpoints = [
        f"GRANT INSERT ON {_quoted(name)}.{_quoted(table)}" for name in databases for table in SEALER_TABLES
    ]
    _role(roles, "sealer", select + checkpoints)
    _role(roles, "reader", select)
    user = ET.SubElement(ET.SubElement(root, "users"), "default")
    ET.SubElement(user, "password").text = ""  # the engine listens to nobody but this process
    ET.SubElement(ET.SubElement(user, "networks"), "ip").text = "::/0"
    for name in ("profile", "quota"):
        ET.SubElement(user, name).text = "default"
    _grants(user, [f"GRANT {engine_role(statements)}" for statements in get_args(StatementList)])
    return root


def _role(roles: ET.Element, statements: StatementList, grants: Sequence[str]) -> None:
    _grants(ET.SubElement(roles, engine_role(statements)), grants)


def _grants(parent: ET.Element, grants: Sequence[str]) -> None:
    holder = ET.SubElement(parent, "grants")
    for grant in grants:
        ET.SubElement(holder, "query").text = grant


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _write(root: ET.Element, path: Path) -> None:
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)

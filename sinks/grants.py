"""Roles, policies and rights of a ClickHouse server; the engine in this process has none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from clickhouse_connect.driver.client import Client

from auditstream.core.errors import ConfigError, StoreSchemaError
from sinks.migration_files import packaged_statements, quoted_name
from sinks.refusals import translated

_NOWHERE_TO_KEEP_ROLES = 514  # ACCESS_STORAGE_FOR_INSERTION_NOT_FOUND
_TENANT_ID = re.compile(r"[A-Za-z0-9_.-]+")
_SYSTEM = "system"  # rights on its tables are not rights on the database
_TENANT_ROLE = "audit_reader_"
_CREATE_ROLE = re.compile(r"CREATE ROLE IF NOT EXISTS (\w+)")
_RIGHT = re.compile(r"(?P<verb>GRANT|REVOKE) (?P<accesses>.+) ON (?P<where>\S+) (?:TO|FROM) (?P<role>\S+)")
_ACCESS = re.compile(r"(?P<access>[A-Z][A-Z ]*)(?:\((?P<columns>[^)]*)\))?(?:, |$)")


def grants(database: str) -> list[str]:
    """Return the statements that create the server's roles for `database`, in order."""
    return packaged_statements("grants.sql", {"database": quoted_name(database)})


def tenant_grants(database: str, tenant_id: str) -> list[str]:
    """Return the statements that create `audit_reader_<tenant>`, which reads one tenant's rows only.

    Raises:
        ConfigError: The tenant's id cannot be part of a role's name.
    """
    if not _TENANT_ID.fullmatch(tenant_id):
        raise ConfigError(f"tenant {tenant_id!r}: letters, digits, dot, dash and underscore only")
    role = quoted_name(f"{_TENANT_ROLE}{tenant_id}")
    names = {"database": quoted_name(database), "role": role, "tenant": tenant_id}
    return packaged_statements("tenant_grants.sql", names)


def is_own_role(name: str) -> bool:
    """Return whether a role is one that `apply_grants` makes."""
    return name in _roles() or name.startswith(_TENANT_ROLE)


def rights_of_role(database: str, role: str) -> frozenset[str]:
    """Return what one of our roles may do, as lines: `role R may SELECT ON database.table(column)`."""
    statements = grants(database)
    if role.startswith(_TENANT_ROLE):
        statements += tenant_grants(database, role.removeprefix(_TENANT_ROLE))
    lines = (line for statement in statements for line in _lines(statement))
    return frozenset(line for line in lines if _is_of(line, role) and f" ON {_SYSTEM}." not in line)


@cache
def _roles() -> frozenset[str]:
    found = (_CREATE_ROLE.match(statement) for statement in grants("any"))
    return frozenset(match[1] for match in found if match)


def _lines(statement: str) -> Iterator[str]:
    found = _RIGHT.fullmatch(" ".join(statement.split()))
    if found is None:
        return
    verb = "may" if found["verb"] == "GRANT" else "may not"
    where = found["where"].replace("`", "")
    role = found["role"].replace("`", "")
    for access in _ACCESS.finditer(found["accesses"]):
        columns = (access["columns"] or "").replace("`", "").split(",")
        for column in columns:
            place = f"{where}({column.strip()})" if column.strip() else where
            yield f"role {role} {verb} {access['access'].strip()} ON {place}"


def _is_of(line: str, role: str) -> bool:
    return line.startswith(f"role {role} may")


def apply_grants(client: Client, database: str, tenants: Sequence[str] = ()) -> None:
    """Create the server's roles, policies and rights, a reader role for each of `tenants` included.

    Run it after the migrations, as a user with access management. Repeating it does no harm.

    Raises:
        ConfigError: A tenant's id is unfit, the user has no access management, or the server keeps no roles.
        StoreSchemaError: A statement was refused.
        RetryableError: No answer.
    """
    statements = grants(database)
    for tenant_id in tenants:
        statements += tenant_grants(database, tenant_id)
    try:
        for statement in statements:
            with translated("grants"):
                client.command(statement)
    except StoreSchemaError as error:
        if error.context.get("clickhouse_code") != _NOWHERE_TO_KEEP_ROLES:
            raise
        hint = "A server needs `user_directories` with `local_directory`; the embedded engine has no roles."
        raise ConfigError("this ClickHouse keeps no roles", hint=hint) from error

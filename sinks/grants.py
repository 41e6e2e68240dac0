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
_CREATE_POLICY = "CREATE ROW POLICY IF NOT EXISTS"
_POLICY = re.compile(rf"{_CREATE_POLICY} (?P<name>\S+) ON (?P<where>\S+) USING (?P<rows>.+) TO (?P<roles>.+)")
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


def statements(database: str, tenants: Sequence[str] = ()) -> list[str]:
    """Return what `apply_grants` runs, in order.

    A policy that is there already is altered: an earlier version made it for fewer roles, and IF NOT EXISTS
    would leave it so. It is never dropped, so that no row is shown or hidden meanwhile.

    Raises:
        ConfigError: A tenant's id is unfit.
    """
    found = grants(database)
    for tenant_id in tenants:
        found += tenant_grants(database, tenant_id)
    return [each for statement in found for each in (statement, *_altered(statement))]


def own_policy(database: str, name: str, table: str) -> tuple[str, tuple[str, ...]] | None:
    """Return which rows a policy lets through as `apply_grants` makes it, and its roles, sorted.

    None for a policy that `apply_grants` does not make.
    """
    tenant_id = name.removeprefix(_TENANT_ROLE) if is_own_role(name) and name not in _roles() else ""
    return _policies(database, tenant_id).get((name, table))


def is_own_role(name: str) -> bool:
    """Return whether a role is one that `apply_grants` makes."""
    prefix, is_reader, tenant_id = name.partition(_TENANT_ROLE)
    return name in _roles() or bool(is_reader and not prefix and _TENANT_ID.fullmatch(tenant_id))


def rights_of_role(database: str, role: str) -> frozenset[str]:
    """Return what one of our roles may do, as lines: `role R may SELECT ON database.table(column)`."""
    granted = grants(database)
    if role not in _roles():
        granted += tenant_grants(database, role.removeprefix(_TENANT_ROLE))
    lines = (line for statement in granted for line in _lines(statement))
    return frozenset(line for line in lines if _is_of(line, role) and f" ON {_SYSTEM}." not in line)


@cache
def _roles() -> frozenset[str]:
    found = (_CREATE_ROLE.match(statement) for statement in grants("any"))
    return frozenset(match[1] for match in found if match)


def _altered(statement: str) -> Iterator[str]:
    if statement.startswith(_CREATE_POLICY):
        yield statement.replace(_CREATE_POLICY, "ALTER ROW POLICY", 1)


@cache
def _policies(database: str, tenant_id: str) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    made = grants(database) + (tenant_grants(database, tenant_id) if tenant_id else [])
    found = (_POLICY.fullmatch(" ".join(statement.replace("`", "").split())) for statement in made)
    return {
        (match["name"], match["where"].partition(".")[2]): (
            match["rows"],
            tuple(sorted(match["roles"].split(", "))),
        )
        for match in found
        if match
    }


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
    try:
        for statement in statements(database, tenants):
            with translated("grants"):
                client.command(statement)
    except StoreSchemaError as error:
        if error.context.get("clickhouse_code") != _NOWHERE_TO_KEEP_ROLES:
            raise
        hint = "A server needs `user_directories` with `local_directory`; the embedded engine has no roles."
        raise ConfigError("this ClickHouse keeps no roles", hint=hint) from error

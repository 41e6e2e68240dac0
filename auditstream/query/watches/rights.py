"""Rights: who may do what with the tables, against what the migrations grant and what was there before.

The product's own roles have exactly the rights of `grants.sql`, and its row policies the roles: one that a
policy of an earlier version leaves out reads no row at all. Other users and roles are compared with what they
had at the first look: a deployment's administrators are its own business, a new one is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from typing import Any

from auditstream.query.reader import Reader
from auditstream.query.watches.observations import HIGH, MEDIUM, Observation
from sinks.grants import is_own_role, own_policy, rights_of_role

RULE = "store.rights"

_RIGHTS = """
SELECT
    ifNull(user_name, ''), ifNull(role_name, ''), toString(access_type), ifNull(database, '*'),
    ifNull(table, '*'), ifNull(column, ''), is_partial_revoke, grant_option
FROM system.grants WHERE database IS NULL OR database = currentDatabase()"""
_HOLDERS = """
SELECT ifNull(user_name, ''), ifNull(role_name, ''), granted_role_name, with_admin_option
FROM system.role_grants"""
_POLICIES = """
SELECT
    short_name, table, ifNull(select_filter, ''), is_restrictive, apply_to_all, apply_to_list, apply_to_except
FROM system.row_policies WHERE database = currentDatabase()"""
_READS = ("SELECT", "SHOW")
_POLICY_LINE = re.compile(
    r"policy (?P<name>\S+) on (?P<table>\S+): (?P<rows>.+) for (?P<whom>\[.*\]|all but .+)"
)
_ROLE = re.compile(r"'([^']+)'")
_REMEDY = "Run `auditstream migrate apply --grants`; then find out who did it, if it was no update."


def present_rights(reader: Reader) -> tuple[str, ...]:
    """Return every right on the database, every holder of a role, and every row policy: a line each, sorted.

    Raises:
        StoreSchemaError: The user may not see them.
        RetryableError: No answer.
    """
    database = str(reader.table("SELECT currentDatabase()", {}, doing="read of the database").rows[0][0])
    lines = set()
    for user, role, access, scope, table, column, revoked, option in _rows(reader, _RIGHTS):
        where = f"{'*' if scope == '*' else 'DATABASE'}.{table}{f'({column})' if column else ''}"
        verb = "may not" if revoked else "may"
        lines.add(f"{_grantee(user, role)} {verb} {access} ON {where}{' and pass it on' if option else ''}")
    for user, role, granted, admin in _rows(reader, _HOLDERS):
        lines.add(f"{_grantee(user, role)} has role {granted}{' and passes it on' if admin else ''}")
    for name, table, condition, restrictive, to_all, to, but in _rows(reader, _POLICIES):
        whom = f"all but {sorted(but)}" if to_all else str(sorted(to))
        kind = "restrictive policy" if restrictive else "policy"
        lines.add(_policy_line(kind, name, table, condition, whom))
    return tuple(sorted(line.replace("DATABASE", database) for line in lines))


def watch_rights(
    remembered: Collection[str] | None, present: Collection[str], database: str
) -> Iterator[Observation]:
    """Yield one observation a right that is too much or too little.

    Args:
        remembered: Lines of the first look; None before it.
        present: From `present_rights`.
        database: Name of the product's database.
    """
    own = {line for line in present if is_own_role(_role_of(line))}
    expected = {
        line for role in sorted({_role_of(line) for line in own}) for line in rights_of_role(database, role)
    }
    policies = {line: wanted for line in present if (wanted := _wanted_policy(line, database))}
    wider = {line for line, wanted in policies.items() if not _is_narrower(line, wanted)}
    yield from _differences({*expected, *policies.values()}, {*own, *wider}, "the migrations", _REMEDY)
    if remembered is not None:
        before = {_first_look(line, database) for line in remembered if not is_own_role(_role_of(line))}
        now = {_first_look(line, database) for line in {*present} - own}
        yield from _differences(before, now, "the first look")


def _policy_line(kind: str, name: str, table: str, condition: str, whom: str) -> str:
    return f"{kind} {name} on {table}: {condition} for {whom}"


def _wanted_policy(line: str, database: str) -> str:
    """Return the line of one of our policies as it is to be; empty for any other line."""
    found = _POLICY_LINE.fullmatch(line)
    wanted = own_policy(database, found["name"], found["table"]) if found else None
    if found is None or wanted is None:
        return ""
    rows, roles = wanted
    return _policy_line("policy", found["name"], found["table"], rows, str(list(roles)))


def _is_narrower(line: str, wanted: str) -> bool:
    """Return whether a policy is as it is to be, but for roles that it lacks."""
    (rows, roles), (other_rows, other_roles) = map(_rows_and_roles, (line, wanted))
    return rows == other_rows and roles < other_roles


def _rows_and_roles(line: str) -> tuple[str, frozenset[str]]:
    """Return which rows a policy lets through, and the roles; none for one that is for all but some."""
    found = _POLICY_LINE.fullmatch(line)
    if found is None or not found["whom"].startswith("["):
        return "", frozenset()
    return found["rows"], frozenset(_ROLE.findall(found["whom"]))


def _first_look(line: str, database: str) -> str:
    """Return what of a line counts for the first look: of our policies, that they are there."""
    return line.partition(":")[0] if _wanted_policy(line, database) else line


def _differences(
    expected: Collection[str], found: Collection[str], by: str, remedy: str = ""
) -> Iterator[Observation]:
    for line in sorted({*found} - {*expected}):
        title = f"too much: {line}; {by} did not have it"
        yield _observation(line, title, MEDIUM if _only_reads(line) else HIGH, remedy)
    for line in sorted({*expected} - {*found}):
        if not any(wider in found for wider in _wider(line)):
            yield _observation(line, f"missing: {line}; {by} had it", MEDIUM, remedy)


def _wider(line: str) -> Iterator[str]:
    """Yield the lines of rights that include this one, and in which the server lets it vanish."""
    right, on, where = line.partition(" ON ")
    if on and " may not " not in line:
        database = where.partition(".")[0]
        for place in (where.partition("(")[0], f"{database}.*", "*.*"):
            yield f"{right} ON {place}"


def _only_reads(line: str) -> bool:
    right = line.partition(" may ")[2]
    return right.startswith(_READS) or " may not " in line


def _observation(line: str, title: str, severity: int, remedy: str) -> Observation:
    grantee = " ".join(line.split()[:2])
    state = hashlib.sha256(title.encode()).hexdigest()[:16]
    return Observation(
        rule=RULE,
        scope=f"right={grantee}",
        title=f"right {title}",
        severity=severity,
        state=state,
        remedy=remedy,
    )


def _grantee(user: str, role: str) -> str:
    return f"user {user}" if user else f"role {role}"


def _role_of(line: str) -> str:
    """Return the role that a line is about the rights of; empty for any other line."""
    kind, _, rest = line.partition(" ")
    name, _, said = rest.partition(" ")
    return name if kind == "role" and said.startswith("may") else ""


def _rows(reader: Reader, sql: str) -> Iterator[tuple[Any, ...]]:
    yield from reader.table(sql, {}, doing="read of rights").rows

"""The tables themselves: swapped, dropped, made anew, given another TTL or other settings, or added.

Rows can be lost behind any of these without a mutation: EXCHANGE TABLES, CREATE OR REPLACE, DROP, MODIFY TTL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from auditstream.query.reader import Reader
from auditstream.query.watches.observations import CRITICAL, HIGH, MEDIUM, Observation, shortened
from auditstream.query.watches.table_memory import TableIdentity

RULE = "store.tables"

_TABLES = """
SELECT name, toString(uuid), engine, create_table_query FROM system.tables
WHERE database = currentDatabase() AND NOT is_temporary ORDER BY name"""
# A view's own storage; it comes and goes with the view, and has no identity of its own.
_INNER = ".inner"
_TTL = re.compile(r"\bTTL (.*?)(?= SETTINGS | COMMENT '|$)", re.DOTALL)
_SETTINGS = re.compile(r"\bSETTINGS (.*?)(?= COMMENT '|$)", re.DOTALL)


def present_tables(reader: Reader) -> dict[str, TableIdentity]:
    """Return the tables and views of the database as they are.

    Raises:
        RetryableError: No answer.
    """
    rows = reader.table(_TABLES, {}, doing="read of tables").rows
    return {name: TableIdentity(*identity) for name, *identity in rows if not name.startswith(_INNER)}


def watch_tables(
    remembered: Mapping[str, TableIdentity], present: Mapping[str, TableIdentity]
) -> Iterator[Observation]:
    """Yield one observation a table that is not as it was."""
    names = {identity.uuid: name for name, identity in present.items()}
    for name, expected in remembered.items():
        found = present.get(name)
        if found is None:
            now = names.get(expected.uuid)
            where = f"it is now called {now}" if now else "it was dropped or detached"
            yield _observation(name, f"table {name} is gone: {where}", CRITICAL, f"gone {now}")
        elif found != expected:
            yield _changed(name, expected, found)
    known = {identity.uuid for identity in remembered.values()}
    for name, found in present.items():
        if name not in remembered and found.uuid not in known:
            title = f"table {name} was added past the migrations: {shortened(found.sql)}"
            yield _observation(name, title, MEDIUM, found.sql)


def settings_of(sql: str) -> dict[str, str]:
    """Return the settings of a CREATE statement by name."""
    found = _SETTINGS.search(sql)
    pairs = (each.partition(" = ") for each in found[1].split(", ")) if found else ()
    return {name.strip(): value.strip() for name, _, value in pairs}


def _changed(name: str, expected: TableIdentity, found: TableIdentity) -> Observation:
    said = list(_differences(expected, found))
    is_setting = len(said) == 1 and said[0].startswith("setting")
    severity = HIGH if is_setting else CRITICAL
    state = f"{found.uuid} {found.engine} {found.sql}"
    return _observation(name, f"table {name} is not the one it was: {'; '.join(said)}", severity, state)


def _differences(expected: TableIdentity, found: TableIdentity) -> Iterator[str]:
    if expected.uuid != found.uuid:
        yield f"uuid {found.uuid}, expected {expected.uuid} (swapped, or dropped and made again)"
    if expected.engine != found.engine:
        yield f"engine {found.engine}, expected {expected.engine}"
    if _ttl(expected.sql) != _ttl(found.sql):
        yield f"TTL {_ttl(found.sql) or 'none'}, expected {_ttl(expected.sql) or 'none'}"
    before, after = settings_of(expected.sql), settings_of(found.sql)
    for setting in sorted({*before, *after}):
        if before.get(setting) != after.get(setting):
            is_, was = after.get(setting, "not set"), before.get(setting, "not set")
            yield f"setting {setting} {is_}, expected {was}"
    if _rest(expected.sql) != _rest(found.sql) and expected.engine == found.engine:
        yield f"definition {_first_difference(_rest(expected.sql), _rest(found.sql))}"


def _ttl(sql: str) -> str:
    found = _TTL.search(sql)
    return shortened(found[1]) if found else ""


def _rest(sql: str) -> str:
    return _SETTINGS.sub("", _TTL.sub("", sql))


def _first_difference(expected: str, found: str) -> str:
    """Return the place at which two definitions part."""
    at = next((n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), 0)
    start = max(0, at - 20)
    return f"…{shortened(found[start:], 60)}, expected …{shortened(expected[start:], 60)}"


def _observation(name: str, title: str, severity: int, state: str) -> Observation:
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return Observation(rule=RULE, scope=f"table={name}", title=title, severity=severity, state=digest)

"""What each role may do, and how much of the store one of its questions may use: two tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from auditstream.query.scopes import Bounds

Permission = Literal[
    "events", "contents", "costs", "findings", "triage", "slos", "integrity", "discovery", "prompts",
    "exports", "searches", "health", "replay", "verify", "register", "budgets", "accesses", "tokens",
]  # fmt: skip
"""What can be allowed.

`contents` are the bytes as received, which hold what an event's columns leave out; `searches` are saved ones;
`accesses` is the record's own use; `replay` sends dead letters again; `verify` checks every row against what
was signed; `register` says which assets may be used, `budgets` what may be spent.
"""


class Role(StrEnum):
    """What somebody is to the record."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    FINOPS = "finops"
    SECURITY = "security"
    AUDITOR = "auditor"
    ADMIN = "admin"


_EVERYBODY: frozenset[Permission] = frozenset({"events", "slos", "integrity", "searches"})
_ALL: frozenset[Permission] = frozenset({
    "events", "contents", "costs", "findings", "triage", "slos", "integrity", "discovery", "prompts",
    "exports", "searches", "health", "replay", "verify", "register", "budgets", "accesses", "tokens",
})  # fmt: skip

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _EVERYBODY,
    Role.ANALYST: _EVERYBODY | {"costs", "discovery", "prompts", "exports", "health"},
    Role.FINOPS: _EVERYBODY | {"costs", "exports", "budgets"},
    Role.SECURITY: _ALL - {"tokens", "budgets"},  # what may be spent is said by who answers for the money
    Role.AUDITOR: _EVERYBODY
    | {"contents", "costs", "findings", "discovery", "prompts", "exports", "verify", "accesses"},
    Role.ADMIN: _ALL,
}
"""What each role may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much somebody of a role may use.

    Attributes:
        bounds: Of one statement.
        requests_per_s: Requests a second, by each principal; ten seconds' worth may come at once.
        export_rows: Rows of one export.
        tails: Live tails at a time.
    """

    bounds: Bounds
    requests_per_s: float
    export_rows: int
    tails: int


_GB = 10**9

_ANSWERS = Bounds(seconds=30, read_bytes=100 * _GB, rows=100_000)
_INVESTIGATIONS = Bounds(seconds=60, read_bytes=500 * _GB, rows=200_000)

LIMITS: Mapping[Role, Limits] = {
    # A page of the console asks some ten questions; a person does not turn one over more often than a second.
    Role.VIEWER: Limits(
        bounds=Bounds(seconds=10, read_bytes=20 * _GB, rows=20_000), requests_per_s=10, export_rows=0, tails=2
    ),
    Role.ANALYST: Limits(
        bounds=_ANSWERS,
        requests_per_s=20,
        export_rows=1_000_000,
        tails=4,
    ),
    Role.FINOPS: Limits(
        bounds=_ANSWERS,
        requests_per_s=20,
        export_rows=1_000_000,
        tails=2,
    ),
    Role.SECURITY: Limits(
        bounds=_INVESTIGATIONS,
        requests_per_s=20,
        export_rows=10_000_000,
        tails=8,
    ),
    Role.AUDITOR: Limits(
        bounds=_INVESTIGATIONS,
        requests_per_s=20,
        export_rows=10_000_000,
        tails=2,
    ),
    Role.ADMIN: Limits(
        bounds=_INVESTIGATIONS,
        requests_per_s=50,
        export_rows=10_000_000,
        tails=8,
    ),
}
"""How much each role may use; what the store itself allows its user comes on top."""

"""What each role may do: the table as it was decided, so that a change of it is a change of this test."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from auditstream.access.principal import Principal
from auditstream.access.roles import LIMITS, PERMISSIONS, Permission, Role
from auditstream.core.errors import NotAllowedError
from auditstream.reference.access_tokens import RoleName

VIEWER = Principal(id="1", name="ann", role=Role.VIEWER, tenants=frozenset({"acme"}))

MAY: dict[Permission, str] = {
    "events": "viewer analyst finops security auditor admin",
    "slos": "viewer analyst finops security auditor admin",
    "integrity": "viewer analyst finops security auditor admin",
    "searches": "viewer analyst finops security auditor admin",
    "costs": "analyst finops security auditor admin",
    "exports": "analyst finops security auditor admin",
    "discovery": "analyst security auditor admin",
    "prompts": "analyst security auditor admin",
    "health": "analyst security admin",
    "contents": "security auditor admin",
    "findings": "security auditor admin",
    "accesses": "security auditor admin",
    "verify": "security auditor admin",
    "triage": "security admin",
    "register": "security admin",
    "replay": "security admin",
    "budgets": "finops admin",
    "tokens": "admin",
}


@pytest.mark.parametrize("permission", get_args(Permission))
def test_a_permission_is_of_these_roles_and_no_others(permission: Permission) -> None:
    assert [role for role in Role if permission in PERMISSIONS[role]] == MAY[permission].split()


def test_every_role_has_permissions_and_limits_and_a_name_that_tokens_know() -> None:
    assert set(PERMISSIONS) == set(LIMITS) == set(Role)
    assert set(get_args(RoleName)) == {str(role) for role in Role}


def test_every_role_is_bounded() -> None:
    for limits in LIMITS.values():
        assert min(limits.bounds.seconds, limits.bounds.read_bytes, limits.bounds.rows) > 0
        assert limits.requests_per_s > 0


def test_only_who_may_export_has_rows_to_export() -> None:
    assert {role for role in Role if LIMITS[role].export_rows} == {
        role for role in Role if "exports" in PERMISSIONS[role]
    }


def test_a_refusal_names_the_role_and_who_may() -> None:
    with pytest.raises(NotAllowedError, match="role viewer may not ask for costs") as refused:
        VIEWER.require("costs")

    assert "finops" in refused.value.hint


def test_a_scope_is_of_the_tenants_and_bounds_of_a_principal() -> None:
    assert VIEWER.scope.tenants == frozenset({"acme"})
    assert VIEWER.scope.bounds == LIMITS[Role.VIEWER].bounds
    assert replace(VIEWER, tenants=None).scope.tenants is None

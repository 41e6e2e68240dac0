"""Who asks: the one thing that every question to the record comes with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from auditstream.access.roles import LIMITS, PERMISSIONS, Limits, Permission, Role
from auditstream.core.errors import NotAllowedError
from auditstream.query.periods import Period
from auditstream.query.scopes import Scope

SignIn = Literal["token", "oidc"]
"""How somebody proved who they are; a session remembers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who has signed in.

    Attributes:
        id: What limits and sessions know them by: the token's id, or issuer and subject.
        name: Who it is, as the events about the record's use tell it.
        role: What they may do.
        tenants: Whose rows they may see; None for everybody's.
        period: What they may see by when it happened; open for all time.
        expires_at: When they have to sign in again, or for good; None for never.
        signed_in_by: How.
    """

    id: str
    name: str
    role: Role
    tenants: frozenset[str] | None
    period: Period = field(default_factory=Period)
    expires_at: datetime | None = None
    signed_in_by: SignIn = "token"

    @property
    def limits(self) -> Limits:
        """How much they may use."""
        return LIMITS[self.role]

    @property
    def scope(self) -> Scope:
        """What they may see."""
        return Scope(tenants=self.tenants, period=self.period, bounds=self.limits.bounds)

    @property
    def sees_all(self) -> bool:
        """Whether they see every tenant's rows of all time."""
        return self.tenants is None and self.period.start is None and self.period.end is None

    def may(self, permission: Permission) -> bool:
        """Return whether their role allows it."""
        return permission in PERMISSIONS[self.role]

    def require(self, permission: Permission) -> None:
        """Return when their role allows it.

        Raises:
            NotAllowedError: It does not.
        """
        if not self.may(permission):
            able = ", ".join(role for role, allowed in PERMISSIONS.items() if permission in allowed)
            raise NotAllowedError(
                f"role {self.role} may not ask for {permission}", hint=f"Roles that may: {able}."
            )

    def is_valid(self, at: datetime) -> bool:
        """Return whether the sign-in still counts."""
        return self.expires_at is None or at < self.expires_at

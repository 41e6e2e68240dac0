"""What the claims of an identity provider give: a list, whose first entry that fits counts.

- value: audit-security        # of claim `groups`, unless `claim` names another
  role: security
  tenants: ["*"]
- value: acme-finance
  role: finops
  tenants: [acme]
- value: auditors
  role: auditor
  tenants_claim: audited_tenants
  sees_from: 2026-01-01
  sees_to: 2026-04-01
  until: 2026-06-30
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from auditstream.access.principal import Principal
from auditstream.access.roles import Role
from auditstream.core.errors import ConfigError
from auditstream.query.periods import Period
from auditstream.reference.access_tokens import EVERYBODY, RoleName
from auditstream.reference.fact import OptionalMoment, TenantId

_MOST_TENANTS = 100


class Grant(BaseModel):
    """Who is given what.

    Attributes:
        claim: Claim that is looked at: a text, or a list of texts.
        value: What it must be, or have.
        role: Role that is given.
        tenants: Whose rows may be seen; `*` for everybody's.
        tenants_claim: Claim with their names, instead.
        sees_from: What happened earlier is hidden.
        sees_to: What happened from then on is hidden.
        until: Until when it is given; of an auditor it must be stated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str = "groups"
    value: str = Field(min_length=1)
    role: RoleName
    tenants: tuple[TenantId, ...] | tuple[str, ...] = ()
    tenants_claim: str = ""
    sees_from: OptionalMoment = None
    sees_to: OptionalMoment = None
    until: OptionalMoment = None

    @model_validator(mode="after")
    def _names_tenants(self) -> Self:
        if bool(self.tenants) == bool(self.tenants_claim):
            raise ValueError("tenants: name them, or with tenants_claim the claim that does")
        if EVERYBODY in self.tenants and len(self.tenants) > 1:
            raise ValueError(f"tenants: {EVERYBODY!r} stands for all, name no others beside it")
        if self.role == "auditor" and self.until is None:
            raise ValueError("until: an auditor's access must end")
        return self

    def fits(self, claims: Mapping[str, Any]) -> bool:
        """Return whether claims have what this is given for."""
        return self.value in _texts(claims.get(self.claim))

    def whose(self, claims: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the tenants that are given; None for everybody's, none where the claim names none."""
        if EVERYBODY in self.tenants:
            return None
        if self.tenants:
            return frozenset(self.tenants)
        return frozenset(filter(_is_tenant, _texts(claims.get(self.tenants_claim))[:_MOST_TENANTS]))


_GRANTS = TypeAdapter(list[Grant])
_TENANT: TypeAdapter[str] = TypeAdapter(TenantId)


def read_grants(path: Path) -> list[Grant]:
    """Return the grants of a file.

    Raises:
        ConfigError: It cannot be read, or is none; names the entry and the field.
    """
    try:
        return _GRANTS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
    except OSError as error:
        raise ConfigError(f"api.oidc.grants_file: {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"api.oidc.grants_file: {path}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"api.oidc.grants_file: {path}: {where}: {reason}") from error


def principal_of(grants: Sequence[Grant], issuer: str, claims: Mapping[str, Any]) -> Principal | None:
    """Return whom the claims of an ID token stand for; None for whom nothing is given to."""
    granted = next((each for each in grants if each.fits(claims)), None)
    if granted is None:
        return None
    named = (claims.get(name) for name in ("email", "preferred_username", "name", "sub"))
    return Principal(
        id=f"{issuer}|{claims['sub']}",
        name=next(str(each) for each in named if each),
        role=Role(granted.role),
        tenants=granted.whose(claims),
        period=Period(granted.sees_from, granted.sees_to),
        expires_at=granted.until,
        signed_in_by="oidc",
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_tenant(name: str) -> bool:
    try:
        return bool(_TENANT.validate_python(name))
    except ValidationError:
        return False

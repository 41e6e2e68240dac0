"""Facts about months whose figures are settled."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from auditstream.reference.fact import AnyTenantId, Fact, Id

Month = Annotated[str, Field(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$")]


class Closure(Fact):
    """A month that is closed: its figures change with a second person's approval only."""

    KEY = ("tenant_id", "month")

    tenant_id: AnyTenantId = ""
    month: Month
    closed_by: Id
    active: bool = True

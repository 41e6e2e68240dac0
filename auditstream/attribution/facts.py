"""The facts of one revision in the form that attribution joins them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import polars as pl

from auditstream.core.ports import Directory

_TIMES = ("valid_from", "valid_to")
_FILLED = ("project_id", "team_id", "cost_center", "environment")


@dataclass(frozen=True, slots=True)
class OwnershipFacts:
    """Intervals with the columns that attribution needs, empty text as null.

    Attributes:
        credentials: `credential_id`, `credential_tenant`, and, null where it is revoked,
            `credential_owner` (the tenant again) and what it fills in as `credential_<column>`.
        agents: Active ones: `agent_id`, `tenant_id`, `project_id`.
        projects: Active ones: `tenant_id`, `project_id` and what they fill in as `project_<column>`.
        sources: Active ones: `source`, `tenant_id`, `project_id`.
        closed_tenants: `tenant_id` of tenants while they may not send events.
    """

    credentials: pl.DataFrame
    agents: pl.DataFrame
    projects: pl.DataFrame
    sources: pl.DataFrame
    closed_tenants: pl.DataFrame

    @classmethod
    def of(cls, directory: Directory, revision: int) -> Self:
        """Return the facts as known at a revision.

        Raises:
            RetryableError: As `Directory.intervals`.
        """
        active = pl.col("active")
        credentials = directory.intervals("credential", revision)
        agents = directory.intervals("agent", revision).filter(active)
        projects = directory.intervals("project", revision).filter(active)
        sources = directory.intervals("source", revision).filter(active)
        tenants = directory.intervals("tenant", revision).filter(~active)
        return cls(
            credentials=credentials.select(
                "credential_id",
                *_TIMES,
                credential_tenant="tenant_id",
                credential_owner=pl.when(active).then("tenant_id"),
                **{f"credential_{name}": pl.when(active).then(stated(name)) for name in _FILLED},
            ),
            agents=agents.select("agent_id", *_TIMES, "tenant_id", stated("project_id")),
            projects=projects.select(
                "tenant_id",
                "project_id",
                *_TIMES,
                **{f"project_{name}": stated(name) for name in _FILLED[1:]},
            ),
            sources=sources.select(*_TIMES, "tenant_id", stated("project_id"), source="event_source"),
            closed_tenants=tenants.select("tenant_id", *_TIMES, closed=True),
        )


def stated(name: str) -> pl.Expr:
    """Return a text column with null where it says nothing."""
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)

"""What the owner's facts add to an event: project, team, cost centre, environment."""

from __future__ import annotations

import polars as pl

from auditstream.attribution.facts import OwnershipFacts
from auditstream.attribution.holding import with_held

FILLED = ("project_id", "team_id", "cost_center", "environment")
"""Columns that are filled in; what the event itself says is never replaced."""


def filled(rows: pl.DataFrame, facts: OwnershipFacts) -> pl.DataFrame:
    """Return the rows with `FILLED` completed from facts of their owner; rows without an owner stay.

    Project: credential, agent, source. The rest: credential, then project.

    Args:
        rows: One row an event: `owner`, keys of the facts, `FILLED`, and the columns of its credential.
        facts: Facts to fill in from.
    """
    owned = pl.col("owner").is_not_null()
    rows = rows.with_columns(pl.coalesce(name, pl.when(owned).then(f"credential_{name}")) for name in FILLED)
    for key, register in (("agent_id", facts.agents), ("source", facts.sources)):
        rows = _with_project_of(rows, register, key)
    projects = facts.projects.rename({"tenant_id": "owner"})
    rows = with_held(rows, projects, ["owner", "project_id"])
    return rows.with_columns(pl.coalesce(name, f"project_{name}") for name in FILLED[1:])


def _with_project_of(rows: pl.DataFrame, register: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return the rows with the project that a register has for their owner's `key`, where they have none."""
    lacking = rows.filter(pl.col("project_id").is_null(), pl.col("owner").is_not_null())
    if lacking.is_empty() or register.is_empty():
        return rows
    owners = register.rename({"tenant_id": "owner", "project_id": "new_project"})
    found = with_held(lacking.select("row", "event_time", "owner", key), owners, ["owner", key])
    return (
        rows.join(found.select("row", "new_project"), on="row", how="left", maintain_order="left")
        .with_columns(project_id=pl.coalesce("project_id", "new_project"))
        .drop("new_project")
    )

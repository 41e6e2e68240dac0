"""What the owner's facts add to an event: project, team, cost centre, environment."""

from __future__ import annotations

import polars as pl

from auditstream.attribution.facts import OwnershipFacts
from auditstream.attribution.holding import with_held

FILLED = ("project_id", "team_id", "cost_center", "environment")
"""Columns that are filled in; what the event itself says is never replaced."""

FILLED_BY_US = "attribution_filled"
"""Column that says which of `FILLED` were filled in: the sum of 2**place in `FILLED`.

What was filled in can be filled in anew when the reference data is corrected; what the event said stays.
"""


def as_stated(events: pl.DataFrame) -> pl.DataFrame:
    """Return attributed events with `FILLED` as they themselves said, empty where they said nothing."""
    return events.with_columns(
        pl.when(pl.col(FILLED_BY_US) & (1 << place) == 0).then(name).otherwise(pl.lit("")).alias(name)
        for place, name in enumerate(FILLED)
    )


def filled(rows: pl.DataFrame, facts: OwnershipFacts) -> pl.DataFrame:
    """Return the rows with `FILLED` completed from facts of their owner, and `FILLED_BY_US`.

    Rows without an owner stay as they are.

    Project: credential, agent, source. The rest: credential, then project.

    Args:
        rows: One row an event: `owner`, keys of the facts, `FILLED`, and the columns of its credential.
        facts: Facts to fill in from.
    """
    owned = pl.col("owner").is_not_null()
    unsaid = rows.select(pl.col(name).is_null() for name in FILLED)
    rows = rows.with_columns(pl.coalesce(name, pl.when(owned).then(f"credential_{name}")) for name in FILLED)
    for key, register in (("agent_id", facts.agents), ("source", facts.sources)):
        rows = _with_project_of(rows, register, key)
    projects = facts.projects.rename({"tenant_id": "owner"})
    rows = with_held(rows, projects, ["owner", "project_id"])
    rows = rows.with_columns(pl.coalesce(name, f"project_{name}") for name in FILLED[1:])
    bits = [
        (unsaid[name] & rows[name].is_not_null()).cast(pl.UInt8) * (1 << place)
        for place, name in enumerate(FILLED)
    ]
    return rows.with_columns(pl.sum_horizontal(bits).cast(pl.UInt8).alias(FILLED_BY_US))


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

"""The dimensions that costs are told by, and where each of them can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditstream.core.errors import RequestError


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension.

    Attributes:
        name: What `--by` calls it.
        columns: Columns that it is shown in.
        reads: Columns of `events` that they are read from, in the same order.
        is_booked: Whether the hourly costs and the adjustments have these columns too.
    """

    name: str
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    is_booked: bool


def _booked(name: str, column: str) -> Dimension:
    return Dimension(name, (column,), (column,), is_booked=True)


DIMENSIONS: Mapping[str, Dimension] = {
    each.name: each
    for each in (
        _booked("tenant", "tenant_id"),
        _booked("project", "project_id"),
        _booked("team", "team_id"),
        _booked("feature", "feature_id"),
        _booked("cost_center", "cost_center"),
        _booked("environment", "environment"),
        _booked("model", "model"),
        _booked("provider", "inference_provider"),
        _booked("credential", "credential_id"),
        _booked("agent", "agent_id"),
        _booked("type", "event_type"),
        Dimension("tool", ("tool_name",), ("tool_name",), is_booked=False),
        # A version says nothing without the name of what it is a version of.
        Dimension(
            "prompt_version",
            ("prompt_name", "prompt_version"),
            ("inference_prompt_name", "inference_prompt_version"),
            is_booked=False,
        ),
        Dimension(
            "variant",
            ("experiment_key", "experiment_variant"),
            ("experiment_key", "experiment_variant"),
            is_booked=False,
        ),
        Dimension("conversation", ("conversation_id",), ("conversation_id",), is_booked=False),
        Dimension("run", ("agent_instance_id",), ("agent_instance_id",), is_booked=False),
    )
}
"""Every dimension by its name."""


def dimensions_of(text: str) -> list[Dimension]:
    """Return the dimensions that a list with commas names, in its order.

    Raises:
        RequestError: One is unknown, comes twice, or there is none.
    """
    names = [each.strip() for each in text.split(",") if each.strip()]
    known = ", ".join(DIMENSIONS)
    for number, name in enumerate(names):
        if name not in DIMENSIONS:
            raise RequestError(f"--by: {name!r} is no dimension", hint=f"Known are {known}.")
        if name in names[:number]:
            raise RequestError(f"--by: {name} comes twice")
    if not names:
        raise RequestError("--by: names no dimension", hint=f"Known are {known}.")
    return [DIMENSIONS[name] for name in names]


def columns_of(by: Sequence[Dimension]) -> list[str]:
    """Return the names of the columns that dimensions are shown in."""
    return [column for each in by for column in each.columns]

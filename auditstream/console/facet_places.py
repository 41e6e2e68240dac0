"""Where the values of fields stand beside the events: which are open, and where their counts come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.console.links import Link
from auditstream.console.visits import Visit
from auditstream.query.facets import SUGGESTED

STATE = ("q", "since", "from", "to", "columns")
"""Parameters of an address that say which events."""

_APART_MS = (
    150  # a count of a day takes less: an embedded store, which asks one by one, keeps its time limits
)
OPEN = ("outcome", "type", "model", "agent", "tenant")
"""Fields whose values are shown from the start."""

CLOSED = tuple(name for name in SUGGESTED if name not in OPEN)
"""Fields whose values are counted once somebody opens them."""

_LABELS = {
    "type": "Kind", "user": "Actor", "verdict": "Policy verdict", "error": "Error", "cost_status": "Price",
    "credential": "Key",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FacetPlace:
    """A field whose values are counted beside the events.

    Attributes:
        field: The field, as a search names it.
        label: What it is called.
        url: Where its counts alone come from.
        delay_ms: After how long they are asked for when one pass over all was not in time.
    """

    field: str
    label: str
    url: Link
    delay_ms: int


def places(page: Link, visit: Visit, fields: Sequence[str]) -> list[FacetPlace]:
    """Return the places of fields; the tenant has none for who sees one alone."""
    own = visit.who.tenants is not None and len(visit.who.tenants) == 1
    state = page.at("/parts/facet", *STATE)
    return [
        FacetPlace(name, _LABELS.get(name, name.capitalize()), state.with_(field=name), at * _APART_MS)
        for at, name in enumerate(fields)
        if not (own and name == "tenant")
    ]

"""Many episodes that are one incident: of a tenant's keys at once, or of a model's tenants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from auditstream.core.tenants import UNATTRIBUTED
from auditstream.detection.episode import NO_KEY, Episode
from auditstream.detection.surroundings import MOST_CONTRIBUTORS, MOST_EVENTS

WITHIN = 5
"""Minutes within which children open."""

FEWEST_KEYS = 3
"""Keys of a tenant that are an incident of the tenant."""

SHARE_OF_TENANTS = 0.3
"""Share of a model's tenants that is an incident of its provider."""

FEWEST_TENANTS = 3
"""Least tenants of that: three tenths of two tenants are one, which is no more than its own episode."""

_MODEL = "model="


@dataclass(frozen=True, slots=True)
class Incident:
    """What children have in common.

    Attributes:
        tenant_id: The tenant; `unattributed` for an incident of several.
        scope: The model; empty for an incident of a tenant.
        slug: The detector.
    """

    tenant_id: str
    scope: str
    slug: str

    @property
    def metric(self) -> str:
        """What is counted."""
        return "tenants" if self.scope else "keys"


def incident_of(episode: Episode) -> Incident:
    """Return the incident that a parent stands for."""
    return Incident(episode.tenant_id, episode.scope, episode.slug)


def incidents(
    episodes: Iterable[Episode], now: int, tenants_with: Callable[[str], int]
) -> Iterator[tuple[Incident, list[Episode]]]:
    """Yield incidents with the children that have no parent yet; those of providers first.

    The tenant as a whole is no key, and makes no incident; of one that its keys make it is a child like them.
    Twins (`twins`) are one key: that one of them stands for the others. A model may be anybody's twin within
    its tenant and is still one of the provider's.

    Args:
        episodes: Open episodes; of a detector's own parents each keeps taking in children while it is open.
        now: Minute since 1970.
        tenants_with: How many tenants have a scope.
    """
    episodes = list(episodes)
    parents = {incident_of(each) for each in episodes if each.stands_for_others}
    of_incidents = {each.finding_id for each in episodes if each.stands_for_others}
    fresh = [each for each in episodes if not each.stands_for_others and not each.parent]
    of_models = [each for each in episodes if not each.stands_for_others and each.parent not in of_incidents]
    taken: set[str] = set()
    for incident, candidates in _grouped(of_models, _of_provider):
        together = candidates if incident in parents else _opened_within(candidates, now)
        tenants = {each.tenant_id for each in together}
        least = max(FEWEST_TENANTS, SHARE_OF_TENANTS * tenants_with(incident.scope))
        if together and (incident in parents or len(tenants) >= least):
            taken |= {each.finding_id for each in together}
            yield incident, together
    rest = [each for each in fresh if each.finding_id not in taken]
    for incident, candidates in _grouped(rest, _of_tenant):
        together = candidates if incident in parents else _opened_within(candidates, now)
        keys = {each.scope for each in together if each.scope}
        if together and (incident in parents or len(keys) >= FEWEST_KEYS):
            yield incident, together


def parent_of(incident: Incident, children: list[Episode], now: int) -> Episode:
    """Return the episode that stands for children."""
    example = children[0]
    return Episode(
        slug=incident.slug,
        metric=incident.metric,
        detector_version=example.detector_version,
        family=example.family,
        key=NO_KEY,
        tenant_id=incident.tenant_id,
        scope=incident.scope,
        currency="",
        first=min(each.first for each in children),
        opened_at=now,
        warm_at=now,
        hot_at=now,
    )


def sum_up(parent: Episode, children: list[Episode], twins: Sequence[Episode] = ()) -> None:
    """Bring a parent up to date with its open children.

    The same money is seen by tenant, model, key and agent: an incident's money is the largest sum of one
    kind of scope, not the sum of all.

    Args:
        parent: The parent.
        children: Its open children.
        twins: Those that its children stand for: they see the same money under another kind of scope.
    """
    if not children:
        return
    ordered = sorted([*children, *twins], key=lambda each: (each.tenant_id, each.scope))
    sums: dict[tuple[str, str], Decimal] = {}
    for each in ordered:
        kind = each.scope.partition("=")[0], each.currency
        sums[kind] = sums.get(kind, Decimal(0)) + each.excess
    (_, currency), excess = max(sums.items(), key=lambda each: (each[1], each[0]))
    parent.changed |= excess > parent.excess or len(parent.children) > parent.observed
    if excess > parent.excess:
        parent.excess, parent.currency = excess, currency
    parent.observed = float(len(parent.children))
    parent.warm_at = max(parent.warm_at, *(each.warm_at for each in ordered))
    parent.hot_at = max(parent.hot_at, *(each.hot_at for each in ordered))
    parent.tier = max(parent.tier, *(each.tier for each in ordered))
    strongest = max(ordered, key=lambda each: each.level)
    parent.level, parent.score = max(parent.level, strongest.level), max(parent.score, strongest.score)
    parent.events = list(dict.fromkeys(event for each in ordered for event in each.events))[:MOST_EVENTS]
    named = sorted((each for each in children if each.scope), key=lambda each: (each.tenant_id, each.scope))
    parent.contributors = _shares(parent, named) or parent.contributors


def _shares(parent: Episode, children: list[Episode]) -> dict[str, float]:
    """Return the largest children and their share of the excess of all, or of their number."""
    total = sum((each.excess for each in children), Decimal(0))
    named = [
        (each.scope if parent.tenant_id == each.tenant_id else each.tenant_id, each) for each in children
    ]
    weighed = [(name, float(each.excess / total) if total else 1 / len(children)) for name, each in named]
    return dict(sorted(weighed, key=lambda each: (-each[1], each[0]))[:MOST_CONTRIBUTORS])


def _opened_within(children: list[Episode], now: int) -> list[Episode]:
    return [each for each in children if now - each.opened_at < WITHIN]


def _of_provider(episode: Episode) -> Incident | None:
    return Incident(UNATTRIBUTED, episode.scope, episode.slug) if episode.scope.startswith(_MODEL) else None


def _of_tenant(episode: Episode) -> Incident | None:
    return Incident(episode.tenant_id, "", episode.slug)


def _grouped(
    episodes: list[Episode], by: Callable[[Episode], Incident | None]
) -> list[tuple[Incident, list[Episode]]]:
    groups: dict[Incident, list[Episode]] = {}
    for each in episodes:
        incident = by(each)
        if incident is not None:
            groups.setdefault(incident, []).append(each)
    ordered = sorted(groups, key=lambda each: (each.slug, each.tenant_id, each.scope))
    return [(each, groups[each]) for each in ordered]

"""How grave an episode is: by its money, by who agrees, and by what else happens to the same key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auditstream.detection.episode import Episode
from auditstream.detection.money_gate import Stakes, money_severity
from auditstream.detection.severities import Severity
from auditstream.detection.traits import OF_A_STOLEN_KEY, SPEND_SURGE, traits_of

TOGETHER = 60
"""Minutes within which two things that happen to a key belong together."""


@dataclass(slots=True)
class Company:
    """What else happens to a key.

    Attributes:
        families: Families whose episodes of the key were warm within `TOGETHER`, and whether money that is
            worth a call is in one of each family.
        slugs: Detectors that fired for it within `TOGETHER`.
        has_money: Whether any of these episodes is about money.
        passes: Whether the money of any of these episodes is worth a call.
    """

    families: set[str] = field(default_factory=set)
    slugs: set[str] = field(default_factory=set)
    has_money: bool = False
    passes: bool = False


def companies(episodes: Iterable[Episode], now: int) -> dict[tuple[str, str], Company]:
    """Return what happens to each key, by tenant and scope.

    Args:
        episodes: Open episodes.
        now: Minute since 1970.
    """
    found: dict[tuple[str, str], Company] = {}
    for each in episodes:
        if each.stands_for_others or now - each.warm_at > TOGETHER:
            continue
        company = found.setdefault((each.tenant_id, each.scope), Company())
        company.families.add(each.family)
        company.slugs.add(each.slug)
        company.has_money |= each.excess > 0
        company.passes |= each.severity >= Severity.MEDIUM and each.excess > 0
    return found


def severity_of(episode: Episode, company: Company, stakes: Stakes) -> Severity:
    """Return how grave an episode is now.

    - informational: statistics only;
    - medium: its money passes the gate, or it is about security, where it may be higher from the beginning;
    - high: it comes to a daily budget in a day, or two families agree. Where they are about money, that must
      be worth a call: two detectors that see the same ten cents agree on nothing that matters;
    - critical: it comes to three daily budgets, or it is a surge of spend together with a new entity or a
      burst of refusals on the same key, as a stolen key shows.

    Args:
        episode: The episode.
        company: What else happens to its key, itself included.
        stakes: What money means to the tenant.
    """
    severity = money_severity(episode.excess, episode.warm_at - episode.first, stakes)
    traits = traits_of(episode.slug)
    if traits.is_security:
        severity = max(severity, traits.severity)
    if len(company.families) > 1 and (not company.has_money or company.passes):
        severity = max(severity, Severity.HIGH)
    if SPEND_SURGE in company.slugs and company.slugs & OF_A_STOLEN_KEY:
        severity = max(severity, Severity.CRITICAL)
    return max(severity, episode.severity)


def with_marks(
    companies: Mapping[tuple[str, str], Company], marks: Mapping[tuple[str, str, str], int], now: int
) -> None:
    """Add what others saw of keys, as `{(tenant, scope, slug): minute}`, to what happens to them."""
    for (tenant, scope, slug), minute in marks.items():
        company = companies.get((tenant, scope))
        if company is not None and now - minute <= TOGETHER:
            company.slugs.add(slug)

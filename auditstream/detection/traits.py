"""What is known of detectors beforehand: what they mean for security, and which techniques they hint at."""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.detection.severities import Severity

EVENTS, CALLS = "events", "calls"
COUNTED = (EVENTS, CALLS, "failures", "blocked", "spend", "usage_spend")
"""Sums of a minute that detectors count, by their names in a bucket."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a detector's findings have in common.

    Attributes:
        is_security: Whether they are told of whatever money they are about.
        severity: How grave they are at least, if they are about security.
        rebaselines: Whether a level that lasts for a day is taken for the new one. Refusals do not become
            normal by going on.
        attacks: ATLAS and OWASP ids of what they hint at.
        counts: What the detector counts, of `COUNTED`: by that two keys are the same traffic or not.
    """

    is_security: bool = False
    severity: Severity = Severity.MEDIUM
    rebaselines: bool = True
    attacks: tuple[str, ...] = ()
    counts: str = EVENTS


SPEND_SURGE = "spend.surge"
"""Spend far above a key's own: what a stolen key looks like, with one of `OF_A_STOLEN_KEY`."""

FIRST_SEEN = "entity.first_seen"
"""Something that a tenant, or one of its keys, never used before."""

OF_A_STOLEN_KEY = frozenset({FIRST_SEEN, "guardrail.deny_burst"})
"""Detectors that together with a surge of spend on the same key make the pattern of a stolen key."""

_SHARED_KEY = ("AML.T0012", "AML.T0091.000", "ASI03", "MCP01")
_NONE = Traits()
_TRAITS = {
    SPEND_SURGE: Traits(attacks=("AML.T0034", "LLM10"), counts="usage_spend"),
    "spend.creep": Traits(counts="spend"),
    "cost.unit_drift": Traits(attacks=("AML.T0034", "LLM10"), counts="spend"),
    "error.burst": Traits(counts="failures"),
    "rate.shape": Traits(attacks=("AML.T0029", "LLM10")),
    "guardrail.deny_burst": Traits(
        is_security=True,
        rebaselines=False,
        attacks=("AML.T0054", "AML.T0051.000", "LLM01", "ASI01"),
        counts="blocked",
    ),
    FIRST_SEEN: Traits(is_security=True, rebaselines=False, attacks=("AML.T0010.003", "LLM03", "ASI04")),
    "credential.many_networks": Traits(is_security=True, severity=Severity.HIGH, attacks=_SHARED_KEY),
    "credential.many_countries": Traits(is_security=True, severity=Severity.HIGH, attacks=_SHARED_KEY),
}


def traits_of(slug: str) -> Traits:
    """Return the traits of a detector; one that is not listed is about statistics alone."""
    return _TRAITS.get(slug, _NONE)

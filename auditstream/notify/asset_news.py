"""What is new about assets: those that nobody registered or that are banned, and those that are used anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from auditstream.core.asset_types import AssetType
from auditstream.core.finding_ids import finding_id
from auditstream.detection import traits
from auditstream.detection.assets import Used
from auditstream.detection.severities import Severity
from auditstream.reference.register import Entry, Register
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

UNREGISTERED = "discovery.unregistered"
BANNED = "discovery.banned"
FIRST_SEEN = traits.FIRST_SEEN

RULES = (UNREGISTERED, BANNED, FIRST_SEEN)

LEARNS_FOR = timedelta(days=7)
LEARNS_EVENTS = 1_000
"""A tenant's first uses are silent until it has events for a week, and so many: before, everything is new."""

MOST_KNOWN = 50_000
"""Assets of one tenant that are told apart; with more, its first uses are silent."""

VERSION = "1"
_CERTAIN = 100
ATTACKS = {
    UNREGISTERED: ("AML.T0103", "ASI10", "MCP09"),
    BANNED: ("AML.T0103", "ASI10", "MCP09"),
    FIRST_SEEN: ("AML.T0010.003", "LLM03", "ASI04"),
}
_WORDS = {"mcp_server": "MCP server", "credential": "key"}

REMEMBERED: tuple[AssetType, ...] = ("agent", "model", "tool", "credential")
"""Types whose first use is known of all time: the rollups have them. Of servers and hosts it is not."""

Key = tuple[str, str, str]


@dataclass(slots=True)
class KnownAssets:
    """What was used before, by tenant, type and id.

    Attributes:
        first: When each was first used.
        tenants: Since when a tenant has events, and how many.
    """

    first: dict[Key, datetime] = field(default_factory=dict)
    tenants: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, used: Iterable[Used], tenants: Mapping[str, tuple[datetime, int]]) -> KnownAssets:
        """Return what the record knows."""
        known = cls(tenants=dict(tenants))
        for each in used:
            known.add(each)
        return known

    def add(self, used: Used) -> None:
        """Remember that something was used; with too many of a tenant, those that come are not kept."""
        before = self.first.get(used.key)
        if before is not None:
            self.first[used.key] = min(before, used.first)
        elif self._counts.get(used.tenant, 0) < MOST_KNOWN:
            self._counts[used.tenant] = self._counts.get(used.tenant, 0) + 1
            self.first[used.key] = used.first

    def is_new(self, used: Used, since: datetime) -> bool:
        """Return whether an asset was first used after a time, by a tenant that was known well by then."""
        first = self.first.get(used.key)
        if first is None or first < since or used.asset_type not in REMEMBERED:
            return False
        begun, events = self.tenants.get(used.tenant, (first, 0))
        return events >= LEARNS_EVENTS and begun + LEARNS_FOR <= first


def asset_news(
    used: Sequence[Used], register: Register, known: KnownAssets, *, new_since: datetime
) -> Iterator[tuple[Used, Finding]]:
    """Yield what is to be told of assets, with what was used; `related_events` are for who tells it to add.

    An asset is told of once a rule and day of use; its first use, once.

    Args:
        used: What was used lately, `known` included.
        register: What is registered now.
        known: What was used before.
        new_since: From when a first use is news.
    """
    for each in _by_asset(used):
        entry = register.entry(each.tenant, each.asset_type, each.asset_id)
        if entry.status in ("unregistered", "banned"):
            rule = BANNED if entry.status == "banned" else UNREGISTERED
            yield each, _finding(each, rule, _severity(rule, entry), anchor=each.last.date().isoformat())
        if known.is_new(each, new_since):
            yield each, _finding(each, FIRST_SEEN, _severity(FIRST_SEEN, entry), anchor="")


def _by_asset(used: Iterable[Used]) -> list[Used]:
    """Return one entry an asset, whatever currencies it costs in."""
    found: dict[Key, Used] = {}
    for each in used:
        before = found.get(each.key)
        found[each.key] = each if before is None else replace(
            before,
            events=before.events + each.events,
            first=min(before.first, each.first),
            last=max(before.last, each.last),
        )  # fmt: skip
    return [found[key] for key in sorted(found)]


def _severity(rule: str, entry: Entry) -> Severity:
    if rule == BANNED:
        return Severity.CRITICAL
    return Severity.HIGH if entry.status == "unregistered" else Severity.LOW


def _finding(used: Used, rule: str, severity: Severity, *, anchor: str) -> Finding:
    scope = f"{used.asset_type}={used.asset_id}"
    what = f"{_WORDS.get(used.asset_type, used.asset_type)} {used.asset_id}"
    titles = {
        UNREGISTERED: f"{what} is in use, and nobody has registered it",
        BANNED: f"{what} is banned, and in use",
        FIRST_SEEN: f"{what} is used for the first time",
    }
    return Finding(
        finding_id=finding_id(used.tenant, scope, used.asset_type, rule, anchor),
        tenant_id=used.tenant,
        rule_id=rule,
        detector_version=VERSION,
        title=titles[rule],
        status=FindingStatus.NEW,
        severity=severity,
        confidence=_CERTAIN,
        scope=scope,
        metric=used.asset_type,
        window_start=used.first,
        window_end=used.last + timedelta(microseconds=1),
        observed=float(used.events),
        expected=0.0,
        attacks=ATTACKS[rule],
    )

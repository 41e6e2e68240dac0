"""Why nobody is called: mutes that end, and hours of the week in which something is expected.

Suppression is about calling. What is suppressed is recorded all the same, with the reason; what still goes on
when the reason is gone is told of then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WEEK = 7 * 24 * 60
"""Minutes of a week."""

_MONDAY = 3 * 24 * 60  # 1970 began on a Thursday


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a mute or a window is about; empty fields are about all.

    Attributes:
        tenant_id: Tenant of the finding.
        rule_id: Rule or detector.
        scope: Scope within the tenant, as `model=gpt-4o`.
    """

    tenant_id: str = ""
    rule_id: str = ""
    scope: str = ""

    def covers(self, tenant_id: str, rule_id: str, scope: str) -> bool:
        """Return whether a finding is within it."""
        return (
            self.tenant_id in {"", tenant_id} and self.rule_id in {"", rule_id} and self.scope in {"", scope}
        )


@dataclass(frozen=True, slots=True)
class Mute:
    """A time in which nobody is called: a mute by a person, or maintenance.

    Attributes:
        name: Its id.
        extent: What it is about.
        start: First minute since 1970.
        end: First minute after.
    """

    name: str
    extent: Extent
    start: int
    end: int

    @property
    def reason(self) -> str:
        """What `suppressed_by` says."""
        return f"mute:{self.name}"

    def holds(self, minute: int) -> bool:
        """Return whether it holds at a minute."""
        return self.start <= minute < self.end


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """Minutes of every week in which something is expected, as a batch job.

    Attributes:
        name: Its id.
        extent: What it is about.
        first: First minute of the week; weeks begin on Monday, 00:00 UTC.
        length: Minutes that it lasts, at most a week; it may pass the week's end.
        start: First minute since 1970 at which it is known.
        end: First minute after it was withdrawn; None while it holds.
    """

    name: str
    extent: Extent
    first: int
    length: int
    start: int = 0
    end: int | None = None

    @property
    def reason(self) -> str:
        """What `suppressed_by` says."""
        return f"window:{self.name}"

    def holds(self, minute: int) -> bool:
        """Return whether it holds at a minute."""
        is_known = self.start <= minute and (self.end is None or minute < self.end)
        return is_known and (minute + _MONDAY - self.first) % WEEK < self.length


@dataclass(frozen=True, slots=True)
class Suppression:
    """All mutes and windows that are known.

    Attributes:
        mutes: The mutes.
        windows: The windows.
    """

    mutes: Sequence[Mute] = ()
    windows: Sequence[WeeklyWindow] = ()

    def reason(self, tenant_id: str, rule_id: str, scope: str, minute: int) -> str:
        """Return why nobody is called of a finding at a minute, as `mute:ID`; empty when somebody is."""
        times: tuple[Mute | WeeklyWindow, ...] = (*self.mutes, *self.windows)
        for each in times:
            if each.holds(minute) and each.extent.covers(tenant_id, rule_id, scope):
                return each.reason
        return ""

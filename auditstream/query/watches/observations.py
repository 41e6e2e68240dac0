"""What a watch saw that should not be: the same thing seen again is the same observation."""

from __future__ import annotations

from dataclasses import dataclass

MEDIUM, HIGH, CRITICAL = 3, 4, 5
"""OCSF severities: a right too many; a right to write, or a setting; what was recorded is changed or gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that should not be.

    Attributes:
        rule: Which watch saw it, as `store.tables`.
        scope: What it is about, as `table=events`.
        title: One line: what, what was expected, what was found.
        severity: As OCSF has it.
        state: What tells it from another observation of the same thing: a second change is a second finding.
        passes: Whether it is over once it is not seen any more, as a right that was taken back; what was done
            to rows stays a finding.
        observed: What was counted, where something was.
        expected: What the count should have been.
        remedy: What to do about it; empty where that depends on who did it.
    """

    rule: str
    scope: str
    title: str
    severity: int
    state: str
    passes: bool = True
    observed: float | None = None
    expected: float | None = None
    remedy: str = ""


def shortened(text: str, longest: int = 120) -> str:
    """Return a text of one line that fits into a title."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"

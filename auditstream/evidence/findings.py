"""What a check of the evidence found: where, what was expected, what is there instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

MOST_KEPT = 10_000
"""Findings that are named; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold.

    Attributes:
        log: Origin of the log, or the name of the table or file where no log is concerned.
        what: Kind of the finding, as one stable word.
        expected: What the evidence says.
        found: What is there.
        first: Index of the leaf, or the first one of a range; None where there is none.
        last: Last index of the range.
    """

    log: str
    what: str
    expected: str
    found: str
    first: int | None = None
    last: int | None = None

    @property
    def place(self) -> str:
        """The index, the range of indexes, or nothing."""
        if self.first is None:
            return ""
        return f"{self.first}" if self.last in {None, self.first} else f"{self.first}-{self.last}"

    def record(self) -> dict[str, Any]:
        """Return the finding by the names of its parts."""
        return {
            "log": self.log,
            "index": self.first,
            "last_index": self.first if self.last is None else self.last,
            "what": self.what,
            "expected": self.expected,
            "found": self.found,
        }

    def __str__(self) -> str:
        where = f"{self.log} leaf {self.place}" if self.place else self.log
        return f"{where}: {self.what}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class Report:
    """What a run came to.

    Attributes:
        findings: What does not hold; the first `MOST_KEPT`.
        total: How many findings there were.
        remarks: What the reader should know and what is no contradiction.
        logs: Logs that were checked.
        leaves: Leaves that were checked.
    """

    findings: list[Finding] = field(default_factory=list)
    total: int = 0
    remarks: list[str] = field(default_factory=list)
    logs: int = 0
    leaves: int = 0

    @property
    def holds(self) -> bool:
        """Whether there was no finding."""
        return not self.total

    def add(self, found: Iterable[Finding]) -> None:
        """Take findings; runs of one kind at neighbouring indexes become a range."""
        for each in found:
            last = self.findings[-1] if self.findings else None
            if last is not None and _continues(last, each):
                end = each.first if each.last is None else each.last
                self.findings[-1] = replace(last, last=end)
                continue
            self.total += 1
            if len(self.findings) < MOST_KEPT:
                self.findings.append(each)


def merged(found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings with those of one kind at neighbouring indexes as a range."""
    report = Report()
    report.add(found)
    yield from report.findings


def _continues(last: Finding, each: Finding) -> bool:
    if last.first is None or each.first is None:
        return False
    end = last.first if last.last is None else last.last
    same = (last.log, last.what, last.expected, last.found) == (
        each.log,
        each.what,
        each.expected,
        each.found,
    )
    return same and each.first == end + 1

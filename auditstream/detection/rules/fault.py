"""What is wrong with a rule: where, in which field, why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a rule or its cases.

    Attributes:
        file: Name of the file.
        rule: Name of the rule; empty where the file has none yet.
        field: What it is about: a field of events, or a key of the file.
        reason: What is wrong with it.
        hint: What to do; empty where the reason says so.
    """

    file: str
    rule: str
    field: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.rule}" if self.rule else self.file
        return f"{where}: {self.field}: {self.reason}"


class RuleFaultError(Exception):
    """A rule cannot be used; becomes a `Fault` where its file and name are known."""

    def __init__(self, field: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.hint = hint

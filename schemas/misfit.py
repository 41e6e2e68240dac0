"""What a value raises that does not fit its type; it gathers the field path on its way up.

It never leaves this room: `schemas.wire` makes a DecodeError of it, `schemas.intake` a ContractError.
"""

from __future__ import annotations


class Misfit(Exception):  # noqa: N818 - a signal between functions of this room, not an error of the product
    """A value does not fit.

    Attributes:
        reason: What does not fit, to be read after the field's path and a colon.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self._parts: list[str] = []

    def within(self, part: str) -> Misfit:
        """Return the same misfit, one level further out: `part` is `.name` or `[item]`."""
        self._parts.append(part)
        return self

    @property
    def path(self) -> str:
        """Path of the value, as `costs[0].unit`; empty for the record itself."""
        return "".join(reversed(self._parts)).removeprefix(".")

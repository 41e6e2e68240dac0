"""What a client says of itself beside its statement: who asks, with which command, what for.

It travels as JSON in a header, which a client may send whatever settings it may not change. It is a claim:
what is known is the sign-in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

HEADER = "X-Auditstream-Claims"

_LONGEST = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a client says of itself; empty where it says nothing.

    Attributes:
        actor: Who asks.
        command: Command of the product that asks, as `search`.
        tenant: Whose events alone are asked for.
        purpose: What the answer is for.
        destination: Where an export goes.
        act: Id of a command that reads whole tables by many statements: its event says that it reads all of
            them, and covers the others. So a claim can only make more of what is recorded, never less.
    """

    actor: str = ""
    command: str = ""
    tenant: str = ""
    purpose: str = ""
    destination: str = ""
    act: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The claims as a request carries them."""
        return {HEADER: json.dumps({name: value for name, value in asdict(self).items() if value})}


def claims_of(text: str) -> Claims:
    """Return the claims that a header's text holds; none where it is something else."""
    if len(text) > _LONGEST:
        return Claims()
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return Claims()
    if not isinstance(given, dict):
        return Claims()
    names = {each.name for each in fields(Claims)}
    return Claims(
        **{name: value for name, value in given.items() if name in names and isinstance(value, str)}
    )

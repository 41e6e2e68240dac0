"""How a finding stands, for the commands that begin with its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.query.findings import Standing


def standing_of(context: Context, id_: str, command: str) -> Standing:
    """Return a finding by the first digits of its id, once an event tells of the reading."""
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.query import findings

    with told_reader(running.find(context), Reading(command, id_, (findings.READ_FROM,))) as reader:
        return findings.standing(reader, id_)

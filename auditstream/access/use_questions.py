"""Questions about the record's own use: who asked what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.query import access_log
from auditstream.query.access_log import Accessed, ReaderCount, Wanted
from auditstream.query.cursors import Cursor


@dataclass(frozen=True, slots=True)
class Uses:
    """What the record was used for.

    Attributes:
        readers: Who asked most, of the whole range.
        found: A page of questions, the newest first.
        after: Where the next page begins; None after the last.
    """

    readers: Sequence[ReaderCount]
    found: Sequence[Accessed]
    after: Cursor | None


def uses(desk: Desk, who: Principal, wanted: Wanted, caller: Caller) -> Uses:
    """Return who asked what; raises as `Desk.ask` and `access_log.accesses`.

    A question about several tenants is nobody's: only who may see everybody's rows sees it.
    """
    question = Question("accesses", repr(wanted), access_log.READ_FROM, caller=caller)
    reader = desk.ask(who, question, may="accesses")
    found = access_log.accesses(reader, wanted)
    return Uses(access_log.by_reader(reader, wanted), found, access_log.next_page(found, wanted))

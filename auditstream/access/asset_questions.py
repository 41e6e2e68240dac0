"""Questions about assets: what was used, whose it is, and saying that it may be used or may not."""

from __future__ import annotations

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.access.reach import Facts
from auditstream.core.errors import NotAllowedError
from auditstream.emit.key_facts import write_fact
from auditstream.query.assets import READ_FROM, used_assets
from auditstream.query.inventory import Listed, inventory
from auditstream.query.named_periods import Span
from auditstream.reference.assets import Asset
from auditstream.reference.register import Register

_SOURCE = "auditstream console"


def used(desk: Desk, who: Principal, span: Span, caller: Caller, *, tenant: str = "") -> list[Listed]:
    """Return what was used in a range, with what the register says now; raises as `Desk.ask`.

    Args:
        desk: Asks the record.
        who: Who asks.
        span: Range of event_time.
        caller: From where.
        tenant: Only what this one used.
    """
    text = f"{span.start.isoformat()}/{span.end.isoformat()}"
    reader = desk.ask(who, Question("discovery", text, READ_FROM, tenant, caller=caller), may="discovery")
    found = used_assets(reader, span.start, span.end, tenant=tenant or None)
    return inventory(found, Register(desk.facts(), desk.now))


def state(desk: Desk, who: Principal, wanted: Asset, caller: Caller, *, facts: Facts) -> int:
    """Say that an asset may be used, or may not, and return the revision from which that holds.

    Events tell of it before it takes effect.

    Args:
        desk: Is told of it.
        who: Who says so.
        wanted: What holds.
        caller: From where.
        facts: Lends the store of reference data.

    Raises:
        NotAllowedError: Their role does not allow it, or the tenant is none of theirs.
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: It could not be told of, or no answer. Nothing takes effect.
    """
    text = f"{wanted.status} {'/'.join(wanted.key)}"
    scope = desk.admit(
        who, Question("assets", text, ("assets",), wanted.tenant_id, caller=caller), may="register"
    )
    if scope.tenants is not None and wanted.tenant_id not in scope.tenants:
        whose = f"tenant {wanted.tenant_id}" if wanted.tenant_id else "all tenants"
        raise NotAllowedError(
            f"tenant_id: you may not say what holds for {whose}", hint="Name one of your own."
        )
    with facts() as store:
        return write_fact(
            store,
            store.load(store.newest(), kinds=("asset",)),
            wanted,
            source=_SOURCE,
            actor=who.name,
            now=desk.now,
            announce=desk.tell,
        )

"""Saying what may be spent: what a budget would change, and the change; judged as by `auditstream apply`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import polars as pl

from auditstream.access.budget_history import histories, meant
from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.access.reach import Facts
from auditstream.core.errors import NotFoundError, RequestError
from auditstream.emit.key_facts import write_fact
from auditstream.reference.changes import Change, difference
from auditstream.reference.dangling import dangling
from auditstream.reference.digests import digest
from auditstream.reference.documents import Reading, Stated
from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot

_DOCUMENT = "budget.json"  # what its text is called while it is read: nobody sees it
_KINDS = ("budget", "tenant", "project")  # what a budget is compared with, and what it may name

Document = Mapping[str, Any]
"""Fields of a budget as a document for `auditstream apply` has them, its kind left out."""


class BudgetError(RequestError):
    """Fields of a budget cannot be so.

    Args:
        faults: By name of the field, what is wrong with it; an empty name is of the whole.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        name, reason = next(iter(faults.items()))
        super().__init__(f"{name}: {reason}" if name else reason, field=name)
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a budget would change.

    Attributes:
        budget: What would hold.
        change: What that changes; None when it is known already.
        seen: Names what holds now: `set_budget` refuses when another does by then.
        remarks: What the budget names that nobody has registered.
    """

    budget: Budget
    change: Change | None
    seen: str
    remarks: Sequence[str] = ()


def preview(who: Principal, document: Document, now: datetime, *, facts: Facts, source: str) -> Preview:
    """Return what a budget would change; nothing is written.

    Args:
        who: Who says so.
        document: The budget.
        now: From when it holds if it does not say.
        facts: Lends the store of reference data.
        source: Part of the product that somebody says it in.

    Raises:
        NotAllowedError: Their role does not allow it.
        BudgetError: A field cannot be so, or the tenant or the id is not theirs to name.
        RetryableError: No answer.
    """
    who.require("budgets")
    stated = _stated(document, now, source)
    with facts() as store:
        snapshot = store.load(store.newest(), kinds=_KINDS)
    return _compared(who, stated, snapshot, now)


def set_budget(
    desk: Desk,
    who: Principal,
    document: Document,
    caller: Caller,
    *,
    facts: Facts,
    source: str,
    seen: str | None = None,
) -> tuple[Preview, int]:
    """Create or change a budget, and return what that changed and the revision from which it holds.

    An event tells of it before it takes effect. A document that changes nothing writes nothing.

    Args:
        desk: Is told of it.
        who: Who says so.
        document: The budget.
        caller: From where.
        facts: Lends the store of reference data.
        source: Part of the product that somebody says it in.
        seen: What held when they looked, as `Preview.seen` has it; None for whatever holds.

    Raises:
        NotAllowedError: Their role does not allow it; an event tells of that.
        BudgetError: As `preview`, or what holds is not what they saw.
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: It could not be told of, or no answer. Nothing takes effect.
    """
    text = f"{document.get('budget_id', '')}"
    desk.admit(who, Question("budgets set", text, ("budgets",), caller=caller), may="budgets")
    stated = _stated(document, desk.now, source)
    with facts() as store:
        snapshot = store.load(store.newest(), kinds=_KINDS)
        found = _compared(who, stated, snapshot, desk.now)
        if seen is not None and seen != found.seen:
            raise BudgetError({"": "somebody changed the budget meanwhile: look at what changes now"})
        revision = write_fact(
            store,
            snapshot,
            stated.fact,
            source=source,
            actor=who.name,
            now=desk.now,
            announce=desk.tell,
            dated=stated.dated,
        )
    return found, revision


def held(who: Principal, budget_id: str, now: datetime, *, facts: Facts) -> Budget:
    """Return the budget of an id: as it is watched now, else as it will be, else as it last was.

    Raises:
        NotAllowedError: Their role does not allow it.
        NotFoundError: None holds that is theirs.
        RetryableError: No answer.
    """
    who.require("budgets")
    with facts() as store:
        snapshot = store.load(store.newest(), kinds=("budget",))
    found = _meant(snapshot, budget_id, now)
    if found is None or not _is_theirs(who, found.tenant_id):
        raise NotFoundError(f"budget {budget_id[:80]}: there is none that you may change", field="budget_id")
    return found


def _meant(snapshot: Snapshot, budget_id: str, now: datetime) -> Budget | None:
    """Return what an id means, with the end that was stated and not where something else replaces it."""
    history = histories(snapshot.intervals("budget").filter(pl.col("budget_id") == budget_id))
    seen = meant(history.get(budget_id, ()), now)
    stated = seen and snapshot.find(Budget, budget_id, at=seen.valid_from)
    return stated.model_copy(update={"valid_from": seen.valid_from}) if seen and stated else None


def ended(budget: Budget, now: datetime) -> Document:
    """Return the document that ends a budget: it is watched no more, and one to come never begins."""
    start = budget.valid_from.isoformat() if budget.valid_from > now else None
    return {**_fields(budget), "active": False, "valid_from": start, "valid_to": None}


def _fields(budget: Budget) -> dict[str, Any]:
    said = budget.model_dump(mode="json")
    return {**said, "amount": f"{budget.amount:f}"}


def _stated(document: Document, now: datetime, source: str) -> Stated:
    """Return what a document states.

    Raises:
        BudgetError: It is none of a budget.
    """
    reading = Reading()
    reading.add(json.dumps({**document, "kind": "budget"}), _DOCUMENT, now=now)
    if reading.problems:
        faults: dict[str, str] = {}
        for problem in reading.problems:
            faults.setdefault(problem.field.partition(".")[0], problem.reason)
        raise BudgetError(faults)
    (read,) = reading.stated
    return Stated(read.fact, source, 1, source, read.dated)


def _compared(who: Principal, stated: Stated, snapshot: Snapshot, now: datetime) -> Preview:
    budget = cast("Budget", stated.fact)
    _require_theirs(who, budget, snapshot)
    found = difference([stated], snapshot, now=now)
    change = found.changes[0] if found.changes else None
    before = snapshot.find(Budget, budget.budget_id, at=budget.valid_from)
    if before is None and change is not None and change.hides:
        # What has not begun yet is replaced whole: that is what the change is about.
        before = snapshot.find(Budget, budget.budget_id, at=change.hides[0])
        change = replace(change, before=before)
    remarks = [each.rpartition(": ")[2] for each in dangling([stated], snapshot)]
    return Preview(budget, change, digest(before) if before else "none", remarks)


def _require_theirs(who: Principal, budget: Budget, snapshot: Snapshot) -> None:
    """Return when somebody may say what the budget says.

    Raises:
        BudgetError: It is about others, or its id is of a budget of others.
    """
    if not _is_theirs(who, budget.tenant_id):
        whose = f"tenant {budget.tenant_id}" if budget.tenant_id else "all tenants"
        raise BudgetError({"tenant_id": f"you may not say what {whose} may spend; name one of your own"})
    rows = snapshot.rows("budget").select("budget_id", "tenant_id").unique().iter_rows()
    if any(id_ == budget.budget_id and not _is_theirs(who, tenant) for id_, tenant in rows):
        raise BudgetError({"budget_id": "is taken: an id is of one budget, whoever has it; choose another"})


def _is_theirs(who: Principal, tenant: str) -> bool:
    return who.tenants is None or tenant in who.tenants

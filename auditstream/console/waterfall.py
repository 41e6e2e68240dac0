"""A trace as lines of a table: the tree's guides, and a bar for each step on one axis of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from auditstream.console.formats import length
from auditstream.console.kinds import Kind, kind_of
from auditstream.query.traces import Step, Trace

_THINNEST = 0.4  # percent of the axis: a moment is seen as a line
_TICKS = 5
_DEEPEST = 24  # levels that are drawn: deeper ones stand under each other, or there were no room for names


@dataclass(frozen=True, slots=True)
class Line:
    """One step.

    Attributes:
        id: Its event's id.
        name: What it did it with.
        kind: What kind of event it is.
        guides: Classes of what is drawn before its name, one a level.
        x: Where its bar begins, in percent of the axis.
        width: How wide it is.
        begins: How long after the run's start it began.
        took: How long it took; None when nobody said.
        tokens_in: Tokens in.
        tokens_out: Tokens out.
        cost: Its cost.
        currency: In which currency.
        cost_status: Whether it has a price.
        outcome: How it ended.
        verdict: What a policy said.
        error: Kind of its error.
        tone: Class of its bar.
        link: Its event's page.
        peek: Its event's panel.
    """

    id: str
    name: str
    kind: Kind
    guides: tuple[str, ...]
    x: float
    width: float
    begins: str
    took: timedelta | None
    tokens_in: int | None
    tokens_out: int | None
    cost: Decimal | None
    currency: str
    cost_status: str
    outcome: str
    verdict: str
    error: str
    tone: str
    link: str
    peek: str


def lines(trace: Trace, link: Callable[[str], str], peek: Callable[[str], str]) -> list[Line]:
    """Return the steps of a trace in the order of its tree.

    Args:
        trace: The trace.
        link: Returns the page of an event.
        peek: Returns the panel of an event.
    """
    start, whole = trace.start, trace.end - trace.start
    made = []
    pending: list[tuple[Step, tuple[str, ...], tuple[str, ...]]] = [
        (root, (), ()) for root in reversed(trace.roots)
    ]
    while pending:
        step, own, below = pending.pop()
        made.append(
            _line(step, own[:_DEEPEST], start_offset=step.start - start, whole=whole, link=link, peek=peek)
        )
        last = len(step.children) - 1
        children = [
            (child, (*below, "last" if at == last else "branch"), (*below, "" if at == last else "line"))
            for at, child in enumerate(step.children)
        ]
        pending.extend(reversed(children))
    return made


def axis(trace: Trace) -> list[str]:
    """Return the labels of the axis, from its start to its end."""
    whole = trace.end - trace.start
    return [str(length(whole * at / (_TICKS - 1))) if at else "0" for at in range(_TICKS)]


def _line(
    step: Step,
    guides: tuple[str, ...],
    *,
    start_offset: timedelta,
    whole: timedelta,
    link: Callable[[str], str],
    peek: Callable[[str], str],
) -> Line:
    event = step.event
    id_ = str(event["event_id"])
    took = step.end - step.start if event["duration_us"] is not None else None
    width = max(_percent(took or timedelta(), whole), _THINNEST)
    name = event["tool_name"] or event["model"] or event["agent_id"] or event["source"]
    kind = kind_of(event["event_type"])
    return Line(
        id=id_,
        name=f"{kind.words}: {name}" if name else kind.words,
        kind=kind,
        guides=guides,
        x=round(min(_percent(start_offset, whole), 100 - width), 3),
        width=round(width, 3),
        begins=str(length(start_offset)),
        took=took,
        tokens_in=event["input_tokens"],
        tokens_out=event["output_tokens"],
        cost=event["cost_effective"],
        currency=str(event["cost_currency"] or ""),
        cost_status=event["cost_status"],
        outcome=event["outcome"],
        verdict=str(event["policy_verdict"] or "").lower(),
        error=str(event["error_type"] or "") if event["outcome"] != "SUCCESS" else "",
        tone=(event["outcome"] or "unknown").lower(),
        link=link(id_),
        peek=peek(id_),
    )


def _percent(part: timedelta, whole: timedelta) -> float:
    return 100 * (part / whole) if whole else 0.0

"""Objectives: what was promised, how much of the error budget is left, and how fast it burns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import objective_questions
from auditstream.console.formats import length
from auditstream.console.visits import visit_of
from auditstream.detection.burn import FEWEST_EVENTS
from auditstream.notify.alert_windows import length_text
from auditstream.notify.slo_lines import WINDOWS
from auditstream.notify.slo_standing import LedgerDay, SloStanding
from auditstream.reference.objectives import Objective

_WORDS: Mapping[str, str] = {
    "availability": "Calls that are answered",
    "error_rate": "Calls without an error",
    "latency_ttft": "First token in time",
    "latency_total": "Whole answer in time",
    "fallback": "Calls without a fallback",
    "audit_completeness": "Events that arrived",
    "audit_freshness": "Events that could be read in time",
    "priced_share": "Calls with a price",
    "verification_coverage": "Outputs that were verified in time",
}
"""What each indicator counts as good, in words."""

_WIDTH, _HEIGHT = 240.0, 34.0
_LEAST = 1.5  # height of a bar of nothing: a day without events, or without a budget
_HOT, _WARM = 6.0, 1.0  # a burn of 1 spends the budget in its period, one of 6 in five days of a month


def slos(request: Request) -> Response:
    """Answer with the board, which loads what it shows."""
    visit = visit_of(request)
    board = visit.link.at("/parts/slos", "tenant")
    return visit.page("slos.html", board_url=board)


def board(request: Request) -> Response:
    """Answer with how each objective stands: those that need somebody first."""
    visit = visit_of(request)
    found = objective_questions.objectives(
        visit.desk, visit.who, visit.caller, tenant=visit.parameter("tenant")
    )
    cards = [_card(each) for each in sorted(found, key=_urgency)]
    states = [card["state"] for card in cards]
    counts = {name: states.count(name) for name in ("burning", "spent", "held", "unknown")}
    return visit.part("slo_board.html", cards=cards, counts=counts)


def _urgency(standing: SloStanding) -> tuple[float, str]:
    worst = {"spent": -2.0, "burning": -1.0, "held": 0.0, "unknown": 1.0}[_state(standing)]
    return worst * 10 + standing.left, standing.objective.slo_id


def _state(standing: SloStanding) -> str:
    if standing.is_spent:
        return "spent"
    if standing.firing is not None:
        return "burning"
    return "held" if standing.total.valid >= FEWEST_EVENTS else "unknown"


def _card(standing: SloStanding) -> dict[str, Any]:
    objective, total = standing.objective, standing.total
    return {
        "id": objective.slo_id,
        "words": _WORDS.get(objective.indicator, objective.indicator),
        "indicator": objective.indicator,
        "limit": str(length(objective.limit_us)) if objective.limit_us else "",
        "scope": scope_words(objective),
        "goal_pct": float(100 * objective.objective),
        "days": objective.window_days,
        "state": _state(standing),
        "good_pct": None if standing.good_share is None else 100 * standing.good_share,
        "left_pct": 100 * standing.left,
        "good": total.good,
        "bad": total.bad,
        "valid": total.valid,
        "alert": standing.firing.name.replace("_", " ") if standing.firing else "",
        "asked": str(standing.asked).lower(),
        "ends_at": standing.ends_at,
        "at": standing.at,
        "burns": [
            {
                "window": length_text(minutes),
                "rate": standing.rates[minutes],
                "tone": _heat(standing.rates[minutes]),
            }
            for minutes in WINDOWS
        ],
        "ledger": _ledger(standing.ledger),
        "drawing": (_WIDTH, _HEIGHT),
        "owner": objective.owner,
    }


def scope_words(objective: Objective) -> str:
    """Return what an objective covers, as text."""
    whose = [objective.tenant_id] if objective.tenant_id else []
    return (
        ", ".join([*whose, *(f"{name} {value}" for name, value in sorted(objective.scope.items()))]) or "all"
    )


def _heat(rate: float) -> str:
    if rate >= _HOT:
        return "hot"
    return "warm" if rate >= _WARM else "cool"


def _ledger(days: Sequence[LedgerDay]) -> list[dict[str, Any]]:
    """Return the days of a period as bars: how much of the budget was left at the end of each."""
    place = _WIDTH / max(len(days), 1)
    bars = []
    for at, each in enumerate(reversed(days)):
        left = min(max(each.left, 0.0), 1.0)
        high = max(left * _HEIGHT, _LEAST) if each.counted.valid else _LEAST
        bars.append(
            {
                "x": round(at * place, 2),
                "width": round(place * 0.8, 2),
                "y": round(_HEIGHT - high, 2),
                "height": round(high, 2),
                "tone": "none" if not each.counted.valid else "bad" if each.left <= 0 else "good",
                "told": (
                    f"{each.day:%d %b}: {100 * each.left:.1f} % left; "
                    f"{each.counted.bad:,} of {each.counted.valid:,} missed it"
                ),
            }
        )
    return bars


ROUTES = (Route("/slos", slos), Route("/parts/slos", board))

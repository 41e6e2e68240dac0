"""Objectives as lines: what each cell of a report says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from auditstream.notify.alert_windows import length_text
from auditstream.notify.scopes import scope_text
from auditstream.notify.slo_standing import SloStanding
from auditstream.reference.objectives import Objective

WINDOWS = (5, 30, 60, 120, 360, 1_440, 4_320)
"""Minutes of the windows that burn is watched by."""

_STEP = Decimal("0.001")
_RATE_PLACES = 3


COLUMNS = (
    "slo_id", "tenant_id", "scope", "indicator", "objective_pct", "window_days", "good", "valid", "good_pct",
    "budget_left_pct", *(f"burn_{length_text(each)}" for each in WINDOWS), "alert", "state", "ends_at",
)  # fmt: skip
LEDGER_COLUMNS = (
    "slo_id", "tenant_id", "day", "good", "bad", "valid", "spent_pct", "budget_left_pct",
)  # fmt: skip


def row_of(standing: SloStanding) -> tuple[Any, ...]:
    """Return the cells of `COLUMNS`."""
    objective, total, firing = standing.objective, standing.total, standing.firing
    return (
        objective.slo_id,
        objective.tenant_id,
        scope_of(objective),
        objective.indicator,
        (100 * objective.objective).normalize(),
        objective.window_days,
        total.good,
        total.valid,
        None if standing.good_share is None else percent(standing.good_share),
        percent(standing.left),
        *(round(standing.rates[each], _RATE_PLACES) for each in WINDOWS),
        firing.name if firing else "",
        str(standing.asked),
        standing.ends_at,
    )


def ledger_rows(standing: SloStanding) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of `LEDGER_COLUMNS` for the days that anything happened on, the last first."""
    objective = standing.objective
    for each in standing.ledger:
        if each.counted.valid or each.counted.bad:
            yield (
                objective.slo_id,
                objective.tenant_id,
                each.day,
                each.counted.good,
                each.counted.bad,
                each.counted.valid,
                percent(each.spent),
                percent(each.left),
            )


def scope_of(objective: Objective) -> str:
    """Return what an objective covers, as `tenant=acme/feature_id=search`."""
    whole = scope_text("slo", objective.slo_id, objective.tenant_id, objective.scope)
    return whole.partition(f"slo={objective.slo_id}")[2].removeprefix("/") or "everything"


def state_of(standing: SloStanding) -> str:
    """Return how an objective stands, in words."""
    firing = standing.firing
    words = ["the budget is gone"] if standing.is_spent else []
    if firing is not None:
        words.append(f"it burns fast enough for a {firing.name.partition('_')[0]}")
    return ", ".join(words) or "it burns no faster than it may"


def percent(share: float | Decimal) -> Decimal:
    """Return a share as percent with three decimals."""
    return (100 * Decimal(share)).quantize(_STEP)


def percent_text(share: float | Decimal) -> str:
    """Return a share as `99.95 %`."""
    return f"{percent(share).normalize():f} %"
